"""What networks make of stimuli: loading, all layers in one pass, Gram matrices, a cache."""
