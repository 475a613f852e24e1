"""Classifiers of two classes on Gram matrices, of many labelings at once, and votes of several."""
