"""console shows: what the other services know, to people, drawn by the server."""
