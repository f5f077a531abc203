"""Tabiji: dispatch delivers messages."""
