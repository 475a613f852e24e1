"""simulate.transforms: ITK's files bring places where the simulation has them."""

import h5py
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.simulate import anatomy
from bids_dnn.simulate.transforms import parameters, to_mni, write_transforms

MNI = anatomy.MNI


@pytest.fixture
def folder(tmp_path):
    write_transforms(tmp_path, "01")
    return tmp_path


def centers(space):
    voxel = np.stack(np.unravel_index(space.index, space.shape), axis=1)
    return voxel @ space.affine[:3, :3].T + space.affine[:3, 3]


def test_the_map_takes_each_voxel_to_its_place_in_mni():
    here = anatomy.brain()
    moved = centers(here) @ to_mni()[:3, :3].T + to_mni()[:3, 3]
    np.testing.assert_allclose(moved, centers(anatomy.to_mni(here)))


def test_files_take_places_of_the_image_made_to_that_read(folder):
    here = anatomy.brain()
    there = centers(anatomy.to_mni(here))
    forward = imaging.read_transform(folder / f"sub-01_from-T1w_to-{MNI}_mode-image_xfm.h5")
    backward = imaging.read_transform(folder / f"sub-01_from-{MNI}_to-T1w_mode-image_xfm.h5")
    np.testing.assert_allclose(forward.apply(there), centers(here), atol=1e-6)
    np.testing.assert_allclose(backward.apply(centers(here)), there, atol=1e-6)


def test_freesurfer_lies_where_t1w_does(folder, rng):
    points = rng.normal(scale=40, size=(20, 3))
    for name in ("fsnative_to-T1w", "T1w_to-fsnative"):
        path = folder / f"sub-01_from-{name}_mode-image_xfm.txt"
        assert "-0" not in path.read_text()
        np.testing.assert_allclose(imaging.read_transform(path).apply(points), points)


def test_the_composite_has_itks_layout(folder):
    with h5py.File(folder / f"sub-01_from-T1w_to-{MNI}_mode-image_xfm.h5") as store:
        group = store["TransformGroup"]
        kinds = [group[key]["TransformType"][0].decode() for key in ("0", "1")]
        assert kinds == ["CompositeTransform_double_3_3", "AffineTransform_double_3_3"]
        assert group["1/TransformParameters"].shape == (12,)
        assert group["1/TransformFixedParameters"].shape == (3,)


def test_itk_counts_left_and_back():
    matrix = np.eye(4)
    matrix[:3, 3] = 1, 2, 3
    np.testing.assert_array_equal(parameters(matrix)[-3:], [-1, -2, 3])
    quarter = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1.0]])
    np.testing.assert_array_equal(parameters(quarter)[:9].reshape(3, 3)[0], [0, 0, -1])


def test_the_same_bytes_again(folder, tmp_path):
    write_transforms(tmp_path / "again", "01")
    for path in folder.glob("*_xfm.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
