"""benchmarks.retinotopy: a made-up participant, a peer that is run, not imported."""

import sys

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import retinotopy
from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.rois.benson_files import BensonFiles
from bids_dnn.rois.maps import Maps, Retinotopy
from bids_dnn.rois.retinotopy import participant_maps
from tests.factories.surfaces import icosphere, write_template

COUNTS = {"L": 900, "R": 800}


def maps_of(angle, eccentricity, area):
    maps = Maps(
        np.array(area), np.array(angle, float), np.array(eccentricity, float), np.ones(len(area))
    )
    return Retinotopy({"L": maps}, "fsnative", "test")


def test_agreement_is_counted_on_the_circle():
    ours = maps_of([179, 10, 5, np.nan], [1, 2, 3, np.nan], [1, 1, 2, 0])
    theirs = maps_of([-179, 10, np.nan, np.nan], [1.5, 2, np.nan, np.nan], [1, 1, 0, 0])
    found = retinotopy.agreement(ours, theirs)
    assert found == {
        "areas": 0.75,
        "areas_in_either": pytest.approx(2 / 3),
        "angle_deg": 1.0,
        "eccentricity_deg": 0.25,
    }
    with pytest.raises(ArithmeticError, match=r"maps differ from neuropythy's.*0\.75"):
        retinotopy.check(found)
    retinotopy.check(retinotopy.agreement(ours, ours))


def test_the_made_up_sphere_is_closed(rng):
    mesh = retinotopy.make_sphere(500, rng)
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert len(mesh.vertices) - len(edges) // 2 + len(mesh.faces) == 2


def test_an_absent_peer_is_told(tmp_path):
    with pytest.raises(MissingInputError, match=r"neuropythy is absent.*pip install neuropythy"):
        retinotopy.find_peer_template(sys.executable)
    call = ["--peer", str(tmp_path / "none"), "--sphere", str(tmp_path)]
    done = CliRunner().invoke(retinotopy.main, call)
    assert done.exit_code == 2
    assert "neuropythy is absent" in done.output


@pytest.fixture
def peer(tmp_path):
    """A program that answers as the peer does: it copies maps that were made before."""
    folder = write_template(
        tmp_path / "package" / "lib" / "data" / "fsaverage" / "surf", icosphere(4)
    )
    program = tmp_path / "python"
    program.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -c ]; then echo {tmp_path / "package"}; exit; fi\n'
        f'cp {tmp_path / "ready"}/?h.benson14_* "$SUBJECTS_DIR/sub-01/surf/" || exit 3\n'
    )
    program.chmod(0o755)
    spheres = tmp_path / "spheres"
    average = {}
    for h in "LR":
        average[h] = icosphere(4)
        path = spheres / retinotopy.SPHERE.format(h=h)
        imaging.write_mesh(path, average[h], h, is_sphere=True)
    return program, folder, spheres, average


def test_a_peer_that_agrees_is_timed(tmp_path, peer):
    program, folder, spheres, average = peer
    subject = retinotopy.make_participant(tmp_path / "first", average, COUNTS)
    maps = participant_maps(BensonFiles(template=folder, freesurfer=subject))
    for h, side in (("L", "lh"), ("R", "rh")):
        one = maps.hemispheres[h]
        for name, values in (
            ("varea", one.area),
            ("angle", one.angle_deg),
            ("eccen", one.eccentricity_deg),
        ):
            path = tmp_path / "ready" / f"{side}.benson14_{name}.shape.gii"
            imaging.write_shape(path, np.nan_to_num(values), h)
    row, found = retinotopy.measure(program, spheres, COUNTS, folder=tmp_path / "second")
    assert row.name == "retinotopy[900+800]"
    assert row.ours < 5
    assert found["areas"] == 1
    assert found["angle_deg"] < 1e-4


def test_a_peer_that_fails_is_told(tmp_path, peer):
    program, _, spheres, _ = peer
    with pytest.raises(UnreadableError, match=r"benson14_retinotopy failed: .*Try it by hand"):
        retinotopy.measure(program, spheres, COUNTS, folder=tmp_path / "second")
