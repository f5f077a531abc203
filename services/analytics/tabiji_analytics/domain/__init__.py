"""What analytics decides, as pure functions over values."""
