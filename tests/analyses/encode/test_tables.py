"""analyses.encode.tables: facts of networks."""

from dataclasses import replace

import numpy as np

from bids_dnn.analyses.encode.tables import network_facts
from tests.factories.responses import make_gram


def test_facts_of_a_network_are_those_that_its_layers_share():
    one = make_gram(np.eye(2), "ab", layer="conv1")
    two = make_gram(np.eye(2), "ab", layer="conv2")
    other = replace(one, network="other", identity={"weights": "x"})
    assert network_facts([one, other, two]) == {
        "net": {"weights": "random", "weights_sha256": "0" * 64, "layers": "conv1, conv2"},
        "other": {"weights": "x", "layers": "conv1"},
    }
