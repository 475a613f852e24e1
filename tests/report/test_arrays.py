"""report.arrays: a value is drawn at its electrode; what is not known is told."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bids_dnn.containers.space import Channels
from bids_dnn.report import arrays, scales
from tests.factories.electrodes import CORNERS, make_arrays, make_channels, make_layout, make_utah


def test_a_value_stands_at_its_electrode():
    space, at = make_utah()
    (panel,) = arrays.panels_of(space)
    assert panel.is_placed
    assert panel.shape == (10, 10)
    assert panel.title == "utah, V4"
    values = 10.0 * at[:, 0] + at[:, 1]
    expected = np.add.outer(10.0 * np.arange(10), np.arange(10))
    for corner in CORNERS:
        expected[corner] = np.nan
        assert panel.cells[corner] == arrays.NOTHING
    np.testing.assert_array_equal(arrays.on_panel(panel, values, space), expected)


def test_measured_places_stand_on_the_same_grid():
    """Electrodes are some micrometers off a pitch of 400."""
    space, _ = make_utah()
    place = space.layout.place + np.random.default_rng(0).normal(size=(96, 2)) * 8
    measured = make_channels(make_layout(["utah"] * 96, area="V4", place=place))
    (found,), (expected,) = arrays.panels_of(measured), arrays.panels_of(space)
    assert found.is_placed
    np.testing.assert_array_equal(found.cells, expected.cells)


def test_the_upper_row_is_drawn_above_and_the_first_column_on_the_left():
    space, at = make_utah()
    highest = np.where((at[:, 0] == 0) | (at[:, 1] == 0), 1.0, 0.0)  # top row and left column
    png = arrays.array_maps([("map", highest)], space, label="r")
    shown = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    top = np.array([253, 231, 37])  # the end of the scale
    bright = np.abs(shown - top).max(axis=2) < 12
    dark = np.abs(shown - np.array([68, 1, 84])).max(axis=2) < 12  # its beginning
    rows, columns = np.nonzero(dark[:, : dark.shape[1] // 2])
    own = bright[rows.min() - 60 : rows.max() + 60, : columns.max() + 60]
    above, left = np.nonzero(own)
    inner = (np.median(rows) - rows.min() + 60, np.median(columns))
    assert (above < inner[0]).sum() > 1.5 * (above > inner[0]).sum()
    assert (left < inner[1]).sum() > 1.5 * (left > inner[1]).sum()


def test_units_that_were_left_out_are_empty_and_the_others_stay_where_they_are():
    whole, at = make_utah()
    space = whole.at(np.arange(5, 96))
    (panel,) = arrays.panels_of(space)
    grid = arrays.on_panel(panel, np.arange(5.0, 96), space)
    assert np.isnan(grid[tuple(at[4])])
    assert panel.cells[tuple(at[4])] == 4
    assert grid[tuple(at[5])] == 5


def test_the_order_of_channels_does_not_matter_where_places_are_known():
    (space, at), (other, at_too) = make_utah(0), make_utah(1)
    one = arrays.on_panel(arrays.panels_of(space)[0], at[:, 0] * 10.0 + at[:, 1], space)
    two = arrays.on_panel(arrays.panels_of(other)[0], at_too[:, 0] * 10.0 + at_too[:, 1], other)
    np.testing.assert_array_equal(one, two)


def test_without_places_channels_fill_a_square_by_their_number():
    space = make_arrays(3)
    panels = arrays.panels_of(space)
    assert [panel.title for panel in panels] == [f"array0{a}, V1" for a in (1, 2, 3)]
    for number, panel in enumerate(panels):
        assert panel.shape == (8, 8)
        assert panel.cells[0, 0] == 63 * number
        assert panel.cells[0, 1] == arrays.NOTHING
        assert panel.cells[0, 2] == 63 * number + 1
        assert panel.cells[7, 7] == 63 * number + 62
    text = arrays.order_text(panels)
    assert text.startswith("Electrodes are in the order of channels, row by row")


def test_a_small_array_has_the_square_of_the_others():
    layout = make_layout(["a"] * 9 + ["b"], channel=[*range(1, 10), 6])
    small = arrays.panels_of(make_channels(layout))[1]
    assert np.argwhere(small.cells == 9).tolist() == [[1, 2]]


@pytest.mark.parametrize("channel", [[1, 1, 2, 3, 4], [0, 1, 2, 3, 4]])
def test_numbers_that_are_missing_or_stand_twice_give_way_to_the_order(channel):
    (panel,) = arrays.panels_of(make_channels(make_layout(["a"] * 5, channel=channel)))
    assert panel.cells.tolist() == [[0, 1, 2], [3, 4, -1]]


def test_numbers_that_run_on_over_arrays_give_way_to_the_order():
    names = [f"a{i // 4}" for i in range(40)]
    panels = arrays.panels_of(make_channels(make_layout(names, channel=np.arange(1, 41))))
    assert {panel.shape for panel in panels} == {(2, 2)}
    assert panels[9].cells.tolist() == [[36, 37], [38, 39]]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ([[0, 0], [1, 0], [np.nan, np.nan], [1, 1]], "one is missing"),
        ([[0, 0], [1, 0], [2.5, 0], [4, 0]], "no regular grid"),
        ([[0, 0], [1, 0], [100, 0], [101, 0]], "too long a side"),
        ([[0, 0], [0.1, 0], [1, 0], [2, 0]], "most lines would be empty"),
    ],
)
def test_places_that_make_no_grid_give_way_to_the_order(place, why):
    (panel,) = arrays.panels_of(make_channels(make_layout(["a"] * 4, place=place)))
    assert not panel.is_placed, why
    assert panel.cells.tolist() == [[0, 1], [2, 3]]


def test_units_of_one_electrode_share_its_cell():
    place = [[0, 0], [0, 0], [1, 0]]
    space = make_channels(make_layout(["a"] * 3, place=place))
    (panel,) = arrays.panels_of(space)
    assert panel.shape == (1, 2)
    assert panel.cells.tolist() == [[0, 1, 2, 2]]
    assert "units of one electrode lie side by side" in arrays.order_text((panel,))


def test_too_many_units_of_one_electrode_are_drawn_in_order():
    place = [[0, 0]] * (arrays.MOST_SHARED + 1)
    (panel,) = arrays.panels_of(make_channels(make_layout(["a"] * len(place), place=place)))
    assert not panel.is_placed


def test_one_electrode_is_one_cell():
    for space in (
        Channels("units", ("a",), np.arange(1)),
        make_channels(make_layout(["a"], place=[[5, 5]])),
        make_channels(make_layout(["a"], channel=[1])),
    ):
        (panel,) = arrays.panels_of(space)
        assert arrays.on_panel(panel, np.array([0.5]), space).tolist() == [[0.5]]


def test_rows_that_hold_no_unit_are_kept():
    place = [[0, 0], [0, 1], [0, 3]]
    (panel,) = arrays.panels_of(make_channels(make_layout(["a"] * 3, place=place)))
    assert panel.cells.ravel().tolist() == [2, -1, 1, 0]  # up is at the top


def test_an_array_over_areas_names_them():
    layout = make_layout(["a"] * 3)
    for areas, title in ((("V1", "V4", ""), "a, V1 and V4"), (("V1", "V2", "V4"), "a, 3 areas")):
        told = type(layout)(layout.array, areas, layout.channel, layout.place)
        assert arrays.panels_of(make_channels(told))[0].title == title


def test_where_some_arrays_are_placed_the_others_are_named():
    place = [[0, 0], [1, 0], [np.nan, np.nan], [np.nan, np.nan]]
    panels = arrays.panels_of(make_channels(make_layout(["a", "a", "b", "b"], place=place)))
    text = arrays.order_text(panels)
    assert "where they stand on the array; in b, V1, electrodes are in the order" in text


@pytest.mark.parametrize("n_names", [0, 3, scales.MOST_NAMED + 1])
def test_figures_are_the_same_bytes_each_time(rng, n_names):
    space, _ = make_utah()
    values = rng.integers(1, 4, len(space)).astype(float)
    values[3] = np.nan
    names = [f"layer {k}" for k in range(n_names)]
    maps = [("one", values), ("two", np.full(len(space), np.nan))]
    made = [arrays.array_maps(maps, space, label="r", names=names) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0][:4] == b"\x89PNG"


def test_fifteen_arrays_fit_the_page(rng):
    space = make_arrays()
    sheet = arrays._Sheet(arrays.panels_of(space), 4)
    corners = [corner for _, corner in sheet.places(3)]
    assert len(set(corners)) == 15
    assert max(x for x, _ in corners) + 1 <= sheet.n_columns * (1 + arrays.GAP)
    assert sheet.height_in < 15
