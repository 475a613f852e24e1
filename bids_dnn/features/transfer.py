"""Between the host and the device that computes: both ways at once with the computing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError
from bids_dnn.features.ahead import Picture

Array = NDArray[np.float32]
Fetched = Callable[[], tuple[dict[str, Array], list[bool]]]
Tensors = Mapping[str, torch.Tensor]
ON_CPU = 32  # stimuli shown at a time
TEXTS_ON_CUDA = 64
MOST_ON_CUDA = 256
TRIED = 4  # pictures of the trial
FREE_SHARE = 0.7  # of the memory that is free
OUT_OF_MEMORY = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
FEATURE_BYTES = 1 << 30  # of one batch, on the host


def is_out_of_memory(err: Exception) -> bool:
    """Tell whether an error says that memory ran out, which smaller batches may mend.

    torch has an error of its own for memory of a GPU, but not for that of the CPU, nor for what
    the libraries of the GPU allocate themselves.
    """
    is_told = isinstance(err, torch.OutOfMemoryError | MemoryError)
    return is_told or any(words in str(err) for words in OUT_OF_MEMORY)


def placed(network: Network, device: str) -> Network:
    """Return the network on `device`; the one given stays where it is.

    On a GPU its convolutions run with the channel as the fastest axis (channels-last), which
    alters no value.

    Raises
    ------
    ConfigError
        If its weights do not fit into the memory of the device.
    """
    if device == "cpu":
        return network
    try:
        module = copy.deepcopy(network.module).to(device)
    except (RuntimeError, MemoryError) as err:
        if not is_out_of_memory(err):
            raise
        raise ConfigError(
            f"{network.card.name} does not fit into the free memory of {device}.",
            mend="Use --device cpu, another GPU, or wait until others have left this one.",
        ) from err
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            part.to(memory_format=torch.channels_last)
    return replace(network, module=module)


def normalized(pictures: torch.Tensor, card: Card) -> torch.Tensor:
    """Return what the network is fed.

    Parameters
    ----------
    pictures : (n, size, size, 3)
        uint8, or float32 in units of [0, 1].
    card
        Its mean is subtracted, then it is divided by its SD.

    Returns
    -------
    inputs : (n, 3, size, size) float32
        On the device of `pictures`; channels-last in memory on a GPU, contiguous on the CPU.
    """
    device = pictures.device
    on_cuda = device.type == "cuda"

    def fixed(*values: float) -> torch.Tensor:  # a tensor, as CUDA multiplies by 1 / a number
        made = torch.tensor(values, dtype=torch.float32).to(device, non_blocking=True)
        return made[:, None, None]

    inputs = pictures.permute(0, 3, 1, 2).to(
        torch.float32,
        copy=True,
        memory_format=torch.preserve_format if on_cuda else torch.contiguous_format,
    )
    if pictures.dtype == torch.uint8:
        inputs.div_(fixed(255.0))
    return inputs.sub_(fixed(*card.mean)).div_(fixed(*card.sd))


def stacked(pictures: Sequence[Picture], *, is_pinned: bool = False) -> torch.Tensor:
    """Put pictures into one tensor (n, size, size, 3): uint8 where all are, else float32."""
    is_8_bit = all(one.dtype == np.uint8 for one in pictures)
    kind = torch.uint8 if is_8_bit else torch.float32
    made = torch.empty((len(pictures), *pictures[0].shape), dtype=kind, pin_memory=is_pinned)
    for row, one in zip(made.numpy(), pictures, strict=True):
        row[:] = one
        if one.dtype == np.uint8 and not is_8_bit:
            row /= np.float32(255)
    return made


@dataclass(frozen=True, slots=True)
class OnCpu:
    """Nothing has to travel."""

    overlaps: bool = False

    def send(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Return pictures as one tensor (n, size, size, 3)."""
        return stacked(pictures)

    def send_tokens(self, tokens: Tensors) -> dict[str, torch.Tensor]:
        """Return tokens as they are."""
        return dict(tokens)

    def fetch(self, features: Tensors) -> Fetched:
        """Return what gives features as arrays, and whether each layer's sum is finite."""
        made = {name: values.numpy() for name, values in features.items()}
        finite = [bool(torch.isfinite(values.sum())) for values in features.values()]
        return lambda: (made, finite)

    def clear(self) -> None:
        """Give free memory back."""


