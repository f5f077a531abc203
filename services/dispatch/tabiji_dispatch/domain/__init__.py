"""What dispatch decides, as pure functions over values."""
