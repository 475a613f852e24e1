"""Tell conditions apart from the pattern over a region's units."""
