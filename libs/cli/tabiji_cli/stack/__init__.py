"""The embedded stack: Apache Kafka, PostgreSQL and a supervisor, from wheels and jars alone."""
