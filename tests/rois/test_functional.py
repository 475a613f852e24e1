"""rois.functional: localizers find planted regions, and nothing in noise."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bids_dnn.containers.space import Grid, Surface
from bids_dnn.errors import ConfigError, LeakageError, NotEnoughDataError, ShapeError
from bids_dnn.rois.functional import (
    Contrast,
    LocalizerRun,
    check_circular,
    contrast_map,
    parse_contrast,
    select,
)

SHAPE = (6, 5, 4)
N = int(np.prod(SHAPE))
T_R_S = 2.0
N_VOLUMES = 90
KINDS = ("faces", "objects", "scenes")
BLOB = np.arange(40, 52)


@pytest.fixture
def space():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -5.0
    return Grid("MNI152NLin2009cAsym", SHAPE, affine, np.arange(N))


def events_of(rng):
    onsets = np.arange(9) * 18.0 + 6.0
    kinds = rng.permutation(np.repeat(KINDS, 3))
    return pd.DataFrame({"onset": onsets, "duration": 9.0, "trial_type": kinds})


def runs_of(rng, n_runs, *, effect):
    from nilearn.glm.first_level import make_first_level_design_matrix

    runs = []
    for number in range(n_runs):
        design = make_first_level_design_matrix(
            np.arange(N_VOLUMES) * T_R_S, events_of(rng), drift_model="cosine", high_pass=0.01
        )
        noise = rng.normal(size=(N_VOLUMES, N)).cumsum(axis=0) * 0.2
        series = 100 + noise + rng.normal(size=noise.shape)
        series[:, BLOB] += effect * design["faces"].to_numpy()[:, None]
        names = tuple(map(str, design.columns))
        runs.append(LocalizerRun(f"{number + 1:02d}", series, design.to_numpy(), names))
    return runs


def test_the_strongest_units_are_those_that_were_planted(rng, space):
    runs = runs_of(rng, 2, effect=4.0)
    z, warnings = contrast_map(runs, parse_contrast("faces>objects+scenes", KINDS))
    mask, said = select(z, space=space, top=BLOB.size)
    np.testing.assert_array_equal(np.flatnonzero(mask), BLOB)
    assert warnings == said == []
    against, _ = contrast_map(runs, parse_contrast("objects+scenes>faces", KINDS))
    np.testing.assert_allclose(against, -z, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.*Generation of a mask has been requested:RuntimeWarning")
def test_z_is_that_of_nilearns_first_level_model(rng):
    from nilearn.glm.first_level import FirstLevelModel

    runs = runs_of(rng, 2, effect=2.0)
    images = [nib.Nifti1Image(run.series.T.reshape(*SHAPE, N_VOLUMES), np.eye(4)) for run in runs]
    designs = [pd.DataFrame(run.design, columns=list(run.regressors)) for run in runs]
    mask = nib.Nifti1Image(np.ones(SHAPE, dtype=np.uint8), np.eye(4))
    model = FirstLevelModel(mask_img=mask, noise_model="ar1", signal_scaling=False)
    model.fit(images, design_matrices=designs)
    expected = model.compute_contrast(["faces - 0.5 * objects - 0.5 * scenes"] * 2)
    z, _ = contrast_map(runs, Contrast(("faces",), ("objects", "scenes")))
    np.testing.assert_allclose(z, expected.get_fdata().ravel(), atol=1e-6)


def test_order_of_runs_and_scale_of_regressors_do_not_count(rng):
    runs = runs_of(rng, 3, effect=1.0)
    contrast = Contrast(("faces",))
    z, _ = contrast_map(runs, contrast, noise_model="ols")
    turned, _ = contrast_map(runs[::-1], contrast, noise_model="ols")
    np.testing.assert_allclose(turned, z, atol=1e-10)
    scaled = [LocalizerRun(r.run, 5 * r.series, r.design, r.regressors) for r in runs]
    np.testing.assert_allclose(contrast_map(scaled, contrast, noise_model="ols")[0], z, atol=1e-8)


def test_units_are_fitted_each_on_its_own(rng, monkeypatch):
    runs = runs_of(rng, 2, effect=1.0)
    whole, _ = contrast_map(runs, Contrast(("faces",)))
    monkeypatch.setattr("bids_dnn.rois.functional.CHUNK_UNITS", 17)
    np.testing.assert_allclose(contrast_map(runs, Contrast(("faces",)))[0], whole, atol=1e-10)


def test_dead_units_have_no_z_and_are_never_chosen(rng, space):
    runs = runs_of(rng, 2, effect=4.0)
    runs[0].series[:, BLOB[0]] = 7.0
    runs[1].series[3, BLOB[1]] = np.nan
    z, _ = contrast_map(runs, Contrast(("faces",), ("objects",)))
    assert np.flatnonzero(np.isnan(z)).tolist() == BLOB[:2].tolist()
    mask, _ = select(z, space=space, top=BLOB.size - 2)
    np.testing.assert_array_equal(np.flatnonzero(mask), BLOB[2:])


def test_runs_without_a_condition_are_left_out_by_name(rng):
    runs = runs_of(rng, 2, effect=1.0)
    names = tuple("other" if name == "faces" else name for name in runs[0].regressors)
    lacking = LocalizerRun("07", runs[0].series, runs[0].design, names)
    contrast = Contrast(("faces",), ("objects",))
    z, warnings = contrast_map([lacking, runs[1]], contrast)
    np.testing.assert_array_equal(z, contrast_map(runs[1:], contrast)[0])
    assert warnings == [
        "The localizer run 07 was left out: it lacks a condition of faces>objects."
    ]
    with pytest.raises(NotEnoughDataError, match=r"None of the 1 .* all conditions of faces>obj"):
        contrast_map([lacking], contrast)


def test_a_run_without_volumes_of_a_condition_is_left_out(rng):
    runs = runs_of(rng, 2, effect=1.0)
    design = runs[1].design.copy()
    design[:, runs[1].regressors.index("objects")] = 0  # all its volumes were left out
    contrast = Contrast(("faces",), ("objects",))
    z, warnings = contrast_map([runs[0], replace(runs[1], design=design)], contrast)
    assert warnings == [
        "The localizer run 02 was left out: it lacks a condition of faces>objects."
    ]
    np.testing.assert_array_equal(z, contrast_map(runs[:1], contrast)[0])


def test_runs_that_do_not_fit_are_refused(rng):
    run = runs_of(rng, 1, effect=0.0)[0]
    with pytest.raises(ShapeError, match=r"run 01 has shape \(90, 120\).*\(89, \d+\)"):
        LocalizerRun("01", run.series, run.design[1:], run.regressors)
    fewer = LocalizerRun("02", run.series[:, :7], run.design, run.regressors)
    with pytest.raises(ShapeError, match=r"have \[7, 120\] units"):
        contrast_map([run, fewer], Contrast(("faces",)))
    seen = np.argsort(run.design[:, run.regressors.index("faces")])[-6:]
    short = LocalizerRun("03", run.series[seen], run.design[seen], run.regressors)
    with pytest.raises(NotEnoughDataError, match=r"run 03 has 6 volumes for \d+ regressors"):
        contrast_map([short], Contrast(("faces",)))


def test_fdr_bounds_false_alarms_in_noise():
    rng = np.random.default_rng(1)
    space = Surface("fsaverage5", (300, 300), np.arange(600))
    n_found, n_rounds, rate = 0, 400, 0.05
    for _ in range(n_rounds):
        try:
            select(rng.normal(size=600), space=space, fdr=rate)
            n_found += 1
        except NotEnoughDataError:
            continue
    # in noise the rate of any false alarm is that of false discoveries
    assert n_found <= stats.binom.ppf(0.999, n_rounds, rate)
    assert n_found >= stats.binom.ppf(0.001, n_rounds, rate)


def test_fdr_finds_what_is_planted_with_few_others(rng, space):
    z = rng.normal(size=N)
    z[BLOB] += 6
    mask, _ = select(z, space=space, fdr=0.05)
    assert mask[BLOB].all()
    assert mask.sum() <= BLOB.size + 3


def test_thresholds_parcels_and_sides_are_kept(rng, space):
    z = rng.normal(size=N)
    within = rng.random(N) < 0.6
    left = np.arange(N) < N / 2  # x < 0
    mask, _ = select(z, space=space, within=within, z_threshold=0.5, side="L")
    np.testing.assert_array_equal(mask, within & left & (z > 0.5))
    mask, said = select(z, space=space, within=within, z_threshold=1.0, top=200, side="R")
    np.testing.assert_array_equal(mask, within & ~left & (z > 1.0))
    assert f"found {mask.sum()} voxels above its threshold, top=200" in said[0]


def test_units_need_not_be_all_places(rng, space):
    few = space.select(rng.permutation(N)[:30])
    z = rng.normal(size=30)
    mask, _ = select(z, space=few, top=4)
    expected = few.index[np.argsort(-z)[:4]]
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(expected))


def test_ties_go_to_the_lower_place_in_any_order(rng, space):
    order = rng.permutation(N)
    z = np.where(np.arange(N) < 50, 2.0, 1.0)
    mask, _ = select(z[order], space=space.select(order), top=60)
    np.testing.assert_array_equal(np.flatnonzero(mask), np.arange(60))


def test_units_that_prefer_the_other_side_are_counted(space):
    z = np.linspace(-1, 1, N)
    _, said = select(z, space=space, top=70)
    assert f"{70 - N // 2} of the 70 voxels that a localizer chose do not prefer" in said[0]


def test_selections_that_cannot_be_are_refused(space):
    z = np.full(N, 0.5)
    with pytest.raises(ConfigError, match=r"neither how many.*Add top=200, z=3.1 or fdr=0.05"):
        select(z, space=space)
    with pytest.raises(ShapeError, match=r"z has shape \(3,\)"):
        select(z[:3], space=space, top=1)
    few = np.arange(N) < 5
    with pytest.raises(NotEnoughDataError, match=r"found 5 measured voxels.*top=9 was asked for"):
        select(z, space=space, within=few, top=9)
    with pytest.raises(NotEnoughDataError, match=r"0 of them pass z=3.1.*highest value is 0.50"):
        select(z, space=space, z_threshold=3.1)
    with pytest.raises(NotEnoughDataError, match=r"found 0 measured voxels"):
        select(z, space=space, within=np.zeros(N, bool), fdr=0.05)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("faces>objects", Contrast(("faces",), ("objects",))),
        ("faces > objects + scenes", Contrast(("faces",), ("objects", "scenes"))),
        ("faces", Contrast(("faces",))),
    ],
)
def test_contrasts_are_read(text, expected):
    assert parse_contrast(text, KINDS) == expected
    assert parse_contrast(str(expected), KINDS) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("face>objects", r"names the condition 'face'.*Did you mean 'faces'"),
        ("faces>", "not of the form A>B"),
        ("faces>objects>scenes", "not of the form A>B"),
        ("faces>faces+objects", "stands twice"),
    ],
)
def test_wrong_contrasts_are_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        parse_contrast(text, KINDS)


def test_runs_that_are_analyzed_too_are_refused_by_name():
    localizer = [("loc", "", "01"), ("main", "a", "01"), ("main", "a", "02")]
    analyzed = [("main", "a", "02"), ("main", "a", "01"), ("main", "b", "01")]
    with pytest.raises(
        LeakageError,
        match=r"2 of the runs.*task-main_ses-a_run-01, task-main_ses-a_run-02.*--allow-circular",
    ):
        check_circular(localizer, analyzed)
    said = check_circular(localizer, analyzed, is_allowed=True)
    assert len(said) == 1
    assert said[0].startswith("Circular: ")
    assert check_circular(localizer[:1], analyzed) == []
    many = [("main", "", str(i)) for i in range(8)]
    with pytest.raises(LeakageError, match=r"task-main_run-4 and 3 more\."):
        check_circular(many, many)
