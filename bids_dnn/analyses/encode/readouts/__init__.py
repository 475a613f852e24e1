"""Readouts in space x features: units as weights on the feature maps of one layer."""
