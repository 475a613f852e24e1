"""Plain containers in which the rooms speak to each other."""
