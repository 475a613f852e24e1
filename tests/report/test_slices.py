"""report.slices: left is left, overlaps, backdrops, contact sheets."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid
from bids_dnn.report import slices
from bids_dnn.report.palette import DARK, LIGHT, region_colors
from bids_dnn.report.scales import category_colors
from tests.factories.looks import bytes_of, is_whole, legend_of, share_of
from tests.factories.reports import AFFINE, SHAPE, ball, make_background, make_rois, make_stimuli


def rgb(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def columns_of(png, color):
    want = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    image = rgb(png)[: rgb(png).shape[0] * 7 // 10]  # without the legend
    return np.flatnonzero((np.abs(image - want).max(axis=2) < 12).any(axis=0))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_left_side_is_on_the_left(sign):
    """One voxel on the left and one on the right, whichever way the grid runs."""
    affine = np.diag([sign * 3.0, 3.0, 3.0, 1.0])
    affine[0, 3] = -sign * 30.0
    world = {"left": -18.0, "right": 18.0}
    rois = []
    for name, x in world.items():
        i = round((x - affine[0, 3]) / affine[0, 0])
        index = np.ravel_multi_index((i, 10, 5), (21, 21, 11))
        rois.append(Roi(name, Grid("T1w", (21, 21, 11), affine, np.array([index])), "", 1))
    colors = region_colors(["left", "right"])
    png = slices.region_slices(rois, colors, backdrop=None)
    assert columns_of(png, colors["left"]).max() < columns_of(png, colors["right"]).min()


def test_the_same_input_gives_the_same_bytes():
    rois = make_rois()
    colors = region_colors([roi.name for roi in rois])
    backdrop = slices.make_backdrop(make_background(), rois[0].space)
    one, two = (slices.region_slices(rois, colors, backdrop=backdrop) for _ in range(2))
    assert one == two


def test_a_backdrop_samples_the_volume_where_the_grid_lies():
    """A ramp along x in millimeters is the same ramp on any grid."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    x_mm = np.arange(40) * 2.0
    volume = np.broadcast_to(x_mm[:, None, None], (40, 40, 40))
    grid_affine = np.diag([4.0, 4.0, 4.0, 1.0])
    grid_affine[:3, 3] = 10.0
    grid = Grid("T1w", (10, 10, 10), grid_affine, np.arange(3))
    made = slices.make_backdrop((volume, affine), grid)
    assert made.fits(grid)
    middle = made.volume.reshape(10, made.finer, 10, made.finer, 10).mean(axis=(1, 3))
    slope = np.diff(middle[1:-1, 5, 5])
    np.testing.assert_allclose(slope, slope[0], rtol=1e-4)
    assert slope[0] > 0


def test_overlaps_are_counted():
    one = Roi("a", ball((20, 20, 20), 3), "", 1)
    two = Roi("b", ball((20, 20, 20), 2), "", 1)
    shared = slices.overlap_matrix([one, two])
    assert shared.tolist() == [[len(one.space), len(two.space)], [len(two.space)] * 2]


def test_the_title_of_a_single_map_is_whole(drawn):
    space = ball((20, 20, 20), 3)
    slices.map_slices([("conv1", np.ones(len(space)))], space, backdrop=None, label="r")
    assert is_whole(drawn[0], "conv1")


def test_a_map_of_nan_is_drawn():
    space = ball((20, 20, 20), 3)
    png = slices.map_slices([("all n/a", np.full(len(space), np.nan))], space, backdrop=None,
                            label="r")  # fmt: skip
    assert rgb(png).shape[1] > 1000


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_categories_have_a_color_each_and_a_name(rng, drawn, theme):
    """Of 5 categories the middle one is not there, and so no color lies between the others."""
    space = ball((20, 20, 20), 6)
    values = rng.choice([1.0, 2.0, 4.0, 5.0], size=len(space))
    names = [f"conv{k}" for k in range(1, 6)]
    colors = [tuple(bytes_of(one)) for one in category_colors(5)]
    png = slices.map_slices(
        [("chosen layer", values)], space, backdrop=None, label="layer", names=names, theme=theme
    )
    (figure,) = drawn
    assert legend_of(figure) == dict(zip(names, colors, strict=True))
    assert len(figure.axes) == 1  # no scale of numbers beside it
    assert is_whole(figure, "chosen layer")
    above = rgb(png)[: int(0.75 * len(rgb(png)))]  # without the legend
    shares = [share_of(above, np.array(one) / 255, within=2) for one in colors]
    assert shares[2] == 0
    there = np.array(shares)[[0, 1, 3, 4]]
    np.testing.assert_allclose(there, there.mean(), rtol=0.2)
    assert there.sum() > 0.02
    is_gray = np.ptp(above, axis=2) < 20
    assert there.sum() > 0.97 * (1 - is_gray.mean())  # all that has a hue


def test_the_contact_sheet_takes_broken_and_few_pictures(tmp_path):
    stimuli = list(make_stimuli(tmp_path, 2))
    stimuli[0][1].write_bytes(b"no picture")
    stimuli.append(("gone.png", tmp_path / "gone.png"))
    assert rgb(slices.contact_sheet(stimuli)).shape[1] > 1000


def test_the_contact_sheet_has_room_for_words(tmp_path):
    stimuli = make_stimuli(tmp_path, 3)
    plain = rgb(slices.contact_sheet(stimuli))
    words = rgb(slices.contact_sheet(stimuli, {stimuli[0][0]: "tabby cat\n0.50"}))
    none = rgb(slices.contact_sheet(stimuli, {"else": "dog"}))
    assert words.shape == none.shape
    assert words.shape[0] > plain.shape[0]
    changed = np.argwhere((words != none).any(axis=2))
    assert changed[:, 0].min() > 0.6 * len(words)  # below the pictures
    assert changed[:, 1].max() < 0.2 * words.shape[1]  # of the first column


def test_cuts_are_evenly_spaced_and_inside():
    inside = np.zeros(SHAPE, dtype=bool)
    inside[3, 3, 4:30] = True
    made = slices.cuts(inside)
    assert (made[0], made[-1], len(made)) == (4, 29, slices.N_SLICES)
    assert AFFINE.shape == (4, 4)
