"""workflows.check_searchlight: what is refused before responses are read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.config.searchlight import SearchlightConfig
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Grid
from bids_dnn.ingest.records import Anatomy, Run, Subject
from bids_dnn.simulate.meshes import icosphere
from bids_dnn.workflows.check_searchlight import why_not_searchlight

REGIONS = {"rules": [{"name": "V1"}, {"name": "LOC"}]}
SUBJECT = Subject("01", "fmriprep", "objects", "T1w")


@pytest.fixture
def volume(tmp_path):
    space = Grid("T1w", (4, 3, 2), np.diag([3.0, 3, 3, 1]), np.arange(9))
    mask = imaging.write_mask(tmp_path / "mask.nii.gz", space)
    run = Run("", "01", Path("bold.nii.gz"), mask, None, None, 2.0, 0.0, 9)
    return replace(SUBJECT, runs=(run,))


def why(subject, regions=REGIONS, **settings):
    return why_not_searchlight(SearchlightConfig(**settings), subject, regions)


def test_what_can_be_done_is_not_refused(volume):
    assert why(volume) is None
    assert why(volume, within=("V1",)) is None
    assert why(replace(SUBJECT, source="table", space="mine"), within=("anything",)) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"within": ("V2",)}, "'V2', which sub-01 does not have"),
        ({"radius_mm": 0.5}, "radius is 0.5 mm, but voxels are 3 x 3 x 3 mm"),
    ],
)
def test_a_region_and_a_radius_that_cannot_be_are_refused(volume, settings, words):
    assert words in str(why(volume, **settings))


@pytest.mark.parametrize("source", ["table", "spm"])
def test_a_radius_is_compared_with_masks_of_other_sources_too(tmp_path, source):
    space = Grid("T1w", (4, 3, 2), np.diag([3.0, 3, 3, 1]), np.arange(9))
    name = "mask.nii.gz" if source == "table" else "mask.nii"
    mask = imaging.write_mask(tmp_path / name, space)
    files = {"files": (mask,)} if source == "table" else {"spm": tmp_path / "SPM.mat"}
    subject = replace(SUBJECT, source=source, **files)
    assert "voxels are 3 x 3 x 3 mm" in str(why(subject, radius_mm=2.0))
    assert why(subject, radius_mm=3.0) is None


def test_a_surface_needs_its_mesh(monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    for space in ("fsnative", "fsLR", "fsaverage6"):
        assert f"hemisphere L and R of {space}" in str(why(replace(SUBJECT, space=space)))
    assert why(replace(SUBJECT, space="fsaverage5")) is None


def test_disks_below_an_edge_are_refused(tmp_path):
    mesh = Mesh(10.0 * icosphere(2).vertices, icosphere(2).faces)  # edges of about 3 mm
    files = {}
    for side in HEMISPHERES:
        files[f"{side}_white"] = tmp_path / f"{side}.surf.gii"
        imaging.write_mesh(files[f"{side}_white"], mesh, side)
    subject = replace(SUBJECT, space="fsnative", anatomy=Anatomy(None, files))
    assert why(subject) is None
    assert "radius is 2 mm, but neighbouring vertices are" in str(why(subject, radius_mm=2.0))
