"""rois.retinotopy: the template on a participant's own surface."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.errors import MissingInputError, SpaceError, UnreadableError
from bids_dnn.rois.benson_files import BensonFiles
from bids_dnn.rois.retinotopy import native_maps, participant_maps
from bids_dnn.rois.template import Template, read_template
from tests.factories.surfaces import RADIUS, hull, icosphere, true_maps, write_template

SIDES = (("L", "lh"), ("R", "rh"))


@pytest.fixture(scope="module")
def template_folder(tmp_path_factory):
    return write_template(tmp_path_factory.mktemp("template"), icosphere(5))


@pytest.fixture(scope="module")
def native():
    """A sphere of 3,000 vertices that share nothing with those of the template."""
    points = np.random.default_rng(1).normal(size=(3000, 3))
    points *= RADIUS / np.linalg.norm(points, axis=1, keepdims=True)
    return Mesh(points, hull(points))


@pytest.fixture
def participant(tmp_path, native):
    """A FreeSurfer folder with registered spheres."""
    for h, side in SIDES:
        path = tmp_path / "sub-01" / "surf" / f"{side}.sphere.reg"
        imaging.write_mesh(path, native, h, is_sphere=True)
    return tmp_path / "sub-01"


def listing(folder):
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(("h", "sign"), [("L", 1), ("R", -1)])
def test_maps_follow_what_is_known_of_the_sphere(template_folder, participant, native, h, sign):
    maps = participant_maps(BensonFiles(template=template_folder, freesurfer=participant))
    found, truth = maps.hemispheres[h], true_maps(native.vertices, h)
    assert maps.mesh == "fsnative"
    assert (found.area == truth["varea"]).mean() > 0.99
    both = (found.area > 0) & (truth["varea"] > 0)
    off = np.abs(found.eccentricity_deg - truth["eccen"])[both]
    assert np.median(off) < 0.02
    assert off.max() < 1
    assert np.median(np.abs(found.angle_deg - sign * truth["angle"])[both]) < 0.5
    assert np.nanmedian(np.abs(found.sigma_deg - truth["sigma"])[both]) < 0.01
    assert np.isnan(found.angle_deg[found.area == 0]).all()
    assert np.isfinite(found.angle_deg[found.area > 0]).all()


def test_zeros_outside_the_areas_do_not_bleed_in(template_folder, participant, native):
    maps = participant_maps(BensonFiles(template=template_folder, freesurfer=participant))
    found, truth = maps.hemispheres["L"], true_maps(native.vertices, "L")
    rim = (found.area > 0) & (truth["eccen"] > 29) & (truth["varea"] > 0)
    assert rim.sum() > 10
    assert found.eccentricity_deg[rim].min() > 28


def test_a_common_rotation_does_not_matter(tmp_path, template_folder, participant):
    files = BensonFiles(template=template_folder, freesurfer=participant)
    template = read_template(files)
    matrix = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    matrix *= np.sign(np.linalg.det(matrix))
    turned = {h: Mesh(m.vertices @ matrix.T, m.faces) for h, m in template.spheres.items()}
    paths = {}
    for h, side in SIDES:
        mesh = imaging.read_mesh(participant / "surf" / f"{side}.sphere.reg", is_sphere=True)
        paths[h] = imaging.write_mesh(
            tmp_path / f"{h}_reg_sphere.surf.gii",
            Mesh(mesh.vertices @ matrix.T, mesh.faces),
            h,
            is_sphere=True,
        )
    found = native_maps(Template(template.maps, turned), paths).hemispheres
    expected = participant_maps(files).hemispheres
    for h in ("L", "R"):
        assert (found[h].area == expected[h].area).mean() > 0.999
        both = (found[h].area > 0) & (expected[h].area > 0)
        off = np.abs(found[h].eccentricity_deg - expected[h].eccentricity_deg)[both]
        assert np.percentile(off, 99) < 1e-3


def test_fmriprep_spheres_come_before_those_of_freesurfer(tmp_path, template_folder, participant):
    other = icosphere(3)
    given = {
        h: imaging.write_mesh(tmp_path / f"{h}_desc-reg_sphere.surf.gii", other, h, is_sphere=True)
        for h, _ in SIDES
    }
    files = BensonFiles(template=template_folder, freesurfer=participant, sphere_reg=given)
    assert len(participant_maps(files).hemispheres["L"]) == 642


def test_nothing_is_written_into_the_input(template_folder, participant):
    before = listing(participant.parent), listing(template_folder)
    for folder in (participant / "surf", participant, template_folder):
        folder.chmod(0o555)
    try:
        participant_maps(BensonFiles(template=template_folder, freesurfer=participant))
    finally:
        for folder in (participant / "surf", participant, template_folder):
            folder.chmod(0o755)
    assert (listing(participant.parent), listing(template_folder)) == before


def test_a_missing_sphere_is_named(template_folder, participant):
    (participant / "surf" / "rh.sphere.reg").unlink()
    with pytest.raises(MissingInputError, match=r"rh\.sphere\.reg was not found.*does not exist"):
        participant_maps(BensonFiles(template=template_folder, freesurfer=participant))
    with pytest.raises(MissingInputError, match=r"no FreeSurfer folder is known"):
        participant_maps(BensonFiles(template=template_folder))


def test_a_surface_for_a_sphere_is_refused(template_folder, participant, native):
    flat = Mesh(native.vertices * [1, 2, 1], native.faces)
    imaging.write_mesh(participant / "surf" / "lh.sphere.reg", flat, "L")
    with pytest.raises(SpaceError, match=r"target mesh of 3000 vertices is no sphere"):
        participant_maps(BensonFiles(template=template_folder, freesurfer=participant))


# --- Ready-made maps


def ready_made(participant, native, *, ending="", sign=1.0):
    for h, side in SIDES:
        for name, values in true_maps(native.vertices, h).items():
            signed = values * (sign if (side, name) == ("rh", "angle") else 1)
            path = participant / "surf" / f"{side}.benson14_{name}{ending}"
            if ending:
                image = nib.MGHImage(signed.astype(np.float32)[:, None, None], np.eye(4))
                nib.save(image, path)
            else:
                nib.freesurfer.write_morph_data(str(path), signed.astype(np.float32))


@pytest.mark.parametrize("ending", ["", ".mgz"])
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["unsigned", "signed"])
def test_ready_made_maps_are_used_as_they_are(participant, native, ending, sign):
    ready_made(participant, native, ending=ending, sign=sign)
    maps = participant_maps(BensonFiles(freesurfer=participant))
    truth = true_maps(native.vertices, "R")
    inside = truth["varea"] > 0
    right, left = maps.hemispheres["R"], maps.hemispheres["L"]
    np.testing.assert_array_equal(right.area, truth["varea"])
    np.testing.assert_allclose(right.angle_deg[inside], -truth["angle"][inside], rtol=1e-5)
    np.testing.assert_allclose(left.angle_deg[inside], truth["angle"][inside], rtol=1e-5)
    assert "ready-made" in maps.source


def test_ready_made_maps_of_one_hemisphere_are_refused(participant, native):
    ready_made(participant, native)
    for path in (participant / "surf").glob("rh.benson14_*"):
        path.unlink()
    with pytest.raises(MissingInputError, match=r"lacks rh\.benson14_varea.*both hemispheres"):
        participant_maps(BensonFiles(freesurfer=participant))


def test_a_single_ready_made_map_is_not_passed_over(template_folder, participant, native):
    ready_made(participant, native)
    for path in (participant / "surf").glob("?h.benson14_*"):
        if path.name != "lh.benson14_angle":
            path.unlink()
    with pytest.raises(
        MissingInputError, match=r"lacks lh\.benson14_varea, lh\.benson14_eccen, rh"
    ):
        participant_maps(BensonFiles(template=template_folder, freesurfer=participant))


def test_maps_that_were_not_fetched_are_named(participant, native):
    ready_made(participant, native)
    path = participant / "surf" / "rh.benson14_eccen"
    path.unlink()
    path.symlink_to("../../.git/annex/objects/none")
    with pytest.raises(MissingInputError, match=r"Type: datalad get .*rh\.benson14_eccen"):
        participant_maps(BensonFiles(freesurfer=participant))


def test_ready_made_maps_of_another_mesh_are_refused(participant, native):
    ready_made(participant, native)
    imaging.write_mesh(participant / "surf" / "lh.sphere.reg", icosphere(2), "L", is_sphere=True)
    with pytest.raises(SpaceError, match=r"lh\.benson14_varea has 3000 vertices.* mesh has 162 "):
        participant_maps(BensonFiles(freesurfer=participant))


def test_cut_ready_made_maps_are_refused(participant, native):
    ready_made(participant, native)
    path = participant / "surf" / "lh.benson14_angle"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UnreadableError, match=r"lh\.benson14_angle|lh\.benson14_varea 3000"):
        participant_maps(BensonFiles(freesurfer=participant))


# --- The real sphere


@pytest.mark.real
def test_fsaverage5_has_the_first_vertices_of_the_template(tmp_path, real_data):
    from nilearn import datasets

    spheres, fsaverage5 = {}, datasets.fetch_surf_fsaverage("fsaverage5")
    for h, side in SIDES:
        spheres[h] = real_data / "fsaverage_sphere" / f"fsaverage.{h}.sphere.164k_fs_{h}.surf.gii"
        sphere = imaging.read_mesh(spheres[h], is_sphere=True)
        for name, values in true_maps(sphere.vertices, h).items():
            path = tmp_path / f"{side}.benson14_{name}.mgz"
            nib.save(nib.MGHImage(values.astype(np.float32)[:, None, None], np.eye(4)), path)
    template = read_template(BensonFiles(template=tmp_path, template_sphere=spheres))
    paths = {"L": fsaverage5["sphere_left"], "R": fsaverage5["sphere_right"]}
    found = native_maps(template, {h: Path(p) for h, p in paths.items()})
    for h, one in found.hemispheres.items():
        expected = template.maps.hemispheres[h].first(10242)
        np.testing.assert_array_equal(one.area, expected.area)
        inside = one.area > 0
        off = np.abs(one.eccentricity_deg - expected.eccentricity_deg)[inside]
        assert off.max() < 0.1
