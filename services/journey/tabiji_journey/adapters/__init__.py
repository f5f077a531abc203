"""One file per technology: what the pipeline and the API keep in PostgreSQL."""
