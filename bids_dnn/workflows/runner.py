"""Run a graph with our settings, show how far it is, and name what failed."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from nipype import Workflow
from nipype.pipeline.plugins.multiproc import MultiProcPlugin, process_initializer

from bids_dnn import backend
from bids_dnn.errors import UnreadableError
from bids_dnn.files import explain, read_json
from bids_dnn.workflows.failure import Failure
from bids_dnn.workflows.interfaces import ERROR_FILE
from bids_dnn.workflows.plugin import read_plugin
from bids_dnn.workflows.resources import Resources
from bids_dnn.workflows.settings import announce, apply_settings

Status = Callable[[str, str], None]
PRELOAD = "bids_dnn.workflows.interfaces"
KILLED = "A worker process was killed, most likely because the machine ran out of memory."


class Pool(MultiProcPlugin):
    """nipype's pool of processes, which does not wait forever for a worker that failed.

    Its workers end without a word at Ctrl-C, which the terminal sends to all processes, and
    when the run is killed.
    """

    def __init__(self, plugin_args: dict[str, Any] | None = None) -> None:
        super().__init__(plugin_args=plugin_args)
        self.pool = ProcessPoolExecutor(  # in place of one that has no process yet
            max_workers=self.processors,
            initializer=begin_worker,
            initargs=(str(Path.cwd()),),
            mp_context=backend.workers(self.plugin_args.get("mp_context", "forkserver")),
        )

    def _async_callback(self, args: Future[dict[str, Any]]) -> None:
        error = args.exception()
        if error is None:
            super()._async_callback(args)
            return
        was_killed = isinstance(error, BrokenProcessPool)
        told = [KILLED] if was_killed else traceback.format_exception(error)
        for taskid, task in list(self._task_obj.items()):
            if task is args:
                self._taskresult[taskid] = {"result": None, "traceback": told, "taskid": taskid}


def begin_worker(folder: str) -> None:
    """Prepare a worker: nipype's own settings, and an end at Ctrl-C and with the run itself."""
    process_initializer(folder)
    signal.signal(signal.SIGINT, _leave)
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End when the parent is gone, however it ended: a killed one cannot say so."""
    wait([sentinel])
    os._exit(1)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def run(
    flow: Workflow,
    *,
    resources: Resources,
    status: Status,
    plugin_file: Path | None = None,
    stop_on_first_crash: bool = False,
) -> list[Failure]:
    """Run every node of a graph; a failed node does not stop those that do not need it.

    Parameters
    ----------
    flow
        With its ``base_dir`` set.
    resources
        Processes and memory.
    status
        Called with a node's full name and ``start``, ``end`` or ``exception``.
    plugin_file
        YAML or JSON: ``plugin`` and ``plugin_args`` of another nipype plugin.
    stop_on_first_crash
        Leave at the first failure.

    Returns
    -------
    failures
        Empty where all went well.

    Raises
    ------
    ConfigError
        If `plugin_file` names no plugin.
    OutputError
        If the disk of the work directory is full.
    """
    work_dir = Path(flow.base_dir)
    announce(work_dir, stop_on_first_crash=stop_on_first_crash)
    apply_settings()
    multiprocessing.set_forkserver_preload([PRELOAD])  # workers start with all imports done
    flow.config = {}  # whatever a nipype.cfg said: ours are in nipype's own config
    failed: list[Any] = []

    def told(node: Any, state: str) -> None:
        if state == "exception":
            failed.append(node)
        status(node.fullname, state)

    arguments = {
        "n_procs": resources.n_procs,
        "memory_gb": resources.memory_gb,
        "raise_insufficient": False,
        "mp_context": "forkserver",
        "status_callback": told,
    }
    plugin: Any
    name, more = read_plugin(plugin_file)
    arguments |= more
    plugin = Pool(plugin_args=arguments) if name == "MultiProc" else name
    with quiet_nipype():
        try:
            flow.run(plugin=plugin, plugin_args=arguments)
        except RuntimeError:
            if not failed:
                raise
        except OSError as err:  # nipype cannot write its own files, of crashes for one
            raise explain(err, work_dir) from err
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():  # a step may take hours
                worker.terminate()
            raise
    return [_failure(node, work_dir) for node in failed]


@contextmanager
def quiet_nipype() -> Iterator[None]:
    """Keep nipype's own lines for -vv: what matters of them is said in our words."""
    names = ("nipype.workflow", "nipype.interface", "nipype.utils", "nipype")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _failure(node: Any, work_dir: Path) -> Failure:
    folder = Path(node.output_dir())
    said = folder / ERROR_FILE
    if said.is_file():
        try:
            told = read_json(said)
        except ValueError as err:
            raise UnreadableError(f"{said} is not JSON.", mend=f"Remove {folder}.") from err
        return Failure(node.fullname, f"{told['what']} {told['mend']}", "")
    crashes = sorted((work_dir / "crashes").glob(f"crash-*-{node.name}-*.txt"))
    texts = {path: path.read_text(errors="replace") for path in crashes}
    mine = [path for path, text in texts.items() if node.fullname in text]
    if not mine or KILLED in texts[mine[-1]]:
        return Failure(node.fullname, f"{KILLED} Type a smaller --nprocs, or give more --mem.", "")
    if os.strerror(errno.ENOSPC) in texts[mine[-1]]:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return Failure(node.fullname, str(explain(full, work_dir)), "")
    lines = texts[mine[-1]].strip().splitlines()
    return Failure(node.fullname, lines[-1].strip(), str(mine[-1]))
