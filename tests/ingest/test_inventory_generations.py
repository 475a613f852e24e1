"""ingest.inventory over the file names that fMRIPrep wrote from 1.4 to 25.2."""

import re
import shutil

import numpy as np
import pytest

from bids_dnn.errors import ConfigError, MissingInputError, SpaceError
from bids_dnn.ingest.inventory import take_inventory
from bids_dnn.ingest.series import common_space, read_series
from tests.factories.generations import GENERATIONS, MNI, N_VERTICES, generation_tree
from tests.factories.trees import describe

pytestmark = pytest.mark.whole

NEWEST = "25.2.0"


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """One tree for each generation; never altered."""
    rng = np.random.default_rng(0)
    home = tmp_path_factory.mktemp("generations")
    return {v: generation_tree(home / v, rng, version=v, n_runs=1) for v in GENERATIONS}


@pytest.fixture
def small(tmp_path, rng):
    """The newest generation; free to be damaged."""
    return generation_tree(tmp_path / "data", rng)


def only(found):
    (subject,) = found.participants
    return subject


@pytest.mark.parametrize("version", GENERATIONS)
@pytest.mark.parametrize("space", ["T1w", "fsnative", "fsaverage5", "fsLR"])
def test_each_generation_gives_each_space(trees, version, space):
    tree, names = trees[version], GENERATIONS[version]
    subject = only(take_inventory(tree, space=space))
    (run,) = subject.runs
    assert (subject.space, run.run, run.n_volumes, run.t_r_s) == (space, "1", 5, 2.0)
    assert run.confounds.name.endswith(f"_desc-confounds_{names.confounds}.tsv")
    assert run.events == tree / "task-objects_events.tsv"
    assert (run.start_s, run.start_from) == (0.9, "StartTime")  # of another space, on surfaces
    assert (run.bold_right is not None) == (space in N_VERTICES)
    assert (run.mask is not None) == (space == "T1w")
    places, _ = common_space(subject)
    n_left_out = {"fsnative": 2, "fsaverage5": 2}  # one vertex of each medial wall
    n = {"T1w": 12, "fsnative": 22, "fsaverage5": 12, "fsLR": 7}[space] - n_left_out.get(space, 0)
    assert read_series(run, places).shape == (5, n)


@pytest.mark.parametrize("version", GENERATIONS)
def test_each_generation_gives_surfaces_and_transforms(trees, version):
    names, anatomy = GENERATIONS[version], only(take_inventory(trees[version])).anatomy
    assert (anatomy.freesurfer / "surf" / "lh.white").exists()
    assert set(anatomy.transforms) == {
        f"T1w->{MNI}",
        f"{MNI}->T1w",
        "T1w->fsnative",
        "fsnative->T1w",
    }
    surfaces = {kind: path.name for kind, path in anatomy.surfaces.items()}
    assert surfaces["L_white"] == f"sub-01_hemi-L_{names.white}.surf.gii"
    assert surfaces["R_pial"] == "sub-01_hemi-R_pial.surf.gii"
    sphere = "lh.sphere.reg" if names.sphere is None else f"sub-01_{names.sphere}"
    assert surfaces["L_reg-fsaverage"] == sphere.format(hemi="L")
    assert ("L_reg-fsLR" in surfaces) == (names.sphere is not None)
    native = "sub-01_hemi-L_sphere.surf.gii" if names.sphere else "lh.sphere"
    assert surfaces["L_sphere"] == native
    cortex = "sub-01_hemi-L_desc-cortex_mask.label.gii"
    assert surfaces["L_cortex"] == (cortex if names.has_cortex else "lh.cortex.label")
    assert surfaces["L_cortex-fsaverage"] == "lh.cortex.label"


def test_anatomy_is_no_input_but_for_the_mask_of_the_cortex(trees):
    volume = only(take_inventory(trees[NEWEST]))
    assert not [p for p in volume.inputs() if "anat" in p.parts]
    surface = only(take_inventory(trees[NEWEST], space="fsnative"))
    assert [p.name for p in surface.inputs() if "anat" in p.parts] == [
        "sub-01_hemi-L_desc-cortex_mask.label.gii",
        "sub-01_hemi-R_desc-cortex_mask.label.gii",
    ]


