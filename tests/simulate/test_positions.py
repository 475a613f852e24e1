"""simulate.positions: what is shown where and when, and which vertices answer."""

from collections import Counter

import numpy as np
import pytest

from bids_dnn.simulate import cortex, positions
from bids_dnn.simulate.positions import CONDITIONS, POSITIONS


@pytest.fixture(scope="module")
def halves():
    return cortex.grow(np.random.default_rng(0))


@pytest.fixture(scope="module")
def answers(halves):
    return positions.answers(halves, np.random.default_rng(1))


def region(halves, name):
    return np.concatenate([half.regions[name] for half in halves])


def test_pictures_show_the_object_at_its_position(rng):
    scale = positions.CANVAS_PX / positions.FIELD_DEG
    drawn = positions.draw(rng)
    assert len(drawn) == len(CONDITIONS) * positions.N_EXEMPLARS
    for place, (x, y) in POSITIONS.items():
        picture = np.asarray(drawn[f"positions/{place}House01.png"], dtype=int)
        changed = np.argwhere((picture != positions.GRAY).any(axis=2))
        row, column = (changed.min(axis=0) + changed.max(axis=0) + 1) / 2
        found = (column - positions.CANVAS_PX / 2, positions.CANVAS_PX / 2 - row)
        np.testing.assert_allclose(np.array(found) / scale, (x, y), atol=0.3)


def test_every_run_shows_every_condition_as_often(rng):
    runs = positions.plan_positions(rng)
    assert [p.run.label for p in runs] == [f"{i:02}" for i in range(1, positions.N_RUNS + 1)]
    for protocol in runs:
        assert set(np.bincount(protocol.run.stimuli)) == {positions.PER_RUN}
        assert protocol.run.n_volumes == runs[0].run.n_volumes
        for stimulus, picture in zip(protocol.run.stimuli, protocol.pictures, strict=True):
            assert picture.startswith(f"positions/{CONDITIONS[stimulus]}0")
    shown = Counter(name for protocol in runs for name in protocol.pictures)
    assert set(shown.values()) == {positions.N_RUNS * positions.PER_RUN // positions.N_EXEMPLARS}


def test_blocks_alternate_and_leave_time_for_the_last_answer(rng):
    for protocol in positions.plan_localizer(rng):
        stimuli = protocol.run.stimuli
        assert (stimuli[1:] != stimuli[:-1]).all()
        end = protocol.run.onsets_s[-1] + protocol.duration_s
        assert protocol.run.times_s[-1] > end + 10


def test_overlap_is_one_where_both_centers_meet(halves):
    left, _ = halves
    inside = np.flatnonzero(left.fields.area == 1)[::100]
    for vertex in inside:
        x, y = left.fields.x[vertex], left.fields.y[vertex]
        assert positions.overlap(left, x, y, extent_deg=1.0)[vertex] == 1
    off = positions.overlap(left, 0, 0, extent_deg=1.0)
    variance = left.fields.sigma**2 + 1
    expected = np.exp(-(left.fields.eccentricity**2) / (2 * variance)) * (left.fields.area > 0)
    np.testing.assert_allclose(off, expected)


@pytest.mark.parametrize("place", POSITIONS)
def test_a_position_drives_its_own_region_alone(halves, answers, place):
    of_positions, _ = answers
    strength = np.mean([np.abs(of_positions[f"{place}{kind}"]) for kind in ("Face", "House")], 0)
    own = strength[region(halves, place)].mean()
    for other in set(POSITIONS) - {place}:
        assert strength[region(halves, other)].mean() < 0.01 * own


def test_objects_on_the_right_drive_the_left_hemisphere(halves, answers):
    of_positions, _ = answers
    visual = np.concatenate([half.fields.area > 0 for half in halves])
    n_left = len(halves[0].curvature)
    for place, (x, _) in POSITIONS.items():
        power = visual * of_positions[f"{place}House"] ** 2
        left, right = power[:n_left].sum(), power[n_left:].sum()
        if x > 0:
            assert left > 100 * right
        elif x < 0:
            assert right > 100 * left
        else:
            assert 0.7 < left / right < 1.4


def test_the_cluster_prefers_faces_in_both_tasks(halves, answers):
    of_positions, of_localizer = answers
    cluster = region(halves, "faces")
    preferred = of_localizer["face"] - of_localizer["object"]
    assert preferred[cluster].mean() == pytest.approx(1.5, abs=0.1)
    assert not preferred[~cluster].any()
    fovea, away = (of_positions[f"{p}Face"][cluster].mean() for p in ("fovea", "upperLeft"))
    assert away == pytest.approx(fovea / 2)


def test_categories_differ_by_a_pattern_with_no_mean(halves, answers):
    of_positions, _ = answers
    fovea = region(halves, "fovea")
    difference = (of_positions["foveaFace"] - of_positions["foveaHouse"])[fovea]
    error = difference.std() / np.sqrt(fovea.sum())
    assert abs(difference.mean()) < 4 * error
    assert difference.std() > 1
