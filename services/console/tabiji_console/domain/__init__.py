"""Pure: words, figures, layouts and drawings."""
