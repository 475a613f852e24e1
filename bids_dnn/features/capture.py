"""What layers of a network put out, all in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from bids_dnn.errors import ConfigError
from bids_dnn.features.models.load import check_layers

Array = NDArray[np.float32]


class _AllSeen(Exception):  # noqa: N818  (a signal, not an error)
    """Every layer was captured: the rest of the network need not run."""


def capture(
    module: torch.nn.Module, pictures: Array, *, layers: Sequence[str], device: str = "cpu"
) -> dict[str, Array]:
    """Show pictures to a network and keep what its layers put out.

    A value is copied before the next module runs, so that a nonlinearity in place does not
    alter it. Where a module runs more than once, its first output counts. The pass ends when
    the last of `layers` was seen. TF32 is off, and only deterministic convolutions are used.

    Parameters
    ----------
    module
        In evaluation mode, on `device`.
    pictures : (n, 3, size, size)
        Normalized for this network.
    layers
        Module paths.
    device
        ``cpu`` or ``cuda``.

    Returns
    -------
    features : for each layer (n, p) float32
        In the order of `layers`. Flattened with the channel as the slowest axis, so that column
        ``(channel * height + row) * width + column`` is one place of one map.

    Raises
    ------
    ConfigError
        If a layer does not exist, does not run, or puts out something else than one tensor
        with a row for each picture.
    """
    check_layers(module, layers, name=type(module).__name__)
    parts = dict(module.named_modules())
    seen: dict[str, Array] = {}

    def keep(layer: str, output: object) -> None:
        if layer in seen:
            return
        if not isinstance(output, torch.Tensor) or output.shape[:1] != (len(pictures),):
            raise ConfigError(
                f"Layer {layer!r} puts out {_told(output)}, not a tensor with one row for each "
                f"of {len(pictures)} pictures.",
                mend="Name a module inside it, or the one after it.",
            )
        flat = output.detach().flatten(1) if output.ndim > 1 else output.detach()[:, None]
        seen[layer] = flat.to("cpu", torch.float32, copy=True).contiguous().numpy()
        if len(seen) == len(layers):
            raise _AllSeen

    handles = [
        parts[layer].register_forward_hook(lambda _m, _i, out, layer=layer: keep(layer, out))
        for layer in layers
    ]
    try:
        with torch.inference_mode(), _exact():
            module(torch.from_numpy(np.array(pictures, np.float32, order="C")).to(device))
    except _AllSeen:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if missing := [layer for layer in layers if layer not in seen]:
        raise ConfigError(
            f"Layer {missing[0]!r} did not run when pictures were shown.",
            mend="Name a module that the forward pass calls.",
        )
    return {layer: seen[layer] for layer in layers}


def layer_sizes(module: torch.nn.Module, size_px: int, *, layers: Sequence[str]) -> dict[str, int]:
    """Count the features of each layer by showing one grey picture, for planning.

    Raises
    ------
    ConfigError
        As `capture`.
    """
    blank = np.zeros((1, 3, size_px, size_px), dtype=np.float32)
    found = capture(module, blank, layers=layers)
    return {layer: values.shape[1] for layer, values in found.items()}


def _told(output: object) -> str:
    if isinstance(output, torch.Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    return f"a {type(output).__name__}"


@contextmanager
def _exact() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
