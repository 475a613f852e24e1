"""imaging.surface: GIFTI and FreeSurfer files; damaged, mixed and missing ones are named."""

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Surface
from bids_dnn.errors import MissingInputError, ShapeError, SpaceError, UnreadableError

N = (7, 5)


@pytest.fixture
def values(rng):
    return rng.normal(size=(4, sum(N))).astype(np.float32)


@pytest.fixture
def both(tmp_path, values):
    """Files of the left and the right hemisphere."""
    parts = {"L": values[:, : N[0]], "R": values[:, N[0] :]}
    return [
        imaging.write_vertex_series(tmp_path / f"hemi-{h}_bold.func.gii", part, h, t_r_s=1.5)
        for h, part in parts.items()
    ]


def gifti(path, *arrays, intent="NIFTI_INTENT_TIME_SERIES"):
    image = nib.GiftiImage()
    for array in arrays:
        image.add_gifti_data_array(
            nib.gifti.GiftiDataArray(np.asarray(array, dtype=np.float32), intent=intent)
        )
    nib.save(image, path)
    return path


def test_series_are_read_as_written(both, values):
    np.testing.assert_array_equal(imaging.read_vertex_series(both[0]), values[:, :7])
    chosen = np.array([6, 0])
    np.testing.assert_array_equal(imaging.read_vertex_series(both[0], chosen), values[:, [6, 0]])


def test_nibabel_reads_what_is_written(both, values):
    image = nib.load(both[1])
    np.testing.assert_array_equal(image.agg_data(), values[:, 7:].T)
    assert image.meta["AnatomicalStructurePrimary"] == "CortexRight"
    assert image.meta["TimeStep"] == "1500"


def test_header_is_that_of_the_whole(both, tmp_path):
    assert imaging.read_surface_header(both[0]) == (4, 7)
    table = gifti(tmp_path / "table.func.gii", np.zeros((6, 3)))
    assert imaging.read_surface_header(table) == (3, 6)
    assert imaging.read_vertex_series(table).shape == (3, 6)
    np.testing.assert_array_equal(
        imaging.read_vertex_series(table, np.array([1])), np.zeros((3, 1))
    )


def test_a_mesh_before_the_values_does_not_count(tmp_path):
    image = nib.GiftiImage()
    for array, intent in (
        (np.zeros((6, 3), np.float32), "NIFTI_INTENT_POINTSET"),
        (np.zeros((8, 3), np.int32), "NIFTI_INTENT_TRIANGLE"),
        (np.arange(6, dtype=np.float32), "NIFTI_INTENT_SHAPE"),
    ):
        image.add_gifti_data_array(nib.gifti.GiftiDataArray(array, intent=intent))
    nib.save(image, tmp_path / "mesh.gii")
    assert imaging.read_surface_header(tmp_path / "mesh.gii") == (1, 6)
    np.testing.assert_array_equal(imaging.read_vertex_series(tmp_path / "mesh.gii"), [range(6)])


@pytest.mark.parametrize("index", [range(12), [3, 0, 11, 7], [8], []])
def test_units_keep_their_order(both, values, index):
    index = np.array(list(index), dtype=np.int64)
    space = Surface("fsnative", N, index)
    np.testing.assert_array_equal(imaging.read_surface_units(*both, space), values[:, index])


def test_one_hemisphere_alone(both, values):
    space = imaging.space_of_surfaces(None, both[1], name="fsnative")
    assert (space.n_vertices, len(space)) == ((0, 5), 5)
    np.testing.assert_array_equal(imaging.read_surface_units(None, both[1], space), values[:, 7:])
    for read in (
        lambda: imaging.space_of_surfaces(None, None, name="x"),
        lambda: imaging.read_surface_units(None, None, space),
    ):
        with pytest.raises(MissingInputError, match=r"No hemisphere is given"):
            read()


def test_other_meshes_and_lengths_are_refused(both, values, tmp_path):
    with pytest.raises(SpaceError, match=r"hemi-L.* has 7 vertices, the L hemisphere of x has 8"):
        imaging.read_surface_units(*both, Surface("x", (8, 5), np.arange(13)))
    imaging.write_vertex_series(both[1], values[:2, 7:], "R", t_r_s=1.5)
    with pytest.raises(UnreadableError, match=r"hemi-L.* has 4 volumes, .*hemi-R.* has 2\."):
        imaging.read_surface_units(*both, Surface("x", N, np.arange(12)))
    uneven = gifti(tmp_path / "uneven.func.gii", np.zeros(3), np.zeros(4))
    with pytest.raises(
        UnreadableError, match=r"2 arrays of values with the shapes \[\(3,\), \(4,\)"
    ):
        imaging.read_vertex_series(uneven)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_files_are_named(both, share):
    path = both[0]
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        UnreadableError, match=r"hemi-L_bold\.func\.gii (ends early|cannot be read)"
    ):
        imaging.read_vertex_series(path)


