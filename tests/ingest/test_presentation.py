"""ingest.presentation: logs of Presentation become events, in each mode; refusals."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bids_dnn.cli.tools import main
from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError, UnreadableError
from bids_dnn.ingest.presentation import Timing, events_of, read_log

HEAD = "Scenario - faces\nLogfile written - 03/01/2019 10:00:00\n\n"
COLUMNS = "Subject\tEvent Type\tTrial\tTime\tCode\tDuration\tcategory(str)\torientation(str)\n\n"
START = 123_456  # tenths of ms, of the first pulse in a trial


def row(kind, trial, time_s, *, code="", duration_s=None, category="", orientation=""):
    time = START + round(time_s * 1e4)
    duration = "" if duration_s is None else str(round(duration_s * 1e4))
    return f"s1\t{kind}\t{trial}\t{time}\t{code}\t{duration}\t{category}\t{orientation}\n"


def write_log(path, *, types=("female", "female", "rest", "car", "car", "male"), trial_s=1.5):
    lines = [row("Pulse", 0, -4.0), row("Picture", 0, -3.0, code="p", category="practice")]
    lines += [row("Pulse", 1, 0.0)]
    time = 2.0
    for i, kind in enumerate(types):
        name = f"faces\\{kind}{i}.png"
        told = {"code": name, "duration_s": 0.05, "category": kind, "orientation": "normal"}
        lines.append(row("Picture", i + 1, time, **told))
        lines.append(row("Pulse", i + 1, time + 0.5))
        lines.append(row("Response", i + 1, time + 0.7, code="1"))
        time += 20.0 if kind == "rest" else trial_s
    lines.append(row("Picture", 99, time, code="end", category="end_block"))
    tail = "\nEvent Type\tCode\tType\nPicture\tx\tother\n"  # the table of stimuli
    path.write_text(HEAD + COLUMNS + "".join(lines) + tail)
    return path


@pytest.fixture
def log(tmp_path):
    return write_log(tmp_path / "run1.log")


def test_times_count_from_the_first_pulse_of_the_run(log):
    table = read_log(log)
    shown = table[table["Event Type"] == "Picture"]
    np.testing.assert_allclose(shown["time_s"].iloc[1], 2.0)
    assert "other" not in set(table["Code"])


@pytest.mark.parametrize(("mode", "duration"), [("stimulus", 0.05), ("trial", 1.5)])
def test_each_picture_is_an_event(log, mode, duration):
    events = events_of(read_log(log), Timing(mode=mode))
    assert events["trial_type"].tolist() == ["female", "female", "rest", "car", "car", "male"]
    np.testing.assert_allclose(events["onset"], [2, 3.5, 5, 25, 26.5, 28])
    np.testing.assert_allclose(events["duration"], [duration, duration, 20, *[duration] * 3])
    assert events["orientation"].unique().tolist() == ["normal"]
    assert events["stim_file"].iloc[0] == "female0.png"


def test_blocks_join_what_follows_one_another(log):
    events = events_of(read_log(log), Timing(mode="block"))
    assert events["trial_type"].tolist() == ["female", "rest", "car", "male"]
    np.testing.assert_allclose(events["onset"], [2, 5, 25, 28])
    np.testing.assert_allclose(events["duration"], [3, 20, 3, 1.5])


def test_cycles_have_names_of_their_own(tmp_path):
    log = write_log(tmp_path / "a.log", types=("car", "rest", "car", "rest", "male"))
    events = events_of(read_log(log), Timing(mode="cycle"), run="2")
    assert events["trial_type"].tolist() == [
        "car_run2_1",
        "rest",
        "car_run2_2",
        "rest",
        "male_run2_1",
    ]


def test_types_are_relabeled_to_one_level(log):
    relabel = {"female": "face", "male": "face", "car": "vehicle"}
    events = events_of(read_log(log), Timing(relabel=relabel))
    assert set(events["trial_type"]) == {"face", "vehicle", "rest"}
    with pytest.raises(ConfigError, match="makes face, but leaves car"):
        events_of(read_log(log), Timing(relabel={"female": "face", "male": "face"}))
    with pytest.raises(ConfigError, match=r"'femal' is not in the log.*'female'"):
        events_of(read_log(log), Timing(relabel={"femal": "face"}))
    with pytest.raises(ConfigError, match=r"'bus' is not among"):
        events_of(read_log(log), Timing(conditions=("bus",)))
    with pytest.raises(NotEnoughDataError, match=r"1 condition\(s\) besides 'rest': car"):
        events_of(read_log(log), Timing(conditions=("car",)))
    with pytest.raises(ConfigError, match="'trail'"):
        events_of(read_log(log), Timing(mode="trail"))


def test_what_is_no_log_is_refused(tmp_path, log):
    with pytest.raises(MissingInputError, match="does not exist"):
        read_log(tmp_path / "no.log")
    other = tmp_path / "b.log"
    other.write_text("a\tb\n1\t2\n")
    with pytest.raises(UnreadableError, match="no table with the column 'Event Type'"):
        read_log(other)
    other.write_text(HEAD + "Subject\tEvent Type\tTime\n")
    with pytest.raises(UnreadableError, match="lacks the columns Trial, Code"):
        read_log(other)
    other.write_text(log.read_text().replace("Pulse", "Plse"))
    with pytest.raises(UnreadableError, match="no scanner pulse"):
        read_log(other)
    other.write_text(HEAD + COLUMNS + "s1\tPulse\t1\t12\t\ns1\tPicture\t1\tabc\tx\n")
    with pytest.raises(UnreadableError, match="1 times that are no numbers, such as 'abc'"):
        read_log(other)


def test_logs_of_utf16_are_read(tmp_path, log):
    other = tmp_path / "wide.log"
    other.write_bytes(log.read_text().encode("utf-16"))
    pd.testing.assert_frame_equal(read_log(other), read_log(log))


def test_the_tool_writes_a_table_for_each_run_or_one_for_all(tmp_path):
    logs = [str(write_log(tmp_path / f"{i}.log")) for i in (1, 2)]
    relabel = ["--relabel", "female=face", "--relabel", "male=face", "--relabel", "car=vehicle"]
    out = tmp_path / "sub-01_task-x_run-{run}_events.tsv"
    said = CliRunner().invoke(main, ["events", *logs, "--out", str(out), *relabel])
    assert said.exit_code == 0
    table = pd.read_csv(tmp_path / "sub-01_task-x_run-02_events.tsv", sep="\t")
    assert list(table.columns)[:3] == ["onset", "duration", "trial_type"]
    both = tmp_path / "events.tsv"
    assert CliRunner().invoke(main, ["events", *logs, "--out", str(both)]).exit_code == 0
    assert pd.read_csv(both, sep="\t")["run"].unique().tolist() == [1, 2]


def test_a_refused_log_leaves_nothing(tmp_path, log):
    bad = tmp_path / "bad.log"
    bad.write_text("nothing")
    out = tmp_path / "out" / "events.tsv"
    said = CliRunner().invoke(main, ["events", str(log), str(bad), "--out", str(out)])
    assert said.exit_code == 2
    assert "no table with the column 'Event Type'" in said.output
    assert not out.parent.exists()
