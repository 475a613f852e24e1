"""A network of the user's own names real pictures: Darknet's tiny one, and 92 objects."""

from pathlib import Path

import numpy as np
import pytest
import torchvision
from scipy.io import loadmat
from scipy.stats import fisher_exact

from bids_dnn.features.extract import Options, Shown, extract_features, passes_of
from bids_dnn.features.models import load_network
from bids_dnn.features.probe import probe
from bids_dnn.stimuli.load import Loader

pytestmark = pytest.mark.real

FACTORY = Path(__file__).parents[2] / "factories" / "darknet.py"
PICTURES = "Kriegeskorte_Neuron2008_supplementalData.mat"
N_ANIMALS = 398  # of ImageNet's classes in the order of their numbers, which torchvision keeps
MONKEYS = {
    *("guenon", "patas", "baboon", "macaque", "langur", "colobus", "proboscis monkey"),
    *("marmoset", "capuchin", "howler monkey", "titi", "spider monkey", "squirrel monkey"),
}
# Right names of the animals that ImageNet has a class for; it has none of a cow, goat or giraffe.
NAMES = {
    24: {"armadillo"},
    25: {"Arabian camel"},
    26: {"green snake", "vine snake", "green mamba", "rock python", "boa constrictor"},
    28: MONKEYS,
    29: {"ostrich"},
    30: {"king snake", "sea snake", "hognose snake"},
    31: {"zebra"},
    32: {"tusker", "African elephant", "Indian elephant"},
    33: MONKEYS,
    34: {"ram", "bighorn"},
    35: {"tree frog", "tailed frog", "bullfrog"},
    38: MONKEYS,
    39: {"chimpanzee"},
    40: {"German shepherd"},
    41: {"Great Dane"},
    42: MONKEYS,
    43: MONKEYS,
    44: {"American alligator", "African crocodile"},
    46: {"lion"},
    47: MONKEYS,
}


@pytest.fixture(scope="module")
def network(real_data):
    return load_network(
        f"{FACTORY}:factory",
        weights=real_data / "darknet_tiny" / "darknet_tiny_state_dict.pt",
        layers=["logits"],
        seed=0,
    )


@pytest.fixture(scope="module")
def stored(real_data):
    return loadmat(real_data / "images92" / PICTURES, simplify_cells=True)["stimuli_92objs"]


@pytest.fixture(scope="module")
def ranked(network, stored, tmp_path_factory):
    """Names of the five largest logits of each picture, the largest first."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("images92")
    files = {f"{i:02}.png": (folder / f"{i:02}.png",) for i in range(len(stored))}
    for one, (path,) in zip(stored, files.values(), strict=True):
        Image.fromarray(np.asarray(one["image"], np.uint8)).save(path)
    card = network.card
    shown = Shown(
        {name: name for name in files},
        Loader(files, card.size_px, card.resize, card.interpolation),
    )
    (logits,) = extract_features(
        passes_of(network, shown, probe(network, card.layers), options=Options(batch_size=23))
    ).values()
    assert logits.shape == (92, len(card.labels))
    order = np.argsort(-logits, axis=1)[:, :5]
    return [[card.labels[column] for column in row] for row in order]


@pytest.fixture(scope="module")
def animals():
    """Labels that stand for animals; "crane" does, too, but is also a machine."""
    labels = torchvision.models.get_model_weights("alexnet").DEFAULT.meta["categories"]
    assert (labels[0], labels[N_ANIMALS - 1], labels[N_ANIMALS]) == ("tench", "puffer", "abacus")
    return set(labels[:N_ANIMALS])


def kind_of(one):
    who = "human" if one["human"] else "animal"
    if one["animal"]:
        return f"{who} {'face' if one['face'] else 'body'}"
    return "natural thing" if one["natural"] else "artifact"


def test_the_labels_are_those_of_the_head(network):
    (head,) = probe(network, [network.card.head])
    assert head.n_features == len(network.card.labels) == 1000


def test_animals_are_called_animals_and_things_are_not(ranked, stored, animals):
    """ImageNet has no class of people, so that these are to be called anything but animals.

    Measured: bodies of animals 11 of 12, their faces 12 of 12; people 1 of 24, natural things 3
    of 23, artifacts 0 of 21. Network and pictures are fixed, so that only ties can differ between
    machines: the bounds leave room for two pictures each.
    """
    called: dict[str, list[bool]] = {}
    for one, names in zip(stored, ranked, strict=True):
        called.setdefault(kind_of(one), []).append(names[0] in animals)
    assert {kind: len(values) for kind, values in called.items()} == {
        "human body": 12,
        "human face": 12,
        "animal body": 12,
        "animal face": 12,
        "natural thing": 23,
        "artifact": 21,
    }
    right = called["animal body"] + called["animal face"]
    others = [value for kind, values in called.items() if "animal" not in kind for value in values]
    assert sum(right) >= 23 - 2
    assert sum(others) <= 4 + 2
    table = [[sum(right), len(right) - sum(right)], [sum(others), len(others) - sum(others)]]
    assert fisher_exact(table, alternative="greater").pvalue < 1e-9


def test_animals_have_their_own_name_among_the_first_five(ranked, network):
    """Measured: 19 of 20, the frog being taken for an acorn; by chance 1 of 20 would be right."""
    assert set.union(*NAMES.values()) <= set(network.card.labels)
    right = [i for i, names in NAMES.items() if names & set(ranked[i])]
    assert len(right) >= 19 - 1
    assert {40, 46} <= set(right)
