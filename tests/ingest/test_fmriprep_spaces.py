"""ingest.fmriprep and ingest.denoise on surfaces and CIFTI: the same answers as of volumes."""

from dataclasses import replace

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Grayordinates, Grid, Surface
from bids_dnn.errors import MissingInputError
from bids_dnn.ingest.denoise import region_time_series
from bids_dnn.ingest.fmriprep import read_responses
from bids_dnn.ingest.records import Run, Subject
from tests.factories.trees import T_R_S, confounds_table, events_table, write_json

STEM = "sub-01_ses-a_task-x_dir-AP_run-1_part-mag"
KINDS = {
    "volume": "_space-T1w_desc-preproc_bold.nii.gz",
    "surface": "_hemi-L_space-fsnative_bold.func.gii",
    "cifti": "_space-fsLR_den-91k_bold.dtseries.nii",
}


def grayordinates() -> Grayordinates:
    return Grayordinates(
        "fsLR",
        ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_THALAMUS_LEFT"),
        (4, 0),
        np.array([0, 0, 0, 0, 1, 1]),
        np.array([0, 1, 2, 3, -1, -1]),
        np.array([[-1] * 3] * 4 + [[0, 1, 2], [1, 1, 1]]),
        (3, 3, 3),
        np.diag([2.0, 2.0, 2.0, 1.0]),
        np.arange(6),
    )


def write(folder, kind, series, *, table, suffix="timeseries") -> Subject:
    """One run of six units as fMRIPrep writes that kind."""
    folder.mkdir()
    bold, right, mask = folder / f"{STEM}{KINDS[kind]}", None, None
    if kind == "volume":
        grid = Grid("T1w", (3, 2, 1), np.eye(4), np.arange(6))
        imaging.write_series(bold, series, grid, t_r_s=T_R_S)
        mask = imaging.write_mask(folder / f"{STEM}_space-T1w_desc-brain_mask.nii.gz", grid)
    elif kind == "surface":
        right = bold.with_name(bold.name.replace("hemi-L", "hemi-R"))
        imaging.write_vertex_series(bold, series[:, :4], "L", t_r_s=T_R_S)
        imaging.write_vertex_series(right, series[:, 4:], "R", t_r_s=T_R_S)
    else:
        imaging.write_cifti_series(bold, series, grayordinates(), t_r_s=T_R_S)
    confounds = folder / f"{STEM}_desc-confounds_{suffix}.tsv"
    table.to_csv(confounds, sep="\t", index=False, na_rep="n/a")
    write_json(confounds.with_suffix(".json"), {})
    events = folder / f"{STEM}_events.tsv"
    events_table(40).to_csv(events, sep="\t", index=False)
    run = Run("a", "ax1", bold, mask, events, confounds, T_R_S, 1.0, 40, bold_right=right)
    space = {"volume": "T1w", "surface": "fsnative", "cifti": "fsLR"}[kind]
    return Subject("01", "fmriprep", "x", space, (run,))


@pytest.fixture
def subjects(tmp_path, rng):
    series = rng.normal(100, 1, size=(40, 6)).astype(np.float32)
    table = confounds_table(40, rng).assign(cosine00=np.linspace(-1, 1, 40))
    return {kind: write(tmp_path / kind, kind, series, table=table) for kind in KINDS}


@pytest.mark.parametrize("confounds", ["simple", "scrubbing", "6-HMP_2-Phys_cosine"])
@pytest.mark.parametrize("model", ["lss", "conditions", "block"])
def test_the_kind_of_space_does_not_matter(subjects, model, confounds):
    found = {
        kind: read_responses(one, model=model, confounds=confounds, delay_s=4.0)
        for kind, one in subjects.items()
    }
    expected = found["volume"].responses
    for kind, space in (("surface", Surface), ("cifti", Grayordinates)):
        made = found[kind].responses
        assert isinstance(made.space, space)
        np.testing.assert_allclose(made.values, expected.values, atol=1e-3)
        assert made.samples.equals(expected.samples)
        assert found[kind].facts["unit"] == made.space.unit
        run, same = found[kind].facts["runs"][0], found["volume"].facts["runs"][0]
        assert run["confound_columns"] == same["confound_columns"]
        assert run["tsnr"] == pytest.approx(same["tsnr"], rel=1e-4)


def test_old_names_of_the_confounds_are_found(tmp_path, rng):
    series = rng.normal(100, 1, size=(40, 6)).astype(np.float32)
    table = confounds_table(40, rng)
    one = write(tmp_path / "old", "surface", series, table=table, suffix="regressors")
    found = read_responses(one, confounds="simple")
    assert len(found.facts["runs"][0]["confound_columns"]) == 26


def test_regions_of_any_space_have_time_series(subjects):
    units = {"V1": np.array([1, 5])}
    made = {}
    for kind, one in subjects.items():
        run = one.runs[0]
        whole = read_responses(one, confounds="none").responses.space
        made[kind] = region_time_series(run, whole, units, strategies=("raw", "simple"))
    for kind in ("surface", "cifti"):
        for key, values in made["volume"].series["V1"].items():
            np.testing.assert_allclose(made[kind].series["V1"][key], values, atol=1e-4)


def test_a_missing_hemisphere_is_refused(subjects):
    one = subjects["surface"]
    alone = replace(one, runs=(replace(one.runs[0], bold_right=None),))
    with pytest.raises(MissingInputError, match="hemi"):
        read_responses(alone)
