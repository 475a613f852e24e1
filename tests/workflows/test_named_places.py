"""workflows.named_places: an atlas that is given, else the regions of participants."""

from __future__ import annotations

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Surface
from bids_dnn.derivatives.write import write_region
from bids_dnn.errors import MissingInputError
from bids_dnn.workflows.named_places import NamedPlaces, named_places
from tests.factories.searchlights import AFFINE, NAME, SHAPE, make_grid
from tests.factories.trees import write_image


@pytest.fixture
def atlas(tmp_path):
    """Label 1 for the lower half of x, 2 for the upper one."""
    labels = np.broadcast_to((np.arange(SHAPE[0]) >= 6)[:, None, None] + 1, SHAPE)
    folder = tmp_path / "atlas"
    folder.mkdir()
    (folder / "atlas-Halves_dseg.tsv").write_text("index\tname\n1\tlower\n2\tupper\n")
    path = folder / f"tpl-{NAME}_atlas-Halves_dseg.nii.gz"
    return write_image(path, labels.astype(np.int16), AFFINE)


def names_of(places, space):
    layers, said = NamedPlaces.from_json(places.to_json()).layers(space)
    return layers, said


def test_an_atlas_names_each_unit(tmp_path, atlas):
    space = make_grid()
    places = named_places(tmp_path, ["01"], NAME, atlas)
    assert places.paths() == (atlas, atlas.parent / "atlas-Halves_dseg.tsv")
    (names,), said = names_of(places, space)
    x = np.unravel_index(space.index, SHAPE)[0]
    assert names.tolist() == np.where(x < 6, "lower", "upper").tolist()
    assert said == []


def test_an_atlas_of_another_space_or_mesh_is_said(tmp_path, atlas):
    other = named_places(tmp_path, ["01"], "MNI152NLin6Asym", atlas)
    assert other.atlas is None
    layers, said = names_of(other, make_grid(name="MNI152NLin6Asym"))
    assert layers == []
    assert "not of the space MNI152NLin6Asym" in said[0]
    gifti = tmp_path / "hemi-{hemi}_space-fsaverage5_atlas-X_dseg.label.gii"
    for side in "LR":
        path = tmp_path / gifti.name.format(hemi=side)
        imaging.write_labels(path, np.array([0, 1, 1, 2]), {0: "???", 1: "V1", 2: "V2"}, side)
    made = named_places(tmp_path, [], "fsaverage5", gifti)
    (names,), _ = names_of(made, Surface("fsaverage5", (4, 4), np.array([0, 1, 6, 7])))
    assert names.tolist() == ["", "V1", "V1", "V2"]
    layers, said = names_of(made, Surface("fsaverage5", (9, 9), np.arange(3)))
    assert layers == []
    assert "Clusters have no names" in said[0]


def test_an_atlas_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"There is no atlas .*gone_dseg.nii.gz"):
        named_places(tmp_path, [], NAME, tmp_path / "gone_dseg.nii.gz")


def test_regions_hold_what_half_of_those_who_have_them_have(tmp_path):
    space = make_grid()
    parts = {"01": (0, 40), "02": (20, 60), "03": (30, 50)}
    for label, (low, high) in parts.items():
        roi = Roi("V1", space.at(space.index[low:high]), "mask", high - low)
        write_region(roi, tmp_path, entities={"participant": label}, sidecar={})
    loc = Roi("LOC", space.at(space.index[100:110]), "mask", 10)
    write_region(loc, tmp_path, entities={"participant": "02"}, sidecar={})
    places = named_places(tmp_path, parts, NAME, None)
    assert len(places.paths()) == 4
    layers, said = names_of(places, space.at(space.index[5:105]))
    assert said == []
    found = {one[one != ""][0]: np.flatnonzero(one != "") for one in layers}
    assert found["V1"].tolist() == list(range(15, 45))  # two of three: units 20 to 49
    assert found["LOC"].tolist() == list(range(95, 100))
    assert names_of(named_places(tmp_path, ["04"], NAME, None), space)[0] == []
