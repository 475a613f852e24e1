"""ingest.sources: which of fMRIPrep, SPM and ready-made responses is read, and what they lend."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bids_dnn.errors import ConfigError, MissingInputError
from bids_dnn.ingest.inventory import Subject, take_inventory
from bids_dnn.ingest.sources import Query, choose_source
from tests.factories.generations import generation_tree
from tests.factories.ready_table import table_folder, voxel_folder
from tests.factories.spm import spm_folder
from tests.factories.trees import (
    affine_of,
    describe,
    tiny_mask,
    tiny_tree,
    write_image,
    write_json,
)


@pytest.fixture
def raw(tmp_path):
    """A raw data set that holds nothing but its description."""
    describe(tmp_path / "raw", "raw")
    return tmp_path / "raw"


@pytest.fixture
def table(tmp_path, rng):
    """Ready-made responses of two participants."""
    for label in ("sub-a", "sub-b"):
        table_folder(tmp_path / "table" / label, rng)
    return tmp_path / "table"


def told(root: Path, **more) -> None:
    describe(root, root.name, made_by="hand")
    path = root / "dataset_description.json"
    write_json(path, json.loads(path.read_text()) | more)


def test_ready_made_responses_need_no_other_data_set(raw, table):
    found = take_inventory(raw, ready=("table", table))
    assert [(s.participant, s.source) for s in found.participants] == [
        ("a", "table"),
        ("b", "table"),
    ]
    assert found.datasets == {"table": table}
    assert found.all_tasks == ()
    assert "sub-a" in found.describe()[2]
    assert "table, 3 files in" in found.describe()[2]
    subject = found.participants[0]
    assert Subject.from_json(json.loads(json.dumps(subject.to_json()))) == subject
    assert all(path.exists() for path in subject.inputs())


def test_participants_and_tasks_are_chosen(raw, table):
    found = take_inventory(
        raw, ready=("table", table), participant_label=["sub-b"], session_label=["1"], run_id=["2"]
    )
    (subject,) = found.participants
    assert subject.participant == "b"
    assert [note for note in found.notes if "does not apply to ready-made" in note] == [
        "--session-label does not apply to ready-made responses.",
        "--run-id does not apply to ready-made responses.",
    ]
    again = take_inventory(raw, ready=("table", table), task_id=[subject.task])
    assert len(again.participants) == 2
    with pytest.raises(MissingInputError, match=r"no participant 'c'.*a, b"):
        take_inventory(raw, ready=("table", table), participant_label=["c"])
    with pytest.raises(MissingInputError, match=r"no task 'nothing'"):
        take_inventory(raw, ready=("table", table), task_id=["nothing"])


def test_wrong_kinds_and_places_are_refused(raw, table):
    with pytest.raises(ConfigError, match=r"--responses tables=.*Did you mean 'table'"):
        take_inventory(raw, ready=("tables", table))
    with pytest.raises(ConfigError, match=r"source is 'nsd', but --responses gives table="):
        take_inventory(raw, ready=("table", table), source="nsd")
    with pytest.raises(MissingInputError, match=r"--responses table=.*nowhere: there is no such"):
        take_inventory(raw, ready=("table", table / "nowhere"))
    with pytest.raises(MissingInputError, match=r"from nsd, but .*: table\.|No derivatives of fM"):
        take_inventory(raw, source="nsd")
    with pytest.raises(ConfigError, match=r"'tables'.*Did you mean 'table'"):
        take_inventory(raw, ready=("table", table), source="tables")


@pytest.mark.parametrize(
    "description",
    [{"Responses": "table"}, {"Responses": "Table"}, {"GeneratedBy": [{"Name": "Table"}]}],
)
def test_a_data_set_may_say_that_it_holds_responses(raw, table, description):
    home = raw / "derivatives" / "betas"
    home.parent.mkdir()
    table.rename(home)
    told(home, **description)
    for asked in ({}, {"source": "table"}, {"derivatives": {"betas": home}}):
        found = take_inventory(raw, **asked)
        assert {s.source for s in found.participants} == {"table"}
        assert found.datasets["table"] == home


def test_fmriprep_goes_before_ready_made_unless_asked(tmp_path, rng, table):
    tree = tiny_tree(tmp_path / "data", rng, participants=("a",), n_volumes=10)
    table.rename(tree / "derivatives" / "betas")
    told(tree / "derivatives" / "betas", Responses="table")
    assert take_inventory(tree).participants[0].source == "fmriprep"
    found = take_inventory(tree, source="table")
    assert [s.participant for s in found.participants] == ["a", "b"]


def test_a_wrong_kind_in_a_description_is_refused(raw):
    told(raw / "derivatives" / "betas", Responses="glmsingel")
    with pytest.raises(ConfigError, match=r"Responses: 'glmsingel'.*Did you mean 'glmsingle'"):
        take_inventory(raw)


def test_two_data_sets_are_not_guessed_between(raw, tmp_path):
    datasets = {}
    for name, kind in (("one", "table"), ("two", "nsd")):
        told(tmp_path / name, Responses=kind)
        datasets[name] = tmp_path / name
    with pytest.raises(ConfigError, match=r"Several data sets.*table .*nsd .*--responses table="):
        choose_source(Query(), datasets)
    assert choose_source(Query(source="nsd"), datasets) == ("nsd", tmp_path / "two")


def test_no_reader_is_loaded_for_fmriprep(tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng, participants=("a",), n_volumes=10)
    sys.modules.pop("bids_dnn.ingest.ready.bold5000", None)
    take_inventory(tree)
    assert "bids_dnn.ingest.ready.bold5000" not in sys.modules


def test_ready_made_voxels_take_masks_surfaces_and_tasks_of_fmriprep(tmp_path, rng):
    tree = generation_tree(
        tmp_path / "data", rng, spaces=("T1w", "fsnative"), tasks=("loc",), n_runs=1
    )
    own = tree / "derivatives" / "rois"
    describe(own, "rois", made_by="hand")
    write_image(own / "sub-01" / "anat" / "sub-01_label-V1_mask.nii.gz", tiny_mask(), affine_of())
    home = tmp_path / "table"
    voxel_folder(home / "sub-01", rng)
    (home / "sub-01" / "responses.json").write_text('{"Space": "T1w"}')
    subject = (found := take_inventory(tree, ready=("table", home))).participants[0]
    assert ("V1", "T1w") in {(m.name, m.space) for m in subject.masks}
    assert subject.anatomy.surfaces["L_white"].name == "sub-01_hemi-L_white.surf.gii"
    assert subject.anatomy.transforms["fsnative->T1w"].exists()
    assert [(s.task, s.space) for s in found.all_tasks] == [("loc", "T1w")]


def test_spm_takes_surfaces_and_tasks_of_fmriprep(tmp_path, rng):
    tree = generation_tree(tmp_path / "data", rng, spaces=("T1w",), tasks=("loc",), n_runs=1)
    spm_folder(tmp_path / "spm" / "sub-01", rng)
    given = {"fmriprep": tree / "derivatives" / "fmriprep", "spm": tmp_path / "spm"}
    found = take_inventory(tree, derivatives=given, source="spm", space="T1w")
    (subject,) = found.participants
    assert subject.anatomy.freesurfer.name == "sub-01"
    assert [s.task for s in found.all_tasks] == ["loc"]
    elsewhere = take_inventory(tree, derivatives=given, source="spm", space="MNI152NLin6Asym")
    assert elsewhere.all_tasks == ()


def test_each_design_of_spm_is_a_task(tmp_path, rng):
    raw = tmp_path / "raw"
    describe(raw, "raw")
    (raw / "participants.tsv").write_text("participant_id\nsub-01\n")
    for design in ("faces", "words"):
        spm_folder(tmp_path / "spm" / "sub-01" / design, rng)
    given = {"spm": tmp_path / "spm" / "{participant}" / "{design}"}
    found = take_inventory(raw, derivatives=given, space="T1w")
    assert [(s.task, s.spm.parent.name) for s in found.participants] == [
        ("faces", "faces"),
        ("words", "words"),
    ]
    (one,) = take_inventory(raw, derivatives=given, space="T1w", task_id=["words"]).participants
    assert one.spm.parent.name == "words"


def test_responses_of_a_found_table_are_read(raw, table):
    from bids_dnn.ingest.ready import door

    subject = take_inventory(raw, ready=("table", table)).participants[0]
    found = door("table").read_responses(subject, standardize="none")
    values = np.load(table / "sub-a" / "responses.npy")
    assert found.responses.values.shape == values.shape
