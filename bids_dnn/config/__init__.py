"""What the user may set, with every default once."""
