"""workflows.meshes: along which surface distances are taken, by space."""

from pathlib import Path

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.ingest.records import Anatomy, Subject
from bids_dnn.workflows.meshes import mesh_files, path_of_mesh, real_files


def subject(space, *kinds, freesurfer=None):
    files = {f"{side}_{kind}": Path(f"{side}_{kind}.gii") for side in "LR" for kind in kinds}
    return Subject("01", "fmriprep", "t", space, anatomy=Anatomy(freesurfer, files))


@pytest.mark.parametrize(
    ("space", "kinds", "left"),
    [
        ("fsnative", ("white", "midthickness", "midthickness-fsLR"), "L_midthickness.gii"),
        ("fsnative", ("white",), "L_white.gii"),
        ("fsLR", ("midthickness", "midthickness-fsLR"), "L_midthickness-fsLR.gii"),
        ("fsLR", ("midthickness",), None),
        ("T1w", ("midthickness",), None),
        ("fsaverage", ("midthickness",), None),
    ],
)
def test_the_mesh_is_that_of_the_vertices(space, kinds, left):
    files = mesh_files(subject(space, *kinds))
    assert files.get("L") == left
    assert (set(files) == {"L", "R"}) is (left is not None)
    assert real_files(files) == [Path(told) for told in files.values()]


def test_a_template_lies_beside_the_participants_folder(tmp_path):
    surf = tmp_path / "fsaverage6" / "surf"
    surf.mkdir(parents=True)
    for name in ("lh.white", "rh.white", "lh.graymid", "rh.graymid"):
        (surf / name).touch()
    files = mesh_files(subject("fsaverage6", freesurfer=tmp_path / "sub-01"))
    assert files == {"L": str(surf / "lh.graymid"), "R": str(surf / "rh.graymid")}


def test_fsaverage5_comes_with_nilearn_wherever_that_is():
    files = mesh_files(subject("fsaverage5"))
    assert files == {"L": "nilearn:L:white", "R": "nilearn:R:white"}
    assert real_files(files) == []
    left, right = (imaging.read_mesh(path_of_mesh(files[h]), is_sphere=True) for h in "LR")
    assert len(left.vertices) == len(right.vertices) == 10242
    assert np.median(left.vertices[:, 0]) < 0 < np.median(right.vertices[:, 0])
