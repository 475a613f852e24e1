"""Features of all stimuli on disk: rows are written as they come, columns are read in tiles."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.backend import cores
from bids_dnn.errors import OutputError, ShapeError, UnreadableError

Array = NDArray[np.float32]
WRITERS = 4
MOST_PIECES = 512  # of one call; systems take 1024


class Scratch:
    """One layer's features in a file that has no name, so that nothing can leave it behind.

    The file holds one tile of columns after the other, each with all rows. A tile is read in
    one piece, and a batch of rows is written in pieces of one tile's width, without being
    copied before.

    Parameters
    ----------
    folder
        Where the file lies; the space is free again when it is closed, or the process ends.
    n : int
        Rows.
    p : int
        Columns.
    tile : int
        Columns of a tile; the last one may be narrower.

    Raises
    ------
    OutputError
        If no file can be made there.
    """

    def __init__(self, folder: Path, *, n: int, p: int, tile: int) -> None:
        self.folder, self.n, self.p, self.tile = folder, n, p, tile
        self._read = np.empty(0, dtype=np.float32)
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the space back."""
        self._file.close()
        self._read = np.empty(0, dtype=np.float32)

    def write(self, start: int, rows: Array) -> None:
        """Keep `rows` (b, p) as the rows from `start` on.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        whole = np.ascontiguousarray(rows)
        with _explained(self.folder):
            for first in range(0, len(whole), MOST_PIECES):
                some = whole[first : first + MOST_PIECES]
                for left in range(0, self.p, self.tile):
                    pieces = [row[left : left + self.tile].data for row in some]
                    offset = 4 * self.n * left + (start + first) * pieces[0].nbytes
                    self._write(pieces, offset)

    def _write(self, pieces: Sequence[memoryview], offset: int) -> None:
        done = os.pwritev(self._file.fileno(), pieces, offset)
        if done == len(pieces) * pieces[0].nbytes:
            return
        left = memoryview(b"".join(pieces))[done:]
        while left:
            offset += done
            done = os.pwrite(self._file.fileno(), left, offset)
            left = left[done:]

    def columns(self, start: int, stop: int) -> Array:
        """Return the columns of one tile, (n, stop - start), until the next ones are read.

        Parameters
        ----------
        start, stop
            Where a tile begins and ends.

        Raises
        ------
        UnreadableError
            If the file is shorter than it was written.
        """
        if not self._read.size:
            self._read = np.empty(self.n * min(self.tile, self.p), dtype=np.float32)
        made = self._read[: self.n * (stop - start)].reshape(self.n, -1)
        left, offset = made.reshape(-1).view(np.uint8).data, 4 * self.n * start
        while left:
            done = os.preadv(self._file.fileno(), [left], offset)
            if not done:
                raise UnreadableError(
                    f"A scratch file in {self.folder} ends at {offset} bytes of "
                    f"{4 * self.n * self.p}.",
                    mend="Run again, with --work-dir on another disk if it happens twice.",
                )
            left, offset = left[done:], offset + done
        return made


@contextmanager
def spooled(
    batches: Iterable[Mapping[str, Array]],
    widths: Mapping[str, int],
    *,
    n: int,
    tiles: Mapping[str, int],
    folder: Path,
) -> Iterator[dict[str, Scratch]]:
    """Write all batches to disk, and give the files of the layers while the block lasts.

    A batch is written while the next one is made, several layers at a time.

    Parameters
    ----------
    batches
        For each layer (b, p); `n` rows in all.
    widths
        Layer to p.
    n : int
        Stimuli.
    tiles
        Layer to the columns of a tile.
    folder
        With room for ``4 * n * p`` bytes a layer.

    Raises
    ------
    OutputError
        If the disk has too little room, or is filled by others meanwhile.
    ShapeError
        If the batches hold another number of rows or columns.
    """
    check_room(folder, 4 * n * sum(widths.values()))
    with ExitStack() as stack:
        made = {
            layer: stack.enter_context(Scratch(folder, n=n, p=p, tile=tiles[layer]))
            for layer, p in widths.items()
        }
        with ThreadPoolExecutor(min(WRITERS, cores())) as writers:
            pending: list[Future[None]] = []
            for start, batch in numbered(batches, widths, n=n):
                _finish(pending)
                pending = [
                    writers.submit(one.write, start, batch[layer]) for layer, one in made.items()
                ]
            _finish(pending)
        yield made


def _finish(pending: Sequence[Future[None]]) -> None:
    for future in pending:
        future.result()


def numbered(
    batches: Iterable[Mapping[str, Array]], widths: Mapping[str, int], *, n: int, start: int = 0
) -> Iterator[tuple[int, Mapping[str, Array]]]:
    """Give each batch with the number of its first row, and check that all rows come.

    Raises
    ------
    ShapeError
        If the batches hold another number of rows or columns.
    """
    done = start
    for batch in batches:
        rows = {len(batch[layer]) for layer in widths}
        found = {layer: batch[layer].shape[1] for layer in widths}
        if len(rows) != 1 or found != dict(widths) or done + max(rows) > n:
            raise ShapeError(
                f"A batch from row {done} of {n} has {sorted(rows)} rows and {found} columns; "
                f"{dict(widths)} columns were expected.",
                mend="Give as many rows of each layer as there are stimuli.",
            )
        yield done, batch
        done += max(rows)
    if done != n:
        raise ShapeError(
            f"The passes gave {done} rows, but there are {n} stimuli.",
            mend="Give one row for each stimulus.",
        )


def check_room(folder: Path, needed: int) -> None:
    """Refuse what cannot fit before hours are spent on it.

    Parameters
    ----------
    folder
        May not exist yet.
    needed : int, bytes

    Raises
    ------
    OutputError
        If less is free.
    """
    free = free_disk(folder)
    if needed > free:
        raise OutputError(
            f"The features need {files.size_text(needed)} in {folder}, which has "
            f"{files.size_text(free)} left.",
            mend="Name a folder with more room with --work-dir, or fewer layers.",
        )


def free_disk(folder: Path) -> int:
    """Return the bytes that are free where `folder` is, or would be made."""
    there = folder.absolute()
    while not there.is_dir() and there != there.parent:
        there = there.parent
    return shutil.disk_usage(there).free


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        told = files.explain(err, folder)
        if told is err:
            raise
        raise told from err
