"""Scores, folds, leakage, noise ceilings and inference: plain functions of arrays."""
