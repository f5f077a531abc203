"""The demo: a real purchase log replayed through the four services in stepped time, and judged from outside."""