@dataclass(frozen=True, slots=True)
class OnCuda:
    """Copies from and to pinned memory, on streams of their own.

    While the device computes, the next pictures come in and the last features go out. Pinned
    memory is torch's: a block is used again once the array that was made of it is gone.
    """

    device: str
    overlaps: bool = True
    up: torch.cuda.Stream = field(default_factory=torch.cuda.Stream)
    down: torch.cuda.Stream = field(default_factory=torch.cuda.Stream)

    def send(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Start to copy pictures to the device; returns them (n, size, size, 3)."""
        return self._up(stacked(pictures, is_pinned=True))

    def send_tokens(self, tokens: Tensors) -> dict[str, torch.Tensor]:
        """Start to copy tokens to the device."""
        return {name: self._up(values.pin_memory()) for name, values in tokens.items()}

    def _up(self, host: torch.Tensor) -> torch.Tensor:
        now = torch.cuda.current_stream()
        with torch.cuda.stream(self.up):
            there = host.to(self.device, non_blocking=True)
        now.wait_stream(self.up)
        there.record_stream(now)
        return there

    def fetch(self, features: Tensors) -> Fetched:
        """Start to copy features to the host; what is returned waits for them."""
        # All that computes stays on its own stream, whose memory torch gives away again in order.
        is_finite = torch.isfinite(torch.stack([values.sum() for values in features.values()]))
        self.down.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.down):
            made = {name: self._down(values) for name, values in features.items()}
            finite = self._down(is_finite)
            event = self.down.record_event()

        def wait() -> tuple[dict[str, Array], list[bool]]:
            event.synchronize()
            return {name: host.numpy() for name, host in made.items()}, finite.tolist()

        return wait

    def _down(self, there: torch.Tensor) -> torch.Tensor:
        host = torch.empty(there.shape, dtype=there.dtype, pin_memory=True)
        host.copy_(there, non_blocking=True)
        there.record_stream(self.down)
        return host

    def clear(self) -> None:
        """Give free memory back, so that smaller batches find room in one piece."""
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


def lane_to(device: str) -> OnCpu | OnCuda:
    """Return how data travel to and from `device`."""
    return OnCpu() if device == "cpu" else OnCuda(device)


def batch_size_for(
    device: str, *, n: int, width: int, look: Callable[[int], object] | None
) -> int:
    """Return how many stimuli are shown at a time.

    32 on the CPU, 64 texts on a GPU; for pictures on a GPU the largest power of two up to 256
    for which memory is free, from what a few pictures take. Fewer where the features of a batch
    would take more than 1 GiB on the host.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    n : int
        Stimuli.
    width : int
        Features of all layers, of which a batch waits on the host.
    look
        Shows as many pictures to the network; None for texts.
    """
    if device == "cpu" or look is None:
        most = ON_CPU if device == "cpu" else TEXTS_ON_CUDA
        return largest_batch(most, each=0, free=0, width=width)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    try:
        look(TRIED)
        torch.cuda.synchronize()
    except (RuntimeError, MemoryError) as err:
        if not is_out_of_memory(err):
            raise
        return 1
    each = (torch.cuda.max_memory_allocated() - before) / TRIED
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    most = min(MOST_ON_CUDA, 1 << (n - 1).bit_length())
    return largest_batch(most, each=each, free=free, width=width)


def largest_batch(most: int, *, each: float, free: float, width: int) -> int:
    """Return the largest power of two that memory allows.

    Parameters
    ----------
    most : int
        Stimuli, a power of two.
    each : float, bytes
        Of the device, for one picture.
    free : float, bytes
        Of the device.
    width : int
        Features of a picture, of which 1 GiB may wait on the host.

    Examples
    --------
    >>> largest_batch(256, each=100e6, free=10e9, width=100_000)
    64
    """
    size = most
    while size > 1 and (size * each > FREE_SHARE * free or 4 * size * width > FEATURE_BYTES):
        size //= 2
    return size
