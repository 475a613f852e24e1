"""A real network of the user's own over real pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from bids_dnn.features.extract import Options, Shown, extract_grams
from bids_dnn.features.models import load_network
from bids_dnn.stimuli.load import Loader

FACTORY = Path(__file__).parents[1] / "factories" / "darknet.py"


@pytest.mark.real
def test_late_layers_tell_animal_faces_from_natural_things(real_data, tmp_path):
    stored = loadmat(
        real_data / "images92" / "Kriegeskorte_Neuron2008_supplementalData.mat",
        simplify_cells=True,
    )["stimuli_92objs"]
    faces = [s for s in stored if s["animal"] and s["face"] and not s["human"]]
    things = [s for s in stored if not s["animal"] and s["natural"]]
    assert len(faces) == 12
    for i, one in enumerate(faces + things):
        Image.fromarray(np.asarray(one["image"], np.uint8)).save(tmp_path / f"{i:02}.png")
    labels = np.repeat([0, 1], [len(faces), len(things)])

    network = load_network(
        f"{FACTORY}:factory",
        weights=real_data / "darknet_tiny" / "darknet_tiny_state_dict.pt",
        layers=None,
        seed=0,
    )
    assert network.weights == "darknet_tiny_state_dict.pt"
    ids = {path.name: path.name for path in sorted(tmp_path.glob("*.png"))}
    grams = extract_grams(
        network,
        Shown(ids, Loader({name: (tmp_path / name,) for name in ids}, 224, "squash")),
        layers=network.card.layers,
        options=Options(),
        scratch=tmp_path,
    )
    late = {gram.layer: gram.gram for gram in grams}["relu_15"]
    right = []
    for train, test in StratifiedKFold(6, shuffle=True, random_state=0).split(late, labels):
        machine = SVC(kernel="precomputed").fit(late[np.ix_(train, train)], labels[train])
        right.append(machine.score(late[np.ix_(test, train)], labels[test]))
    assert np.mean(right) > 0.92 - 0.05
