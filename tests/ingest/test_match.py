"""ingest.match: inheritance, filters, labels."""

from pathlib import Path

import pytest

from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError
from bids_dnn.ingest.match import (
    Found,
    bare,
    inherited,
    keep,
    labels,
    place,
    read_filters,
    require_labels,
)
from tests.factories.trees import write_json


def found(name, **entities):
    return Found(Path(name), {k: str(v) for k, v in entities.items()})


BOLD = {"subject": "01", "session": "a", "task": "x", "run": "02", "suffix": "bold"}


def test_inheritance_goes_from_general_to_special():
    files = [
        found(
            "sub-01_ses-a_task-x_run-2_events.tsv", subject="01", session="a", task="x", run="2"
        ),
        found("events.tsv"),
        found("ses-a_task-x_events.tsv", session="a", task="x"),
        found("task-y_events.tsv", task="y"),
        found("sub-02_task-x_events.tsv", subject="02", task="x"),
    ]
    names = [f.path.name for f in inherited(files, BOLD)]
    assert names == [
        "events.tsv",
        "ses-a_task-x_events.tsv",
        "sub-01_ses-a_task-x_run-2_events.tsv",
    ]


def test_order_of_candidates_does_not_matter():
    files = [found("a", task="x"), found("b", task="x", run="02"), found("c", subject="01")]
    assert inherited(files, BOLD) == inherited(files[::-1], BOLD)


def test_place_leaves_kind_and_what_is_told_to():
    assert place({**BOLD, "space": "T1w"}, without=("space", "session")) == {
        "subject": "01",
        "task": "x",
        "run": "2",
    }


def test_filters_are_read_as_fmriprep_writes_them(tmp_path):
    path = write_json(
        tmp_path / "f.json",
        {"bold": {"session": ["a", "b"], "run": 1, "resolution": "2", "acquisition": None}},
    )
    assert read_filters(path) == {
        "bold": {
            "session": ("a", "b"),
            "run": ("1",),
            "res": ("2",),
            "acquisition": ("Query.NONE",),
        }
    }
    assert read_filters(None) == {}


def test_keep_follows_labels_absence_and_presence():
    files = [found("a", run="01"), found("b", run="2", acquisition="x"), found("c")]
    assert [f.path.name for f in keep(files, {"run": ("1",)})] == ["a"]
    assert [f.path.name for f in keep(files, {"run": ("Query.NONE",)})] == ["c"]
    assert [f.path.name for f in keep(files, {"acquisition": ("Query.ANY",)})] == ["b"]
    assert keep([found("a", extension=".nii")], {"extension": ("nii",)})
    assert labels(files, "run") == ("01", "2")


def test_wrong_filters_are_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"no such file"):
        read_filters(tmp_path / "absent.json")
    path = tmp_path / "f.json"
    path.write_text("{")
    with pytest.raises(UnreadableError, match=r"is no JSON"):
        read_filters(path)
    write_json(path, {"bold": ["session"]})
    with pytest.raises(UnreadableError, match=r"object of objects"):
        read_filters(path)
    write_json(path, {"bold": {"sessio": "a"}})
    with pytest.raises(ConfigError, match=r"'sessio'.*Did you mean 'session'"):
        read_filters(path)


def test_prefixes_fall_and_doubles_too():
    assert bare(["ses-a", "a", "b"], "ses-") == ("a", "b")
    assert bare(None, "ses-") == ()


def test_a_label_that_is_not_there_is_refused():
    require_labels(["a"], ["a", "b"], what="session", option="--session-label")
    with pytest.raises(MissingInputError, match=r"no session 'c'.*a, b.*--session-label"):
        require_labels(["c"], ["a", "b"], what="session", option="--session-label")
