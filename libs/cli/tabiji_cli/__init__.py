"""The `tabiji` command: the embedded stack, the demo, imports and views."""
