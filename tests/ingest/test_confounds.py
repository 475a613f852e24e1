"""ingest.confounds: the columns that nilearn selects, and those that are missing."""

import shutil

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError, UnreadableError
from bids_dnn.ingest.confounds import check_strategy, framewise_displacement, read_confounds
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


def test_other_tables_and_names_of_folders_do_not_matter(tmp_path, rng):
    folder = tmp_path / "tsv"
    folder.mkdir()
    table = confounds_table(20, rng).assign(a_comp_cor_00=rng.normal(size=20), cosine00=1.0)
    about = {"a_comp_cor_00": {"Method": "aCompCor", "Mask": "combined", "Retained": True}}
    path, bold = put(folder, table, about)
    shutil.copyfile(path, folder / "sub-01_task-x_desc-confounds_timeseries.tsv")
    before = sorted(folder.iterdir())
    found = read_confounds(path, bold, strategy="compcor", n_volumes=20)
    assert "a_comp_cor_00" in found.names
    assert sorted(folder.iterdir()) == before


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


def test_displacement_is_that_of_the_table(tmp_path):
    table = pd.DataFrame({"framewise_displacement": [np.nan, 0.1, 0.3]})
    path, _ = put(tmp_path, table)
    np.testing.assert_array_equal(framewise_displacement(path, 3), [np.nan, 0.1, 0.3])
    assert framewise_displacement(path, 4) is None
    assert framewise_displacement(None, 3) is None
    path, _ = put(tmp_path, pd.DataFrame({"csf": [1.0]}))
    assert framewise_displacement(path, 1) is None


def components(**masks):
    made = {
        name: {"Method": "aCompCor", "Mask": mask, "Retained": True}
        for mask, names in masks.items()
        for name in names
    }
    return made | {"dropped_0": {"Method": "aCompCor", "Mask": "CSF", "Retained": False}}


def test_tokens_take_their_columns_and_leave_out_early_volumes(tmp_path, rng):
    table = confounds_table(20, rng).assign(
        non_steady_state_outlier00=[1] + [0] * 19,
        motion_outlier00=[0] * 7 + [1] + [0] * 12,
        cosine00=np.linspace(-1, 1, 20),
    )
    path, bold = put(tmp_path, table)
    found = read_confounds(path, bold, strategy="6-HMP_2-Phys_SpikeReg_cosine", n_volumes=20)
    axes = [f"{k}_{a}" for k in ("trans", "rot") for a in "xyz"]
    expected = [*axes, "white_matter", "csf", "motion_outlier00", "cosine00"]
    assert list(found.names) == expected
    assert np.flatnonzero(~found.keep).tolist() == [0]
    chosen = table[expected].to_numpy(dtype=float)
    np.testing.assert_allclose(found.values, chosen - chosen[1:].mean(axis=0), atol=1e-12)
    assert found.has_cosines
    assert found.notes == ()


def test_an_unknown_derivative_of_the_first_volume_is_no_change(tmp_path, rng):
    table = confounds_table(20, rng)
    table.loc[0, "trans_x_derivative1"] = np.nan
    path, bold = put(tmp_path, table)
    found = read_confounds(path, bold, strategy="12-HMP", n_volumes=20)
    moved = table["trans_x_derivative1"].fillna(0.0)
    column = found.values[:, found.names.index("trans_x_derivative1")]
    np.testing.assert_allclose(column, moved - moved.mean(), atol=1e-12)


def test_null_takes_nothing_but_leaves_out_early_volumes(tmp_path, rng):
    table = confounds_table(20, rng).assign(non_steady_state_outlier00=[1, 1] + [0] * 18)
    path, bold = put(tmp_path, table)
    found = read_confounds(path, bold, strategy="Null", n_volumes=20)
    assert found.values.shape == (20, 0)
    assert found.keep.sum() == 18


def test_a_run_without_motion_has_no_spikes_and_no_complaint(tmp_path, rng):
    path, bold = put(tmp_path, confounds_table(20, rng))
    assert len(read_confounds(path, bold, strategy="6-HMP_SpikeReg", n_volumes=20).names) == 6


