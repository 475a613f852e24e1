"""report.regions: what is said and drawn of regions, on each kind of space."""

from __future__ import annotations

import numpy as np
import pytest

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Surface
from bids_dnn.report import raster, regions
from bids_dnn.report.palette import region_colors
from tests.factories.reports import (
    make_channel_rois,
    make_cortex_rois,
    make_retinotopy,
    make_rois,
    make_surface_rois,
    make_surfaces,
)
from tests.factories.results import make_grayordinates


@pytest.fixture(scope="module")
def brain():
    return raster.make_brain(make_surfaces(), widest_px=80)


def section(rois, **given):
    colors = region_colors([roi.name for roi in rois])
    return regions.region_section(rois, colors, None, **given)


def heads(table):
    return [label for label, _ in table.heads]


@pytest.mark.parametrize(
    ("make", "unit", "n_pictures"),
    [
        (make_rois, "voxels", 1),
        (make_surface_rois, "vertices", 1),
        (make_cortex_rois, "grayordinates", 1),
        (make_channel_rois, "channels", 1),
    ],
)
def test_each_kind_of_space_has_its_words_and_picture(brain, make, unit, n_pictures):
    rois = make()
    made = section(rois, brain=brain)
    assert len(made.pictures) == n_pictures
    assert all(len(picture.alt) > 20 for picture in made.pictures)
    assert f"V1 ({len(rois[0].space):,} {unit})" in made.answer
    assert heads(made.tables[0])[1] == unit


def test_overlaps_are_named_and_counted(brain):
    rois = make_surface_rois()
    shared = np.intersect1d(rois[0].space.index, rois[1].space.index).size
    made = section(rois, brain=brain)
    assert f"V1 and LOC share {shared:,}" in made.answer
    assert made.tables[1].caption == "Vertices that two regions share."
    assert "No two overlap" in section(make_channel_rois()).answer


def test_many_regions_list_only_the_pairs_that_overlap():
    space = Surface("x", (100, 100), np.arange(200))
    rois = [Roi(f"r{i}", space.at(np.arange(5 * i, 5 * i + 6)), "", 6) for i in range(14)]
    table = section(rois).tables[1]
    assert len(table.rows) == 13
    assert [cell.text for cell in table.rows[0]] == ["r0", "r1", "1", "0.167", "0.167"]


def test_retinotopy_is_drawn_where_the_mesh_is_known(brain):
    made = section(make_surface_rois(), brain=brain, retinotopy=make_retinotopy())
    assert [picture.name for picture in made.pictures] == ["regions", "retinotopy"]
    assert "Below 1° and above 20°" in made.pictures[1].caption
    volumes = section(make_rois(), brain=brain, retinotopy=make_retinotopy())
    assert [picture.name for picture in volumes.pictures] == ["regions", "retinotopy"]
    other = section(make_surface_rois(), brain=brain, retinotopy=make_retinotopy(50))
    assert len(other.pictures) == 1


def test_what_cannot_be_drawn_is_said(brain):
    rois = make_surface_rois(300)
    made = section(rois, brain=brain)
    assert made.pictures == ()
    assert "the surfaces found have another mesh (L 600, R 600 vertices)" in made.how
    assert "No inflated surfaces" in section(rois).how


def test_hemispheres_and_subcortex_are_counted():
    table = regions.sizes_table(make_surface_rois())
    place = heads(table).index("left")
    row = [cell.text for cell in table.rows[0]]
    assert int(row[place]) + int(row[place + 1]) == len(make_surface_rois()[0].space)
    whole = Roi("all", make_grayordinates(), "atlas:x", 62)
    table = regions.sizes_table([whole])
    assert [cell.text for cell in table.rows[0]] == [
        "all", "62", "62", "30", "20", "12", "atlas:x",
    ]  # fmt: skip
