"""ingest.datasets: what a derivative data set is called."""

import pytest

from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError
from bids_dnn.ingest.datasets import (
    find_derivatives,
    name_of,
    read_description,
    ready_kind,
)
from tests.factories.trees import describe, write_json


@pytest.mark.parametrize(
    ("made_by", "expected"),
    [
        ("fMRIPrep", "fmriprep"),
        ("SPM12", "spm"),
        ("wrapped-spm first level", "spm"),
        ("crispmaker", "folder"),
        ("fMRIPost-AROMA", "folder"),
        ("bids_dnn", "bids_dnn"),
        ("GLMsingle", "glmsingle"),
    ],
)
def test_name_comes_from_generated_by(tmp_path, made_by, expected):
    describe(tmp_path / "folder", "x", made_by=made_by)
    assert name_of(tmp_path / "folder") == expected


def test_old_descriptions_are_understood(tmp_path):
    write_json(
        tmp_path / "prep" / "dataset_description.json",
        {"Name": "x", "PipelineDescription": {"Name": "fMRIPrep"}},
    )
    assert name_of(tmp_path / "prep") == "fmriprep"
    assert name_of(tmp_path) is None


def test_folders_without_description_are_noted(tmp_path):
    describe(tmp_path / "derivatives" / "fmriprep", "x", made_by="fMRIPrep")
    (tmp_path / "derivatives" / "notes").mkdir()
    found, notes = find_derivatives(tmp_path, {})
    assert found == {"fmriprep": tmp_path / "derivatives" / "fmriprep"}
    assert notes == ["derivatives/notes was left out: no dataset_description.json."]


def test_a_description_must_be_an_object(tmp_path):
    write_json(tmp_path / "dataset_description.json", ["Name"])
    with pytest.raises(UnreadableError, match=r"holds list, a JSON object was expected"):
        read_description(tmp_path)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ({"Responses": "nsd"}, "nsd"),
        ({"Responses": "NSD", "GeneratedBy": [{"Name": "table"}]}, "nsd"),
        ({"GeneratedBy": [{"Name": "x"}, {"Name": "GLMsingle"}]}, "glmsingle"),
        ({"GeneratedBy": {"Name": "vim1"}}, "vim1"),
        ({"GeneratedBy": [{"Name": "fMRIPrep"}]}, None),
        ({}, None),
    ],
)
def test_a_data_set_says_which_responses_it_holds(tmp_path, description, expected):
    write_json(tmp_path / "dataset_description.json", {"Name": "x"} | description)
    assert ready_kind(tmp_path) == expected


def test_a_kind_that_does_not_exist_is_refused(tmp_path):
    write_json(tmp_path / "dataset_description.json", {"Responses": 3})
    with pytest.raises(
        ConfigError, match=r"says Responses: 3, which is no kind.*There are: algon"
    ):
        ready_kind(tmp_path)
    assert ready_kind(tmp_path / "nowhere") is None


def test_freesurfer_beside_fmriprep_needs_no_note(tmp_path):
    describe(tmp_path / "derivatives" / "fmriprep", "x", made_by="fMRIPrep")
    (tmp_path / "derivatives" / "freesurfer" / "sub-01" / "surf").mkdir(parents=True)
    assert find_derivatives(tmp_path, {})[1] == []


def test_outer_folder_of_the_legacy_layout_is_taken(tmp_path):
    describe(tmp_path / "out" / "fmriprep", "x", made_by="fMRIPrep")
    found, _ = find_derivatives(tmp_path, {"fmriprep": tmp_path / "out"})
    assert found == {"fmriprep": tmp_path / "out" / "fmriprep"}


def test_nothing_is_needed_where_responses_are_ready_made(tmp_path):
    assert find_derivatives(tmp_path, {}, is_needed=False) == ({}, [])
    with pytest.raises(MissingInputError, match=r"No derivatives.*--responses KIND=PATH"):
        find_derivatives(tmp_path, {})
