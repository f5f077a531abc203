"""A new service: its files, and its place in every list of services; ``make new-service name=vip``."""
