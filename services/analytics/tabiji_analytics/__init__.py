"""Tabiji: analytics projects facts into views."""
