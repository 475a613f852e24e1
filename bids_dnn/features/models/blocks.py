"""Which modules of a network stand for its depth, found by how the network is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

SHOWN = 2  # pictures
FEWEST = 2  # in a row, to be a depth


def without_weights(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Return a network on torch's device ``meta``, where it has shapes and no numbers.

    Parameters
    ----------
    make
        Makes the network; where it looks at numbers it is made with them first. Torch's random
        state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return make()
        except (RuntimeError, ValueError):
            return make().to("meta")


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


def runnable(
    module: torch.nn.Module, paths: Sequence[str], *, size_px: int, method: str = "forward"
) -> tuple[str, ...]:
    """Return layers that pictures run through and that give one tensor, in forward order.

    Parameters
    ----------
    module
        On torch's device ``meta``: it is shown pictures there, which costs no arithmetic.
    paths
        Of its stages or blocks.
    size_px : int
        Side of the pictures.
    method
        Of the module that takes them.

    Returns
    -------
    layers
        Of a list of modules, which does not run itself, the member that ran last; of several
        tensors the first with a row for each picture; without what does not run. `paths`
        themselves where the network cannot run without numbers.
    """
    ran = _ran(module, size_px, method)
    if not ran:
        return tuple(paths)
    order = {path: i for i, path in enumerate(ran)}
    layers = []
    for path in paths:
        inside = [name for name in ran if name.startswith(f"{path}.")]
        last = f"{path}.{inside[-1][len(path) + 1 :].partition('.')[0]}" if inside else ""
        runs = path if path in ran else last
        if runs in ran:
            layers.append(runs)
    return tuple(f"{path}{ran[path]}" for path in sorted(set(layers), key=order.__getitem__))


def fields_of(
    module: torch.nn.Module, path: str, *, size_px: int, method: str = "forward"
) -> frozenset[str] | None:
    """Return the names of the tensors that a part puts out when pictures are shown.

    Parameters
    ----------
    module, size_px, method
        As for `runnable`.
    path
        Of the part; "" = the network itself.

    Returns
    -------
    names
        "" alone where it is one tensor without a name; None where the network cannot run
        without numbers.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     fields_of(torch.nn.Conv2d(3, 4, 3), "", size_px=8)
    frozenset({''})
    """
    seen: dict[str, object] = {}
    if not _shown(module, size_px, method, seen.__setitem__):
        return None
    found = seen.get(path)
    return frozenset([""] if isinstance(found, torch.Tensor) else map(str, _tensors(found)))


def _ran(module: torch.nn.Module, size_px: int, method: str) -> dict[str, str]:
    """Return which option each module needs to give one tensor; nothing where it cannot run."""
    seen: dict[str, str] = {}

    def note(path: str, output: object) -> None:
        tensors = _tensors(output)
        fits = [key for key, one in tensors.items() if one.shape[:1] == (SHOWN,)]
        seen[path] = f":field({fits[0]})" if len(tensors) > 1 and fits else ""

    done = _shown(module, size_px, method, note)
    seen.pop("", None)
    return seen if done else {}


def _tensors(output: object) -> dict[Any, torch.Tensor]:
    """Return the tensors of an output that has several, by name or number."""
    fields: Mapping[Any, Any] = output if isinstance(output, Mapping) else {}
    if isinstance(output, tuple | list):
        fields = dict(enumerate(output))
    return {key: one for key, one in fields.items() if isinstance(one, torch.Tensor)}


def _shown(
    module: torch.nn.Module, size_px: int, method: str, note: Callable[[str, object], None]
) -> bool:
    """Show pictures, telling `note` what each part puts out; False where it cannot run."""
    hooks = [
        part.register_forward_hook(lambda _m, _i, output, path=path: note(path, output))
        for path, part in module.named_modules()
        if path
    ]
    try:
        with torch.no_grad():
            pictures = torch.empty((SHOWN, 3, size_px, size_px), device="meta")
            note("", getattr(module.eval(), method)(pictures))
    except (RuntimeError, ValueError, TypeError, AssertionError):
        return False  # what looks at numbers cannot run without them
    finally:
        for hook in hooks:
            hook.remove()
    return True


def _lists(part: torch.nn.Module, path: str) -> Iterator[str]:
    for name, child in part.named_children():
        below = _join(path, name)
        if isinstance(child, torch.nn.ModuleList) and len(child) >= FEWEST:
            yield from (f"{below}.{index}" for index in range(len(child)))
        else:
            yield from _lists(child, below)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
