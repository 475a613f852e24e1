"""workflows.meshes: where meshes of standard surfaces and of participants are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Surface
from bids_dnn.ingest.records import Anatomy, Subject
from bids_dnn.stats.neighbours import adjacency
from bids_dnn.workflows.meshes import drawn_on, mesh_files, meshes_of, path_of_mesh


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_fsaverage5_comes_with_nilearn_and_touches_as_an_icosphere(monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    found = meshes_of("fsaverage5", None)
    meshes = {side: imaging.read_mesh(path) for side, path in found.items()}
    space = Surface("fsaverage5", (10242, 10242), np.arange(20484))
    touching = adjacency(space, meshes=meshes)
    counts = np.bincount(np.diff(touching.indptr))
    assert counts.tolist() == [0, 0, 0, 0, 0, 24, 20460]  # twelve corners a hemisphere


def test_the_users_own_averages_come_first_then_templateflow(monkeypatch, tmp_path):
    home, subjects = tmp_path / "home", tmp_path / "subjects"
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(home))
    assert meshes_of("fsaverage", subjects) == {}
    template = {s: home / f"tpl-fsaverage/tpl-fsaverage_hemi-{s}_den-164k_white.surf.gii"
                for s in "LR"}  # fmt: skip
    touch(*template.values())
    assert meshes_of("fsaverage", subjects) == template
    own = {s: subjects / f"fsaverage/surf/{w}h.white" for s, w in (("L", "l"), ("R", "r"))}
    touch(own["L"])
    assert meshes_of("fsaverage", subjects) == template
    touch(own["R"])
    assert meshes_of("fsaverage", subjects) == own


def test_stubs_of_templateflow_and_other_spaces_give_none(monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    paths = [tmp_path / f"tpl-fsLR/tpl-fsLR_den-32k_hemi-{s}_midthickness.surf.gii" for s in "LR"]
    touch(*paths)
    assert list(meshes_of("fsLR", None).values()) == paths
    paths[1].write_bytes(b"")
    assert meshes_of("fsLR", None) == {}
    assert meshes_of("fsnative", tmp_path) == meshes_of("MNI152NLin2009cAsym", tmp_path) == {}


def test_inflated_meshes_have_their_folding(monkeypatch, tmp_path):
    home, subjects = tmp_path / "home", tmp_path / "subjects"
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(home))
    found = drawn_on("fsaverage5", None)
    for files in found.values():
        assert len(imaging.read_mesh(Path(files["mesh"]), is_sphere=True).vertices) == 10242
        assert len(imaging.read_curvature(Path(files["folding"]))) == 10242
    assert drawn_on("fsLR", None) == drawn_on("T1w", None) == {}
    folder = home / "tpl-fsLR"
    files = {s: folder / f"tpl-fsLR_den-32k_hemi-{s}_veryinflated.surf.gii" for s in "LR"}
    touch(*files.values())
    assert drawn_on("fsLR", None)["L"] == {"mesh": str(files["L"]), "folding": None}
    sulc = folder / "tpl-fsLR_den-32k_hemi-L_sulc.shape.gii"
    touch(sulc)
    assert drawn_on("fsLR", None)["L"]["folding"] == str(sulc)
    surf = subjects / "fsaverage5" / "surf"
    touch(*(surf / f"{h}.{kind}" for h in ("lh", "rh") for kind in ("inflated", "curv")))
    assert drawn_on("fsaverage5", subjects)["R"] == {
        "mesh": str(surf / "rh.inflated"),
        "folding": str(surf / "rh.curv"),
    }


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
def test_the_mesh_is_that_of_the_vertices(monkeypatch, tmp_path, space, kinds, left):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    files = mesh_files(subject(space, *kinds))
    assert files.get("L") == left
    assert (set(files) == {"L", "R"}) is (left is not None)


def test_standard_surfaces_lie_where_their_templates_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "home"))
    own = {s: tmp_path / f"fsaverage6/surf/{w}h.white" for s, w in (("L", "l"), ("R", "r"))}
    touch(*own.values())
    files = mesh_files(subject("fsaverage6", freesurfer=tmp_path / "sub-01"))
    assert files == {side: str(path) for side, path in own.items()}


def test_fsaverage5_comes_with_nilearn_wherever_that_is(monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    files = mesh_files(subject("fsaverage5"))
    assert files == {"L": "nilearn:L:white", "R": "nilearn:R:white"}
    left, right = (imaging.read_mesh(path_of_mesh(files[h]), is_sphere=True) for h in "LR")
    assert len(left.vertices) == len(right.vertices) == 10242
    assert np.median(left.vertices[:, 0]) < 0 < np.median(right.vertices[:, 0])
