"""Families of analyses; each is pure functions from containers to a Result."""
