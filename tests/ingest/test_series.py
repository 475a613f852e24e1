"""ingest.series: units of all runs, the same for volumes, surfaces and CIFTI."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Surface
from bids_dnn.errors import (
    MissingInputError,
    NotEnoughDataError,
    SpaceError,
    UnreadableError,
)
from bids_dnn.ingest.records import Anatomy, Run, Subject
from bids_dnn.ingest.series import common_space, kind_of, read_series

N = (12, 10)  # vertices of the two meshes
T_R_S = 1.5


def run(bold, name="01", **parts):
    return replace(Run("", name, bold, None, None, None, T_R_S, 0.0, 5), **parts)


def surface_run(folder: Path, values, name="01", *, space="fsnative") -> Run:
    """Write (n_volumes, n_left + n_right) as both hemispheres."""
    folder.mkdir(exist_ok=True)
    left, right = (folder / f"run-{name}_hemi-{h}_space-{space}_bold.func.gii" for h in "LR")
    imaging.write_vertex_series(left, values[:, : N[0]], "L", t_r_s=T_R_S)
    imaging.write_vertex_series(right, values[:, N[0] :], "R", t_r_s=T_R_S)
    return run(left, name, bold_right=right)


def volume_run(folder: Path, values, mask: Grid, name="01") -> Run:
    folder.mkdir(exist_ok=True)
    bold = imaging.write_series(folder / f"run-{name}_bold.nii.gz", values, mask, t_r_s=T_R_S)
    return run(bold, name, mask=imaging.write_mask(folder / f"run-{name}_mask.nii.gz", mask))


def grayordinates(*, flip=False) -> Grayordinates:
    vertex = np.array([0, 1, 3, 0, 2, -1, -1])
    return Grayordinates(
        "fsLR",
        (
            "CIFTI_STRUCTURE_CORTEX_LEFT",
            "CIFTI_STRUCTURE_CORTEX_RIGHT",
            "CIFTI_STRUCTURE_THALAMUS_LEFT",
        ),
        (4, 4, 0),
        np.array([0, 0, 0, 1, 1, 2, 2]),
        np.array([1, 0, 3, 0, 2, -1, -1]) if flip else vertex,
        np.array([[-1] * 3] * 5 + [[0, 1, 2], [1, 1, 1]]),
        (3, 3, 3),
        np.diag([2.0, 2.0, 2.0, 1.0]),
        np.arange(7),
    )


def subject(*runs, space, anatomy=None) -> Subject:
    return Subject("01", "fmriprep", "x", space, tuple(runs), anatomy=anatomy or Anatomy())


@pytest.fixture
def values(rng):
    return rng.normal(size=(5, sum(N))).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x_bold.nii.gz", "volume"),
        ("x_bold.nii", "volume"),
        ("x_bold.func.gii", "surface"),
        ("x_bold.dtseries.nii", "cifti"),
    ],
)
def test_kind_comes_from_the_name(name, expected):
    assert kind_of(Path(name)) == expected


def test_volumes_share_the_voxels_of_all_masks(tmp_path, rng):
    grid = Grid("T1w", (3, 2, 2), np.eye(4), np.arange(8))
    first = rng.normal(size=(5, 8)).astype(np.float32)
    runs = [
        volume_run(tmp_path, first, grid, "01"),
        volume_run(tmp_path, first[:, 2:], grid.at(np.arange(2, 8)), "02"),
    ]
    space, facts = common_space(subject(*runs, space="T1w"))
    np.testing.assert_array_equal(space.index, np.arange(2, 8))
    assert facts == {
        "unit": "voxel",
        "n_places": 12,
        "left_out_of_space": {"outside the brain mask of some run": 2},
        "cortex_masks": [],
    }
    for one in runs:
        np.testing.assert_array_equal(read_series(one, space), first[:, 2:])


def test_volumes_are_refused(tmp_path, values):
    grid = Grid("T1w", (3, 2, 2), np.eye(4), np.arange(4))
    one = volume_run(tmp_path, values[:, :4], grid, "01")
    with pytest.raises(MissingInputError, match=r"run-01_bold.nii.gz has no brain mask"):
        common_space(subject(replace(one, mask=None), space="T1w"))
    other = volume_run(tmp_path, values[:, :4], replace(grid, affine=np.eye(4) * 2), "02")
    with pytest.raises(SpaceError, match=r"two grids: \(3, 2, 2\) in run 01, .* in run 02"):
        common_space(subject(one, other, space="T1w"))
    apart = volume_run(tmp_path, values[:, :2], grid.at(np.array([8, 9])), "03")
    with pytest.raises(NotEnoughDataError, match=r"masks of the 2 runs of sub-01 share no voxel"):
        common_space(subject(one, apart, space="T1w"))
    with pytest.raises(MissingInputError, match=r"sub-01 has no run of task 'x'"):
        common_space(subject(space="T1w"))


def test_surfaces_hold_all_vertices_of_both_hemispheres(tmp_path, values):
    one = surface_run(tmp_path, values)
    space, facts = common_space(subject(one, space="fsnative"))
    assert isinstance(space, Surface)
    assert (space.n_vertices, len(space), facts["left_out_of_space"]) == (
        N,
        sum(N),
        {"in the medial wall": 0},
    )
    np.testing.assert_array_equal(read_series(one, space), values)
    some = space.at(np.array([20, 3, 12]))
    np.testing.assert_array_equal(read_series(one, some), values[:, [20, 3, 12]])


def freesurfer_label(path: Path, vertices) -> Path:
    rows = [f"{v} 1.0 2.0 3.0 0.0" for v in vertices]
    path.write_text("\n".join(["#!ascii label, from subject x", str(len(rows)), *rows]) + "\n")
    return path


def cortex(tmp_path, *, key="cortex") -> Anatomy:
    """The left without vertices 0 and 11 as a GIFTI label, the right without 9 as FreeSurfer's."""
    left = np.ones(N[0], dtype=np.int64)
    left[[0, 11]] = 0
    names = {0: "???", 1: "cortex"}
    return Anatomy(
        surfaces={
            f"L_{key}": imaging.write_labels(tmp_path / "L.label.gii", left, names, "L"),
            f"R_{key}": freesurfer_label(tmp_path / "rh.cortex.label", range(9)),
        }
    )


