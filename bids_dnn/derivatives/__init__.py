"""Derivatives on disk: their names, how they are written and read, and from what they came."""
