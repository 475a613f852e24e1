"""rois.localizer: terms of rules choose runs and places."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Grid
from bids_dnn.errors import ConfigError, MissingInputError, SpaceError
from bids_dnn.rois.functional import Contrast, LocalizerRun, contrast_map
from bids_dnn.rois.grammar import parse
from bids_dnn.rois.localizer import is_map, localizer_runs, places_by_map, places_by_runs

RUNS = [("loc", "a", "01"), ("loc", "b", "02"), ("main", "a", "01"), ("main", "b", "10")]
BLOB = [3, 4, 20, 21]


@pytest.fixture
def space():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -2.0
    return Grid("T1w", (2, 3, 4), affine, np.arange(24))


@pytest.fixture
def runs(rng):
    made = []
    for name in ("01", "02"):
        boxes = np.repeat(rng.permutation(np.tile(np.eye(2), (6, 1))), 6, axis=0)
        design = np.column_stack([boxes, np.ones(72)])
        series = rng.normal(size=(72, 24))
        series[:, BLOB] += 3 * boxes[:, :1]
        made.append(LocalizerRun(name, series, design, ("faces", "objects", "constant")))
    return made


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", [0, 1, 2, 3]),
        (", task=loc", [0, 1]),
        (", task=main, run=10", [3]),
        (", run=1", [0, 2]),
        (", session=a+b, run=2", [1]),
    ],
)
def test_options_choose_runs(options, expected):
    term = parse(f"localizer:faces>objects{options}")
    assert localizer_runs(term, RUNS[::-1]) == [RUNS[i] for i in expected]


def test_absent_runs_are_named():
    with pytest.raises(MissingInputError, match=r"asks for task=lok, .*Did you mean 'loc'"):
        localizer_runs(parse("localizer:a>b, task=lok"), RUNS)
    with pytest.raises(MissingInputError, match=r"asks for run=10, .*There are: 01, 02"):
        localizer_runs(parse("localizer:a>b, task=loc, run=10"), RUNS)
    with pytest.raises(MissingInputError, match=r"has no run with responses"):
        localizer_runs(parse("localizer:a>b"), [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("top=4", BLOB),
        ("fdr=0.001", BLOB),
        ("z=5", BLOB),
        ("top=2, hemi=L", BLOB[:2]),
        ("top=2, hemi=R", BLOB[2:]),
    ],
)
def test_planted_units_are_marked(runs, space, options, expected):
    term = parse(f"localizer:faces>objects, {options}")
    mask, warnings = places_by_runs(term, runs, conditions=("faces", "objects"), space=space)
    assert np.flatnonzero(mask).tolist() == expected
    assert warnings == []


def test_a_parcel_bounds_the_choice(runs, space):
    within = np.isin(np.arange(24), [3, 5, 20])
    term = parse("localizer:faces>objects, top=2")
    mask, _ = places_by_runs(
        term, runs, conditions=("faces", "objects"), space=space, within=within
    )
    assert np.flatnonzero(mask).tolist() == [3, 20]


def test_a_choice_must_be_made_and_conditions_must_exist(runs, space):
    with pytest.raises(ConfigError, match=r"neither how many.*localizer:faces>objects, top=200"):
        places_by_runs(
            parse("localizer:faces>objects"), runs, conditions=("faces", "objects"), space=space
        )
    with pytest.raises(ConfigError, match=r"'constant', which the localizer runs do not have"):
        places_by_runs(
            parse("localizer:faces>constant, top=2"), runs, conditions=("faces",), space=space
        )


def test_finished_maps_are_ranked_and_thresholded(tmp_path, space):
    values = np.linspace(-1, 5, 24).reshape(2, 3, 4)
    nib.save(nib.Nifti1Image(values, space.affine), tmp_path / "con.nii")
    nib.save(nib.Nifti1Image(values, space.affine), tmp_path / "stat-z_statmap.nii")
    term = parse(f"localizer:{tmp_path}/con.nii@T1w, top=3")
    assert is_map(term)
    mask, warnings = places_by_map(term, space=space)
    assert np.flatnonzero(mask).tolist() == [21, 22, 23]
    assert "finished map" in warnings[0]
    mask, _ = places_by_map(parse(f"localizer:{tmp_path}/stat-z_statmap.nii, z=4"), space=space)
    assert np.flatnonzero(mask).tolist() == np.flatnonzero(values.ravel() > 4).tolist()
    with pytest.raises(ConfigError, match="neither a T image of SPM nor a z map"):
        places_by_map(parse(f"localizer:{tmp_path}/con.nii, z=4"), space=space)
    with pytest.raises(SpaceError, match="lies in MNI, the responses in T1w"):
        places_by_map(parse(f"localizer:{tmp_path}/con.nii@MNI, top=3"), space=space)
    assert not is_map(parse("localizer:faces>objects, top=3"))


@pytest.mark.real
def test_places_of_houses_prefer_houses_in_other_runs(real_data):
    """Voxels chosen in six runs of Haxby et al. (2001) prefer the same in the other six."""
    folder = real_data / "haxby2001" / "joined"
    space = imaging.space_of_mask(folder / "mask.nii.gz", name="T1w")
    series = imaging.read_units(folder / "bold.nii.gz", space)
    table = pd.read_csv(folder / "attributes_literal.txt", sep=" ", names=["condition", "run"])
    conditions = sorted(set(table["condition"]) - {"rest"})
    runs = []
    for name, part in table.groupby("run"):
        rows = part.index.to_numpy()
        boxes = np.stack([part["condition"] == c for c in conditions], axis=1).astype(float)
        drift = np.vander(np.linspace(-1, 1, len(rows)), 3)
        design = np.column_stack([boxes, drift])
        names = (*conditions, "quadratic", "linear", "constant")
        runs.append(LocalizerRun(str(name), series[rows], design, names))
    term = parse("localizer:house>face, top=40")
    mask, warnings = places_by_runs(term, runs[::2], conditions=conditions, space=space)
    z, _ = contrast_map(runs[1::2], Contrast(("house",), ("face",)))
    chosen = mask[space.index]
    assert (mask.sum(), warnings) == (40, [])
    assert np.median(z[chosen]) > 2.0
    assert np.median(z[chosen]) > np.quantile(z[~chosen], 0.9)
