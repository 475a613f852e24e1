"""A BIDS data set whose truth is known: pictures, responses, and the trees that tools leave."""
