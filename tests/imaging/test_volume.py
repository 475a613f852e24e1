"""imaging: what is written is read again; damaged and missing files are named."""

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Grid
from bids_dnn.errors import (
    MissingInputError,
    NotEnoughDataError,
    ShapeError,
    SpaceError,
    UnreadableError,
)


@pytest.fixture
def space():
    affine = np.diag([3.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = [-6, 5, 1]
    return Grid("T1w", (4, 3, 2), affine, np.array([0, 5, 11, 23]))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_series_are_read_as_written(tmp_path, rng, space, name):
    values = rng.normal(size=(70, 4)).astype(np.float32)  # over two chunks of volumes
    path = imaging.write_series(tmp_path / name, values, space, t_r_s=1.5)
    np.testing.assert_array_equal(imaging.read_units(path, space), values)
    shape, affine, t_r_s = imaging.read_header(path)
    assert (shape, t_r_s) == ((4, 3, 2, 70), 1.5)
    np.testing.assert_allclose(affine, space.affine)


def test_units_agree_with_nibabel(tmp_path, rng, space):
    volumes = rng.normal(size=(4, 3, 2, 5)).astype(np.float32)
    nib.save(nib.Nifti1Image(volumes, space.affine), tmp_path / "a.nii.gz")
    expected = volumes[np.unravel_index(space.index, space.shape)].T
    np.testing.assert_array_equal(imaging.read_units(tmp_path / "a.nii.gz", space), expected)


def test_map_and_mask_keep_their_places(tmp_path, space):
    path = imaging.write_map(tmp_path / "m.nii.gz", np.arange(1.0, 5.0), space)
    np.testing.assert_array_equal(imaging.read_units(path, space), [[1, 2, 3, 4]])
    volume, _ = imaging.read_volume(path)
    assert np.isnan(volume).sum() == 20
    mask = imaging.write_mask(tmp_path / "mask.nii.gz", space)
    again = imaging.space_of_mask(mask, name="T1w")
    assert again.has_places_of(space)
    np.testing.assert_array_equal(again.index, space.index)


def test_same_values_give_same_bytes(tmp_path, space):
    first = imaging.write_map(tmp_path / "a.nii.gz", np.arange(4.0), space).read_bytes()
    assert imaging.write_map(tmp_path / "b.nii.gz", np.arange(4.0), space).read_bytes() == first


@pytest.mark.parametrize(("name", "code"), [("T1w", 1), ("MNI152NLin2009cAsym", 4)])
def test_form_code_follows_the_space(tmp_path, space, name, code):
    named = Grid(name, space.shape, space.affine, space.index)
    assert imaging.form_code(imaging.write_mask(tmp_path / "a.nii", named)) == code


def test_resampling_agrees_with_nilearn(tmp_path, rng):
    from nilearn.image import resample_img

    values = (rng.random((8, 8, 8)) > 0.5).astype(np.uint8)
    fine = np.diag([2.0, 2.0, 2.0, 1.0])
    coarse = np.diag([3.0, 3.0, 3.0, 1.0])
    coarse[:3, 3] = 0.4
    image = nib.Nifti1Image(values, fine)
    image.set_sform(fine, 1)
    nib.save(image, tmp_path / "mask.nii.gz")
    like = Grid("T1w", (5, 5, 5), coarse, np.array([0]))
    expected = resample_img(
        image,
        coarse,
        (5, 5, 5),
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )
    found = imaging.resample_mask(tmp_path / "mask.nii.gz", like, name="T1w")
    np.testing.assert_array_equal(found.index, np.flatnonzero(expected.get_fdata()))


def test_resampling_onto_its_own_grid_changes_nothing(tmp_path, space):
    path = imaging.write_mask(tmp_path / "mask.nii", space)
    found = imaging.resample_mask(path, space, name="T1w")
    np.testing.assert_array_equal(found.index, space.index)


def test_resampling_refuses_another_space_and_an_empty_result(tmp_path, space):
    path = imaging.write_mask(tmp_path / "mask.nii", space)
    with pytest.raises(SpaceError, match="lies in MNI, the responses in T1w"):
        imaging.resample_mask(path, space, name="MNI")
    far = space.affine.copy()
    far[:3, 3] += 1000
    elsewhere = Grid("T1w", space.shape, far, space.index)
    with pytest.raises(NotEnoughDataError, match="4 voxels on its own grid, but no voxel"):
        imaging.resample_mask(path, elsewhere, name="T1w")


def test_another_grid_is_refused(tmp_path, space):
    path = imaging.write_mask(tmp_path / "mask.nii", space)
    other = Grid("T1w", (4, 3, 3), space.affine, space.index)
    with pytest.raises(SpaceError, match=r"\(4, 3, 2\).*\(4, 3, 3\)"):
        imaging.read_units(path, other)


def test_empty_mask_is_refused(tmp_path, space):
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "empty.nii")
    with pytest.raises(NotEnoughDataError, match=r"empty\.nii has no voxel: all its 8 values"):
        imaging.space_of_mask(tmp_path / "empty.nii", name="T1w")


@pytest.mark.parametrize("name", ["cut.nii.gz", "cut.nii"])
def test_truncated_image_is_named(tmp_path, rng, space, name):
    values = rng.normal(size=(40, 4)).astype(np.float32)
    path = imaging.write_series(tmp_path / name, values, space, t_r_s=2.0)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match=rf"{name} ends early.*Fetch or copy it again"):
        imaging.read_units(path, space)


def test_no_image_at_all_is_named(tmp_path, space):
    (tmp_path / "text.nii.gz").write_text("not an image, but long enough to look at" * 20)
    with pytest.raises(UnreadableError, match=r"text\.nii\.gz cannot be read"):
        imaging.read_units(tmp_path / "text.nii.gz", space)


def test_unfetched_and_missing_files_are_named(tmp_path, space):
    link = tmp_path / "annexed.nii.gz"
    link.symlink_to(tmp_path / ".git" / "annex" / "objects" / "x")
    with pytest.raises(MissingInputError, match=r"not fetched\. Type: datalad get .*annexed"):
        imaging.read_units(link, space)
    pointer = tmp_path / "pointer.nii.gz"
    pointer.write_text("/annex/objects/MD5E-s12--abc.nii.gz\n")
    with pytest.raises(MissingInputError, match=r"not fetched\. Type: datalad get .*pointer"):
        imaging.read_units(pointer, space)
    with pytest.raises(MissingInputError, match=r"absent\.nii does not exist"):
        imaging.read_units(tmp_path / "absent.nii", space)


def test_wrong_lengths_are_refused(tmp_path, space):
    with pytest.raises(ShapeError, match=r"\(3,\), \(4,\)"):
        imaging.write_map(tmp_path / "m.nii.gz", np.zeros(3), space)
    path = imaging.write_series(tmp_path / "s.nii", np.zeros((2, 4)), space, t_r_s=1.0)
    with pytest.raises(ShapeError, match=r"\(4, 3, 2, 2\), one volume"):
        imaging.read_volume(path)