def test_medial_wall_is_left_out(tmp_path, values):
    one, anatomy = surface_run(tmp_path, values), cortex(tmp_path)
    made = subject(one, space="fsnative", anatomy=anatomy)
    space, facts = common_space(made)
    assert len(space) == sum(N) - 3
    assert space.vertices("L").tolist() == list(range(1, 11))
    assert space.vertices("R").tolist() == list(range(9))
    assert facts["left_out_of_space"] == {"in the medial wall": 3}
    assert facts["cortex_masks"] == ["L.label.gii", "rh.cortex.label"]
    np.testing.assert_array_equal(read_series(one, space), values[:, space.index])
    assert {p.name for p in made.inputs()} >= {"L.label.gii", "rh.cortex.label"}


def test_masks_of_the_native_cortex_do_not_touch_templates(tmp_path, values):
    one = surface_run(tmp_path, values, space="fsaverage5")
    space, _ = common_space(subject(one, space="fsaverage5", anatomy=cortex(tmp_path)))
    assert len(space) == sum(N)
    own = cortex(tmp_path, key="cortex-fsaverage")
    space, _ = common_space(subject(one, space="fsaverage5", anatomy=own))
    assert len(space) == sum(N) - 3


def test_smaller_templates_take_the_first_vertices_of_the_mask(tmp_path, values):
    inside = np.arange(40) % 3 != 0
    label = freesurfer_label(tmp_path / "h.cortex.label", np.flatnonzero(inside))
    anatomy = Anatomy(surfaces=dict.fromkeys(("L_cortex-fsaverage", "R_cortex-fsaverage"), label))
    one = surface_run(tmp_path, values, space="fsaverage5")
    space, _ = common_space(subject(one, space="fsaverage5", anatomy=anatomy))
    np.testing.assert_array_equal(space.vertices("L"), np.flatnonzero(inside[: N[0]]))
    np.testing.assert_array_equal(space.vertices("R"), np.flatnonzero(inside[: N[1]]))
    with pytest.raises(SpaceError, match=r"has 39 vertices or more.*fsaverage has 12"):
        common_space(subject(one, space="fsaverage", anatomy=anatomy))


