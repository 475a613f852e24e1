"""workflows.progress: how far a worker is, as the terminal tells it."""

import io
import time

import pytest
from rich.console import Console

from bids_dnn.files import read_json
from bids_dnn.workflows import graph
from bids_dnn.workflows import screen as screens
from bids_dnn.workflows.progress import Ticker, Tickers, clock, read_tick
from bids_dnn.workflows.resources import Resources
from bids_dnn.workflows.screen import Screen
from bids_dnn.workflows.stage import Stages


def test_a_tick_says_how_many_how_fast_and_how_long(tmp_path):
    path = tmp_path / "new" / "net.json"
    path.parent.mkdir()
    path.write_text('{"done": 30, "total": 120, "seconds": 3.0, "noun": "images"}')
    assert read_tick(path).text() == "30 of 120 images, 10.0 a second, 0:09 left"


def test_a_ticker_writes_the_last_one_and_takes_its_file_along(tmp_path):
    path = tmp_path / "new" / "net.json"
    tick = Ticker(path, "images")
    tick(5, 5)
    told = read_json(path)
    assert (told["done"], told["total"]) == (5, 5)
    tick.close()
    assert read_tick(path) is None


def test_a_step_of_several_parts_counts_one_after_another(tmp_path):
    path = tmp_path / "new" / "group.json"
    ticks = Tickers(path)
    ticks("flips of a")(3, 9)
    assert read_tick(path).noun == "flips of a"
    ticks("units of b")(1, 5)  # another count, and its own time
    found = read_tick(path)
    assert (found.done, found.total, found.noun) == (1, 5, "units of b")
    ticks.close()
    assert not path.exists()


def test_a_step_that_nobody_watches_writes_nothing(tmp_path):
    ticks = Tickers(None)
    ticks("flips")(1, 2)
    ticks.close()
    assert list(tmp_path.iterdir()) == []


def test_bars_of_independent_steps_read_what_these_tell(tmp_path, monkeypatch):
    seen = {}
    stages = Stages(tmp_path, Resources(1, 1, 1.0), None, None)
    monkeypatch.setattr(graph, "init_single_wf", lambda *_, **__: "flow")
    monkeypatch.setattr(
        Stages, "_run", lambda _, flow, totals, ticks: seen.update(ticks) or [flow, totals]
    )
    told = {"a": {"progress": str(tmp_path / "a.json")}, "b": {}}
    assert stages.independent("group", "TestGroup", told) == ["flow", {"a": 1, "b": 1}]
    assert seen == {"a": tmp_path / "a.json"}


def test_a_ticker_writes_at_most_twice_a_second(tmp_path):
    tick = Ticker(tmp_path / "net.json", "images")
    for done in range(1, 50):
        tick(done, 1000)
    assert read_json(tmp_path / "net.json")["done"] == 1


@pytest.mark.parametrize("text", ['{"done": 3', '{"done": 3}', "[]"])
def test_a_file_that_is_cut_short_says_nothing(tmp_path, text):
    (tmp_path / "net.json").write_text(text)
    assert read_tick(tmp_path / "net.json") is None


def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "net.json"
    Ticker(path, "images")(1, 1)
    assert read_tick(path) is None


def test_times_of_an_hour_and_more_are_told_in_hours():
    assert [clock(s) for s in (0, 59.6, 3599, 7260)] == ["0:00", "1:00", "59:59", "2 h 01 min"]


def test_without_a_terminal_long_steps_are_told_in_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(screens, "LINE_S", 0.0)
    monkeypatch.setattr(screens, "EVERY_S", 0.01)
    path = tmp_path / "net.json"
    path.write_text('{"done": 1, "total": 4, "seconds": 1.0, "noun": "images"}')
    screen = Screen(0)
    screen.console = Console(file=io.StringIO(), force_terminal=False)
    until = time.monotonic() + 5
    with screen.bars({"features_net": 1}, {"features_net": path}):
        while not (said := screen.console.file.getvalue()) and time.monotonic() < until:
            time.sleep(0.01)
    assert "features_net: 1 of 4 images, 1.0 a second, 0:03 left" in said


def test_a_bar_moves_while_its_step_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(screens, "EVERY_S", 0.01)
    path = tmp_path / "net.json"
    path.write_text('{"done": 1, "total": 4, "seconds": 1.0, "noun": "images"}')
    screen = Screen(0)
    screen.console = Console(file=io.StringIO(), force_terminal=True, width=120)
    until = time.monotonic() + 5
    with screen.bars({"features_net": 2}, {"features_net": path}) as bars:
        bars.status("run.features_net.first", "end")
        task = bars._progress.tasks[0]
        while task.completed != 1.25 and time.monotonic() < until:
            time.sleep(0.01)
        assert (task.completed, task.total) == (1.25, 2)
        bars._progress.refresh()
        path.unlink()
        bars.status("run.features_net.second", "end")
        assert task.completed == 2
    assert "1 of 4 images, 1.0 a second, 0:03 left" in screen.console.file.getvalue()
