"""Batches of stimuli through a network: their size, copies meanwhile, halves on little memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch

from bids_dnn.containers.network import Network
from bids_dnn.errors import ConfigError, UnreadableError
from bids_dnn.features.ahead import Picture, decoded
from bids_dnn.features.capture import capture
from bids_dnn.features.inputs import Options, Progress, Read, Shown
from bids_dnn.features.memory import Memory
from bids_dnn.features.passes import BatchHalvedError
from bids_dnn.features.probe import Probed
from bids_dnn.features.transfer import (
    Array,
    Fetched,
    OnCpu,
    OnCuda,
    batch_size_for,
    is_out_of_memory,
    lane_to,
    normalized,
    placed,
)

Item = Picture | tuple[str, ...]  # a picture, or the captions of one stimulus
Names = tuple[str, ...]
Batch = tuple[Names, list[Item]]


@dataclass(slots=True, eq=False)
class Batches:
    """Features of stimuli in batches, as `passes.Passes` asks for.

    Parameters
    ----------
    network
        As loaded, on the CPU.
    inputs, options, progress
        As in `extract.passes_of`.
    probed
        The layers.
    ids
        Stimulus ids, in the order of the rows.
    widths
        Number of features of each layer.
    batch_size : int
        As used; 0 until it was found.
    on_device
        The network where it works, once it is needed.
    memory
        For features, used again once those who took them let go.
    is_begun : bool
        Rows of this batch size were given, so that a smaller one needs them all anew.
    """

    network: Network
    inputs: Shown | Read
    probed: tuple[Probed, ...]
    options: Options
    progress: Progress | None
    ids: tuple[str, ...]
    widths: Mapping[str, int]
    batch_size: int
    on_device: list[Network] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    is_begun: bool = False

    @property
    def n(self) -> int:
        """Return the number of stimuli."""
        return len(self.ids)

    def __call__(self, start: int = 0) -> Iterator[dict[str, Array]]:
        """Give all rows from `start` on."""
        return _run(self, start)


def _run(job: Batches, start: int) -> Iterator[dict[str, Array]]:
    lane = lane_to(job.options.device)
    if not job.on_device:
        job.on_device.append(placed(job.network, job.options.device))
    job.batch_size = job.batch_size or _find_batch_size(job)
    row = start - start % job.batch_size
    try:
        with closing(_computed(job, lane, row)) as batches:
            for names, fetched in _one_behind(batches) if lane.overlaps else batches:
                features = _finite(job, names, fetched)
                skipped = max(0, start - row)
                row += len(names)
                if job.progress is not None:
                    job.progress(row, job.n)
                if skipped < len(names):
                    yield {layer: values[skipped:] for layer, values in features.items()}
                del features, fetched
    finally:
        job.memory.clear()


def _computed(job: Batches, lane: OnCpu | OnCuda, first: int) -> Generator[tuple[Names, Fetched]]:
    """Compute all batches from row `first` on; in halves where memory runs out at the first."""
    with closing(_items(job, first)) as items:
        todo: deque[Batch] = deque()
        names = iter(job.ids[first:])
        while True:
            if not todo:
                some = tuple(islice(names, job.batch_size))
                todo.append((some, list(islice(items, len(some)))))
            batch = todo.popleft()
            if not batch[0]:
                return
            fetched = _compute(job, lane, batch)
            if fetched is None:
                halves = _halved(job, batch)
                lane.clear()
                if job.is_begun:
                    job.is_begun = False
                    raise BatchHalvedError(
                        f"Memory ran out after rows were given; batches are of {job.batch_size} "
                        "now, in which rows have other last bits.",
                        mend=f"Take all rows anew, or ask for batch_size = {job.batch_size}.",
                    )
                todo.extendleft(reversed(halves))
            else:
                job.is_begun = True
                yield batch[0], fetched


def _one_behind(batches: Iterator[tuple[Names, Fetched]]) -> Iterator[tuple[Names, Fetched]]:
    """Give each batch once the next one was started."""
    before = next(batches, None)
    for batch in batches:
        if before is not None:
            yield before
        before = batch
    if before is not None:
        yield before


def _items(job: Batches, first: int) -> Generator[Item]:
    inputs, ids = job.inputs, job.ids[first:]
    if isinstance(inputs, Read):
        yield from (inputs.captions[name] for name in ids)
        return
    yield from decoded(
        inputs.load,
        ids,
        size_px=job.network.card.size_px,
        n_workers=job.options.n_workers,
        n_ahead=2 * job.batch_size,
    )


def _compute(job: Batches, lane: OnCpu | OnCuda, batch: Batch) -> Fetched | None:
    """Start to compute a batch; None where memory ran out."""
    network, (_, items) = job.on_device[0], batch
    try:
        if isinstance(job.inputs, Shown):
            pictures = [item for item in items if isinstance(item, np.ndarray)]
            return lane.fetch(_look(job, normalized(lane.send(pictures), network.card)))
        counts = [len(item) for item in items]
        tokens = _tokens(network, [text for item in items for text in item])
        features = _look(job, lane.send_tokens(tokens))
        return lane.fetch({k: _averaged(values, counts) for k, values in features.items()})
    except (RuntimeError, MemoryError) as err:
        if not is_out_of_memory(err):
            raise
        return None


def _look(
    job: Batches, inputs: torch.Tensor | Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    return capture(
        job.on_device[0],
        inputs,
        job.probed,
        precision=job.options.precision,
        empty=job.memory.empty,
    )


def _tokens(network: Network, texts: Sequence[str]) -> Mapping[str, torch.Tensor]:
    return {} if network.tokenize is None else network.tokenize(texts)


def _averaged(values: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Average the rows of each stimulus."""
    if max(counts) == 1:
        return values
    return torch.stack([part.mean(dim=0) for part in torch.split(values, list(counts))])


