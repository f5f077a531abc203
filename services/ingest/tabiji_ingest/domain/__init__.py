"""What ingest decides, as pure functions over values."""
