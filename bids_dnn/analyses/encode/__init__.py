"""Predict each unit's responses to stimuli from what a network makes of them."""
