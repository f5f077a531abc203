"""What dispatch decides, without a clock, a database or a network."""
