"""simulate.visual: the whole part with known retinotopy, as a tree of files."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_dnn import imaging
from bids_dnn.simulate import positions, recordings, visual
from bids_dnn.simulate.dataset import simulate
from bids_dnn.simulate.timing import Run, trial_regressors

pytestmark = pytest.mark.whole

RUNS = 2
SPACES = {
    "positions": {"T1w", "fsnative", "fsaverage5", "fsLR"},
    "loc": {"T1w", "fsnative"},
}


def make(root):
    """Two runs of one task, one of the other: enough for every kind of file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(positions, "N_RUNS", RUNS)
        patch.setattr(positions, "N_LOCALIZER_RUNS", 1)
        visual.add_retinotopy(root, ["01"], seed=0)
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make(tmp_path_factory.mktemp("visual") / "data")


def below(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def func(tree):
    return tree / "derivatives" / "fmriprep" / "sub-01" / "func"


def events(tree, task, run):
    path = tree / "sub-01" / "func" / f"sub-01_task-{task}_run-{run}_events.tsv"
    return pd.read_csv(path, sep="\t", keep_default_na=False)


def test_the_same_seed_gives_the_same_bytes(tree, tmp_path):
    one, again = below(tree), below(make(tmp_path / "again"))
    assert one.keys() == again.keys()
    assert [str(name) for name in one if one[name] != again[name]] == []


def test_each_task_has_its_spaces_and_sidecars(tree):
    for task, spaces in SPACES.items():
        found = [p.name for p in func(tree).glob(f"sub-01_task-{task}_run-01_*bold.*")]
        images = {name for name in found if not name.endswith(".json")}
        assert {n.split("space-")[1].split("_")[0] for n in images} == spaces
        for image in images:
            stem = image.partition(".")[0]
            told = json.loads((func(tree) / f"{stem}.json").read_text())
            assert told["TaskName"] == task
            assert told["StartTime"] == told["RepetitionTime"] / 2


def test_all_files_of_a_run_have_as_many_volumes(tree):
    stem = f"{func(tree)}/sub-01_task-positions_run-01"
    confounds = pd.read_csv(f"{stem}_desc-confounds_timeseries.tsv", sep="\t")
    n = len(confounds)
    assert nib.load(f"{stem}_space-T1w_desc-preproc_bold.nii.gz").shape[3] == n
    assert nib.load(f"{stem}_space-fsLR_den-91k_bold.dtseries.nii").shape[0] == n
    for space in ("fsnative", "fsaverage5"):
        for side in "LR":
            path = Path(f"{stem}_hemi-{side}_space-{space}_bold.func.gii")
            assert len(imaging.read_vertex_series(path)) == n


def test_surfaces_and_responses_have_the_same_mesh(tree):
    anat = tree / "derivatives" / "fmriprep" / "sub-01" / "anat"
    freesurfer = tree / "derivatives" / "fmriprep" / "sourcedata" / "freesurfer" / "sub-01"
    for side, name in (("L", "lh"), ("R", "rh")):
        path = func(tree) / f"sub-01_task-loc_run-01_hemi-{side}_space-fsnative_bold.func.gii"
        n = imaging.read_vertex_series(path).shape[1]
        assert len(imaging.read_mesh(anat / f"sub-01_hemi-{side}_white.surf.gii").vertices) == n
        assert len(imaging.read_mesh(freesurfer / "surf" / f"{name}.pial").vertices) == n
        labels, _ = imaging.read_labels(freesurfer / "label" / f"{name}.aparc.annot")
        assert len(labels) == n
        other = func(tree) / f"sub-01_task-positions_run-01_hemi-{side}_space-fsaverage5_bold"
        assert imaging.read_vertex_series(other.with_suffix(".func.gii")).shape[1] == 10242


def test_grayordinates_are_those_that_the_simulation_says(tree):
    path = func(tree) / "sub-01_task-positions_run-01_space-fsLR_den-91k_bold.dtseries.nii"
    assert imaging.space_of_cifti(path, name="fsLR").has_places_of(recordings.grayordinates())


def test_events_show_pictures_that_are_there(tree):
    for run in ("01", "02"):
        table = events(tree, "positions", run)
        assert sorted(set(table.trial_type)) == sorted(positions.CONDITIONS)
        assert all((tree / "stimuli" / name).is_file() for name in table.stim_file)
        names = table.stim_file.str.extract(r"^positions/(\w+?)\d+\.png$")[0]
        assert (names == table.trial_type).all()
    assert set(events(tree, "loc", "01").trial_type) == {"face", "object"}


def test_each_participant_attends_a_position_of_the_task(tree):
    table = pd.read_csv(tree / "participants.tsv", sep="\t")
    assert (table.attended_x_deg[0], table.attended_y_deg[0]) == positions.POSITIONS["upperRight"]
    told = json.loads((tree / "participants.json").read_text())
    assert set(told) == set(table.columns) - {"participant_id"}


def regressor(tree, task, condition, n_volumes):
    table = events(tree, task, "01")
    chosen = table[table.trial_type.isin(condition)]
    onsets = chosen.onset.to_numpy(float)
    run = Run("01", np.zeros(len(onsets), dtype=int), onsets, n_volumes)
    return trial_regressors(run, duration_s=float(chosen.duration.iloc[0])).sum(axis=1)


def clean(tree, task, series):
    """Take out what the confound table tells."""
    path = func(tree) / f"sub-01_task-{task}_run-01_desc-confounds_timeseries.tsv"
    table = pd.read_csv(path, sep="\t", na_values="n/a").fillna(0)
    known = table.filter(regex=r"^(trans|rot)_.(_derivative1)?$|^csf$|^white_matter$|^cosine")
    design = np.hstack([known.to_numpy(), np.ones((len(table), 1))])
    return series - design @ np.linalg.lstsq(design, series, rcond=None)[0]


def truth_mask(tree, name):
    folder = tree / "derivatives" / "truth" / "sub-01" / "func"
    stem = f"sub-01_task-positions_space-T1w_label-{name}"
    return nib.load(folder / f"{stem}_mask.nii.gz").get_fdata() > 0


def test_voxels_of_the_ribbon_answer_where_the_truth_says(tree):
    path = func(tree) / "sub-01_task-positions_run-01_space-T1w_desc-preproc_bold.nii.gz"
    values = nib.load(path).get_fdata()
    model = {
        place: regressor(tree, "positions", [f"{place}Face", f"{place}House"], values.shape[3])
        for place in positions.POSITIONS
    }
    for place in positions.POSITIONS:
        series = values[truth_mask(tree, place)].mean(axis=0)
        left = clean(tree, "positions", series)
        fits = {
            other: np.corrcoef(left, clean(tree, "positions", shape))[0, 1]
            for other, shape in model.items()
        }
        assert max(fits, key=fits.get) == place
        assert fits[place] > 0.8


def test_the_localizer_finds_the_cluster_that_prefers_faces(tree):
    path = func(tree) / "sub-01_task-loc_run-01_space-T1w_desc-preproc_bold.nii.gz"
    image = nib.load(path)
    mask = path.with_name(path.name.replace("preproc_bold", "brain_mask"))
    inside = nib.load(mask).get_fdata() > 0
    series = clean(tree, "loc", image.get_fdata()[inside].T)
    shapes = [regressor(tree, "loc", [kind], len(series)) for kind in ("face", "object")]
    design = clean(tree, "loc", np.stack(shapes, axis=1))
    weights = np.linalg.lstsq(design, series, rcond=None)[0]
    difference = weights[0] - weights[1]
    true = truth_mask(tree, "faces")[inside]
    best = np.argsort(-difference)[: true.sum()]
    assert true[best].mean() > 0.8


def test_the_anatomical_image_holds_the_responses(tree):
    anat = tree / "derivatives" / "fmriprep" / "sub-01" / "anat"
    image = nib.load(anat / "sub-01_desc-preproc_T1w.nii.gz")
    mask = func(tree) / "sub-01_task-loc_run-01_space-T1w_desc-brain_mask.nii.gz"
    found = nib.load(mask)
    places = np.argwhere(found.get_fdata() > 0) @ found.affine[:3, :3].T + found.affine[:3, 3]
    back = np.linalg.inv(image.affine)
    voxel = np.rint(places @ back[:3, :3].T + back[:3, 3]).astype(int)
    assert (image.get_fdata()[tuple(voxel.T)] > 0).mean() > 0.99


def test_the_tree_stays_small(tree):
    """Two participants with six and two runs are under 60 MB."""
    sizes = {name: len(raw) for name, raw in below(tree).items()}
    a_run = {
        task: sum(n for p, n in sizes.items() if f"task-{task}_run-01" in p.name)
        for task in SPACES
    }
    rest = sum(n for p, n in sizes.items() if "_run-" not in p.name)
    assert 2 * (6 * a_run["positions"] + 2 * a_run["loc"] + rest) < 60e6


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The part within a whole data set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(positions, "N_RUNS", 1)
        patch.setattr(positions, "N_LOCALIZER_RUNS", 1)
        root = tmp_path_factory.mktemp("whole") / "data"
        return simulate(root, n_participants=1, n_runs=4, retinotopy=True)


def test_simulate_adds_this_part_and_leaves_the_rest(whole, tmp_path):
    plain = below(simulate(tmp_path / "plain", n_participants=1, n_runs=4))
    more = below(whole)
    changed = {str(name) for name, raw in plain.items() if more[name] != raw}
    anat = "derivatives/fmriprep/sub-01/anat/sub-01_desc-"
    assert changed == {
        "README",
        "participants.json",
        "participants.tsv",
        "derivatives/fmriprep/.bidsignore",
        "derivatives/truth/.bidsignore",
        f"{anat}preproc_T1w.nii.gz",
        f"{anat}brain_mask.nii.gz",
    }
    assert not [name for name in plain if "surf" in name.name or "positions" in str(name)]


@pytest.mark.validator
def test_the_validator_finds_no_error(whole):
    tool = shutil.which("bids-validator-deno") or Path(sys.executable).with_name(
        "bids-validator-deno"
    )
    if not Path(tool).is_file():
        pytest.skip("bids-validator-deno is not installed")
    for part in ("", "fmriprep", "truth", "atlas", "retinotopy_template"):
        folder = whole / "derivatives" / part if part else whole
        done = subprocess.run(
            [tool, "--format", "json", str(folder)], capture_output=True, text=True, check=False
        )
        found = json.loads(done.stdout)["issues"]["issues"]
        assert [(i["code"], i.get("location")) for i in found if i["severity"] == "error"] == []
