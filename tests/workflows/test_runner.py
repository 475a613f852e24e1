"""workflows.runner: our settings, failures in words, no endless wait."""

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from nipype import Node, Workflow

from bids_dnn.errors import ConfigError, OutputError
from bids_dnn.workflows.plugin import read_plugin
from bids_dnn.workflows.resources import Resources
from bids_dnn.workflows.runner import Pool, begin_worker, run
from tests.factories import steps

RESOURCES = Resources(n_procs=2, n_threads=1, memory_gb=2.0)
LIAR = """
[execution]
plugin = Linear
stop_on_first_crash = true
crashfile_format = pklz
hash_method = timestamp
poll_sleep_duration = 60
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_text("a")
    return path


def flow_of(tmp_path, **nodes):
    flow = Workflow(name="flow", base_dir=str(tmp_path / "work"))
    flow.add_nodes([Node(made, name=name) for name, made in nodes.items()])
    return flow


def test_failures_are_named_and_the_others_finish(source, tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd" / "nipype.cfg").write_text(LIAR)
    monkeypatch.chdir(tmp_path / "cwd")
    flow = flow_of(
        tmp_path,
        copy=steps.Copy(source=source),
        refuse=steps.Refuse(source=source),
        broken=steps.Break(source=source),
    )
    seen = []
    failures = run(flow, resources=RESOURCES, status=lambda *told: seen.append(told))
    assert ("flow.copy", "end") in seen
    by_node = {failure.node: failure for failure in failures}
    assert set(by_node) == {"flow.refuse", "flow.broken"}
    assert by_node["flow.refuse"].message == "source.txt ends early. Copy it again."
    assert "ZeroDivisionError" in by_node["flow.broken"].message
    assert by_node["flow.broken"].crash_file.startswith(str(tmp_path / "work" / "crashes"))
    assert by_node["flow.broken"].crash_file.endswith(".txt")


def test_a_killed_worker_ends_the_run_in_words(source, tmp_path):
    flow = flow_of(tmp_path, die=steps.Die(source=source))
    (failure,) = run(flow, resources=RESOURCES, status=lambda *_: None)
    assert failure.node == "flow.die"
    assert "out of memory" in failure.message


def test_a_plugin_of_the_users(source, tmp_path):
    file = tmp_path / "plugin.yml"
    file.write_text("plugin: Linear\n")
    flow = flow_of(tmp_path, copy=steps.Copy(source=source))
    seen = []
    assert not run(
        flow, resources=RESOURCES, status=lambda *told: seen.append(told), plugin_file=file
    )
    assert seen == [("flow.copy", "start"), ("flow.copy", "end")]


def test_a_plugin_file_without_a_plugin(tmp_path):
    (tmp_path / "p.yml").write_text("n_procs: 2\n")
    with pytest.raises(ConfigError, match="names no plugin"):
        read_plugin(tmp_path / "p.yml")
    with pytest.raises(ConfigError, match="There is no file"):
        read_plugin(tmp_path / "none.yml")
    assert read_plugin(None) == ("MultiProc", {})


def test_loggers_of_nipype_are_given_back(source, tmp_path):
    before = logging.getLogger("nipype.workflow").level
    run(flow_of(tmp_path, copy=steps.Copy(source=source)), resources=RESOURCES, status=print)
    assert logging.getLogger("nipype.workflow").level == before


def test_workers_end_without_a_word_at_ctrl_c(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIPYPE_NO_ET", "1")
    before = signal.getsignal(signal.SIGINT)
    try:
        begin_worker(str(tmp_path))
        with pytest.raises(SystemExit, match="130"):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


LONG_RUN = """
import sys
from pathlib import Path
from nipype import Node, Workflow
from bids_dnn.workflows.resources import Resources
from bids_dnn.workflows.runner import run
from tests.factories import steps

if __name__ == "__main__":
    flow = Workflow(name="flow", base_dir=str(Path(sys.argv[1]).parent / "work"))
    flow.add_nodes([Node(steps.Linger(source=Path(sys.argv[1])), name="linger")])
    run(flow, resources=Resources(1, 1, 2.0), status=lambda *_: None)
"""


def until(condition, patience_s=60):
    end = time.monotonic() + patience_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def is_gone(pid):
    stat = Path(f"/proc/{pid}/stat")
    return not stat.is_file() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processes are not told")
def test_no_worker_outlives_a_run_that_was_killed(tmp_path):
    script, source = tmp_path / "run.py", tmp_path / "source.txt"
    script.write_text(LONG_RUN)
    source.touch()
    home = str(Path(__file__).parents[2])
    running = subprocess.Popen(
        [sys.executable, script, source], env={**os.environ, "PYTHONPATH": home}, cwd=tmp_path
    )
    try:
        assert until(source.read_text)
        worker = int(source.read_text())
        assert not is_gone(worker)
    finally:
        running.kill()
        running.wait()
    try:
        assert until(lambda: is_gone(worker), patience_s=20)
    finally:
        if not is_gone(worker):
            os.kill(worker, signal.SIGKILL)


def test_a_full_work_directory_ends_the_run_in_words(source, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    flow = flow_of(tmp_path, only=steps.Copy(source=source))
    monkeypatch.setattr(flow, "run", full)
    with pytest.raises(OutputError, match=r"work cannot be written: No space.*Free some space"):
        run(flow, resources=RESOURCES, status=lambda *_: None)


def test_a_worker_that_cannot_even_tell_of_its_error_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pool = Pool({"n_procs": 1, "mp_context": "forkserver", "raise_insufficient": False})
    future = Future()
    future.set_exception(FileNotFoundError("no room for result.pklz"))
    pool._task_obj[3] = future
    pool._async_callback(future)
    assert "no room for result.pklz" in pool._taskresult[3]["traceback"][-1]
    pool.pool.shutdown()
