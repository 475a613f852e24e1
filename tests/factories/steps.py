"""Small steps, wrapped where a worker process finds them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from threadpoolctl import threadpool_info

from bids_dnn.errors import UnreadableError
from bids_dnn.workflows.interfaces import wrap


def copy_step(source: Path, *, times: int = 1, out_dir: Path) -> Path:
    """Write the source's text some times over."""
    target = out_dir / "copy.txt"
    target.write_text(source.read_text() * times)
    return target


def join_step(sources: list[Path], *, out_dir: Path) -> Path:
    """Write the sources one after the other."""
    target = out_dir / "joined.txt"
    target.write_text("".join(path.read_text() for path in sources))
    return target


def threads_step(*, out_dir: Path) -> Path:
    """Write how many threads BLAS would use."""
    import numpy as np

    _ = np.ones((2, 2)) @ np.ones((2, 2))
    target = out_dir / "threads.txt"
    target.write_text(str(max(pool["num_threads"] for pool in threadpool_info())))
    return target


def refuse_step(source: Path) -> Path:
    """Refuse, as a reader would."""
    raise UnreadableError(f"{source.name} ends early.", mend="Copy it again.")


def break_step(source: Path) -> Path:
    """Fail as a bug would."""
    return source / str(1 // 0)


def die_step(source: Path) -> Path:
    """Die as a process dies that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return source


def linger_step(source: Path) -> Path:
    """Write our process number into the source, then work for long."""
    aside = source.with_suffix(".aside")
    aside.write_text(str(os.getpid()))
    aside.replace(source)
    time.sleep(600)
    return source


Copy = wrap(copy_step, "Copy", module=__name__)
Join = wrap(join_step, "Join", module=__name__)
Threads = wrap(threads_step, "Threads", module=__name__)
Refuse = wrap(refuse_step, "Refuse", module=__name__)
Break = wrap(break_step, "Break", module=__name__)
Die = wrap(die_step, "Die", module=__name__)
Linger = wrap(linger_step, "Linger", module=__name__)
