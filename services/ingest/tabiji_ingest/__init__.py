"""Tabiji: ingest accepts what a shop streams."""
