"""ingest.events: rows of the events become rows of samples."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.ingest.events import (
    condition_table,
    covering,
    number_repeats,
    numeric_columns,
    read_events,
    sample_table,
)


def write(path, text):
    path.write_text(text.replace(" ", "\t"))
    return path


def test_events_are_sorted_and_incomplete_ones_left_out(tmp_path):
    path = write(
        tmp_path / "e.tsv",
        "onset duration trial_type stim_file\n5 1 face a.png\n1 n/a house n/a\n3 1 n/a b.png\n",
    )
    events, n_untyped = read_events(path)
    assert n_untyped == 1
    assert events["trial_type"].tolist() == ["house", "face"]
    assert events["duration"].tolist() == [0.0, 1.0]
    samples = sample_table(events, session="a", run="ax01")
    assert samples["stimulus"].tolist() == ["", "a.png"]
    assert samples["condition"].tolist() == ["house", "face"]
    assert set(samples["run"]) == {"ax01"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("face/01.png", "face/01.png"),
        ("./face/01.png", "face/01.png"),
        ("face\\01.png", "face/01.png"),
        ("stimuli/face/01.png", "face/01.png"),
        ("n/a", ""),
        ("", ""),
    ],
)
def test_stimulus_is_a_path_below_stimuli(value, expected):
    events = pd.DataFrame(
        {"onset": [0.0], "duration": [1.0], "trial_type": ["x"], "stim_file": [value]}
    )
    assert sample_table(events, session="", run="01").loc[0, "stimulus"] == expected


@pytest.mark.parametrize("value", ["/data/x.png", "../x.png", "a/../../x.png", "C:/x.png"])
def test_stimulus_outside_is_refused(value):
    events = pd.DataFrame(
        {"onset": [0.0], "duration": [1.0], "trial_type": ["x"], "stim_file": [value]}
    )
    with pytest.raises(UnreadableError, match=r"lies outside stimuli/"):
        sample_table(events, session="", run="01")


def test_stim_id_is_taken_where_there_is_no_file():
    events = pd.DataFrame(
        {"onset": [0.0], "duration": [1.0], "trial_type": ["x"], "stim_id": ["stim-cat1"]}
    )
    assert sample_table(events, session="", run="01").loc[0, "stimulus"] == "stim-cat1"


def test_repeats_are_counted_over_runs_by_showing():
    samples = pd.DataFrame(
        {
            "stimulus": ["a", "a", "b", "", "a", ""],
            "run": ["01", "01", "01", "01", "02", "02"],
            "trial": [0, 0, 1, 2, 0, 1],  # the first two are volumes of one block
        }
    )
    assert number_repeats(samples)["repeat"].tolist() == [0, 0, 0, 0, 1, 0]


def test_missing_column_is_named_with_those_there(tmp_path):
    path = write(tmp_path / "e.tsv", "onset duration trialtype\n1 1 face\n")
    expected = r"no column 'trial_type'; there are: onset, duration, trialtype\. Did you mean"
    with pytest.raises(MissingInputError, match=expected):
        read_events(path)


def test_damaged_events_are_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"do not exist"):
        read_events(tmp_path / "absent.tsv")
    with pytest.raises(UnreadableError, match=r"no tab-separated table"):
        read_events(write(tmp_path / "empty.tsv", ""))
    path = write(tmp_path / "e.tsv", "onset duration trial_type\nsoon 1 face\n")
    with pytest.raises(UnreadableError, match=r"the onset 'soon'"):
        read_events(path)
    path = write(tmp_path / "e.tsv", "onset duration trial_type\n1 -1.5 face\n")
    with pytest.raises(UnreadableError, match=r"e\.tsv has the duration -1\.5 s.*negative"):
        read_events(path)


def test_covering_takes_the_start_and_not_the_end():
    table = pd.DataFrame({"onset_s": [1.0, 2.0, 5.0], "duration_s": [2.0, 1.0, 0.0]})
    times = np.array([0.9, 1.0, 1.9, 2.0, 2.9, 3.0, 5.0])
    assert covering(times, table).tolist() == [-1, 0, 0, 1, 1, -1, -1]


def test_numbers_beside_the_times_are_kept(tmp_path):
    path = write(
        tmp_path / "e.tsv",
        "onset duration trial_type stim_file response_time luminance answer trial dead odd\n"
        "0 1 face a.png 0.5 12 yes 7 n/a 1\n3 1 face a.png n/a 13 no 8 n/a inf\n",
    )
    events, _ = read_events(path)
    assert numeric_columns(events) == {
        "response_time": "response_time",
        "luminance": "luminance",
        "trial": "event_trial",
    }
    samples = sample_table(events, session="", run="01")
    np.testing.assert_array_equal(samples["response_time"], [0.5, np.nan])
    assert samples["event_trial"].tolist() == [7.0, 8.0]
    assert samples["trial"].tolist() == [0, 1]
    assert samples["answer"].tolist() == ["yes", "no"]
    assert not {"dead", "odd", "stim_file"} & set(samples)


def test_conditions_take_means_of_their_events():
    trials = pd.DataFrame(
        {
            "stimulus": ["a", "a", "b", "c"],
            "condition": ["x", "x", "y", "y"],
            "run": ["s1x01", "s1x02", "s1x01", "s1x02"],
            "session": "s1",
            "repeat": 0,
            "trial": [0, 0, 1, 1],
            "onset_s": [4.0, 2.0, 8.0, 9.0],
            "duration_s": [1.0, 3.0, 2.0, 2.0],
            "rt": [0.5, np.nan, 1.0, 2.0],
        }
    )
    made = condition_table(trials, names=("x", "y"), run="s1")
    assert made["stimulus"].tolist() == ["a", ""]
    assert made["run"].tolist() == ["s1", "s1"]
    assert made["session"].tolist() == ["s1", "s1"]
    assert made["trial"].tolist() == [0, 1]
    assert made["onset_s"].tolist() == [2.0, 8.0]
    assert made["duration_s"].tolist() == [2.0, 2.0]
    assert made["rt"].tolist() == [0.5, 1.5]
    assert made["n_events"].tolist() == [2, 2]


def test_columns_of_text_are_kept(tmp_path):
    path = tmp_path / "sub-01_task-x_events.tsv"
    path.write_text(
        "onset\tduration\ttrial_type\tposition\trun\tempty\n"
        "0\t1\tcat\tleft\tfirst\tn/a\n2\t1\tcat\tright\tfirst\tn/a\n4\t1\tdog\tn/a\tfirst\tn/a\n"
    )
    events, _ = read_events(path)
    table = sample_table(events, session="", run="01")
    assert table["position"].tolist() == ["left", "right", ""]
    assert table["event_run"].tolist() == ["first"] * 3
    assert "empty" not in table
    made = condition_table(table, names=["cat", "dog"], run="01")
    assert made["position"].tolist() == ["", ""]
    assert made["event_run"].tolist() == ["first", "first"]