def test_default_order_and_what_else_there_is(trees):
    found = take_inventory(trees[NEWEST])
    assert only(found).space == "T1w"
    assert found.notes[0] == (
        "The space T1w was chosen; --space takes others: fsnative, fsaverage5 (surfaces); "
        "fsLR:den-91k (CIFTI)."
    )
    assert (
        "both hemispheres of fsnative"
        in take_inventory(trees[NEWEST], space="fsnative").describe()[2]
    )


@pytest.mark.parametrize(
    ("spaces", "expected"),
    [
        (("fsLR", "fsaverage6", "fsaverage"), "fsaverage"),
        (("fsLR", "fsaverage", "fsnative"), "fsnative"),
        (("fsLR", "fsnative", "PNC"), "PNC"),
        (("PNC", "MNI152NLin6Asym"), "MNI152NLin6Asym"),
        (("PNC", "MNIInfant", "native"), "MNIInfant"),
        (("fsLR",), "fsLR"),
    ],
)
def test_preferred_space(tmp_path, rng, spaces, expected):
    tree = generation_tree(tmp_path / "data", rng, spaces=spaces, n_runs=1)
    assert only(take_inventory(tree)).space == expected


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("fsavg", r"'fsavg', but in T1w \(volumes\); fsnative, fsaverage5 \(surfaces\); fsLR:den"),
        ("fsLR:den-170k", r"no BOLD in fsLR with den-170k; there are: den-91k.*fsLR:den-91k\."),
        ("T1w:res-2", r"no BOLD in T1w with res-2; there are: none\. Use --space T1w\."),
        ("native", r"in space 'native', but in T1w .* Use --space T1w"),
    ],
)
def test_spaces_that_are_not_there(trees, space, expected):
    with pytest.raises(MissingInputError, match=expected):
        take_inventory(trees[NEWEST], space=space)


def test_details_of_a_space(trees):
    assert only(take_inventory(trees[NEWEST], space="fsLR:den-91k")).space == "fsLR"
    with pytest.raises(ConfigError, match=r"'hemi-L' is not one of res-2, den-91k"):
        take_inventory(trees[NEWEST], space="fsnative:hemi-L")


def test_two_densities_are_not_guessed_between(small):
    for path in list((small / "derivatives/fmriprep/sub-01/func").glob("*den-91k*")):
        shutil.copy(path, path.with_name(path.name.replace("den-91k", "den-170k")))
    with pytest.raises(ConfigError, match=r"--space fsLR:den-170k, --space fsLR:den-91k"):
        take_inventory(small, space="fsLR")
    assert len(only(take_inventory(small, space="fsLR:den-170k")).runs) == 2


def test_cohorts_are_told_apart(small):
    for path in list((small / "derivatives/fmriprep/sub-01/func").glob("*space-T1w*")):
        for cohort in "12":
            name = path.name.replace("space-T1w", f"space-MNIInfant_cohort-{cohort}")
            shutil.copy(path, path.with_name(name))
    runs = only(take_inventory(small, space="MNIInfant:cohort-2")).runs
    assert all("cohort-2" in run.bold.name and "cohort-2" in run.mask.name for run in runs)


def test_native_space_is_only_taken_where_it_is_asked_for(tmp_path, rng):
    tree = generation_tree(tmp_path / "data", rng, spaces=("native",))
    with pytest.raises(MissingInputError, match=r"only in the native space.*--space native"):
        take_inventory(tree)
    found = take_inventory(tree, space="native")
    subject = only(found)
    assert [run.mask.name for run in subject.runs] == [
        "sub-01_task-objects_run-1_desc-brain_mask.nii.gz",
        "sub-01_task-objects_run-2_desc-brain_mask.nii.gz",
    ]
    assert any("only where the participant did not move" in note for note in found.notes)
    assert [(m.name, m.space) for m in subject.masks] == [("brain", "native")]
    assert len(common_space(subject)[0]) == 12


