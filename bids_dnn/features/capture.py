"""What layers of a network put out, all in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Literal

import torch

from bids_dnn.containers.network import Network
from bids_dnn.errors import ConfigError, ShapeError
from bids_dnn.features.probe import Probed
from bids_dnn.features.trace import pick

Precision = Literal["float32", "tf32", "bf16"]
Empty = Callable[[torch.Size, torch.device], torch.Tensor]


class _AllSeen(BaseException):  # no Exception, so that no network catches it
    """Every layer was captured: the rest of the network need not run."""


def capture(
    network: Network,
    inputs: torch.Tensor | Mapping[str, torch.Tensor],
    probed: Sequence[Probed],
    *,
    precision: Precision = "float32",
    empty: Empty | None = None,
) -> dict[str, torch.Tensor]:
    """Show pictures or texts to a network and keep what its layers put out.

    A value is copied before the next module runs, so that a nonlinearity in place does not
    alter it. The pass ends when the last of the layers was seen. Only deterministic
    convolutions are used.

    Parameters
    ----------
    network
        In evaluation mode, on the device of `inputs`.
    inputs : (n, 3, size, size)
        Normalized for this network; or what its `tokenize` makes of n texts.
    probed
        The layers, from `probe.probe`; all of pictures, or all of texts.
    precision
        ``float32``; ``tf32`` lets a GPU round factors to 10 bits; ``bf16`` multiplies and
        convolves in bfloat16 and does the rest in float32 (torch's autocast).
    empty
        Gives memory for features of a shape on a device; fresh memory where it is None.

    Returns
    -------
    features : for each layer (n, p) float32
        By the layer's name, in the order of `probed`, on the device of `inputs`. A map is
        flattened with the channel as the slowest axis, so that column ``(channel * height +
        row) * width + column`` is one place of it, and with places the column is ``channel *
        n_places + place``; tokens are flattened with the token as the slowest axis.

    Raises
    ------
    ConfigError
        If a layer is not of this kind of input, or does not run.
    ShapeError
        If a layer puts out another shape than it did when it was probed.

    Examples
    --------
    >>> from bids_dnn.containers.network import Card
    >>> from bids_dnn.features.probe import probe
    >>> net = Network(torch.nn.Sequential(torch.nn.ReLU()), Card("mine", (), size_px=8), "", "")
    >>> made = capture(net, torch.ones(5, 3, 8, 8), probe(net, ["0:at(0,0;7,7)"]))
    >>> tuple(made["0:at(0,0;7,7)"].shape)
    (5, 6)
    """
    _check_tower(network, inputs, probed)
    n = len(inputs if isinstance(inputs, torch.Tensor) else next(iter(inputs.values())))
    seen: dict[str, torch.Tensor] = {}
    n_runs: Counter[str] = Counter()

    def keep(path: str, _module: object, _given: object, output: object) -> None:
        visit = n_runs[path]
        n_runs[path] += 1
        for one in probed:
            if one.layer.module == path and one.visit == visit:
                given = _with_batch(one, pick(output, one.layer.field), n)
                seen[one.layer.name] = _features(one, given, empty or _fresh)
        if len(seen) == len(probed):
            raise _AllSeen

    handles = [
        network.module.get_submodule(path).register_forward_hook(partial(keep, path))
        for path in {one.layer.module for one in probed} - {""}
    ]
    try:
        with torch.inference_mode(), arithmetic(precision, _device_of(inputs)):
            shown = (
                network.show(inputs) if isinstance(inputs, torch.Tensor) else network.read(inputs)
            )
            keep("", None, None, shown)
    except _AllSeen:
        pass
    finally:
        for handle in handles:
            handle.remove()
    for one in probed:
        if one.layer.name not in seen:
            raise ConfigError(
                f"Layer {one.layer.name!r} of {network.card.name} did not run, though it ran when "
                "the network was probed.",
                mend="Name a layer that runs for every stimulus.",
            )
    return {one.layer.name: seen[one.layer.name] for one in probed}


def _check_tower(
    network: Network,
    inputs: torch.Tensor | Mapping[str, torch.Tensor],
    probed: Sequence[Probed],
) -> None:
    modality = "image" if isinstance(inputs, torch.Tensor) else "text"
    for one in probed:
        if one.modality != modality:
            raise ConfigError(
                f"Layer {one.layer.name!r} of {network.card.name} is of {one.modality}s, but "
                f"{modality}s are shown to it.",
                mend="Name layers of one tower at a time.",
            )


@contextmanager
def arithmetic(precision: Precision, device: str) -> Iterator[None]:
    """Compute in `precision` and deterministically inside the block; torch's settings come back.

    Parameters
    ----------
    precision
        See `capture`.
    device
        ``cpu`` or ``cuda``.
    """
    is_coarse = precision == "tf32" and device == "cuda"
    with ExitStack() as stack:
        stack.enter_context(_without_newer_settings())
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if is_coarse else "highest")
        try:
            stack.enter_context(
                torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=is_coarse
                )
            )
            if precision == "bf16":
                stack.enter_context(torch.autocast(device, dtype=torch.bfloat16))
            yield
        finally:
            torch.set_float32_matmul_precision(before)


@contextmanager
def _without_newer_settings() -> Iterator[None]:
    """Let torch's older settings of precision hold alone inside the block; all come back.

    What says ``fp32_precision`` in releases that have it outlasts the older settings, which
    refuse to be read while the two disagree.
    """
    backends: Any = torch.backends
    matmuls, convolutions = _newer_settings()
    inner = [*matmuls, *convolutions]
    outer = [backends, backends.cudnn] if inner else []
    kept = []
    for one in [*outer, *inner]:  # a setting shows that of the one around it, so that goes first
        kept.append((one, one.fp32_precision))
        one.fp32_precision = "none"
    try:
        for value in ("none", "tf32"):
            for one in convolutions:
                one.fp32_precision = value
            with suppress(RuntimeError):
                _ = backends.cudnn.allow_tf32
                break
        yield
    finally:
        for one, value in reversed(kept):
            one.fp32_precision = value


def _newer_settings() -> tuple[list[Any], list[Any]]:
    """Return what has a ``fp32_precision``: products and oneDNN, and what cuDNN does."""
    backends: Any = torch.backends
    if not hasattr(backends, "fp32_precision"):
        return [], []
    of_cpu = [getattr(backends.mkldnn, name, None) for name in ("matmul", "conv", "rnn")]
    found = [backends.cuda.matmul, *(one for one in of_cpu if one is not None)]
    return found, [backends.cudnn.conv, backends.cudnn.rnn]


def _with_batch(probed: Probed, output: torch.Tensor | None, n: int) -> torch.Tensor | None:
    """Give the axis of stimuli back to a batch of one, from which a network may squeeze it."""
    if output is None or n != 1 or output.shape != probed.shape:
        return output
    return output.unsqueeze(probed.batch_axis)


def _features(probed: Probed, output: torch.Tensor | None, empty: Empty) -> torch.Tensor:
    """Return (n, p) float32 in memory of its own."""
    axis = probed.batch_axis
    shape = None if output is None else (*output.shape[:axis], *output.shape[axis + 1 :])
    if output is None or shape != probed.shape:
        raise ShapeError(
            f"Layer {probed.layer.name!r} puts out the shape {shape} for a stimulus, but "
            f"{probed.shape} when it was probed.",
            mend="Where these are texts, the tokenizer must make all of one length; else leave "
            "the layer out.",
        )
    values = output.movedim(axis, 0)
    if probed.channel_axis == 2:
        values = values.permute(0, 3, 1, 2)
    take, is_rectified = probed.layer.take, probed.layer.is_rectified
    if take == "mean":
        values = values.clamp_min(0) if is_rectified else values
        values = values.flatten(2) if probed.channel_axis >= 0 else values[:, probed.n_prefix :].mT
        return values.mean(dim=2, dtype=torch.float32)
    if take == "pool":
        values = (values.clamp_min(0) if is_rectified else values).float()
        values = torch.nn.functional.adaptive_avg_pool2d(values, probed.sides()[1:])
    elif take == "class":
        values = values[:, 0]
    elif take == "at":
        rows, columns = zip(*probed.layer.places, strict=True)
        values = values[:, :, list(rows), list(columns)]
    made = empty(values.shape, values.device).copy_(values)
    return (made.relu_() if is_rectified else made).reshape(len(made), -1)


def _fresh(shape: torch.Size, device: torch.device) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float32, device=device)


def _device_of(inputs: torch.Tensor | Mapping[str, torch.Tensor]) -> str:
    one: Any = inputs if isinstance(inputs, torch.Tensor) else next(iter(inputs.values()))
    return str(one.device.type)
