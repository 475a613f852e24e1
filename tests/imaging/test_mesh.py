"""imaging.mesh: surfaces in the scanner's coordinates, from both formats."""

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.errors import MissingInputError, ShapeError, UnreadableError
from tests.factories.surfaces import ellipsoids, icosphere

C_RAS = (10.0, -4.0, 2.5)


@pytest.fixture
def white():
    return ellipsoids(icosphere(2), center=C_RAS)[0]


@pytest.mark.parametrize("name", ["lh.white", "hemi-L_white.surf.gii"])
def test_a_mesh_comes_back_as_it_was_written(tmp_path, white, name):
    path = imaging.write_mesh(tmp_path / name, white, "L", c_ras=C_RAS)
    found = imaging.read_mesh(path)
    np.testing.assert_allclose(found.vertices, white.vertices, atol=1e-5)
    np.testing.assert_array_equal(found.faces, white.faces)


@pytest.mark.parametrize("name", ["lh.white", "hemi-L_white.surf.gii"])
def test_the_same_mesh_gives_the_same_bytes(tmp_path, white, name):
    once, again = (
        imaging.write_mesh(tmp_path / folder / name, white, "L") for folder in ("a", "b")
    )
    assert once.read_bytes() == again.read_bytes()


def test_c_ras_of_10_mm_is_added(tmp_path):
    mesh = icosphere(1)
    path = tmp_path / "lh.pial"
    header = {"head": [2, 0, 20], "valid": "1  # volume info valid", "filename": "orig.mgz"}
    header |= {"volume": [256] * 3, "voxelsize": [1.0] * 3, "xras": [-1.0, 0, 0]}
    header |= {"yras": [0.0, 0, -1], "zras": [0.0, 1, 0], "cras": [10.0, 0, -3]}
    nib.freesurfer.write_geometry(str(path), mesh.vertices, mesh.faces, "x", header)
    moved = imaging.read_mesh(path).vertices - mesh.vertices
    np.testing.assert_allclose(moved, np.tile([10.0, 0, -3], (len(moved), 1)), atol=1e-4)


def test_axes_of_an_oblique_volume_are_those_of_nibabel(tmp_path):
    turn = np.array([[0.0, 0.6, 0.8], [1.0, 0, 0], [0, 0.8, -0.6]])  # columns: xras, yras, zras
    size, zooms, center = np.array([60, 50, 40]), np.array([1.0, 1.2, 2.0]), np.array([5.0, 6, 7])
    affine = np.eye(4)
    affine[:3, :3] = turn * zooms
    affine[:3, 3] = center - affine[:3, :3] @ (size / 2)
    image = nib.MGHImage(np.zeros(size, np.float32), affine)
    mesh = icosphere(1)
    header = {"head": [2, 0, 20], "valid": "1  # volume info valid", "filename": "orig.mgz"}
    header |= {"volume": size, "voxelsize": zooms, "cras": center}
    header |= dict(zip(("xras", "yras", "zras"), turn.T, strict=True))
    path = tmp_path / "lh.white"
    nib.freesurfer.write_geometry(str(path), mesh.vertices, mesh.faces, "x", header)
    there = image.affine @ np.linalg.inv(image.header.get_vox2ras_tkr())
    expected = nib.affines.apply_affine(there, mesh.vertices)
    np.testing.assert_allclose(imaging.read_mesh(path).vertices, expected, atol=1e-4)


def test_a_sphere_needs_no_footer_and_a_surface_does(tmp_path):
    sphere = icosphere(2)
    path = imaging.write_mesh(tmp_path / "lh.sphere.reg", sphere, "L", is_sphere=True)
    found = imaging.read_mesh(path, is_sphere=True)
    np.testing.assert_allclose(found.vertices, sphere.vertices, atol=1e-5)
    with pytest.raises(UnreadableError, match=r"lh\.sphere\.reg does not say where its volume.*"):
        imaging.read_mesh(path)


def test_nibabel_reads_what_we_write(tmp_path, white):
    path = imaging.write_mesh(tmp_path / "lh.white", white, "L", c_ras=C_RAS)
    vertices, faces, about = nib.freesurfer.read_geometry(str(path), read_metadata=True)
    np.testing.assert_allclose(vertices, white.vertices - C_RAS, atol=1e-5)
    np.testing.assert_array_equal(faces, white.faces)
    np.testing.assert_allclose(about["cras"], C_RAS)