@pytest.mark.parametrize(
    ("strategy", "missing"),
    [
        ("6-HMP_4-GS", r"lacks 3 columns that '6-HMP_4-GS' needs: global_signal_derivative1, "),
        ("6-HMP_cosine", r"lacks 1 columns .* needs: cosineXX\. There are: .*trans_x"),
        ("10-aCompCor", r"components of CSF \(10-aCompCor\), components of WM \(10-aComp"),
    ],
)
def test_columns_that_tokens_name_must_be_there(tmp_path, rng, strategy, missing):
    table = confounds_table(20, rng)
    if "global_signal" not in table:
        table = table.assign(global_signal=0.0)
    path, bold = put(tmp_path, table)
    with pytest.raises(MissingInputError, match=missing):
        read_confounds(path, bold, strategy=strategy, n_volumes=20)


def test_a_column_that_the_json_names_must_be_in_the_table(tmp_path, rng):
    described = components(CSF=["c_comp_cor_00"], WM=["w_comp_cor_00"])
    path, bold = put(tmp_path, confounds_table(20, rng).assign(c_comp_cor_00=0.0), described)
    with pytest.raises(MissingInputError, match=r"lacks 1 columns .* needs: w_comp_cor_00\."):
        read_confounds(path, bold, strategy="50-aCompCor", n_volumes=20)


def test_components_are_taken_by_number_and_few_are_told(tmp_path, rng):
    names = [f"a_comp_cor_{i:02d}" for i in (99, 100, 98, 101, 97, 102)]
    described = components(CSF=["a_comp_cor_04"], WM=names)
    table = confounds_table(20, rng).assign(
        **{name: rng.normal(size=20) for name in ("a_comp_cor_04", *names)}
    )
    path, bold = put(tmp_path, table, described)
    found = read_confounds(path, bold, strategy="10-aCompCor", n_volumes=20)
    assert found.names == tuple(f"a_comp_cor_{i:02d}" for i in (4, 97, 98, 99, 100, 101))
    assert found.notes == (
        "10-aCompCor found fewer than 5 components of each tissue (1 of CSF and 5 of WM).",
    )
    assert len(read_confounds(path, bold, strategy="50-aCompCor", n_volumes=20).names) == 7


@pytest.mark.parametrize(("content", "expected"), [("{", "is no JSON"), ("[1]", "no description")])
def test_a_damaged_description_is_refused(tmp_path, rng, content, expected):
    path, bold = put(tmp_path, confounds_table(20, rng))
    path.with_suffix(".json").write_text(content)
    with pytest.raises(UnreadableError, match=expected):
        read_confounds(path, bold, strategy="10-aCompCor", n_volumes=20)
    path.with_suffix(".json").unlink()
    with pytest.raises(MissingInputError, match=r"timeseries\.json does not exist"):
        read_confounds(path, bold, strategy="10-aCompCor", n_volumes=20)


def test_components_need_their_description(tmp_path, rng):
    table = confounds_table(20, rng).assign(a_comp_cor_00=rng.normal(size=20))
    path, bold = put(tmp_path, table)
    with pytest.raises(MissingInputError, match=r"do not hold what 'compcor' selects by"):
        read_confounds(path, bold, strategy="compcor", n_volumes=20)
    path.with_suffix(".json").unlink()
    with pytest.raises(MissingInputError, match=r"timeseries\.json does not exist"):
        read_confounds(path, bold, strategy="compcor", n_volumes=20)


@pytest.mark.parametrize("strategy", ["simple", "6-HMP"])
def test_a_column_with_gaps_is_refused(tmp_path, rng, strategy):
    table = confounds_table(20, rng)
    table.loc[7, "trans_y"] = np.nan
    path, bold = put(tmp_path, table)
    with pytest.raises(UnreadableError, match=r"rows of 'trans_y' without a number"):
        read_confounds(path, bold, strategy=strategy, n_volumes=20)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("24-HPM_cosine", r"'24-HPM' is no strategy\. Did you mean '24-HMP'"),
        ("18-HMP", r"Did you mean '6-HMP' or '12-HMP' or '24-HMP'"),
        ("6-HMP_spikereg", r"'spikereg' is no strategy\. Did you mean 'SpikeReg'"),
        ("Null_cosine", r"Null means that nothing .* 'cosine'"),
        ("ica_aromma", r"'ica_aromma' is no strategy\. Did you mean 'ica_aroma'"),
        ("", r"'' is no strategy\. There are: 1-GS"),
    ],
)
def test_tokens_that_do_not_exist_are_refused(strategy, expected):
    with pytest.raises(ConfigError, match=expected):
        check_strategy(strategy)


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


