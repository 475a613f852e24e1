"""simulate.dataset: a whole tree of one participant, the same for the same seed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

from bids_dnn.errors import ConfigError, OutputError
from bids_dnn.simulate.dataset import simulate
from bids_dnn.simulate.truth import N_VOXELS, PLAN

pytestmark = pytest.mark.whole

RUNS = 4


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("a") / "data", n_participants=1, n_runs=RUNS)


def below(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def table(path):
    return pd.read_csv(path, sep="\t", keep_default_na=False, dtype=str)


def test_the_same_seed_gives_the_same_bytes(tree, tmp_path):
    one = below(tree)
    again = below(simulate(tmp_path / "again", n_participants=1, n_runs=RUNS))
    assert one.keys() == again.keys()
    assert [str(name) for name in one if one[name] != again[name]] == []


def test_events_name_pictures_that_are_there(tree):
    shown = []
    for run in range(1, RUNS + 1):
        events = table(tree / "sub-01" / "func" / f"sub-01_task-objects_run-{run:02}_events.tsv")
        assert list(events) == ["onset", "duration", "trial_type", "stim_file"]
        assert (
            events.stim_file.str.replace(r"\d+\.png", "", regex=True) == events.trial_type
        ).all()
        shown += list(events.stim_file)
    pictures = sorted(p.name for p in (tree / "stimuli").glob("*.png"))
    assert sorted(set(shown)) == pictures
    assert len(shown) == 2 * len(pictures)


def test_conditions_name_every_regressor_of_spm(tree):
    conditions = table(tree / "stimuli" / "conditions.tsv")
    spm = loadmat(tree / "derivatives" / "spm" / "sub-01" / "SPM.mat", simplify_cells=True)["SPM"]
    trials = [name.split()[1].split("*")[0] for name in spm["xX"]["name"] if "*bf(1)" in name]
    assert set(trials) == set(conditions.name)
    assert [b["descrip"].split(" - ")[1] for b in spm["Vbeta"]] == list(spm["xX"]["name"])


def test_the_betas_of_spm_are_the_least_squares_of_the_filtered_data(tree):
    folder = tree / "derivatives" / "spm" / "sub-01"
    spm = loadmat(folder / "SPM.mat", simplify_cells=True)["SPM"]
    func = tree / "derivatives" / "fmriprep" / "sub-01" / "func"
    place = (8, 4, 5)
    y = []
    for k, session in zip(spm["xX"]["K"], spm["Sess"], strict=True):
        run = len(y) + 1
        name = f"sub-01_task-objects_run-{run:02}_space-T1w_desc-preproc_bold.nii.gz"
        series = nib.load(func / name).get_fdata()[place]
        assert len(series) == len(session["row"])
        y.append(series - k["X0"] @ (k["X0"].T @ series))
    y = np.concatenate(y)
    x = spm["xX"]["xKXs"]["X"]
    expected, rss = np.linalg.lstsq(x, y, rcond=None)[:2]
    found = [nib.load(folder / v["fname"]).get_fdata()[place] for v in spm["Vbeta"]]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-3)
    mean_square = nib.load(folder / "ResMS.nii").get_fdata()[place]
    np.testing.assert_allclose(mean_square, rss[0] / spm["xX"]["trRV"], rtol=1e-4)
    np.testing.assert_allclose(spm["xX"]["Bcov"], np.linalg.inv(x.T @ x), atol=1e-6)
    assert np.isnan(nib.load(folder / "beta_0001.nii").get_fdata()[0, 0, 0])


def test_spm_counts_voxels_from_one(tree):
    folder = tree / "derivatives" / "spm" / "sub-01"
    beta = loadmat(folder / "SPM.mat", simplify_cells=True)["SPM"]["Vbeta"][0]
    image = nib.load(folder / beta["fname"])
    first = beta["mat"] @ [1, 1, 1, 1]
    np.testing.assert_allclose(first, image.affine[:, 3])
    assert tuple(beta["dim"]) == image.shape


@pytest.mark.parametrize("strategy", ["simple", "scrubbing", "compcor"])
def test_nilearn_finds_the_columns_of_its_strategies(tree, strategy):
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    func = tree / "derivatives" / "fmriprep" / "sub-01" / "func"
    image = func / "sub-01_task-objects_run-01_space-T1w_desc-preproc_bold.nii.gz"
    columns, _ = load_confounds_strategy(str(image), denoise_strategy=strategy)
    assert {"trans_x_derivative1", "cosine_00"} <= set(columns)
    assert len(columns) == nib.load(image).shape[3]
    assert np.isfinite(columns.to_numpy()).all()


def test_both_spaces_hold_the_same_series_on_two_grids(tree):
    func = tree / "derivatives" / "fmriprep" / "sub-01" / "func"
    found = {}
    for space in ("T1w", "MNI152NLin2009cAsym"):
        stem = f"sub-01_task-objects_run-02_space-{space}_desc"
        image = nib.load(func / f"{stem}-preproc_bold.nii.gz")
        mask = nib.load(func / f"{stem}-brain_mask.nii.gz").get_fdata() > 0
        found[space] = image.get_fdata()[mask]
        told = json.loads((func / f"{stem}-preproc_bold.json").read_text())
        assert told["StartTime"] == told["RepetitionTime"] / 2
        assert told["RepetitionTime"] == pytest.approx(image.header.get_zooms()[3])
    np.testing.assert_array_equal(*found.values())


def test_the_truth_names_regions_that_have_masks(tree):
    truth = table(tree / "derivatives" / "truth" / "truth.tsv")
    assert list(truth.region) == [plan.region for plan in PLAN]
    for plan in PLAN:
        for space in ("T1w", "MNI152NLin2009cAsym"):
            name = f"sub-01_task-objects_space-{space}_label-{plan.region}_mask.nii.gz"
            mask = nib.load(tree / "derivatives" / "rois" / "sub-01" / "func" / name)
            assert int(mask.get_fdata().sum()) == N_VOXELS
        if plan.layer:
            scores = table(tree / "derivatives" / "truth" / f"components_{plan.region}.tsv")
            assert scores.shape == (4 * RUNS * (RUNS - 1), 1 + plan.n_components)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="exists already"):
        simulate(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("n_participants", "n_runs"), [(0, 5), (1, 2)])
def test_too_little_is_refused(tmp_path, n_participants, n_runs):
    with pytest.raises(ConfigError, match=f"{n_participants} and n_runs is {n_runs}"):
        simulate(tmp_path / "a", n_participants=n_participants, n_runs=n_runs)


def test_nothing_is_left_of_a_simulation_that_failed(tmp_path, monkeypatch):
    from bids_dnn.simulate import dataset

    def full(*_args):
        raise OutputError("The disk is full.", mend="Free some space.")

    monkeypatch.setattr(dataset, "score_components", full)
    with pytest.raises(OutputError, match="full"):
        simulate(tmp_path / "a", n_runs=RUNS)
    assert not list(tmp_path.iterdir())


@pytest.mark.validator
@pytest.mark.parametrize(
    "part", [".", *(f"derivatives/{d}" for d in ("fmriprep", "rois", "spm", "truth"))]
)
def test_the_validator_finds_no_error(tree, part):
    tool = shutil.which("bids-validator-deno") or Path(sys.executable).with_name(
        "bids-validator-deno"
    )
    if not Path(tool).is_file():
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run(
        [tool, "--format", "json", str(tree / part)], capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)["issues"]["issues"]
    assert [(i["code"], i.get("location")) for i in found if i["severity"] == "error"] == []
    assert done.returncode == 0
