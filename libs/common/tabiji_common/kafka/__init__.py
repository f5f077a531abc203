"""Everything that knows the Kafka client: consuming by ownership, producing, topics; one room, so that it can be
replaced.
"""
