"""Which modules of a network stand for its depth, found by how the network is built."""

from __future__ import annotations

from collections.abc import Iterator

import torch

FEWEST = 2  # in a row, to be a depth


def blocks_of(module: torch.nn.Module, within: str = "") -> tuple[str, ...]:
    """Return the paths of the blocks or stages that a network is a row of.

    These are the members of the outermost lists of modules; where the network has no list, its
    own parts that hold weights.

    Parameters
    ----------
    module
        A network.
    within
        Path of the part of it that is looked at, such as one of two towers; all by default.

    Returns
    -------
    paths
        In the order in which they were made.

    Examples
    --------
    >>> net = torch.nn.Module()
    >>> net.stem = torch.nn.Linear(2, 2)
    >>> net.blocks = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(2))
    >>> blocks_of(net)
    ('blocks.0', 'blocks.1')
    """
    part = module.get_submodule(within)
    found = tuple(_lists(part, within))
    if found:
        return found
    return tuple(
        _join(within, name)
        for name, child in part.named_children()
        if next(child.parameters(), None) is not None
    )


def stages_of(module: torch.nn.Module) -> tuple[str, ...]:
    """Return the stages that a network of timm says it has, else its blocks."""
    told = getattr(module, "feature_info", None) or ()
    there = dict(module.named_modules())
    found = tuple(dict.fromkeys(str(stage["module"]) for stage in told))
    return found if found and all(path in there for path in found) else blocks_of(module)


def _lists(part: torch.nn.Module, path: str) -> Iterator[str]:
    for name, child in part.named_children():
        below = _join(path, name)
        if isinstance(child, torch.nn.ModuleList) and len(child) >= FEWEST:
            yield from (f"{below}.{index}" for index in range(len(child)))
        else:
            yield from _lists(child, below)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
