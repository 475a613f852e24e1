"""Networks by name: cards, loaders, weights."""

from bids_dnn.features.layers import layers_of
from bids_dnn.features.models.load import card_of, families, load_network

__all__ = ["card_of", "families", "layers_of", "load_network"]
