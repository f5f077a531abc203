"""What journey decides, as pure functions over values."""
