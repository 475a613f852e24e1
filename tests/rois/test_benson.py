"""rois.benson: the front door, from a rule to the places that see it."""

import numpy as np
import pytest

from bids_dnn.containers.space import Grid, Surface
from bids_dnn.errors import ConfigError, NotEnoughDataError, SpaceError
from bids_dnn.rois.benson import benson_places
from bids_dnn.rois.benson_files import BensonFiles
from bids_dnn.rois.template import read_template_maps
from tests.factories.surfaces import (
    CENTERS,
    RADIUS,
    icosphere,
    true_maps,
    write_participant,
    write_template,
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A template of 10,242 vertices and a participant of 2,562 whose sphere is registered."""
    top = tmp_path_factory.mktemp("tree")
    write_template(top / "template", icosphere(5))
    made = write_participant(top / "sub-01", icosphere(4), as_gifti=True)
    write_participant(top / "sub-01", icosphere(4))
    return BensonFiles(template=top / "template", freesurfer=top / "sub-01", **made)


@pytest.fixture(scope="module")
def grid():
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [78, -66, -48]
    return Grid("T1w", (78, 57, 54), affine, np.arange(78 * 57 * 54))


NATIVE = Surface("fsnative", (2562, 2562), np.arange(5124))


def looking_at(grid, places):
    """Return where the voxels look by what is known of the ball, (n, 2), and their hemisphere."""
    at = np.array(np.unravel_index(np.flatnonzero(places), grid.shape)).T
    points = at @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    is_left = points[:, 0] < 0
    direction = points - np.where(is_left[:, None], CENTERS["L"], CENTERS["R"])
    maps = true_maps(RADIUS * direction / np.linalg.norm(direction, axis=1)[:, None], "L")
    angle = np.radians(maps["angle"]) * np.where(is_left, 1, -1)
    return maps["eccen"][:, None] * np.column_stack([np.sin(angle), np.cos(angle)]), is_left


@pytest.mark.parametrize("x", [7, -7])
@pytest.mark.parametrize("y", [7, -7, 0])
def test_voxels_look_where_the_rule_says(tree, grid, x, y):
    places, _ = benson_places(f"V1@({x},{y})r3deg", grid, files=tree, options={})
    where, is_left = looking_at(grid, places)
    assert len(where) > 5
    assert (is_left == (x > 0)).all()
    assert np.hypot(*(where - [x, y]).T).max() < 3 + 2.5  # a voxel's corner beyond
    assert np.median(np.hypot(*(where - [x, y]).T)) < 3


def test_fovea_and_periphery_do_not_meet(tree, grid):
    fovea, warnings = benson_places("V1@0-4deg", grid, files=tree, options={})
    periphery, none = benson_places("V1@10-20deg", grid, files=tree, options={})
    assert not (fovea & periphery).any()
    assert np.hypot(*looking_at(grid, fovea)[0].T).max() < 6
    assert "below 1 degree" in warnings[0]
    assert none == []


def test_one_hemisphere_may_be_asked_for(tree):
    both, left, right = (
        benson_places("V1@2-8deg", NATIVE, files=tree, options=options)[0]
        for options in ({}, {"hemi": "L"}, {"hemi": "R"})
    )
    assert not left[2562:].any()
    assert not right[:2562].any()
    np.testing.assert_array_equal(left | right, both)


def test_a_disk_across_the_vertical_meridian_takes_both(tree):
    places, _ = benson_places("V1-V2@(0,9)r4deg", NATIVE, files=tree, options={})
    assert places[:2562].any()
    assert places[2562:].any()
    np.testing.assert_array_equal(places[:2562], places[2562:])  # this brain is symmetric


@pytest.mark.parametrize(("name", "n"), [("fsaverage3", 642), ("fsaverage5", 10242)])
def test_average_meshes_take_the_templates_first_vertices(tree, name, n):
    space = Surface(name, (n, n), np.arange(2 * n))
    places, _ = benson_places("V1", space, files=BensonFiles(template=tree.template), options={})
    maps = read_template_maps(tree.template)
    expected = np.concatenate([maps.hemispheres[h].area[:n] == 1 for h in "LR"])
    np.testing.assert_array_equal(places, expected)


def test_average_meshes_of_other_sizes_are_refused(tree):
    fine = Surface("fsaverage6", (40962, 40962), np.arange(3))
    with pytest.raises(
        SpaceError, match=r"template has 10242 vertices.*fsaverage6 has 40962.*mesh"
    ):
        benson_places("V1", fine, files=tree, options={})
    odd = Surface("fsaverage5", (10000, 10242), np.arange(3))
    with pytest.raises(
        SpaceError, match=r"L hemisphere of the responses has 10000 vertices, fsav"
    ):
        benson_places("V1", odd, files=tree, options={})


def test_wrong_options_are_refused(tree):
    with pytest.raises(ConfigError, match=r"no option 'hem'\. Did you mean 'hemi'\?"):
        benson_places("V1", NATIVE, files=tree, options={"hem": "L"})
    with pytest.raises(ConfigError, match=r"hemi='left' is no hemisphere\. Type hemi=L"):
        benson_places("V1", NATIVE, files=tree, options={"hemi": "left"})
    with pytest.raises(ConfigError, match=r"names the area 'V4'"):
        benson_places("V4", NATIVE, files=tree, options={})


def test_what_nobody_sees_is_refused_with_counts(tree):
    with pytest.raises(NotEnoughDataError, match=r"V1 has \d+ R vertices, the nearest looks"):
        benson_places("V1@(7,7)r1deg", NATIVE, files=tree, options={"hemi": "R"})


def test_a_region_outside_the_image_is_refused(tree):
    affine = np.eye(4)
    affine[:3, 3] = 200
    far = Grid("T1w", (5, 5, 5), affine, np.arange(125))
    with pytest.raises(NotEnoughDataError, match=r"\d+ vertices see benson:V1, but none of them"):
        benson_places("V1", far, files=tree, options={})


def test_nothing_is_written_into_the_input(tree, grid):
    top = tree.template.parent

    def listing():
        return {p: p.stat().st_mtime_ns for p in sorted(top.rglob("*"))}

    before = listing()
    benson_places("V1", grid, files=tree, options={})
    assert listing() == before


def test_the_same_call_gives_the_same_places(tree, grid):
    once, again = (benson_places("V2@14-20deg", grid, files=tree, options={})[0] for _ in range(2))
    np.testing.assert_array_equal(once, again)
