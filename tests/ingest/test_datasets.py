"""ingest.datasets: what a derivative data set is called."""

import pytest

from bids_dnn.errors import UnreadableError
from bids_dnn.ingest.datasets import find_derivatives, name_of, read_description
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
