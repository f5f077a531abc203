"""One file per technology or provider."""
