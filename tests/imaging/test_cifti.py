"""imaging.cifti: grayordinates are read as written; other files and orders are refused."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, ShapeError, SpaceError, UnreadableError
from tests.factories.generations import grayordinates


@pytest.fixture
def series(tmp_path, rng):
    values = rng.normal(size=(4, 7)).astype(np.float32)
    path = tmp_path / "x_bold.dtseries.nii"
    return imaging.write_cifti_series(path, values, grayordinates(), t_r_s=0.8), values


def test_space_comes_back(series):
    space = imaging.space_of_cifti(series[0], name="fsLR")
    assert space.has_places_of(grayordinates())
    np.testing.assert_array_equal(space.index, np.arange(7))
    units, vertices, n = space.cortex("R")
    assert (units.tolist(), vertices.tolist(), n) == ([3, 4], [0, 2], 4)
    assert space.shape == (3, 3, 3)
    np.testing.assert_array_equal(space.affine, grayordinates().affine)


def test_values_come_back(series):
    path, values = series
    space = grayordinates()
    np.testing.assert_array_equal(imaging.read_cifti_units(path, space), values)
    some = space.at(np.array([6, 0, 4]))
    np.testing.assert_array_equal(imaging.read_cifti_units(path, some), values[:, [6, 0, 4]])


def test_nibabel_reads_what_is_written(series):
    path, values = series
    image = nib.load(path)
    np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), values)
    axes = [image.header.get_axis(i) for i in (0, 1)]
    assert (axes[0].step, axes[0].unit, len(axes[1])) == (0.8, "SECOND", 7)


def test_shape_and_step_are_told_by_the_header(series, tmp_path):
    assert imaging.read_cifti_shape(series[0]) == (4, 7)
    assert imaging.read_cifti_step(series[0]) == pytest.approx(0.8)
    path = imaging.write_cifti_map(tmp_path / "x.dscalar.nii", np.arange(7.0), grayordinates())
    assert imaging.read_cifti_shape(path) == (1, 7)
    assert imaging.read_cifti_step(path) == 0.0


def test_units_in_another_order_are_refused(series):
    for other in (grayordinates(flip=True), replace(grayordinates(), name="MNI")):
        if other.name == "fsLR":
            with pytest.raises(SpaceError, match=r"lists 7 grayordinates of 3 structures.*order"):
                imaging.read_cifti_units(series[0], other)
        else:  # the name is that of the reader: the file does not tell it
            assert imaging.read_cifti_units(series[0], other).shape == (4, 7)


def test_maps_of_some_units_are_nan_elsewhere(tmp_path):
    space = grayordinates().at(np.array([1, 5]))
    path = imaging.write_cifti_map(tmp_path / "x.dscalar.nii", np.array([3.0, 4.0]), space)
    found = imaging.read_cifti_units(path, grayordinates())
    np.testing.assert_array_equal(found, [[np.nan, 3, np.nan, np.nan, np.nan, 4, np.nan]])


def test_labels_come_back_with_their_names(tmp_path, series):
    labels = np.array([0, 1, 1, 0, 2, 0, 2])
    names = {1: "V1", 2: "V2"}
    path = imaging.write_cifti_labels(tmp_path / "x.dlabel.nii", labels, names, grayordinates())
    found, called = imaging.read_cifti_labels(path)
    np.testing.assert_array_equal(found, labels)
    assert called == {0: "???"} | names
    with pytest.raises(UnreadableError, match=r"SeriesAxis along its rows, labels were expected"):
        imaging.read_cifti_labels(series[0])


@pytest.mark.parametrize("keep", [0, 100, 600, 900, -8])
def test_truncated_files_are_named(series, keep):
    path, _ = series
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableError, match=r"x_bold\.dtseries\.nii"):
        imaging.read_cifti_units(path, grayordinates())


def test_other_images_are_refused(tmp_path):
    for make, name in ((nib.Nifti1Image, "a.nii"), (nib.Nifti2Image, "b.nii")):
        nib.save(make(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / name)
        with pytest.raises(UnreadableError, match=r"a CIFTI-2 file was expected"):
            imaging.space_of_cifti(tmp_path / name, name="fsLR")
        with pytest.raises(UnreadableError, match=rf"{name}"):
            imaging.read_cifti_shape(tmp_path / name)


def test_parcels_are_refused(tmp_path):
    brain = nib.cifti2.BrainModelAxis.from_surface(np.arange(4), 4, name="CortexLeft")
    parcels = nib.cifti2.ParcelsAxis.from_brain_models([("a", brain)])
    image = nib.Cifti2Image(np.zeros((1, 1), np.float32), (nib.cifti2.ScalarAxis(["x"]), parcels))
    path = tmp_path / "x.pscalar.nii"
    nib.save(image, path)
    with pytest.raises(UnreadableError, match=r"ParcelsAxis along its columns, brain models"):
        imaging.space_of_cifti(path, name="fsLR")


def test_files_that_are_absent_are_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"does not exist"):
        imaging.read_cifti_shape(tmp_path / "a.dtseries.nii")
    (tmp_path / "b.dtseries.nii").symlink_to("/annex/objects/x")
    with pytest.raises(MissingInputError, match=r"Type: datalad get .*b\.dtseries\.nii"):
        imaging.space_of_cifti(tmp_path / "b.dtseries.nii", name="fsLR")


@pytest.mark.parametrize(
    "write",
    [
        lambda path, space: imaging.write_cifti_map(path, np.zeros(3), space),
        lambda path, space: imaging.write_cifti_series(path, np.zeros((2, 3)), space, t_r_s=1.0),
        lambda path, space: imaging.write_cifti_labels(path, np.zeros(3, int), {}, space),
    ],
)
def test_values_must_fit_the_units(tmp_path, write):
    with pytest.raises(ShapeError, match=r"shape \(3,\), there are 7 units"):
        write(tmp_path / "x.nii", grayordinates())
    assert not (tmp_path / "x.nii").exists()


def test_same_values_give_same_bytes(tmp_path, rng):
    values = rng.normal(size=7)
    paths = [tmp_path / "a" / "x.dscalar.nii", tmp_path / "b" / "x.dscalar.nii"]
    one, two = [imaging.write_cifti_map(p, values, grayordinates()).read_bytes() for p in paths]
    assert one == two
