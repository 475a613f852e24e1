"""simulate.surfaces: FreeSurfer's files and fMRIPrep's tell the same cortex."""

import nibabel as nib
import numpy as np
import pytest
from nibabel import freesurfer

from bids_dnn import imaging
from bids_dnn.simulate import cortex, ribbon, surfaces
from bids_dnn.simulate.meshes import icosphere
from bids_dnn.simulate.retinotopy import AREAS, MAX_ECCENTRICITY_DEG

SIDES = {"L": "lh", "R": "rh"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("surfaces")
    halves = cortex.grow(np.random.default_rng(0))
    surfaces.write_template(root / "template")
    image = ribbon.scan(ribbon.fine_grid(), halves).image
    surfaces.write_freesurfer(root / "sub-01", halves, image)
    surfaces.write_gifti(root / "anat", "01", halves)
    return root, halves


@pytest.mark.parametrize("name", ["white", "pial"])
def test_both_lie_at_one_place_of_the_scanner(made, name):
    root, halves = made
    for half in halves:
        side = SIDES[half.hemisphere]
        ours = imaging.read_mesh(root / "sub-01" / "surf" / f"{side}.{name}")
        path = root / "anat" / f"sub-01_hemi-{half.hemisphere}_{name}.surf.gii"
        theirs = imaging.read_mesh(path)
        np.testing.assert_allclose(ours.vertices, theirs.vertices, atol=1e-4)
        np.testing.assert_array_equal(ours.faces, theirs.faces)
        np.testing.assert_allclose(theirs.vertices, half.surfaces[name].vertices, atol=1e-4)


def test_freesurfers_own_coordinates_are_shifted(made):
    root, halves = made
    found, _, about = freesurfer.read_geometry(
        root / "sub-01" / "surf" / "lh.white", read_metadata=True
    )
    np.testing.assert_allclose(about["cras"], surfaces.C_RAS_MM)
    shift = halves[0].surfaces["white"].vertices - found
    np.testing.assert_allclose(shift, np.tile(surfaces.C_RAS_MM, (len(found), 1)), atol=1e-4)


def test_registered_spheres_agree_and_lie_around_the_origin(made):
    root, halves = made
    for half in halves:
        side = SIDES[half.hemisphere]
        path = root / "sub-01" / "surf" / f"{side}.sphere.reg"
        ours = imaging.read_mesh(path, is_sphere=True)
        stem = f"sub-01_hemi-{half.hemisphere}_space-fsaverage_desc-reg_sphere.surf.gii"
        theirs = imaging.read_mesh(root / "anat" / stem, is_sphere=True)
        np.testing.assert_allclose(ours.vertices, theirs.vertices, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(ours.vertices, axis=1), 100, rtol=1e-5)


@pytest.mark.parametrize("side", ["lh", "rh"])
def test_the_template_has_neuropythys_form(made, side):
    root, _ = made
    maps = {
        name: imaging.read_curvature(root / "template" / f"{side}.benson14_{name}.mgz")
        for name in ("angle", "eccen", "varea", "sigma")
    }
    assert {values.shape for values in maps.values()} == {(10242,)}
    inside = maps["varea"] > 0
    assert set(maps["varea"]) == {0, *AREAS}
    assert not any(values[~inside].any() for values in maps.values())
    assert maps["angle"].min() >= 0
    assert 170 < maps["angle"].max() <= 180
    assert 0.95 * MAX_ECCENTRICITY_DEG < maps["eccen"].max() <= MAX_ECCENTRICITY_DEG
    assert maps["sigma"][inside].min() > 0
    sphere = imaging.read_mesh(root / "template" / f"{side}.sphere.reg", is_sphere=True)
    np.testing.assert_allclose(sphere.vertices, 100 * icosphere(5).vertices, atol=1e-4)
    raw = nib.load(root / "template" / f"{side}.benson14_varea.mgz")
    assert raw.get_data_dtype() == np.dtype(">f4")
    coarse = f"tpl-fsLR_den-3k_hemi-{'L' if side == 'lh' else 'R'}_sphere.surf.gii"
    assert len(imaging.read_mesh(root / "template" / coarse).vertices) == 2562


def test_labels_leave_out_the_medial_wall(made):
    root, halves = made
    for half in halves:
        side = SIDES[half.hemisphere]
        labels, names = imaging.read_labels(root / "sub-01" / "label" / f"{side}.aparc.annot")
        assert tuple(names.values()) == cortex.PARCELS
        np.testing.assert_array_equal(labels, half.parcel)
        listed = freesurfer.read_label(root / "sub-01" / "label" / f"{side}.cortex.label")
        np.testing.assert_array_equal(np.sort(listed), np.flatnonzero(surfaces.is_cortex(half)))
        path = root / "anat" / f"sub-01_hemi-{half.hemisphere}_desc-cortex_mask.label.gii"
        mask, _ = imaging.read_labels(path)
        np.testing.assert_array_equal(mask == 1, surfaces.is_cortex(half))


def test_curvature_has_the_other_sign_in_gifti(made):
    root, halves = made
    for half in halves:
        path = root / "sub-01" / "surf" / f"{SIDES[half.hemisphere]}.curv"
        ours = imaging.read_curvature(path)
        path = root / "anat" / f"sub-01_hemi-{half.hemisphere}_curv.shape.gii"
        np.testing.assert_allclose(imaging.read_curvature(path), -ours, atol=1e-6)
        # Where the cortex lies further out it is a gyrus, negative for FreeSurfer.
        mesh, own = half.surfaces["midthickness"].vertices, half.surfaces["sphere"].vertices
        side = -1 if half.hemisphere == "L" else 1
        stretched = (mesh - (side * cortex.CENTER_MM, 0, 0)) / cortex.SEMI_AXES_MM
        outwards = np.einsum("ij,ij->i", stretched, own / 100)
        assert np.corrcoef(ours, outwards)[0, 1] < -0.99


def test_the_volume_shows_the_surfaces(made):
    root, halves = made
    image = nib.load(root / "sub-01" / "mri" / "brain.mgz")
    assert image.shape == (256, 256, 256)
    np.testing.assert_allclose(image.affine, surfaces.conformed_affine())
    center = image.affine @ [128, 128, 128, 1]
    np.testing.assert_allclose(center[:3], surfaces.C_RAS_MM)
    values, back = np.asarray(image.dataobj), np.linalg.inv(image.affine)
    for half in halves:
        middle = half.surfaces["midthickness"].vertices
        voxel = np.rint(middle @ back[:3, :3].T + back[:3, 3]).astype(int)
        found = values[tuple(voxel.T)]
        gray = round(600 / 900 * 110)
        assert (found == gray).mean() > 0.95


def test_the_average_has_the_vertices_of_the_template(tmp_path):
    surfaces.write_template(tmp_path / "template")
    surfaces.write_average(tmp_path / "fsaverage5")
    for side in ("lh", "rh"):
        sphere = imaging.read_mesh(tmp_path / "template" / f"{side}.sphere.reg", is_sphere=True)
        path = tmp_path / "fsaverage5" / "surf" / f"{side}.inflated"
        inflated = imaging.read_mesh(path, is_sphere=True)
        np.testing.assert_array_equal(inflated.faces, sphere.faces)
        # the same directions, stretched
        signs = np.sign(inflated.vertices) == np.sign(sphere.vertices)
        assert signs[np.abs(sphere.vertices) > 1e-3].all()
        white = imaging.read_mesh(tmp_path / "fsaverage5" / "surf" / f"{side}.white")
        np.testing.assert_array_equal(white.faces, sphere.faces)
        # a hemisphere of 64 x 140 x 90 mm, less 1.5 mm on each side, to the left or the right
        np.testing.assert_allclose(np.ptp(white.vertices, axis=0), [61, 137, 87], atol=0.5)
        assert abs(white.vertices[:, 0].mean() - {"lh": -38, "rh": 38}[side]) < 0.5
