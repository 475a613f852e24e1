"""rois.template: the template's files, found and judged."""

import sys

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, SpaceError, UnreadableError
from bids_dnn.rois.benson_files import BensonFiles
from bids_dnn.rois.template import find_template, read_template, read_template_maps
from tests.factories.surfaces import icosphere, true_maps, write_template

N = 642


@pytest.fixture(scope="module")
def sphere():
    return icosphere(3)


@pytest.fixture
def folder(tmp_path, sphere):
    return write_template(tmp_path / "template", sphere)


def put(path, values):
    nib.save(nib.MGHImage(np.asarray(values, np.float32)[:, None, None], np.eye(4)), path)
    return path


def test_maps_are_those_of_the_files_with_one_sign(folder, sphere):
    maps = read_template_maps(folder)
    truth = true_maps(sphere.vertices, "L")
    inside = truth["varea"] > 0
    for h, sign in (("L", 1), ("R", -1)):
        found = maps.hemispheres[h]
        np.testing.assert_array_equal(found.area, truth["varea"])
        np.testing.assert_allclose(found.angle_deg[inside], sign * truth["angle"][inside], 1e-5)
        np.testing.assert_allclose(found.eccentricity_deg[inside], truth["eccen"][inside], 1e-5)
        np.testing.assert_allclose(found.sigma_deg[inside], truth["sigma"][inside], 1e-5)
        assert np.isnan(found.angle_deg[~inside]).all()
        assert np.isnan(found.eccentricity_deg[~inside]).all()


def test_a_signed_right_hemisphere_gives_the_same_maps(folder):
    before = read_template_maps(folder).hemispheres["R"].angle_deg
    path = folder / "rh.benson14_angle.v4_0.mgz"
    put(path, -imaging.read_curvature(path))
    np.testing.assert_array_equal(read_template_maps(folder).hemispheres["R"].angle_deg, before)


@pytest.mark.parametrize("version", ["", ".v3_0", ".v4.0", ".v4_0"])
def test_folders_are_found_in_several_forms(tmp_path, sphere, version):
    write_template(tmp_path / "fsaverage" / "surf", sphere, version=version)
    found = find_template(tmp_path / "fsaverage")
    assert found == tmp_path / "fsaverage" / "surf"
    assert find_template(found) == found
    assert len(read_template_maps(found).hemispheres["L"]) == N


def test_gifti_maps_are_read(tmp_path, sphere):
    for h, side in (("L", "lh"), ("R", "rh")):
        for name, values in true_maps(sphere.vertices, h).items():
            imaging.write_shape(tmp_path / f"{side}.benson14_{name}.shape.gii", values, h)
    maps = read_template_maps(find_template(tmp_path))
    np.testing.assert_array_equal(
        maps.hemispheres["R"].area, true_maps(sphere.vertices, "R")["varea"]
    )


def test_the_newest_version_is_taken_whole(folder, sphere):
    write_template(folder, icosphere(2), version=".v3_0", with_sphere=False)
    put(folder / "lh.benson14_varea.v5_0.mgz", np.zeros(10))  # of which there is no more
    assert len(read_template_maps(find_template(folder)).hemispheres["L"]) == N


def test_the_package_is_found_but_never_imported(tmp_path, sphere, monkeypatch):
    package = tmp_path / "site" / "neuropythy"
    expected = write_template(package / "lib" / "data" / "fsaverage" / "surf", sphere)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert find_template(None) == expected
    assert "neuropythy" not in sys.modules


def test_without_template_it_is_said_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingInputError, match=r"no folder was given and neuropythy is not.*pip"):
        find_template(None)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("rh.*", r"lacks rh\.benson14_varea, rh\.benson14_angle, rh\.benson14_eccen"),
        ("lh.benson14_eccen*", r"lacks lh\.benson14_eccen\."),
    ],
)
def test_missing_maps_are_named(folder, gone, said):
    for path in folder.glob(gone):
        path.unlink()
    with pytest.raises(MissingInputError, match=said):
        find_template(folder)
    with pytest.raises(MissingInputError, match=said):
        read_template_maps(folder)


