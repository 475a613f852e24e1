"""rois.contrast_files: maps of contrasts become z where their scale is known."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Grayordinates, Grid, Surface
from bids_dnn.errors import ConfigError
from bids_dnn.rois.contrast_files import ContrastMap, read_contrast, require_z, z_of_t

T = np.array([0.0, np.nan, 2.0, -2.0, 3.5, 40.0, 0.5, -9.0])


@pytest.fixture
def grid():
    return Grid("T1w", (2, 2, 2), np.eye(4), np.array([1, 2, 3, 4, 5]))


def image(path, *, descrip=b"", intent=None):
    made = nib.Nifti1Image(T.reshape(2, 2, 2), np.eye(4))
    made.header["descrip"] = descrip
    if intent is not None:
        made.header.set_intent(*intent)
    nib.save(made, path)
    return path


@pytest.mark.parametrize(
    "how", [{"descrip": b"SPM{T_[84.0]} - contrast 1: listening"}, {"intent": ("t test", (84.0,))}]
)
def test_t_becomes_z(tmp_path, grid, how):
    found, warnings = read_contrast(image(tmp_path / "spmT_0001.nii", **how), space=grid)
    assert found.is_z
    np.testing.assert_allclose(found.values, z_of_t(T[1:6], 84.0), equal_nan=True)
    assert "from which runs it comes is not known" in warnings[0]


@pytest.mark.parametrize(
    ("name", "how", "is_z"),
    [
        ("con_0001.nii", {"descrip": b"Contrast 1: listening"}, False),
        ("sub-01_contrast-faces_stat-z_statmap.nii.gz", {}, True),
        ("sub-01_contrast-faces_stat-effect_statmap.nii.gz", {}, False),
        ("zstat1.nii.gz", {}, True),
        ("map.nii.gz", {"intent": ("z score", ())}, True),
        ("sizes.nii.gz", {}, False),
    ],
)
def test_other_maps_stay_as_they_are(tmp_path, grid, name, how, is_z):
    found, _ = read_contrast(image(tmp_path / name, **how), space=grid)
    assert found.is_z is is_z
    np.testing.assert_allclose(found.values, T[1:6], equal_nan=True)


def test_zero_is_not_measured(tmp_path, grid):
    found, _ = read_contrast(image(tmp_path / "con.nii"), space=grid.select(np.arange(0)).whole())
    assert np.isnan(found.values[:2]).all()


def test_vertices_and_grayordinates_are_read(tmp_path):
    for side in ("L", "R"):
        imaging.write_shape(tmp_path / f"hemi-{side}_stat-z_statmap.shape.gii", T[2:5], side)
    mesh = Surface("fsnative", (3, 3), np.array([0, 4]))
    found, _ = read_contrast(tmp_path / "hemi-{hemi}_stat-z_statmap.shape.gii", space=mesh)
    assert (found.values.tolist(), found.is_z) == ([2.0, -2.0], True)
    space = Grayordinates(
        *("fsLR", ("CIFTI_STRUCTURE_CORTEX_LEFT",), (3,), np.zeros(3, int), np.arange(3)),
        *(np.full((3, 3), -1), (0, 0, 0), np.eye(4), np.array([2])),
    )
    path = imaging.write_cifti_map(tmp_path / "con.dscalar.nii", T[2:5], space.whole())
    found, _ = read_contrast(path, space=space)
    assert (found.values.tolist(), found.is_z) == ([3.5], False)


def test_thresholds_need_a_scale():
    with pytest.raises(ConfigError, match=r"con_0001.nii is neither a T image.*top=200"):
        require_z(ContrastMap(T, is_z=False), Path("con_0001.nii"))
    require_z(ContrastMap(T, is_z=True), Path("spmT_0001.nii"))


def test_z_agrees_with_nilearns():
    from nilearn.glm.contrasts import Contrast

    t = np.linspace(-6, 6, 41)
    made = Contrast(effect=t[None], variance=np.ones(t.size), dof=30, stat_type="t")
    expected = made.z_score()
    np.testing.assert_allclose(z_of_t(t, 30), expected, atol=1e-12)
    np.testing.assert_allclose(z_of_t(-t, 30), -z_of_t(t, 30))
    assert np.isfinite(z_of_t(np.array([1e3, -1e3]), 200)).all()


@pytest.mark.real
def test_spms_own_images_are_read(real_data):
    from bids_dnn.imaging import space_of_mask

    folder = real_data / "spm_auditory"
    space = space_of_mask(folder / "mask.nii", name="IXI549Space")
    z, _ = read_contrast(folder / "spmT_0001.nii", space=space)
    effect, _ = read_contrast(folder / "con_0001.nii", space=space)
    assert (z.is_z, effect.is_z) == (True, False)
    known = np.isfinite(z.values) & np.isfinite(effect.values)
    assert known.mean() > 0.99
    assert np.array_equal(np.sign(z.values[known]), np.sign(effect.values[known]))
