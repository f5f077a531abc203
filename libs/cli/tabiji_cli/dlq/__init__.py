"""``tabiji dlq``: records that a service could not apply, through the services' own HTTP."""
