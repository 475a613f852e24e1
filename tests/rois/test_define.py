"""rois.define: regions on the grid of the responses."""

from pathlib import Path

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Channels, Grid, Surface
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    SpaceError,
)
from bids_dnn.rois.define import left_out, mask_places, read_region, sphere_places
from tests.factories.trees import write_image

MNI = "MNI152NLin2009cAsym"


@pytest.fixture
def like():
    return Grid("T1w", (4, 4, 3), np.diag([3.0, 3.0, 3.0, 1.0]), np.arange(48))


@pytest.fixture
def mask(tmp_path, like):
    return imaging.write_mask(tmp_path / "FFA_mask.nii.gz", like.select(np.arange(10, 20)))


def test_region_holds_the_voxels_of_its_mask(mask, like):
    region, warnings = read_region("FFA", mask, mask_space="T1w", like=like)
    np.testing.assert_array_equal(region.space.index, np.arange(10, 20))
    assert (region.name, region.n_before, region.source) == ("FFA", 10, str(mask))
    assert warnings == []


def test_another_grid_is_resampled_with_a_warning(tmp_path, like):
    fine = np.zeros((8, 8, 6), dtype=np.uint8)
    fine[2:4, 2:4, 2:4] = 1  # the voxel (1, 1, 1) of the responses
    affine = np.diag([1.5, 1.5, 1.5, 1.0])
    affine[:3, 3] = -0.75
    path = write_image(tmp_path / "fine.nii.gz", fine, affine)
    region, warnings = read_region("V1", path, mask_space="T1w", like=like)
    assert region.space.has_places_of(like)
    assert region.space.index.tolist() == [np.ravel_multi_index((1, 1, 1), (4, 4, 3))]
    assert "from its grid (8, 8, 6)" in warnings[0]
    assert "8 voxels became 1" in warnings[0]


def test_another_space_is_refused_with_the_transform(mask, like):
    expected = rf"lies in {MNI}, the responses in T1w.*from-{MNI}_to-T1w_mode-image_xfm\.h5"
    with pytest.raises(SpaceError, match=expected):
        read_region("FFA", mask, mask_space=MNI, like=like)


@pytest.mark.parametrize(("space", "code"), [("T1w", 4), (MNI, 1)])
def test_the_header_only_warns(tmp_path, like, space, code):
    there = Grid(space, like.shape, like.affine, like.index)
    path = write_image(
        tmp_path / "mask.nii.gz", np.ones((4, 4, 3), np.uint8), like.affine, code=code
    )
    region, warnings = read_region("V1", path, mask_space=space, like=there)
    assert region.n_before == 48
    assert f"sform code {code}), but it was taken to lie in {space}" in warnings[0]


def test_empty_mask_is_refused(tmp_path, like):
    path = write_image(tmp_path / "none.nii.gz", np.zeros((4, 4, 3), np.uint8), like.affine)
    with pytest.raises(NotEnoughDataError, match=r"none\.nii\.gz has no voxel"):
        read_region("V1", path, mask_space="T1w", like=like)


def test_absent_mask_and_wrong_name_are_refused(tmp_path, like):
    with pytest.raises(MissingInputError, match=r"absent\.nii\.gz does not exist"):
        read_region("V1", tmp_path / "absent.nii.gz", mask_space="T1w", like=like)
    with pytest.raises(ConfigError, match=r"'V1-fovea' holds more.*Call it 'V1fovea'"):
        read_region("V1-fovea", tmp_path / "x.nii.gz", mask_space="T1w", like=like)


def test_unmeasured_voxels_are_left_out_and_counted(mask, like):
    region, _ = read_region("FFA", mask, mask_space="T1w", like=like)
    rest = left_out(region, like.select(np.arange(15, 40)))
    assert rest.space.index.tolist() == [15, 16, 17, 18, 19]
    assert rest.n_before == 10
    assert len(left_out(region, like).space) == 10


def test_region_outside_what_was_measured_is_refused(mask, like):
    region, _ = read_region("FFA", mask, mask_space="T1w", like=like)
    with pytest.raises(NotEnoughDataError, match=r"None of the 10 voxels of region 'FFA'"):
        left_out(region, like.select(np.arange(5)))
    other = Grid("T1w", (5, 4, 3), like.affine, like.index)
    with pytest.raises(SpaceError, match=r"T1w \(4 x 4 x 3 .*T1w \(5 x 4 x 3 "):
        left_out(region, other)


def test_masks_of_voxels_are_marked_on_all_places(mask, like):
    marked, warnings = mask_places(mask, mask_space="T1w", space=like.select(np.arange(5)))
    assert np.flatnonzero(marked).tolist() == list(range(10, 20))
    assert warnings == []


def test_an_empty_mask_may_be_joined(tmp_path, like):
    path = write_image(tmp_path / "none.nii.gz", np.zeros((4, 4, 3), np.uint8), like.affine)
    assert not mask_places(path, mask_space="T1w", space=like)[0].any()


@pytest.mark.parametrize(
    ("source", "target", "way"),
    [
        (MNI, "T1w", rf"from-{MNI}_to-T1w.*@T1w; or analyze in its own space: --space {MNI}"),
        ("fsaverage", "fsnative", "mri_surf2surf --srcsubject fsaverage"),
        ("fsnative", "T1w", "not turned into one another.*--space fsnative"),
    ],
)
def test_a_mask_of_another_space_is_refused(like, source, target, way):
    there = Grid(target, like.shape, like.affine, like.index)
    with pytest.raises(SpaceError, match=rf"lies in {source}, the responses in {target}.*{way}"):
        mask_places(Path("FFA.nii.gz"), mask_space=source, space=there)


def test_a_region_of_vertices_is_read_and_left_out(tmp_path):
    space = Surface("fsnative", (6, 4), np.arange(10))
    imaging.write_shape(tmp_path / "hemi-L_mask.shape.gii", np.array([0, 1, 1, 0, 0, 1.0]), "L")
    path = imaging.write_shape(tmp_path / "hemi-R_mask.shape.gii", np.array([0, 0, 0, 1.0]), "R")
    both = Path(str(path).replace("hemi-R", "hemi-{hemi}"))
    region, warnings = read_region("V1", both, mask_space="fsnative", like=space)
    assert region.space.index.tolist() == [1, 2, 5, 9]
    assert warnings == []
    with pytest.raises(NotEnoughDataError, match=r"None of the 4 vertices of region 'V1'"):
        left_out(region, space.select(np.array([0, 3])))


def test_a_ball_holds_the_voxels_around_its_center(rng):
    space = Grid("T1w", (9, 9, 9), np.diag([-2.0, 3.0, 4.0, 1.0]), np.arange(3))
    inside = sphere_places("(-8, 12, 16.0) r6mm", space)
    n = sum(
        (2 * i) ** 2 + (3 * j) ** 2 + (4 * k) ** 2 <= 36
        for i in range(-4, 5)
        for j in range(-4, 5)
        for k in range(-4, 5)
    )
    assert inside.sum() == n
    assert inside[np.ravel_multi_index((4, 4, 4), space.shape)]


def test_balls_of_another_form_or_without_voxels_are_refused(like):
    with pytest.raises(ConfigError, match=r"'\(1,2\)r6mm' is not of the form.*sphere:\(40"):
        sphere_places("(1,2)r6mm", like)
    with pytest.raises(SpaceError, match=r"given in mm.*electrodes"):
        sphere_places("(1,2,3)r6mm", Channels("electrodes", ("a",), np.arange(1)))
