"""Relate deep networks to brain data, as a BIDS App."""

__version__ = "0.1.0.dev0"
