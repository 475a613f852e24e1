"""rois.build: masks of terms become regions."""

from pathlib import Path

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Surface
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError, SpaceError
from bids_dnn.rois.atlases import atlas_of, atlas_places
from bids_dnn.rois.build import build_region, hemisphere, mask_of
from bids_dnn.rois.define import mask_places
from bids_dnn.rois.grammar import parse, split_space, terms
from bids_dnn.rois.localizer import places_by_map

N = 12
MNI = "MNI152NLin2009cAsym"


@pytest.fixture
def grid():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -4.0  # x = -4, -2, 0, 2 mm
    return Grid(MNI, (4, 3, 1), affine, np.arange(4))


@pytest.fixture
def masks(rng):
    return {name: rng.random(N) < 0.5 for name in "abc"}


@pytest.fixture
def resolve(masks):
    return lambda term: (masks[term.argument], [f"Seen {term.argument}."])


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("mask:a", lambda m: m["a"]),
        ("mask:a | mask:b", lambda m: m["a"] | m["b"]),
        ("mask:a & mask:b", lambda m: m["a"] & m["b"]),
        ("mask:a - mask:b", lambda m: m["a"] & ~m["b"]),
        ("mask:a | mask:b & mask:c", lambda m: m["a"] | (m["b"] & m["c"])),
        ("(mask:a | mask:b) - mask:c", lambda m: (m["a"] | m["b"]) & ~m["c"]),
        ("mask:a - (mask:b - mask:c)", lambda m: m["a"] & ~(m["b"] & ~m["c"])),
    ],
)
def test_regions_are_joined_on_all_places(grid, masks, resolve, text, joined):
    region, warnings = build_region("V1", parse(text), grid, resolve)
    np.testing.assert_array_equal(region.space.index, np.flatnonzero(joined(masks)))
    assert (region.name, region.source, region.n_before) == (
        "V1",
        str(parse(text)),
        len(region.space),
    )
    assert warnings == [f"Seen {term.argument}." for term in terms(parse(text))]
    assert region.space.has_places_of(grid)


def test_masks_are_not_altered(grid, masks, resolve):
    before = {name: mask.copy() for name, mask in masks.items()}
    build_region("V1", parse("mask:a, hemi=L | mask:b - mask:c"), grid, resolve)
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, before[name])


def test_empty_regions_name_what_each_term_has(grid, masks):
    masks |= {"a": np.arange(N) < 5, "b": np.zeros(N, bool)}
    with pytest.raises(NotEnoughDataError, match=r"'V1'.*mask:a has 5, mask:b has 0"):
        build_region("V1", parse("mask:a & mask:b"), grid, lambda term: (masks[term.argument], []))
    mask, _ = mask_of(parse("mask:b"), grid, lambda term: (masks[term.argument], []))
    assert not mask.any()


def test_wrong_names_and_masks_are_refused(grid, resolve):
    with pytest.raises(ConfigError, match=r"'V-1' holds more.*--roi V1=mask:a"):
        build_region("V-1", parse("mask:a"), grid, resolve)
    with pytest.raises(ShapeError, match=r"mask:a has shape \(5,\).*12 places"):
        build_region("V1", parse("mask:a"), grid, lambda _: (np.ones(5, bool), []))


def test_voxels_left_of_zero_are_left(grid):
    x_mm = np.repeat([-4.0, -2.0, 0.0, 2.0], 3)
    whole = np.ones(N, bool)
    np.testing.assert_array_equal(hemisphere(whole, grid, "L"), x_mm < 0)
    np.testing.assert_array_equal(hemisphere(whole, grid, "R"), x_mm >= 0)


def test_a_flipped_first_axis_changes_no_side(grid):
    turned = np.diag([-2.0, 2.0, 2.0, 1.0])
    turned[0, 3] = 2.0  # the same voxels from right to left
    flipped = Grid(MNI, grid.shape, turned, grid.index)
    left = hemisphere(np.ones(N, bool), flipped, "L").reshape(grid.shape)
    np.testing.assert_array_equal(left[::-1].ravel(), hemisphere(np.ones(N, bool), grid, "L"))