def test_header_of_a_truncated_or_foreign_file(both, tmp_path):
    both[0].write_bytes(both[0].read_bytes()[:400])
    with pytest.raises(UnreadableError, match=r"ends early"):
        imaging.read_surface_header(both[0])
    page = tmp_path / "page.func.gii"
    page.write_text("<html><body>404</body></html>")
    with pytest.raises(UnreadableError, match=r"page\.func\.gii holds no values for vertices"):
        imaging.read_surface_header(page)
    points = gifti(tmp_path / "mesh.surf.gii", np.zeros((4, 3)), intent="NIFTI_INTENT_POINTSET")
    with pytest.raises(UnreadableError, match=r"mesh\.surf\.gii holds no values for vertices"):
        imaging.read_surface_header(points)
    with pytest.raises(UnreadableError, match=r"holds 0 arrays of values"):
        imaging.read_vertex_series(points)


def test_another_kind_of_image_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2)), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(UnreadableError, match=r"a\.nii is a Nifti1Image, a GIFTI file was"):
        imaging.read_vertex_series(tmp_path / "a.nii")


def test_files_that_are_absent_are_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"a\.func\.gii does not exist"):
        imaging.read_surface_header(tmp_path / "a.func.gii")
    (tmp_path / "b.func.gii").symlink_to("/annex/objects/x")
    with pytest.raises(MissingInputError, match=r"Type: datalad get .*b\.func\.gii"):
        imaging.read_vertex_series(tmp_path / "b.func.gii")


def test_labels_come_back_with_their_names(tmp_path):
    labels, names = np.array([0, 3, 3, 1]), {0: "???", 1: "V1", 3: "V2"}
    path = imaging.write_labels(tmp_path / "a.label.gii", labels, names, "L")
    found, called = imaging.read_labels(path)
    np.testing.assert_array_equal(found, labels)
    assert called == names
    with pytest.raises(ShapeError, match=r"labels \[3\] have no name"):
        imaging.write_labels(tmp_path / "b.label.gii", labels, {0: "???", 1: "V1"}, "L")
    assert not (tmp_path / "b.label.gii").exists()


def test_annotations_are_labels(tmp_path):
    labels, table = np.array([0, 1, 1, -1]), np.zeros((2, 5), dtype=np.int32)
    table[:, 0] = [10, 20]
    path = tmp_path / "lh.x.annot"
    nib.freesurfer.write_annot(str(path), labels, table, [b"V1", b"V2"], fill_ctab=True)
    found, names = imaging.read_labels(path)
    np.testing.assert_array_equal(found, labels)
    assert names == {0: "V1", 1: "V2"}
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(UnreadableError, match=r"lh\.x\.annot"):
        imaging.read_labels(path)


@pytest.mark.parametrize("name", ["lh.curv", "a.mgz", "a.shape.gii"])
def test_curvature_of_each_format(tmp_path, rng, name):
    values = rng.normal(size=6).astype(np.float32)
    path = tmp_path / name
    if name == "lh.curv":
        nib.freesurfer.write_morph_data(str(path), values)
    elif name == "a.mgz":
        nib.save(nib.MGHImage(values.reshape(6, 1, 1), np.eye(4)), path)
    else:
        imaging.write_shape(path, values, "L")
    found = imaging.read_curvature(path)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, values)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UnreadableError, match=name):
        imaging.read_curvature(path)


def test_cortex_of_both_formats(tmp_path):
    inside = np.array([False, True, True, False, True])
    named = {0: "???", 1: "cortex"}
    gii = imaging.write_labels(tmp_path / "a.label.gii", inside.astype(int), named, "L")
    np.testing.assert_array_equal(imaging.read_cortex(gii), inside)
    text = tmp_path / "lh.cortex.label"
    text.write_text("#!ascii label, from subject x\n3\n1 0 0 0 0\n4 0 0 0 0\n2 0 0 0 0\n")
    np.testing.assert_array_equal(imaging.read_cortex(text), inside)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!ascii label\n3\n1 0 0 0 0\n", "ends early"),
        ("#!ascii label\n", "cannot be read"),
        ("#!ascii label\ntwo\n", "cannot be read"),
        ("#!ascii label\n1\n-1 0 0 0 0\n", "cannot be read"),
        ("\u00e9", "cannot be read"),
    ],
)
def test_damaged_labels_of_freesurfer_are_named(tmp_path, text, expected):
    path = tmp_path / "lh.cortex.label"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableError, match=rf"lh\.cortex\.label {expected}"):
        imaging.read_cortex(path)


def test_same_values_give_same_bytes(tmp_path, values):
    paths = [tmp_path / "a" / "x.shape.gii", tmp_path / "b" / "x.shape.gii"]
    one, two = [imaging.write_shape(p, values, "L", name="r").read_bytes() for p in paths]
    assert one == two


@pytest.mark.real
def test_real_sphere_is_a_mesh_without_values(real_data):
    path = real_data / "fsaverage_sphere" / "fsaverage.L.sphere.164k_fs_L.surf.gii"
    with pytest.raises(UnreadableError, match=r"holds no values for vertices"):
        imaging.read_surface_header(path)