def test_sizes_may_be_unknown(folder):
    for path in folder.glob("*sigma*"):
        path.unlink()
    assert np.isnan(read_template_maps(folder).hemispheres["L"].sigma_deg).all()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("varea", lambda v: v + 12, r"varea.* of 642 vertices whose values are no areas"),
        ("varea", lambda v: v + 0.5, r"642 of 642 vertices whose values are no areas"),
        ("varea", lambda v: np.where(v == 1, np.nan, v), r"no areas, whole numbers from 0 to 12"),
        ("angle", lambda v: 2 * v + 100, r"no angles from the upper vertical meridian"),
        ("angle", lambda v: v * np.nan, r"no angles from"),
        ("eccen", lambda v: -10 - v, r"no eccentricities, 0 to 180 degrees"),
        ("eccen", lambda v: v * np.nan, r"no eccentricities"),
        ("eccen", lambda v: v[:-1], r"lh\.benson14_varea\.v4_0\.mgz 642"),
    ],
)
def test_values_that_cannot_be_are_refused(folder, name, change, said):
    path = folder / f"lh.benson14_{name}.v4_0.mgz"
    put(path, change(imaging.read_curvature(path)))
    with pytest.raises(UnreadableError, match=said):
        read_template_maps(folder)


def test_a_cut_file_is_refused(folder):
    path = folder / "rh.benson14_angle.v4_0.mgz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UnreadableError, match=r"rh\.benson14_angle\.v4_0\.mgz"):
        read_template_maps(folder)


# --- The sphere on which it lies


def test_the_sphere_beside_the_maps_is_taken(folder, sphere):
    template = read_template(BensonFiles(template=folder))
    np.testing.assert_allclose(template.spheres["R"].vertices, sphere.vertices, atol=1e-5)


def test_the_sphere_of_fsaverage_is_found_beside_the_participant(tmp_path, sphere):
    folder = write_template(tmp_path / "t", sphere, with_sphere=False)
    with pytest.raises(MissingInputError, match=r"sphere of fsaverage.*was not found.*lh\.sphere"):
        read_template(BensonFiles(template=folder))
    for h, side in (("L", "lh"), ("R", "rh")):
        surf = tmp_path / "subjects" / "fsaverage" / "surf"
        imaging.write_mesh(surf / f"{side}.sphere", sphere, h, is_sphere=True)
    files = BensonFiles(template=folder, freesurfer=tmp_path / "subjects" / "sub-01")
    assert len(read_template(files).spheres["L"].vertices) == N


@pytest.mark.parametrize(
    "name", ["tpl-fsaverage_hemi-{h}_den-164k_sphere.surf.gii", "fsaverage.{h}.sphere.surf.gii"]
)
def test_the_sphere_may_be_gifti_of_templateflow(tmp_path, sphere, name):
    folder = write_template(tmp_path / "t", sphere, with_sphere=False)
    for h in ("L", "R"):
        path = tmp_path / "tpl-fsaverage" / name.format(h=h)
        imaging.write_mesh(path, sphere, h, is_sphere=True)
    assert len(read_template(BensonFiles(template=folder)).spheres["R"].vertices) == N


def test_the_finer_of_two_spheres_is_taken_where_the_maps_are_fine(folder):
    for h in ("L", "R"):
        coarse = folder / f"a_hemi-{h}_sphere.surf.gii"
        imaging.write_mesh(coarse, icosphere(2), h, is_sphere=True)
        (folder / f"{h.lower()}h.sphere.reg").rename(folder / f"{h.lower()}h.sphere")
    assert len(read_template(BensonFiles(template=folder)).spheres["L"].vertices) == N


def test_a_template_in_another_mesh_is_refused(folder):
    for h, side in (("L", "lh"), ("R", "rh")):
        imaging.write_mesh(folder / f"{side}.sphere.reg", icosphere(2), h, is_sphere=True)
    said = r"has 642 vertices.*sphere\.reg \(162\).*a template in another mesh"
    with pytest.raises(SpaceError, match=said):
        read_template(BensonFiles(template=folder))
    given = {"L": folder / "lh.sphere.reg", "R": folder / "rh.sphere.reg"}
    with pytest.raises(SpaceError, match=said):
        read_template(BensonFiles(template=folder, template_sphere=given))
