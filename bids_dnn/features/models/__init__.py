"""Networks by name: cards, loaders, weights."""

from bids_dnn.features.layers import layers_of
from bids_dnn.features.models.load import card_of, families, find_file, load_network, load_whole

__all__ = ["card_of", "families", "find_file", "layers_of", "load_network", "load_whole"]
