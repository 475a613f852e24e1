"""ingest.fmriprep: volumes become trials, blocks and volumes; what cannot be is refused."""

import json

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    SpaceError,
    UnreadableError,
)
from bids_dnn.ingest.fmriprep import read_responses
from bids_dnn.ingest.inventory import Subject, take_inventory
from bids_dnn.ingest.trials import design_trials
from tests.factories.trees import T_R_S, tiny_tree

SETTINGS = {
    "model": "lsa",
    "hrf": "spm",
    "high_pass_hz": 0.01,
    "confounds": "none",
    "standardize": "none",
    "detrend": "linear",
    "rest": ("rest",),
    "delay_s": 4.0,
}


def read(where, **settings):
    subject = where if isinstance(where, Subject) else take_inventory(where).participants[0]
    return read_responses(subject, **{**SETTINGS, **settings})


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The first participant of a tree with two sessions of two runs; never altered."""
    rng = np.random.default_rng(0)
    out = tiny_tree(tmp_path_factory.mktemp("tree") / "data", rng, sessions=("a", "b"))
    return take_inventory(out).participants[0]


@pytest.fixture
def small(tmp_path, rng):
    return tiny_tree(tmp_path / "data", rng, participants=("01",))


def rewrite(path, change):
    image = nib.load(path)
    values = np.asarray(image.dataobj).copy()
    nib.save(nib.Nifti1Image(change(values), image.affine, image.header), path)


def test_planted_amplitudes_are_found(small, rng):
    subject = take_inventory(small).participants[0]
    amplitudes = rng.normal(2, 1, size=(6, 12))
    for run in subject.runs:
        made = design_trials(
            np.round(2 + (80 - 6) / 6 * np.arange(6), 1),
            np.full(6, 2.0),
            frame_times_s=1.0 + T_R_S * np.arange(40),
            hrf="spm",
            confounds=np.zeros((40, 0)),
            high_pass_hz=None,
        )
        space = imaging.space_of_mask(run.mask, name="T1w")
        series = 200 + made.matrix[:, :6] @ amplitudes
        imaging.write_series(run.bold, series, space, t_r_s=T_R_S)
    found = read_responses(subject, **SETTINGS)
    # percent of the run's mean: 200, and little more
    np.testing.assert_allclose(found.responses.values[:6], amplitudes / 2, rtol=0.01, atol=2e-3)
    np.testing.assert_allclose(found.responses.values[6:], amplitudes / 2, rtol=0.01, atol=2e-3)
    assert found.responses.scale == "psc"


def test_samples_carry_all_that_is_known(tree):
    responses = read(tree).responses
    samples = responses.samples
    assert responses.values.shape == (24, 12)
    assert responses.values.dtype == np.float32
    assert samples["run"].unique().tolist() == ["ax01", "ax02", "bx01", "bx02"]
    assert samples["session"].unique().tolist() == ["a", "b"]
    first = samples[samples["stimulus"] == "face/1.png"]
    assert first["repeat"].tolist() == list(range(8))  # twice in each of four runs
    assert set(samples["condition"]) == {"face", "house"}


def test_facts_are_json_and_count(tree):
    facts = read(tree, confounds="simple").facts
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["n_runs"], facts["n_sessions"], facts["n_volumes"]) == (4, 2, 160)
    assert facts["samples_by_condition"] == {"face": 12, "house": 12}
    assert (facts["has_stimuli"], facts["samples_without_stimulus"]) == (True, 0)
    run = facts["runs"][0]
    assert len(run["confound_columns"]) == 26
    assert run["drift"] == "cosines up to 0.01 Hz"
    # 40 volumes less 6 trials, 26 confounds, a constant and 1 cosine (2 * 80 s * 0.01 Hz)
    assert run["degrees_of_freedom"] == 40 - 6 - 26 - 2
    assert run["max_variance_inflation"] > 1
    assert run["tsnr"] == pytest.approx(100, rel=0.2)
    assert run["mean_framewise_displacement_mm"] == pytest.approx(0.1, abs=0.03)


def test_much_overlap_is_warned_of(small):
    events = sorted((small / "sub-01" / "func").glob("*events.tsv"))[1]
    rows = [f"{10 + 1.5 * i}\t1\tface" for i in range(12)]
    events.write_text("\n".join(["onset\tduration\ttrial_type", *rows]) + "\n")
    facts = read(small).facts
    assert facts["runs"][0]["max_variance_inflation"] < 10
    assert facts["runs"][1]["max_variance_inflation"] > 10
    assert "variance inflation above 10) in run 02" in facts["warnings"][0]


def test_trials_that_are_hardly_seen_are_left_out_and_named(small):
    events = sorted((small / "sub-01" / "func").glob("*events.tsv"))[1]
    events.write_text(events.read_text() + "76.5\t0\tface\tface/1.png\n")
    found = read(small)
    assert found.responses.values.shape == (12, 12)
    assert found.facts["runs"][0]["barely_estimated_onsets_s"] == []
    assert found.facts["runs"][1]["barely_estimated_onsets_s"] == [76.5]
    assert any(
        "1 trials were left out" in w and "76.5 s in run 02" in w for w in found.facts["warnings"]
    )
    assert json.loads(json.dumps(found.facts)) == found.facts


def test_events_without_a_type_are_counted(small):
    events = sorted((small / "sub-01" / "func").glob("*events.tsv"))[1]
    events.write_text(events.read_text() + "60\t1\tn/a\tface/1.png\n")
    facts = read(small).facts
    assert [run["n_events_without_type"] for run in facts["runs"]] == [0, 1]
    assert facts["warnings"] == ["1 events have the trial_type n/a and were left out (in run 02)."]


def test_few_samples_to_a_group_are_warned_of(small):
    for path in (small / "sub-01" / "func").glob("*events.tsv"):
        path.write_text("\n".join(path.read_text().splitlines()[:4]) + "\n")
    facts = read(small, standardize="run").facts
    assert "z-scored over as few as 3 samples of one run" in facts["warnings"][0]
    assert "no label" in facts["standardize_scope"]
    assert not read(small, standardize="session").facts["warnings"]


def test_cosines_of_the_table_stand_for_the_drift_model(small):
    for path in small.rglob("*_desc-confounds_timeseries.tsv"):
        lines = path.read_text().splitlines()
        wave = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
        rows = [f"{line}\t{v}" for line, v in zip(lines[1:], wave, strict=True)]
        path.write_text("\n".join([f"{lines[0]}\tcosine00", *rows]) + "\n")
    run = read(small, confounds="simple").facts["runs"][0]
    assert run["drift"] == "cosines of the confounds table"
    assert "cosine00" in run["confound_columns"]
    assert run["degrees_of_freedom"] == 40 - 6 - 27 - 1


def test_scrubbed_volumes_leave_the_design(small):
    for path in small.rglob("*_desc-confounds_timeseries.tsv"):
        lines = path.read_text().splitlines()
        place = lines[0].split("\t").index("framewise_displacement")
        row = lines[21].split("\t")
        row[place] = "3.0"
        lines[21] = "\t".join(row)
        path.write_text("\n".join(lines) + "\n")
    bold = sorted(small.rglob("*_desc-preproc_bold.nii.gz"))[0]

    def burst(values):
        values[..., 20] = 1e5
        return values

    def read_blocks():
        return read(small, model="block", confounds="scrubbing", delay_s=0.0)

    before = read_blocks()
    rewrite(bold, burst)
    after = read_blocks()
    assert after.facts["runs"][0]["n_volumes_left_out"] == 1
    np.testing.assert_array_equal(before.responses.values, after.responses.values)


def test_blocks_are_means_of_volumes(tree):
    blocks = read(tree, model="block", delay_s=0.0).responses
    volumes = read(tree, model="volumes", delay_s=0.0).responses
    assert blocks.scale == "raw"
    assert blocks.values.shape == (24, 12)
    keys = ["run", "trial"]
    for row, (run, trial) in enumerate(blocks.samples[keys].itertuples(index=False)):
        same = (volumes.samples["run"] == run) & (volumes.samples["trial"] == trial)
        mean = volumes.values[same.to_numpy()].mean(axis=0)
        np.testing.assert_allclose(blocks.values[row], mean, atol=1e-5)


def test_delay_moves_which_volumes_are_taken(small):
    bold = sorted(small.rglob("*_desc-preproc_bold.nii.gz"))[0]

    def ramp(values):
        values[...] = np.arange(values.shape[-1])
        return values

    rewrite(bold, ramp)
    early = read(small, model="block", delay_s=0.0, detrend="none").responses
    late = read(small, model="block", delay_s=6.0, detrend="none").responses
    np.testing.assert_allclose(late.values[:6] - early.values[:6], 3.0)  # 6 s are 3 volumes


@pytest.mark.parametrize("group", ["run", "session"])
@pytest.mark.parametrize("model", ["lsa", "block", "volumes"])
def test_standardized_samples_have_mean_0_and_sd_1(tree, model, group):
    found = read(tree, model=model, standardize=group).responses
    assert found.scale == "zscore"
    for name in found.samples[group].unique():
        part = found.values[(found.samples[group] == name).to_numpy()]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(part.std(axis=0), 1, atol=1e-5)


def test_rest_volumes_set_the_scale(tree):
    subject = tree
    settings = {**SETTINGS, "model": "volumes", "rest": ("house",), "detrend": "none"}
    found = read_responses(subject, **{**settings, "delay_s": 0.0, "standardize": "rest"})
    assert set(found.responses.samples["condition"]) == {"face"}
    run = subject.runs[0]
    series = imaging.read_units(run.bold, found.responses.space)
    times = run.start_s + run.t_r_s * np.arange(40)
    faces = found.responses.samples.query("run == 'ax01'").drop_duplicates("trial")
    shown = np.any([(times >= t) & (times < t + 2) for t in faces["onset_s"]], axis=0)
    expected = (series[shown] - series[~shown].mean(axis=0)) / series[~shown].std(axis=0)
    np.testing.assert_allclose(found.responses.values[: shown.sum()], expected, atol=1e-3)
    facts = found.facts["runs"][0]
    assert (facts["n_rest_events"], facts["n_rest_volumes"]) == (3, (~shown).sum())


def test_rest_types_have_no_regressor(tree):
    found = read(tree, rest=("house",))
    assert set(found.responses.samples["condition"]) == {"face"}
    assert found.facts["runs"][0]["degrees_of_freedom"] == 40 - 3 - 2


def test_nan_and_constant_voxels_are_left_out_and_counted(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), nan_voxels=3)
    bold = sorted(tree.rglob("*_desc-preproc_bold.nii.gz"))[1]

    def flatten(values):
        values[2, 2, 2, :] = 5
        return values

    rewrite(bold, flatten)
    for model in ("lsa", "block"):
        found = read(tree, model=model)
        assert found.responses.values.shape == (12, 8)
        assert np.isfinite(found.responses.values).all()
        assert found.facts["left_out_units"] == 4
        assert found.facts["left_out_because"]["nan"] == 3
        assert found.facts["left_out_because"]["constant"] == 1


def test_dead_voxels_do_not_change_the_others(tmp_path):
    whole = tiny_tree(tmp_path / "a", np.random.default_rng(1), participants=("01",))
    holes = tiny_tree(tmp_path / "b", np.random.default_rng(1), participants=("01",), nan_voxels=3)
    first, second = (read(t, model="block").responses for t in (whole, holes))
    same = np.isin(first.space.index, second.space.index)
    np.testing.assert_allclose(first.values[:, same], second.values, atol=1e-5)


def test_units_lie_in_the_masks_of_all_runs(small):
    mask = sorted(small.rglob("*_desc-brain_mask.nii.gz"))[-1]

    def shrink(values):
        values[1] = 0
        return values

    rewrite(mask, shrink)
    assert read(small).responses.values.shape == (12, 6)


def test_no_common_voxel_is_refused(small):
    mask = sorted(small.rglob("*_desc-brain_mask.nii.gz"))[-1]
    rewrite(mask, lambda values: np.roll(values, 2, axis=0) * (np.indices(values.shape)[0] > 2))
    with pytest.raises(NotEnoughDataError, match=r"masks of the 2 runs of sub-01 share no voxel"):
        read(small)


def test_empty_mask_is_refused(small):
    mask = sorted(small.rglob("*_desc-brain_mask.nii.gz"))[0]
    rewrite(mask, np.zeros_like)
    with pytest.raises(NotEnoughDataError, match=r"run-01.*_mask\.nii\.gz has no voxel"):
        read(small)


def test_runs_on_two_grids_are_refused(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), other_grid_in_last_run=True)
    with pytest.raises(SpaceError, match=r"lie on two grids.*in run 02, or shifted"):
        read(tree)


def test_events_without_pictures_are_a_fact(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), event_columns=("trial_type",))
    facts = read(tree).facts
    assert facts["has_stimuli"] is False
    assert facts["samples_without_stimulus"] == 12
    assert facts["conditions_without_stimulus"] == ["face", "house"]


def test_one_run_is_enough_to_read(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), n_runs=1)
    assert read(tree).facts["n_runs"] == 1


def test_missing_files_are_named(small, tmp_path, rng):
    tree = tiny_tree(tmp_path / "more", rng, participants=("01",), event_columns=("stim_file",))
    with pytest.raises(MissingInputError, match=r"no column 'trial_type'.*stim_file"):
        read(tree)
    for path in (small / "sub-01" / "func").glob("*events.tsv"):
        path.unlink()
    with pytest.raises(MissingInputError, match=r"has no events \(\*_events\.tsv\)"):
        read(small)
    for path in small.rglob("*brain_mask.nii.gz"):
        path.unlink()
    with pytest.raises(MissingInputError, match=r"has no brain mask"):
        read(small)


def test_truncated_run_is_named(small):
    bold = sorted(small.rglob("*_desc-preproc_bold.nii.gz"))[1]
    whole = bold.read_bytes()
    bold.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match=r"run-02.*ends early.*Fetch or copy it again"):
        read(small)


def test_missing_confound_is_named(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), drop_confounds=("csf",))
    with pytest.raises(MissingInputError, match=r"lacks 1 columns .*'simple' needs: csf"):
        read(tree, confounds="simple")


def test_repetition_time_must_be_known(small):
    subject = take_inventory(small).participants[0]
    value = subject.to_json()
    value["runs"][0]["t_r_s"] = 0.0
    with pytest.raises(MissingInputError, match=r"repetition time .* is not known"):
        read_responses(type(subject).from_json(value), **SETTINGS)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": "lsaa"}, r"responses.model is 'lsaa'.*Did you mean 'lsa'"),
        ({"hrf": "spn"}, r"responses.hrf is 'spn'"),
        ({"standardize": "runs"}, r"Did you mean 'run'"),
        ({"detrend": "quadratic"}, r"responses.detrend is 'quadratic'"),
        ({"standardize": "rest"}, r"trial estimates .* have no rest"),
    ],
)
def test_wrong_settings_are_refused(tree, settings, expected):
    with pytest.raises(ConfigError, match=expected):
        read(tree, **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"rest": ("face", "house")},
            r"No trial is in session a, run 01: of 6 events .* 6 are rest",
        ),
        ({"model": "block", "delay_s": 500.0}, r"in session a, run 01:.*0 are rest"),
    ],
)
def test_runs_without_trials_are_refused(tree, settings, expected):
    with pytest.raises(NotEnoughDataError, match=expected):
        read(tree, **settings)


def test_no_rest_volume_is_refused(small):
    for path in (small / "sub-01" / "func").glob("*events.tsv"):
        path.write_text("onset\tduration\ttrial_type\n0\t40\tface\n40\t60\thouse\n")
    with pytest.raises(NotEnoughDataError, match=r"Run 01 has 0 rest volumes, at least 2"):
        read(small, model="volumes", standardize="rest", delay_s=0.0)


def test_volumes_without_a_mean_give_no_percent(small):
    for path in small.rglob("*_desc-preproc_bold.nii.gz"):
        rewrite(path, lambda values: values - 100.5)
    with pytest.raises(UnreadableError, match=r"mean signal of run 01 is -0\.\d+"):
        read(small)
