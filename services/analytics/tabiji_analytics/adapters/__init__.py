"""What analytics needs of the outside, by technology: all of it is PostgreSQL."""
