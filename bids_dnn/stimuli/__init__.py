"""Pictures: which there are, which samples showed them, and how a network is given them."""