@pytest.mark.parametrize("missing", ["L", "R"])
def test_missing_hemisphere_is_named(small, missing):
    home = small / "derivatives" / "fmriprep" / "sub-01" / "func"
    (home / f"sub-01_task-objects_run-2_hemi-{missing}_space-fsaverage5_bold.func.gii").unlink()
    there, side = ("R", "left") if missing == "L" else ("L", "right")
    with pytest.raises(MissingInputError, match=rf"run-2_hemi-{there}.* has no {side} hemisphere"):
        take_inventory(small, space="fsaverage5")
    assert len(only(take_inventory(small, space="fsnative")).runs) == 2
    runs = only(found := take_inventory(small, space="fsaverage5", run_id=["1"])).runs
    assert [run.run for run in runs] == ["1"]
    assert any("cannot lend regions" in note for note in found.notes)


@pytest.mark.parametrize("as_given", ["", "fmriprep"])
def test_legacy_layout_may_be_given_as_a_whole(trees, tmp_path, as_given):
    tree = trees["20.2.7"]
    describe(tmp_path / "raw", "raw")
    given = {"fmriprep": tree / "derivatives" / as_given}
    found = take_inventory(tmp_path / "raw", derivatives=given)
    assert found.datasets["fmriprep"] == tree / "derivatives" / "fmriprep"
    home = tree / "derivatives" / "freesurfer"
    assert only(found).anatomy.freesurfer == home / "sub-01"
    assert found.datasets["freesurfer"] == home  # so that its paths can be told by name


def test_legacy_output_folder_below_derivatives_is_found(small):
    outer = small / "derivatives" / "prep-20.2"
    outer.mkdir()
    (small / "derivatives" / "fmriprep").rename(outer / "fmriprep")
    found = take_inventory(small)
    assert found.datasets == {"fmriprep": outer / "fmriprep"}
    assert not any("left out: no dataset_description" in note for note in found.notes)


def test_freesurfer_may_lie_elsewhere(small, tmp_path):
    inside = small / "derivatives" / "fmriprep" / "sourcedata" / "freesurfer"
    inside.rename(tmp_path / "fs")
    assert only(take_inventory(small)).anatomy.freesurfer is None
    found = take_inventory(small, fs_subjects_dir=tmp_path / "fs")
    assert only(found).anatomy.freesurfer == tmp_path / "fs" / "sub-01"
    assert f"FreeSurfer: {tmp_path / 'fs' / 'sub-01'}" in found.describe()[3]


def test_single_echoes_and_phase_are_left_out(small):
    home = small / "derivatives" / "fmriprep" / "sub-01" / "func"
    for path in list(home.glob("*run-1_space-T1w_desc-preproc_bold.nii.gz")):
        for entity in ("echo-1", "echo-2", "part-phase"):
            name = path.name.replace("_space", f"_{entity}_space")
            shutil.copy(path, path.with_name(name))
    found = take_inventory(small)
    assert [run.run for run in only(found).runs] == ["1", "2"]
    assert all("echo" not in run.bold.name for run in only(found).runs)
    assert any("2 BOLD images of single echoes were left out" in note for note in found.notes)
    assert any("1 BOLD images of the phase" in note for note in found.notes)


def test_echoes_alone_are_refused(small):
    for path in list((small / "derivatives").rglob("*_bold.*")):
        path.rename(path.with_name(re.sub(r"_run-(\d)_", r"_run-\1_echo-2_", path.name)))
    with pytest.raises(MissingInputError, match=r"single echoes were left out.*combines them"):
        take_inventory(small)


def test_magnitude_takes_the_mask_without_part(small):
    home = small / "derivatives" / "fmriprep" / "sub-01" / "func"
    for path in list(home.glob("*space-T1w_desc-preproc_bold.nii.gz")):
        path.rename(
            path.with_name(
                path.name.replace("_run", "_dir-AP_run").replace("_space", "_part-mag_space")
            )
        )
    for path in list(home.glob("*space-T1w_desc-brain_mask.nii.gz")):
        path.rename(path.with_name(path.name.replace("_run", "_dir-AP_run")))
    runs = only(take_inventory(small)).runs
    assert [(run.run, run.mask.name) for run in runs] == [
        (str(i), f"sub-01_task-objects_dir-AP_run-{i}_space-T1w_desc-brain_mask.nii.gz")
        for i in (1, 2)
    ]
    assert all(run.confounds is not None and run.events is not None for run in runs)