SOURCES = {
    "test_desc-confounds_regressors": "regressors",
    "test-v21_desc-confounds_timeseries": "timeseries",
    "no_nonsteady_desc-confounds_regressors": "regressors",
}
PARTS = ("", "_derivative1", "_power2", "_derivative1_power2")
AXES = [f"{k}_{a}" for k in ("trans", "rot") for a in "xyz"]
PICKED = {
    "6-HMP": AXES,
    "12-HMP": [a + p for p in PARTS[:2] for a in AXES],
    "24-HMP": [a + p for p in PARTS for a in AXES],
    "1-GS": ["global_signal"],
    "2-GS": ["global_signal", "global_signal_derivative1"],
    "4-GS": ["global_signal" + p for p in PARTS],
    "2-Phys": ["white_matter", "csf"],
    "4-Phys": [t + p for p in PARTS[:2] for t in ("white_matter", "csf")],
    "8-Phys": [t + p for p in PARTS for t in ("white_matter", "csf")],
}
OLD_COMPONENTS = {  # 00 to 56 are of both tissues together
    "10-aCompCor": [*range(57, 62), *range(70, 75)],
    "50-aCompCor": list(range(57, 126)),
}
NEW_COMPONENTS = [f"c_comp_cor_0{i}" for i in range(3)] + [f"w_comp_cor_0{i}" for i in range(4)]


def picked(token, source, there):
    if token in PICKED:
        return PICKED[token]
    if token in OLD_COMPONENTS:
        old = [f"a_comp_cor_{i:02d}" for i in OLD_COMPONENTS[token]]
        return NEW_COMPONENTS if "v21" in source else old
    start = {"SpikeReg": "motion_outlier", "cosine": "cosine", "Null": "nothing"}[token]
    return [c for c in there if c.startswith(start)]


@pytest.mark.real
@pytest.mark.parametrize("token", [*PICKED, *OLD_COMPONENTS, "SpikeReg", "cosine", "Null"])
@pytest.mark.parametrize("source", SOURCES)
def test_tokens_take_hand_picked_columns_of_real_tables(real_data, tmp_path, source, token):
    home = real_data / "fmriprep_confounds"
    path = tmp_path / f"{STEM}_desc-confounds_{SOURCES[source]}.tsv"
    shutil.copyfile(home / f"{source}.tsv", path)
    described = home / f"{source}.json"
    if not described.exists():
        described = home / "test_desc-confounds_regressors.json"
    shutil.copyfile(described, path.with_suffix(".json"))
    table = pd.read_csv(path, sep="\t")
    found = read_confounds(path, tmp_path / "x_bold.nii.gz", strategy=token, n_volumes=len(table))
    names = picked(token, source, list(table.columns))
    assert list(found.names) == names
    early = table.filter(regex="^non_steady").to_numpy().any(axis=1)
    np.testing.assert_array_equal(found.keep, ~early)
    expected = table[names].fillna(0.0).to_numpy()
    np.testing.assert_allclose(found.values, expected - expected[~early].mean(axis=0), atol=1e-9)


@pytest.mark.real
def test_ten_components_are_those_of_nilearn(real_data, tmp_path):
    from nilearn.interfaces.fmriprep import load_confounds

    home = real_data / "fmriprep_confounds"
    path = tmp_path / f"{STEM}_desc-confounds_regressors.tsv"
    for suffix in (".tsv", ".json"):
        source = home / f"test_desc-confounds_regressors{suffix}"
        shutil.copyfile(source, path.with_suffix(suffix))
    bold = tmp_path / f"{STEM}_space-T1w_desc-preproc_bold.nii.gz"
    expected, _ = load_confounds(
        str(bold), strategy=("high_pass", "compcor"), compcor="anat_separated", n_compcor=5
    )
    found = read_confounds(path, bold, strategy="10-aCompCor_cosine", n_volumes=30)
    assert set(found.names) == set(expected.columns)
    np.testing.assert_allclose(found.values, expected[list(found.names)], atol=1e-9)
