"""ingest.confounds: the columns that nilearn selects, and those that are missing."""

import shutil

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError, UnreadableError
from bids_dnn.ingest.confounds import mean_framewise_displacement, read_confounds
from tests.factories.trees import confounds_table, write_json

STEM = "sub-01_task-x_run-01"


def put(folder, table, description=None):
    path = folder / f"{STEM}_desc-confounds_timeseries.tsv"
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    write_json(path.with_suffix(".json"), description or {})
    return path, folder / f"{STEM}_space-T1w_desc-preproc_bold.nii.gz"


def test_none_asks_for_nothing(tmp_path):
    found = read_confounds(None, tmp_path / "x_bold.nii.gz", strategy="none", n_volumes=7)
    assert found.values.shape == (7, 0)
    assert found.keep.all()
    assert not found.has_cosines


def test_simple_takes_motion_and_tissue(tmp_path, rng):
    table = confounds_table(20, rng)
    path, bold = put(tmp_path, table)
    found = read_confounds(path, bold, strategy="simple", n_volumes=20)
    assert found.values.shape == (20, 26)
    assert np.isfinite(found.values).all()
    np.testing.assert_allclose(found.values.mean(axis=0), 0, atol=1e-12)
    place = found.names.index("csf")
    np.testing.assert_allclose(found.values[:, place], table["csf"] - table["csf"].mean())
    assert not found.has_cosines


def test_cosines_are_noticed(tmp_path, rng):
    path, bold = put(tmp_path, confounds_table(20, rng).assign(cosine00=np.arange(20.0)))
    assert read_confounds(path, bold, strategy="simple", n_volumes=20).has_cosines


def test_volumes_with_motion_leave(tmp_path, rng):
    table = confounds_table(40, rng)
    table.loc[20, "framewise_displacement"] = 2.0
    path, bold = put(tmp_path, table)
    found = read_confounds(path, bold, strategy="scrubbing", n_volumes=40)
    assert np.flatnonzero(~found.keep).tolist() == [20]
    assert found.values.shape[0] == 40


def test_volumes_before_the_steady_state_leave(tmp_path, rng):
    table = confounds_table(40, rng).assign(non_steady_state_outlier00=[1] + [0] * 39)
    path, bold = put(tmp_path, table)
    found = read_confounds(path, bold, strategy="simple", n_volumes=40)
    assert np.flatnonzero(~found.keep).tolist() == [0]


def test_missing_column_is_named_with_what_would_do(tmp_path, rng):
    path, bold = put(tmp_path, confounds_table(20, rng, drop=["csf_power2"]))
    expected = (
        r"lacks 1 columns that the strategy 'scrubbing' needs: csf_power2\. There are: trans_x"
        r".*a strategy that this table allows: none, simple\."
    )
    with pytest.raises(MissingInputError, match=expected):
        read_confounds(path, bold, strategy="scrubbing", n_volumes=20)


@pytest.mark.parametrize(
    ("strategy", "missing"), [("compcor", "a_comp_cor_XX"), ("ica_aroma", "aroma_motion_XX")]
)
def test_missing_components_are_named(tmp_path, rng, strategy, missing):
    path, bold = put(tmp_path, confounds_table(20, rng))
    with pytest.raises(MissingInputError, match=f"needs: {missing}"):
        read_confounds(path, bold, strategy=strategy, n_volumes=20)


def test_what_cannot_be_is_refused(tmp_path, rng):
    path, bold = put(tmp_path, confounds_table(20, rng))
    with pytest.raises(ConfigError, match=r"'scrub'.*Did you mean 'scrubbing'"):
        read_confounds(path, bold, strategy="scrub", n_volumes=20)
    with pytest.raises(UnreadableError, match=r"has 20 rows, but .*21 volumes"):
        read_confounds(path, bold, strategy="simple", n_volumes=21)
    with pytest.raises(MissingInputError, match=r"has no confounds table"):
        read_confounds(None, bold, strategy="simple", n_volumes=20)
    path.unlink()
    with pytest.raises(MissingInputError, match=r"confounds_timeseries\.tsv does not exist"):
        read_confounds(path, bold, strategy="simple", n_volumes=20)


def test_displacement_is_the_mean_of_what_was_measured(tmp_path):
    table = pd.DataFrame({"framewise_displacement": [np.nan, 0.1, 0.3]})
    path, _ = put(tmp_path, table)
    assert mean_framewise_displacement(path) == pytest.approx(0.2)
    assert mean_framewise_displacement(None) is None
    path, _ = put(tmp_path, pd.DataFrame({"csf": [1.0]}))
    assert mean_framewise_displacement(path) is None


@pytest.mark.real
@pytest.mark.parametrize("strategy", ["simple", "scrubbing", "compcor", "ica_aroma"])
@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        ("test_desc-confounds_regressors", "regressors"),
        ("test-v21_desc-confounds_timeseries", "timeseries"),
        ("no_nonsteady_desc-confounds_regressors", "regressors"),
    ],
)
def test_real_tables_give_the_columns_of_nilearn(real_data, tmp_path, strategy, source, suffix):
    from nilearn.interfaces.fmriprep import load_confounds

    home = real_data / "fmriprep_confounds"
    path = tmp_path / f"{STEM}_desc-confounds_{suffix}.tsv"
    shutil.copyfile(home / f"{source}.tsv", path)
    described = home / f"{source}.json"
    if not described.exists():  # the one that is the same table without non-steady volumes
        described = home / "test_desc-confounds_regressors.json"
    shutil.copyfile(described, path.with_suffix(".json"))
    bold = tmp_path / f"{STEM}_space-T1w_desc-preproc_bold.nii.gz"
    table = pd.read_csv(path, sep="\t")
    options = {
        "simple": {"strategy": ("high_pass", "motion", "wm_csf")},
        "scrubbing": {"strategy": ("high_pass", "motion", "wm_csf", "scrub"), "wm_csf": "full"},
        "compcor": {"strategy": ("high_pass", "motion", "compcor")},
        "ica_aroma": {"strategy": ("high_pass", "wm_csf", "ica_aroma"), "ica_aroma": "basic"},
    }[strategy]
    if strategy == "ica_aroma" and not any("aroma" in c for c in table.columns):
        with pytest.raises(MissingInputError, match=r"aroma_motion_XX"):
            read_confounds(path, bold, strategy=strategy, n_volumes=len(table))
        return
    if strategy == "scrubbing" and "v21" in source:  # its few volumes all moved
        with pytest.raises(NotEnoughDataError, match=r"All 30 volumes of .* are marked as motion"):
            read_confounds(path, bold, strategy=strategy, n_volumes=len(table))
        return
    expected, volumes = load_confounds(str(bold), **options)
    found = read_confounds(path, bold, strategy=strategy, n_volumes=len(table))
    assert set(found.names) == set(map(str, expected.columns))
    np.testing.assert_allclose(found.values, expected[list(found.names)])
    kept = np.arange(len(table)) if volumes is None else volumes
    np.testing.assert_array_equal(np.flatnonzero(found.keep), kept)
    assert found.has_cosines == any("cosine" in c for c in table.columns)
