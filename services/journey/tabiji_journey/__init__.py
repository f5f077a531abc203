"""Tabiji: journey advances customers through journeys."""
