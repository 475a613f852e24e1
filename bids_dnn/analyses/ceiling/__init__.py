"""Noise ceilings: how reliable responses are."""
