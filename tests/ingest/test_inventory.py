"""ingest.inventory: what is there is found, what is not is named with what is there."""

import json
import shutil

import numpy as np
import pytest

from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError
from bids_dnn.ingest.inventory import Subject, take_inventory
from tests.factories.spm import spm_folder
from tests.factories.trees import (
    affine_of,
    describe,
    tiny_mask,
    tiny_tree,
    write_image,
    write_json,
)

MNI = "MNI152NLin2009cAsym"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Two participants, two sessions of two runs, two spaces; never altered."""
    out = tmp_path_factory.mktemp("tree") / "data"
    rng = np.random.default_rng(0)
    return tiny_tree(out, rng, sessions=("a", "b"), spaces=(MNI, "T1w"), n_volumes=10)


@pytest.fixture
def small(tmp_path, rng):
    """One participant, two runs, no sessions; free to be damaged."""
    return tiny_tree(tmp_path / "data", rng, participants=("01",), n_volumes=10)


def test_everything_is_found_and_matched(tree):
    found = take_inventory(tree)
    assert list(found.datasets) == ["fmriprep"]
    assert [(s.participant, s.task, s.space) for s in found.participants] == [
        ("01", "objects", "T1w"),
        ("02", "objects", "T1w"),
    ]
    first = found.participants[0]
    assert [(r.session, r.run) for r in first.runs] == [
        ("a", "ax01"),
        ("a", "ax02"),
        ("b", "bx01"),
        ("b", "bx02"),
    ]
    run = first.runs[2]
    stem = "sub-01_ses-b_task-objects_run-01"
    assert run.bold.name == f"{stem}_space-T1w_desc-preproc_bold.nii.gz"
    assert run.mask.name == f"{stem}_space-T1w_desc-brain_mask.nii.gz"
    assert run.events == tree / "sub-01" / "ses-b" / "func" / f"{stem}_events.tsv"
    assert run.confounds.name == f"{stem}_desc-confounds_timeseries.tsv"
    assert (run.t_r_s, run.start_s, run.n_volumes, run.start_from) == (2.0, 1.0, 10, "StartTime")
    assert first.anat.name == "sub-01_desc-preproc_T1w.nii.gz"
    assert {(m.name, m.space) for m in first.masks} == {
        ("FFA", "T1w"),
        ("brain", "T1w"),
        ("brain", MNI),
    }
    assert f"--space takes others: {MNI} (volumes)" in found.notes[0]


def test_description_says_what_was_matched(tree):
    lines = take_inventory(tree, participant_label=["02"]).describe()
    assert "sub-02 task-objects: fMRIPrep, 2 sessions, 4 runs, 40 volumes" in lines[2]
    assert "2 masks in T1w: FFA, brain" in lines[2]
    assert lines[-1].startswith("note: The space T1w was chosen")


def test_subject_survives_json(tree):
    subject = take_inventory(tree, participant_label=["01"]).participants[0]
    again = Subject.from_json(json.loads(json.dumps(subject.to_json())))
    assert again == subject
    assert again.inputs() == subject.inputs()
    assert all(path.exists() for path in subject.inputs())
    assert len(subject.inputs()) == 4 * 5  # bold, mask, events, confounds with JSON


@pytest.mark.parametrize("label", ["01", "sub-01"])
def test_labels_come_with_or_without_prefix(tree, label):
    found = take_inventory(
        tree,
        participant_label=[label],
        session_label=["ses-b"],
        task_id=["task-objects"],
        run_id=["1"],
        space=MNI,
    )
    (subject,) = found.participants
    assert (subject.participant, subject.space) == ("01", MNI)
    assert [run.run for run in subject.runs] == ["bx01"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"participant_label": ["10"]}, r"no participant '10' among the 2.*There are: 01, 02"),
        ({"session_label": ["c"]}, "no session 'c'.*There are: a, b.*--session-label"),
        ({"task_id": ["object"]}, "no task 'object'.*Did you mean 'objects'"),
        ({"run_id": ["7"]}, "no run '7'.*01, 02.*--run-id"),
        ({"space": "fsnative"}, rf"space 'fsnative', but in T1w, {MNI} \(volumes\)"),
        ({"space": f"{MNI}:res-2"}, f"no BOLD in {MNI} with res-2; there are: none"),
        ({"source": "spm"}, "read from spm, but the derivatives are: fmriprep"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(tree, asked, expected):
    with pytest.raises(MissingInputError, match=expected):
        take_inventory(tree, **asked)


def test_unknown_source_is_refused(tree):
    with pytest.raises(ConfigError, match=r"'fmripep'.*Did you mean 'fmriprep'"):
        take_inventory(tree, source="fmripep")


def test_no_such_directory_and_not_bids(tmp_path):
    with pytest.raises(MissingInputError, match=r"There is no directory .*nowhere"):
        take_inventory(tmp_path / "nowhere")
    with pytest.raises(MissingInputError, match=r"not a BIDS data set: it has no dataset_desc"):
        take_inventory(tmp_path)
    (tmp_path / "dataset_description.json").write_text("{]")
    with pytest.raises(UnreadableError, match=r"dataset_description\.json is no JSON"):
        take_inventory(tmp_path)
    write_json(tmp_path / "dataset_description.json", {"Name": "x"})
    with pytest.raises(UnreadableError, match=r"lacks BIDSVersion.*--skip-bids-validation"):
        take_inventory(tmp_path)
    with pytest.raises(MissingInputError, match=r"No derivatives"):
        take_inventory(tmp_path, validate=False)


def test_no_derivatives_says_where_it_looked(small):
    shutil.rmtree(small / "derivatives" / "fmriprep")
    describe(small / "derivatives" / "mriqc", "mriqc", made_by="MRIQC")
    (small / "derivatives" / "freesurfer").mkdir()
    expected = r"looked for .*derivatives/\*, where there are 2 folders.*mriqc \(mriqc\)"
    with pytest.raises(MissingInputError, match=expected):
        take_inventory(small)


@pytest.mark.parametrize("path", ["nowhere", "sub-01"])
def test_given_derivatives_are_checked(small, path):
    with pytest.raises(MissingInputError, match=f"--derivatives fmriprep=.*{path}"):
        take_inventory(small, derivatives={"fmriprep": small / path})


def test_derivatives_may_lie_elsewhere(small, tmp_path):
    elsewhere = (small / "derivatives" / "fmriprep").rename(tmp_path / "prep")
    found = take_inventory(small, derivatives={"fmriprep": elsewhere})
    assert found.participants[0].runs[0].bold.is_relative_to(elsewhere)


def test_minimal_fmriprep_says_what_is_there(small):
    for path in small.rglob("*_desc-preproc_bold.nii.gz"):
        path.unlink()
    expected = r"no preprocessed BOLD.*2 bold \.json.*spaces T1w.*tasks objects.*--level full"
    with pytest.raises(MissingInputError, match=expected):
        take_inventory(small)


def test_participant_without_bold_is_left_out_or_refused(tree, tmp_path):
    out = tmp_path / "data"
    shutil.copytree(tree, out)
    shutil.rmtree(out / "derivatives" / "fmriprep" / "sub-02" / "ses-a")
    shutil.rmtree(out / "derivatives" / "fmriprep" / "sub-02" / "ses-b")
    found = take_inventory(out)
    assert [s.participant for s in found.participants] == ["01"]
    assert any("sub-02 has no preprocessed BOLD" in note for note in found.notes)
    with pytest.raises(MissingInputError, match=r"sub-02 has no preprocessed BOLD"):
        take_inventory(out, participant_label=["01", "02"])


def test_space_that_everyone_has_is_chosen(small):
    home = small / "derivatives" / "fmriprep" / "sub-01" / "func"
    for path in home.glob("*space-T1w*"):
        path.rename(home / path.name.replace("space-T1w", "space-MNI152NLin6Asym"))
    assert take_inventory(small).participants[0].space == "MNI152NLin6Asym"


def test_events_are_inherited(small):
    for path in (small / "sub-01" / "func").glob("*_events.tsv"):
        path.unlink()
    root = small / "task-objects_events.tsv"
    root.write_text("onset\tduration\ttrial_type\n0\t1\tface\n")
    (small / "task-other_events.tsv").write_text("onset\tduration\ttrial_type\n")
    runs = take_inventory(small).participants[0].runs
    assert [run.events for run in runs] == [root, root]
    special = small / "sub-01" / "func" / "sub-01_task-objects_run-02_events.tsv"
    special.write_text(root.read_text())
    runs = take_inventory(small).participants[0].runs
    assert [run.events for run in runs] == [root, special]


def test_missing_events_are_noted(small):
    for path in (small / "sub-01" / "func").glob("*_events.tsv"):
        path.unlink()
    found = take_inventory(small)
    assert sum("has no events" in note for note in found.notes) == 2


@pytest.mark.parametrize(
    ("sidecar", "start_s", "start_from"),
    [
        ({"StartTime": 0.7}, 0.7, "StartTime"),
        ({"SliceTimingCorrected": True}, 1.0, "half of TR"),
        ({"SliceTimingCorrected": False}, 0.0, "not corrected"),
        ({}, 0.0, "not corrected"),
    ],
)
def test_timing_comes_from_sidecars(small, sidecar, start_s, start_from):
    for path in small.rglob("*_desc-preproc_bold.json"):
        write_json(path, sidecar)  # repetition time is inherited from the raw sidecar
    run = take_inventory(small).participants[0].runs[0]
    assert (run.t_r_s, run.start_s) == (2.0, start_s)
    assert start_from in run.start_from


def test_bids_filter_file_chooses(tree, tmp_path):
    path = write_json(tmp_path / "filter.json", {"bold": {"session": "b", "run": 2}})
    found = take_inventory(tree, bids_filter_file=path)
    assert [run.run for run in found.participants[0].runs] == ["bx02"]
    path = write_json(tmp_path / "filter.json", {"mask": {"desc": "brain"}})
    found = take_inventory(tree, bids_filter_file=path)
    assert {m.name for m in found.participants[0].masks} == {"brain"}


def test_database_is_used_again(small, tmp_path):
    first = take_inventory(small, bids_database_dir=tmp_path / "db")
    assert any((tmp_path / "db").iterdir())
    assert take_inventory(small, bids_database_dir=tmp_path / "db") == first


def test_masks_of_other_datasets_and_groups_are_found(small):
    own = small / "derivatives" / "rois"
    describe(own, "rois", made_by="hand")
    write_image(own / "sub-01" / "anat" / "sub-01_label-V1_mask.nii.gz", tiny_mask(), affine_of())
    write_image(own / f"tpl-{MNI}" / f"tpl-{MNI}_label-V2_mask.nii.gz", tiny_mask(), affine_of())
    found = take_inventory(small)
    masks = {(m.name, m.space) for m in found.participants[0].masks}
    assert {("V1", "T1w"), ("V2", MNI)} <= masks
    assert list(found.datasets) == ["fmriprep", "rois"]


def test_our_own_outputs_are_left_out(small):
    describe(small / "derivatives" / "results", "x", made_by="bids_dnn")
    found = take_inventory(small)
    assert "results" not in found.datasets
    assert any("results was left out: written by bids_dnn" in note for note in found.notes)


def test_two_fmriprep_folders_are_not_guessed_between(small):
    describe(small / "derivatives" / "prep2", "x", made_by="fMRIPrep")
    with pytest.raises(ConfigError, match=r"called fmriprep: fmriprep and prep2"):
        take_inventory(small)


def test_two_resolutions_of_a_run_are_not_guessed_between(small):
    home = small / "derivatives" / "fmriprep" / "sub-01" / "func"
    for path in list(home.glob("*space-T1w*")):
        for res in ("1", "2"):
            shutil.copy(path, home / path.name.replace("space-T1w", f"space-T1w_res-{res}"))
        path.unlink()
    with pytest.raises(
        ConfigError, match=r"Two images claim one run.*--space T1w:res-1, --space T1w:res-2"
    ):
        take_inventory(small)
    runs = take_inventory(small, space="T1w:res-2").participants[0].runs
    assert [("res-2" in r.bold.name, "res-2" in r.mask.name) for r in runs] == [(True, True)] * 2


def test_damaged_image_is_noted_not_fatal(small):
    path = next(small.rglob("*run-02*_bold.nii.gz"))
    path.unlink()
    path.symlink_to("/nowhere/.git/annex/objects/x")
    found = take_inventory(small)
    assert [run.n_volumes for run in found.participants[0].runs] == [10, 0]
    assert any("datalad get" in note for note in found.notes)


def test_laboratory_without_raw_bids(tmp_path, rng):
    raw = tmp_path / "study"
    describe(raw, "study")
    (raw / "participants.tsv").write_text("participant_id\tage\nsub-01\t20\nsub-02\t30\n")
    for label in ("01", "02"):
        spm_folder(tmp_path / "spm" / label / "glm", rng)
    given = {"spm": tmp_path / "spm" / "{participant}" / "glm"}
    found = take_inventory(raw, derivatives=given, space="T1w", task_id=["objects"])
    assert [(s.participant, s.source, s.task) for s in found.participants] == [
        ("01", "spm", "objects"),
        ("02", "spm", "objects"),
    ]
    subject = found.participants[1]
    assert subject.spm == tmp_path / "spm" / "02" / "glm" / "SPM.mat"
    assert [(m.name, m.space) for m in subject.masks] == [("brain", "T1w")]
    names = [path.name for path in subject.inputs()]
    assert names[:2] == ["SPM.mat", "beta_0001.nii"]
    assert names[-1] == "mask.nii"
    assert "SPM," in found.describe()[2]


def test_spm_participant_without_model(tmp_path, rng):
    raw = tmp_path / "study"
    describe(raw, "study")
    (raw / "participants.tsv").write_text("participant_id\nsub-01\nsub-02\n")
    spm_folder(tmp_path / "spm" / "sub-01", rng)
    given = {"spm": tmp_path / "spm"}
    found = take_inventory(raw, derivatives=given)
    assert [s.participant for s in found.participants] == ["01"]
    assert any("sub-02 was left out: there is no" in note for note in found.notes)
    assert any("say it with --space" in note for note in found.notes)
    with pytest.raises(MissingInputError, match=r"sub-02 has no first level of SPM.*participant"):
        take_inventory(raw, derivatives=given, participant_label=["02"])


def test_no_participant_at_all(tmp_path, rng):
    describe(tmp_path / "study", "study")
    spm_folder(tmp_path / "spm" / "sub-01", rng)
    with pytest.raises(MissingInputError, match=r"has no participant.*participants\.tsv"):
        take_inventory(tmp_path / "study", derivatives={"spm": tmp_path / "spm"})


def test_fmriprep_goes_before_spm_unless_asked(small, rng):
    home = small / "derivatives" / "spm"
    spm_folder(home / "sub-01", rng)
    describe(home, "x", made_by="SPM12")
    assert take_inventory(small).participants[0].source == "fmriprep"
    found = take_inventory(small, source="spm")
    subject = found.participants[0]
    assert (subject.source, subject.task, subject.space) == ("spm", "objects", "T1w")
    assert any("was taken to lie in T1w" in note for note in found.notes)
    assert {"FFA", "brain"} == {m.name for m in subject.masks}
    assert [m.path.name for m in subject.masks if m.name == "brain"] == ["mask.nii"]
