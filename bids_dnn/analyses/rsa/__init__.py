"""Representational similarity: how differently stimuli are represented."""
