"""``tabiji doctor``: what is looked at, what it means, and what to do."""
