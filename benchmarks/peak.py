"""The most memory that a call takes, measured in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
PEAK = Path("/proc/self/clear_refs")
FORGET = "5"  # the peak begins anew, from what is resident


def peak_of(function: str, **given: Any) -> tuple[Any, float]:
    """Call a function in a new process, and return its answer and the peak of resident memory.

    The peak is that of the whole process, with Python, torch and all data: ``VmHWM`` of Linux,
    which begins anew with the process. Pages of files that the system caches are not in it.

    Parameters
    ----------
    function
        ``module:name``.
    given
        Its arguments, as JSON can hold them; so must its answer be.

    Returns
    -------
    answer
    peak : float, bytes

    Raises
    ------
    ChildProcessError
        If the call fails, with what it said.
    """
    done = subprocess.run(  # noqa: S603 our own interpreter and module
        [sys.executable, "-m", "benchmarks.peak", function, json.dumps(given)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildProcessError(f"{function} failed: {done.stderr[-2000:]}")
    answer, peak = json.loads(done.stdout.splitlines()[-1])
    return answer, float(peak)


def peak_so_far() -> int:
    """Return the most memory that this process took until now, in bytes."""
    if STATUS.is_file():
        return _of_status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def begin_peak() -> int:
    """Let the peak begin anew, and return what is resident now, in bytes.

    Where the system cannot forget the peak, that of before counts still: what is then taken
    beyond the resident memory is rather too much than too little.
    """
    with suppress(OSError):
        PEAK.write_text(FORGET)
    return _of_status("VmRSS") if STATUS.is_file() else peak_so_far()


def _of_status(name: str) -> int:
    line = next(text for text in STATUS.read_text().splitlines() if text.startswith(name))
    return 1024 * int(line.split()[1])


def main() -> None:
    """Call what the command line names, and print its answer and the peak."""
    module, _, name = sys.argv[1].partition(":")
    answer = getattr(import_module(module), name)(**json.loads(sys.argv[2]))
    sys.stdout.write("\n" + json.dumps([answer, peak_so_far()]) + "\n")


if __name__ == "__main__":
    main()
