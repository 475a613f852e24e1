"""Whether a network answers each stimulus alone, found by showing it two and then three."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from bids_dnn.containers.network import Modality, Network
from bids_dnn.errors import ConfigError
from bids_dnn.features.own_code import running
from bids_dnn.features.trace import Trace, tensors_of

TEXTS = ("a dog", "a red car", "an old house")
MEND = (
    "Mend its forward pass, which takes a batch of RGB pictures, or size_px and methods of its "
    "card."
)
ALIKE = 1e-2  # of the largest value; rounding moves it by 1e-5
OTHER_CONTRAST, OTHER_MEAN = 3.0, 1.0  # of the third input, so that means over a batch move


def show(network: Network, modality: Modality, n: int) -> object:
    """Show `n` small inputs, 3 at most, to a network: always the same, each unlike the others.

    Parameters
    ----------
    network
    modality
    n : int

    Raises
    ------
    ConfigError
        If the network raises something.
    """
    device = next((one.device for one in network.module.parameters()), torch.device("cpu"))
    if modality == "text" and network.tokenize is not None:
        tokens = network.tokenize(TEXTS[:n])
        with running(f"{network.card.name}, shown {n} texts,", mend=MEND):
            return network.read({key: value.to(device) for key, value in tokens.items()})
    size = network.card.size_px
    drawn = torch.randn((3, 3, size, size), generator=torch.Generator().manual_seed(0))
    drawn[2].mul_(OTHER_CONTRAST).add_(OTHER_MEAN)
    shown = f"{network.card.name}, shown {n} pictures of 3 x {size} x {size},"
    with running(shown, mend=MEND):
        return network.show(drawn[:n].to(device))


def batch_axis(two: tuple[int, ...], three: tuple[int, ...]) -> int | None:
    """Return the axis that is 2 in one shape and 3 in the other, None where no one is.

    Examples
    --------
    >>> batch_axis((50, 2, 8), (50, 3, 8))
    1
    """
    if len(two) != len(three):
        return None
    moved = [axis for axis, pair in enumerate(zip(two, three, strict=True)) if pair[0] != pair[1]]
    return moved[0] if len(moved) == 1 and (two[moved[0]], three[moved[0]]) == (2, 3) else None


def check_answers(network: Network, modality: Modality, *, two: Trace, three: Trace) -> None:
    """Refuse a network whose answers are random, or depend on what else is in the batch.

    Parameters
    ----------
    network
        Its name stands in the message.
    modality
        Of what was shown.
    two, three
        Of `show`, with the values of the layers that were asked for.

    Raises
    ------
    ConfigError
        If what the network returns for the first two, or what one of these layers puts out,
        is otherwise when a third is shown.
    """
    for path in _altered(two, three):
        who = f"Layer {path!r} of {network.card.name}" if path else network.card.name
        raise ConfigError(
            f"{who} answers the same two {modality}s otherwise when it is shown a third: its "
            "features would rest on chance, or on what else is in the batch.",
            mend="Name a network whose forward pass is not random in evaluation mode, and "
            "does not normalize over the batch.",
        )


def _altered(two: Trace, three: Trace) -> Iterator[str]:
    """Give the paths whose answers to two inputs change when a third is shown."""
    if not _are_alike(tensors_of(two.output), tensors_of(three.output)):
        yield ""
    for path, runs in two.runs.items():
        for one, other in zip(runs, three.runs.get(path, ()), strict=False):
            if not _are_alike(one.values, other.values):
                yield path


def _are_alike(two: Mapping[str, torch.Tensor], three: Mapping[str, torch.Tensor]) -> bool:
    for name, one in two.items():
        other = three.get(name, one)
        axis = batch_axis(tuple(one.shape), tuple(other.shape))
        if axis is not None and one.is_floating_point() and not one.is_meta:
            finite = one[one.isfinite()].abs()
            least = ALIKE * float(finite.max()) if len(finite) else 0.0
            same = other.narrow(axis, 0, one.shape[axis])
            if not torch.allclose(one, same, rtol=0.0, atol=least, equal_nan=True):
                return False
    return True