def _halved(job: Batches, batch: Batch) -> list[Batch]:
    names, items = batch
    if len(names) == 1:
        raise ConfigError(
            f"{job.network.card.name} and stimulus {names[0]!r} do not fit into the memory of "
            f"{job.options.device}.",
            mend="Use more memory, or fewer layers."
            if job.options.device == "cpu"
            else "Use --device cpu, another GPU, or fewer layers.",
        )
    while job.batch_size >= len(names):
        job.batch_size //= 2
    size = job.batch_size
    return [
        (names[start : start + size], items[start : start + size])
        for start in range(0, len(names), size)
    ]


def _find_batch_size(job: Batches) -> int:
    card, device = job.network.card, job.options.device

    def look(n: int) -> None:
        blank = torch.zeros((n, card.size_px, card.size_px, 3), dtype=torch.uint8, device=device)
        _look(job, normalized(blank, card))

    return batch_size_for(
        device,
        n=job.n,
        width=sum(job.widths.values()),
        look=look if isinstance(job.inputs, Shown) else None,
    )


def _finite(job: Batches, names: Names, fetched: Fetched) -> dict[str, Array]:
    """Wait for a batch, and refuse what is not finite; an infinite sum need not be of that."""
    features, is_sum_finite = fetched()
    for (layer, part), is_well in zip(features.items(), is_sum_finite, strict=True):
        is_whole = np.ones(1, bool) if is_well else np.isfinite(part).all(axis=1)
        if not is_whole.all():
            row = int(np.argmin(is_whole))
            bad = int((~np.isfinite(part[row])).sum())
            raise UnreadableError(
                f"Layer {layer!r} of {job.network.card.name} answers {names[row]!r} with {bad} "
                f"NaN or infinite values among {part.shape[1]} features; finite ones were "
                "expected.",
                mend="Check the weights of the network and that stimulus, or leave the layer out.",
            )
    return features