def gifti(path, mesh, *, meta=None, system=None):
    arrays = [
        nib.gifti.GiftiDataArray(
            mesh.vertices.astype(np.float32),
            intent="NIFTI_INTENT_POINTSET",
            datatype="NIFTI_TYPE_FLOAT32",
            coordsys=system,
            meta=nib.gifti.GiftiMetaData(meta or {}),
        ),
        nib.gifti.GiftiDataArray(
            mesh.faces.astype(np.int32),
            intent="NIFTI_INTENT_TRIANGLE",
            datatype="NIFTI_TYPE_INT32",
        ),
    ]
    nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
    return path


@pytest.mark.parametrize(
    ("noted", "dataspace", "shift"),
    [("0.0", 0, 0.0), ("10.0", 0, 10.0), ("10.0", 1, 0.0)],
    ids=["fMRIPrep: added, note set to 0", "tkRAS", "scanner"],
)
def test_gifti_says_whether_c_ras_is_still_to_be_added(tmp_path, noted, dataspace, shift):
    mesh = icosphere(1)
    system = nib.gifti.GiftiCoordSystem(dataspace=dataspace, xformspace=3)
    meta = {"VolGeomC_R": noted, "VolGeomC_A": "0", "VolGeomC_S": "0"}
    path = gifti(tmp_path / "x_white.surf.gii", mesh, meta=meta, system=system)
    moved = imaging.read_mesh(path).vertices - mesh.vertices
    np.testing.assert_allclose(moved, np.tile([shift, 0, 0], (len(moved), 1)), atol=1e-4)


def test_gifti_transform_to_the_scanner_is_used(tmp_path):
    mesh = icosphere(1)
    matrix = np.eye(4)
    matrix[:3] = [[0, -1, 0, 3], [1, 0, 0, -2], [0, 0, 1, 1]]
    system = nib.gifti.GiftiCoordSystem(dataspace=0, xformspace=1, xform=matrix)
    path = gifti(tmp_path / "x_white.surf.gii", mesh, system=system)
    expected = nib.affines.apply_affine(matrix, mesh.vertices)
    np.testing.assert_allclose(imaging.read_mesh(path).vertices, expected, atol=1e-4)
    np.testing.assert_allclose(
        imaging.read_mesh(path, is_sphere=True).vertices, mesh.vertices, atol=1e-4
    )


@pytest.mark.parametrize("name", ["lh.white", "hemi-L_white.surf.gii"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_refused(tmp_path, white, name, share):
    path = imaging.write_mesh(tmp_path / name, white, "L")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(UnreadableError, match=r"white.* (ends early|cannot be read)"):
        imaging.read_mesh(path)


def test_other_files_are_refused(tmp_path, white):
    series = imaging.write_shape(tmp_path / "x.shape.gii", np.zeros(42), "L")
    with pytest.raises(UnreadableError, match=r"holds 1 arrays, but not both points and tri"):
        imaging.read_mesh(series)
    odd = tmp_path / "lh.white"
    odd.write_text("no surface")
    with pytest.raises(UnreadableError, match=r"lh\.white cannot be read"):
        imaging.read_mesh(odd)
    with pytest.raises(MissingInputError, match=r"lh\.pial does not exist"):
        imaging.read_mesh(tmp_path / "lh.pial")


def test_a_vertex_that_is_no_number_or_not_there_is_refused(tmp_path, white):
    broken = white.vertices.copy()
    broken[3, 1] = np.nan
    path = imaging.write_mesh(tmp_path / "lh.white", Mesh(broken, white.faces), "L")
    with pytest.raises(UnreadableError, match=r"1 of 162 vertices whose coordinates"):
        imaging.read_mesh(path)
    raw = imaging.write_mesh(path, white, "L").read_bytes()
    path.write_bytes(raw.replace(white.faces[-1].astype(">i4").tobytes(), b"\x00\x0f" * 6))
    with pytest.raises(ShapeError, match=r"outside the 162 of the mesh"):
        imaging.read_mesh(path)


@pytest.mark.real
def test_the_real_fsaverage_is_a_sphere(real_data):
    for h in "LR":
        path = real_data / "fsaverage_sphere" / f"fsaverage.{h}.sphere.164k_fs_{h}.surf.gii"
        mesh = imaging.read_mesh(path, is_sphere=True)
        assert mesh.vertices.shape == (163842, 3)
        assert mesh.faces.shape == (327680, 3)
        np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 100, atol=1e-3)
