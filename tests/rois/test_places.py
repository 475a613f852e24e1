"""rois.places: what files say of voxels, vertices and grayordinates."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Surface
from bids_dnn.errors import MissingInputError, SpaceError, UnreadableError
from bids_dnn.rois.places import hemisphere_files, read_places
from tests.factories.trees import write_image

LEFT, RIGHT = np.array([0.0, 2.0, 0.0, 1.0, 5.0]), np.array([3.0, 0.0, 0.0, 1.0])
BOTH = np.concatenate([LEFT, RIGHT])


@pytest.fixture
def mesh():
    return Surface("fsnative", (5, 4), np.array([1, 7]))


@pytest.fixture
def cifti():
    names = ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT", "CIFTI_STRUCTURE_X")
    names = (*names[:2], "CIFTI_STRUCTURE_BRAIN_STEM")
    voxel = np.full((6, 3), -1)
    voxel[5] = [1, 1, 1]
    return Grayordinates(
        "fsLR",
        names,
        (5, 4, 0),
        np.array([0, 0, 0, 1, 1, 2]),
        np.array([0, 1, 4, 0, 3, -1]),
        voxel,
        (2, 2, 2),
        np.diag([2.0, 2.0, 2.0, 1.0]),
        np.arange(6),
    )


def shapes(folder, name="hemi-{}_map.shape.gii"):
    for side, values in (("L", LEFT), ("R", RIGHT)):
        imaging.write_shape(folder / name.format(side), values, side)
    return folder / name.format("{hemi}")


def write_label(path, vertices):
    lines = [f"{v}  0.0 0.0 0.0 0.0" for v in vertices]
    path.write_text("\n".join(["#!ascii label", str(len(vertices)), *lines]) + "\n")
    return path


def write_annot(path, labels, names):
    colors = np.array([[20 * i, 7, 9, 0, 0] for i in range(len(names))], dtype=np.int32)
    nib.freesurfer.write_annot(path, np.asarray(labels), colors, names, fill_ctab=True)
    return path


def test_both_hemispheres_come_from_one_name(tmp_path, mesh):
    values, warnings = read_places(shapes(tmp_path), space=mesh)
    np.testing.assert_array_equal(values, BOTH)
    assert warnings == []


@pytest.mark.parametrize("name", ["hemi-R_map.shape.gii", "rh.map.shape.gii", "map.shape.gii"])
def test_one_hemisphere_tells_its_side(tmp_path, mesh, name):
    path = imaging.write_shape(tmp_path / name, RIGHT, "R")
    values, _ = read_places(path, space=mesh)
    np.testing.assert_array_equal(values[5:], RIGHT)
    assert np.isnan(values[:5]).all()


def test_a_name_against_its_content_warns(tmp_path, mesh):
    path = imaging.write_shape(tmp_path / "hemi-L_map.shape.gii", LEFT, "R")
    values, warnings = read_places(path, space=mesh)
    np.testing.assert_array_equal(values[:5], LEFT)
    assert "is of the hemisphere L by its name, which is believed" in warnings[0]


def test_freesurfer_labels_annotations_and_curvature_are_read(tmp_path, mesh):
    for side, vertices in (("lh", [1, 3, 4]), ("rh", [0, 3])):
        write_label(tmp_path / f"{side}.V1.label", vertices)
    values, _ = read_places(tmp_path / "{hemi}.V1.label", space=mesh)
    np.testing.assert_array_equal(values, BOTH != 0)
    path = write_annot(tmp_path / "lh.x.annot", [-1, 1, 0, 2, 1], ["unknown", "a", "b"])
    values, _ = read_places(path, space=mesh)
    assert values[:5].tolist() == [0, 2, 0, 3, 2]
    nib.freesurfer.write_morph_data(tmp_path / "lh.curv", LEFT)
    values, _ = read_places(tmp_path / "lh.curv", space=mesh)
    np.testing.assert_array_equal(values[:5], LEFT)


def test_grayordinates_are_read_from_cifti_and_from_meshes(tmp_path, cifti):
    told = np.array([1.0, 0, np.nan, 4, 5, 6], dtype=np.float32)
    path = imaging.write_cifti_map(tmp_path / "x.dscalar.nii", told, cifti)
    values, _ = read_places(path, space=cifti.select(np.array([2])))
    np.testing.assert_array_equal(values, told)
    values, _ = read_places(shapes(tmp_path), space=cifti)
    np.testing.assert_array_equal(values, [0, 2, 5, 3, 1, np.nan])


def test_voxels_of_another_grid_take_their_nearest_neighbor(tmp_path):
    fine = np.arange(64.0).reshape(4, 4, 4)
    path = write_image(tmp_path / "fine.nii.gz", fine, np.eye(4))
    space = Grid("T1w", (2, 2, 3), np.diag([2.0, 2.0, 2.0, 1.0]), np.arange(2))
    values, warnings = read_places(path, space=space)
    made = values.reshape(space.shape)
    np.testing.assert_array_equal(made[..., :2], fine[::2, ::2, ::2])
    assert np.isnan(made[..., 2]).all()
    assert "(4, 4, 4) to that of the responses (2, 2, 3)" in warnings[0]
    assert "63 voxels became 7" in warnings[0]


def test_a_missing_hemisphere_is_named(tmp_path, mesh):
    path = shapes(tmp_path)
    (tmp_path / "hemi-R_map.shape.gii").unlink()
    with pytest.raises(MissingInputError, match=r"hemisphere R.*hemi-R_map.shape.gii nor hemi-rh"):
        read_places(path, space=mesh)
    left_only = Surface("fsnative", (5, 0), np.arange(5))
    np.testing.assert_array_equal(read_places(path, space=left_only)[0], LEFT)


def test_links_that_were_not_fetched_are_named(tmp_path, mesh):
    link = tmp_path / "lh.V1.label"
    link.symlink_to(tmp_path / ".git/annex/objects/x")
    with pytest.raises(MissingInputError, match="datalad get"):
        read_places(link, space=mesh)


def test_another_mesh_is_refused(tmp_path, mesh):
    path = shapes(tmp_path)
    other = Surface("fsaverage5", (6, 4), np.arange(10))
    with pytest.raises(
        SpaceError, match=r" has 5 vertices, the hemisphere L of fsaverage5.* has 6\."
    ):
        read_places(path, space=other)
    with pytest.raises(SpaceError, match=" has 9 vertices, the hemisphere R"):
        read_places(write_label(tmp_path / "rh.V1.label", [8]), space=mesh)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.label.gii", "grid"),
        ("x.dscalar.nii", "grid"),
        ("x.nii.gz", "mesh"),
        ("x.dscalar.nii", "mesh"),
        ("x.nii.gz", "cifti"),
    ],
)
def test_files_of_another_kind_are_refused(mesh, cifti, name, kind):
    grid = Grid("T1w", (2, 2, 2), np.eye(4), np.arange(8))
    space = {"grid": grid, "mesh": mesh, "cifti": cifti}[kind]
    with pytest.raises(SpaceError, match=rf"{name} is no file of .* {space.name}"):
        read_places(Path(name), space=space)
    with pytest.raises(SpaceError, match="area:NAME"):
        read_places(Path(name), space=Channels("electrodes", ("a",), np.arange(1)))


def test_a_file_without_side_is_refused(tmp_path, mesh):
    path = write_label(tmp_path / "V1.label", [1])
    with pytest.raises(SpaceError, match=r"V1.label does not tell its hemisphere"):
        hemisphere_files(path, mesh)


def test_damaged_files_and_several_maps_are_refused(tmp_path, mesh, cifti):
    path = write_label(tmp_path / "lh.V1.label", [1, 2, 3])
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(UnreadableError, match=r"lh.V1.label ends early"):
        read_places(path, space=mesh)
    path.write_text("nothing\nhere\n")
    with pytest.raises(UnreadableError, match=r"lh.V1.label cannot be read"):
        read_places(path, space=mesh)
    two = imaging.write_shape(tmp_path / "hemi-L_two.shape.gii", np.stack([LEFT, LEFT]), "L")
    with pytest.raises(UnreadableError, match="holds 2 maps, one was expected"):
        read_places(two, space=mesh)
    series = imaging.write_cifti_series(
        tmp_path / "x.dtseries.nii", np.zeros((3, 6)), cifti, t_r_s=1.0
    )
    with pytest.raises(UnreadableError, match="holds 3 maps, one was expected"):
        read_places(series, space=cifti)