def test_mask_of_another_mesh_is_refused(tmp_path, values):
    one = surface_run(tmp_path, values)
    wrong = imaging.write_labels(
        tmp_path / "wrong.label.gii", np.ones(7, dtype=int), {1: "cortex"}, "L"
    )
    anatomy = Anatomy(surfaces={"L_cortex": wrong})
    with pytest.raises(SpaceError, match=r"wrong.label.gii has 7 .*fsnative has 12.*--fs-sub"):
        common_space(subject(one, space="fsnative", anatomy=anatomy))
    none = freesurfer_label(tmp_path / "lh.cortex.label", [])
    anatomy = Anatomy(surfaces={"L_cortex": none, "R_cortex": none})
    with pytest.raises(NotEnoughDataError, match=r"hold no vertex of the 22 of fsnative"):
        common_space(subject(one, space="fsnative", anatomy=anatomy))


def test_surfaces_are_refused(tmp_path, values):
    one = surface_run(tmp_path, values)
    with pytest.raises(MissingInputError, match=r"has no right hemisphere beside it"):
        common_space(subject(replace(one, bold_right=None), space="fsnative"))
    other = surface_run(tmp_path, values[:, :-1], "02")
    expected = r"different meshes: 12 \+ 10 vertices in 01; 12 \+ 9 vertices in 02"
    with pytest.raises(SpaceError, match=expected):
        common_space(subject(one, other, space="fsnative"))
    space, _ = common_space(subject(one, space="fsnative"))
    imaging.write_vertex_series(one.bold_right, values[:3, N[0] :], "R", t_r_s=T_R_S)
    with pytest.raises(UnreadableError, match=r"hemi-L.* has 5 volumes, .*hemi-R.* has 3"):
        read_series(one, space)
    one.bold.write_bytes(one.bold.read_bytes()[:2000])
    with pytest.raises(UnreadableError, match=r"hemi-L.* ends early"):
        read_series(one, space)


def test_grayordinates_are_all_taken(tmp_path, rng):
    space = grayordinates()
    values = rng.normal(size=(5, 7)).astype(np.float32)
    paths = [tmp_path / f"run-{r}_bold.dtseries.nii" for r in (1, 2)]
    runs = [
        run(imaging.write_cifti_series(p, values, space, t_r_s=T_R_S), str(i))
        for i, p in enumerate(paths)
    ]
    found, facts = common_space(subject(*runs, space="fsLR"))
    assert found.has_places_of(space)
    assert (len(found), facts["unit"], facts["left_out_of_space"]) == (7, "grayordinate", {})
    np.testing.assert_array_equal(
        read_series(runs[1], found.at(np.array([6, 0]))), values[:, [6, 0]]
    )
    imaging.write_cifti_series(paths[1], values, grayordinates(flip=True), t_r_s=T_R_S)
    expected = r"list different grayordinates: 7 .* 3 structures in 0; 7 .*another order in 1"
    with pytest.raises(SpaceError, match=expected):
        common_space(subject(*runs, space="fsLR"))


def test_kinds_are_not_mixed(tmp_path, values):
    grid = Grid("fsnative", (3, 2, 2), np.eye(4), np.arange(4))
    volume = volume_run(tmp_path, values[:, :4], grid, "01")
    surface = surface_run(tmp_path, values, "02")
    with pytest.raises(SpaceError, match=r"different kinds: volume in 01; surface in 02"):
        common_space(subject(volume, surface, space="fsnative"))
    with pytest.raises(SpaceError, match=r"hemi-L.* is a surface image, .*3 x 2 x 2 voxels"):
        read_series(surface, grid)
    with pytest.raises(SpaceError, match=r"is a volume image"):
        read_series(volume, Channels("electrodes", ("a",), np.array([0])))