def test_vertices_are_told_apart_by_mesh():
    space = Surface("fsnative", (5, 7), np.array([3]))
    left = hemisphere(np.ones(N, bool), space, "L")
    assert left.tolist() == [True] * 5 + [False] * 7
    np.testing.assert_array_equal(hemisphere(np.ones(N, bool), space, "R"), ~left)


def test_grayordinates_are_told_apart_by_structure():
    names = ("CORTEX_LEFT", "CORTEX_RIGHT", "BRAIN_STEM", "THALAMUS_RIGHT")
    voxel = np.full((6, 3), -1)
    voxel[2:] = [[0, 0, 0], [3, 0, 0], [0, 0, 0], [3, 0, 0]]
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -3.0
    space = Grayordinates(
        "fsLR",
        tuple(f"CIFTI_STRUCTURE_{name}" for name in names),
        (4, 4, 0, 0),
        np.array([0, 1, 2, 2, 3, 3]),
        np.array([0, 1, -1, -1, -1, -1]),
        voxel,
        (4, 1, 1),
        affine,
        np.arange(6),
    )
    left = hemisphere(np.ones(6, bool), space, "L")
    assert left.tolist() == [True, False, True, False, False, False]


def test_channels_have_no_hemisphere():
    space = Channels("electrodes", ("a", "b"), np.arange(2))
    with pytest.raises(SpaceError, match=r"hemisphere \(L\).*channels"):
        hemisphere(np.ones(2, bool), space, "L")


def test_a_hemisphere_is_applied_to_its_term_alone(grid):
    whole = np.ones(N, bool)
    region, warnings = build_region("L", parse("mask:a, hemi=L"), grid, lambda _: (whole, []))
    assert region.space.index.tolist() == list(range(6))
    assert warnings == []
    native = Grid("T1w", grid.shape, grid.affine, grid.index)
    _, warnings = build_region("L", parse("mask:a, hemi=L"), native, lambda _: (whole, []))
    assert "cut at x = 0 mm of T1w" in warnings[0]


def test_kinds_that_know_their_sides_are_not_cut_again(grid):
    whole = np.ones(N, bool)
    native = Grid("T1w", grid.shape, grid.affine, grid.index)
    for text in ("benson:V1, hemi=L", "aparc:fusiform, hemi=R", "atlas:a:b, hemi=L"):
        region, warnings = build_region("V1", parse(text), native, lambda _: (whole, []))
        assert len(region.space) == N
        assert warnings == []


def test_terms_of_several_kinds_meet_on_one_mesh(tmp_path):
    space = Surface("fsnative", (6, 6), np.arange(12))
    z = np.array([0.0, 1, 2, 3, 4, 5]), np.array([6.0, 5, 4, 3, 2, 1])
    labels = np.array([0, 1, 1, 2, 2, 2]), np.array([2, 2, 1, 1, 0, 0])
    for side, values, keys in zip("LR", z, labels, strict=True):
        imaging.write_shape(tmp_path / f"hemi-{side}_stat-z_statmap.shape.gii", values, side)
        name = f"sub-01_hemi-{side}_space-fsnative_seg-parcels_dseg.label.gii"
        imaging.write_labels(tmp_path / name, keys, {0: "???", 1: "FFA", 2: "PPA"}, side)

    def resolve(term):
        if term.kind == "file":
            path, where = split_space(term.argument)
            return mask_places(Path(path), mask_space=where, space=space)
        if term.kind == "atlas":
            files, wanted = atlas_of(
                term, space="fsnative", participant="01", roots=[tmp_path], freesurfer=None
            )
            return atlas_places(files, wanted, space, side=term.options.get("hemi"))
        within, _ = mask_of(parse(term.options["within"]), space, resolve)
        return places_by_map(term, space=space, within=within)

    z_map = f"{tmp_path}/hemi-{{hemi}}_stat-z_statmap.shape.gii"
    text = (
        f"localizer:{z_map}, within=(atlas:parcels:FFA+PPA - atlas:parcels:PPA, hemi=L), top=4"
        f" & {z_map}@fsnative | atlas:parcels:PPA, hemi=L"
    )
    region, warnings = build_region("FFA", parse(text), space, resolve)
    # right PPA 6, 7 and both FFA 1, 2, 8, 9; the four best of these, and left PPA 3, 4, 5
    assert region.space.index.tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert len(warnings) == 1
