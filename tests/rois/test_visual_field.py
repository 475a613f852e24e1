"""rois.visual_field: rules of what is seen, and the vertices that see it."""

import numpy as np
import pytest

from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.rois.maps import Maps, Retinotopy
from bids_dnn.rois.visual_field import extrapolated, parse_field, positions, select


def maps_of(angle, eccentricity, area=1):
    n = len(angle)
    return Maps(
        np.broadcast_to(area, n).astype(np.int64),
        np.array(angle, dtype=float),
        np.array(eccentricity, dtype=float),
        np.ones(n),
    )


@pytest.fixture
def field():
    """Vertices every 15 degrees of angle at 1, 3, 5, 7 and 30 degrees, in V1."""
    steps, rings = np.arange(0, 181, 15.0), np.array([1.0, 3, 5, 7, 30])
    angle, e = (one.ravel() for one in np.meshgrid(steps, rings))
    return Retinotopy({"L": maps_of(angle, e), "R": maps_of(-angle, e)}, "fsnative", "test")


def seen(field, text):
    return {h: one.sum() for h, one in select(field, parse_field(text)).items()}


@pytest.mark.parametrize(
    ("text", "areas", "band", "disk"),
    [
        ("V1", (1,), None, None),
        ("V3a", (12,), None, None),
        ("V1@0-2deg", (1,), (0, 2), None),
        ("V1-V3@4-8deg", (1, 2, 3), (4, 8), None),
        ("hV4-VO2 @ 0.5 - 12.25 deg", (4, 5, 6), (0.5, 12.25), None),
        ("V1@(4.95,4.95)r1deg", (1,), None, (4.95, 4.95, 1)),
        ("V1@(-4.95, -.5) r 1.5deg", (1,), None, (-4.95, -0.5, 1.5)),
        ("V2-V3@(+0,3)r1deg", (2, 3), None, (0, 3, 1)),
    ],
)
def test_rules_are_read(text, areas, band, disk):
    rule = parse_field(text)
    assert (rule.areas, rule.band_deg, rule.disk_deg) == (areas, band, disk)
    assert rule.text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"names the area ''.*There are"),
        ("V4", r"names the area 'V4'.*Did you mean 'hV4'\?"),
        ("v1", r"names the area 'v1'.*Did you mean 'V1'\?"),
        ("LO3", r"names the area 'LO3'.*Did you mean '(LO|TO|VO)"),
        ("V3-V1", r"goes from V3 back to V1.*Type benson:V1-V3"),
        ("V1@", r"has '' after @"),
        ("V1@2-0deg", r"from 2 to 0 degrees"),
        ("V1@2-2deg", r"from 2 to 2 degrees"),
        ("V1@-1-2deg", r"from -1 to 2 degrees; the first must be 0 or more"),
        ("V1@0-200deg", r"at most 90"),
        ("V1@0-2", r"has '0-2' after @"),
        ("V1@2deg", r"has '2deg' after @"),
        ("V1@(1,2)r0deg", r"radius 0 around \(1, 2\)"),
        ("V1@(1,2)r-1deg", r"radius -1"),
        ("V1@(100,2)r1deg", r"within 90 degrees"),
        ("V1@(1;2)r1deg", r"a band or a disk in degrees was expected"),
        ("V1@{target}r1deg", r"has '\{target\}r1deg' after @"),
        ("V1@0-2deg@4-5deg", r"has '0-2deg@4-5deg' after @"),
    ],
)
def test_wrong_rules_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_field(text)


@pytest.mark.parametrize(
    ("x", "y", "hemisphere", "angle"),
    [
        (1, 1, "L", 45),
        (1, -1, "L", 135),
        (-1, 1, "R", -45),
        (-1, -1, "R", -135),
        (1, 0, "L", 90),
        (-1, 0, "R", -90),
    ],
    ids=["upper right", "lower right", "upper left", "lower left", "right", "left"],
)
def test_disks_are_seen_by_the_other_hemisphere(field, x, y, hemisphere, angle):
    size = 7 / np.hypot(x, y)
    marked = select(field, parse_field(f"V1@({size * x:.3f},{size * y:.3f})r0.1deg"))
    other = "R" if hemisphere == "L" else "L"
    assert not marked[other].any()
    (vertex,) = np.flatnonzero(marked[hemisphere])
    maps = field.hemispheres[hemisphere]
    assert (maps.angle_deg[vertex], maps.eccentricity_deg[vertex]) == (angle, 7)


@pytest.mark.parametrize("y", [5, -5])
def test_disks_on_the_vertical_meridian_are_seen_by_both(field, y):
    assert seen(field, f"V1@(0,{y})r0.1deg") == {"L": 1, "R": 1}


def test_a_disk_around_the_center_is_a_band(field):
    assert seen(field, "V1@(0,0)r3.5deg") == seen(field, "V1@0-3.5deg")


def test_mirrored_disks_are_seen_by_mirrored_vertices(field):
    right = select(field, parse_field("V1@(3,2)r2.5deg"))
    left = select(field, parse_field("V1@(-3,2)r2.5deg"))
    np.testing.assert_array_equal(right["L"], left["R"])
    np.testing.assert_array_equal(right["R"], left["L"])


def test_both_ends_of_a_band_belong_to_it(field):
    assert seen(field, "V1@1-3deg") == {"L": 26, "R": 26}
    assert seen(field, "V1@1.1-3deg") == {"L": 13, "R": 13}


def test_bands_that_meet_make_the_whole(field):
    parts = [select(field, parse_field(f"V1@{band}deg"))["L"] for band in ("0-4", "4-90")]
    np.testing.assert_array_equal(parts[0] | parts[1], select(field, parse_field("V1"))["L"])
    assert not (parts[0] & parts[1]).any()


def test_only_the_areas_asked_for_are_taken():
    maps = maps_of([90, 90, 90, np.nan], [2, 2, 2, np.nan], area=[1, 2, 3, 0])
    field = Retinotopy({"L": maps}, "fsnative", "test")
    marked = select(field, parse_field("V1-V2@1-3deg"))["L"]
    assert marked.tolist() == [True, True, False, False]


def test_positions_are_right_and_up():
    maps = maps_of([0, 90, 180, -90, 45], [2, 2, 2, 2, 2**0.5])
    expected = [[0, 2], [2, 0], [0, -2], [-2, 0], [1, 1]]
    np.testing.assert_allclose(positions(maps), expected, atol=1e-12)


def test_nobody_sees_it_and_the_nearest_is_named(field):
    message = r"V1 has 65 L and 65 R vertices, the nearest looks 0\.40 degrees beside it"
    with pytest.raises(NotEnoughDataError, match=message):
        select(field, parse_field("V1@(5.5,0)r0.1deg"))
    with pytest.raises(NotEnoughDataError, match=r"nearest looks 1\.00 degrees beside"):
        select(field, parse_field("V1@8-29deg"))
    with pytest.raises(NotEnoughDataError, match=r"V2 has 0 L and 0 R vertices, none"):
        select(field, parse_field("V2"))


def test_extrapolation_is_told_with_counts():
    maps = maps_of([90, 90, 90], [0.5, 5, 25])
    field = Retinotopy({"L": maps}, "fsnative", "test")
    rule = parse_field("V1")
    low, high = extrapolated(field, rule, select(field, rule))
    assert low.startswith("benson:V1: 1 of 3 vertices have an eccentricity below 1 degree,")
    assert "above 20 degrees, where the template extrapolates" in high
    middle = parse_field("V1@1-20deg")
    assert extrapolated(field, middle, select(field, middle)) == []
