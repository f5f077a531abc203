"""What ingest needs of the outside, one file for each technology."""