def test_files_that_were_not_fetched_are_named(small):
    home = small / "derivatives" / "fmriprep" / "sub-01" / "func"
    for pattern in ("*run-1*hemi-R_space-fsnative*gii", "*run-1*confounds_timeseries.tsv"):
        for path in home.glob(pattern):
            path.unlink()
            path.symlink_to("../../.git/annex/objects/x")
    run, _ = only(found := take_inventory(small, space="fsnative")).runs
    assert run.confounds.name.endswith("timeseries.tsv")
    (note,) = [note for note in found.notes if "datalad get" in note]
    assert note.startswith("sub-01 task-objects: 2 files are links whose content was not fetched")
    assert note.endswith(f"Type: datalad get {home}")


def test_minimal_output_has_no_bold(small):
    home = small / "derivatives" / "fmriprep" / "sub-01" / "func"
    for path in list(home.iterdir()):
        path.unlink()
    (home / "sub-01_task-objects_run-1_desc-coreg_boldref.nii.gz").touch()
    with pytest.raises(
        MissingInputError, match=r"1 boldref image.*what --level minimal or resamp"
    ):
        take_inventory(small)


def test_filter_that_leaves_nothing_is_named(small, tmp_path):
    path = tmp_path / "filter.json"
    path.write_text('{"bold": {"reconstruction": "magnitude"}}')
    with pytest.raises(MissingInputError, match=r"asks for .*'magnitude'.*or leave out --bids-fi"):
        take_inventory(small, bids_filter_file=path)


def test_all_tasks_hold_what_was_not_asked_for(tmp_path, rng):
    tree = generation_tree(
        tmp_path / "data", rng, tasks=("objects", "loc"), sessions=("a", "b"), spaces=("T1w",)
    )
    found = take_inventory(tree, task_id=["objects"], session_label=["a"], run_id=["2"])
    assert [r.run for r in only(found).runs] == ["ax2"]
    assert [(s.task, [r.run for r in s.runs]) for s in found.all_tasks] == [
        ("loc", ["ax1", "ax2", "bx1", "bx2"]),
        ("objects", ["ax1", "ax2", "bx1", "bx2"]),
    ]
    assert all(s.anatomy.freesurfer is not None for s in found.all_tasks)
    (loc,) = take_inventory(tree, task_id=["loc"]).participants
    assert loc == found.all_tasks[0]


def test_an_anatomy_for_each_session_is_refused_in_its_spaces(tmp_path, rng):
    tree = generation_tree(
        tmp_path / "data",
        rng,
        sessions=("a", "b"),
        spaces=("T1w", MNI),
        n_runs=1,
        freesurfer="sub-01_ses-b",
    )
    home = tree / "derivatives" / "fmriprep" / "sub-01"
    for session in "ab":
        (home / f"ses-{session}" / "anat").mkdir()
        for path in (home / "anat").iterdir():
            name = path.name.replace("sub-01", f"sub-01_ses-{session}")
            shutil.copy(path, home / f"ses-{session}" / "anat" / name)
    shutil.rmtree(home / "anat")
    with pytest.raises(
        SpaceError, match=r"anatomy for each session of sub-01 \(a, b\).*T1w is an"
    ):
        take_inventory(tree)
    assert len(only(take_inventory(tree, space=MNI)).runs) == 2
    anatomy = only(take_inventory(tree, session_label=["b"])).anatomy
    assert anatomy.freesurfer.name == "sub-01_ses-b"
    assert anatomy.surfaces["L_white"].name == "sub-01_ses-b_hemi-L_white.surf.gii"
    assert anatomy.transforms["fsnative->T1w"].parent.parent.name == "ses-b"
