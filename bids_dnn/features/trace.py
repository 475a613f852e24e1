"""Which modules of a network run, in which order, and the shapes of what they put out."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode

Nonlinearity = Literal["before", "after", ""]
NONLINEAR = re.compile(r"relu|elu$|elu\W|silu|swish|mish|tanh|sigmoid|softplus|activation", re.I)
PASSES_ON = re.compile(r"norm|dropout|droppath|identity|layerscale", re.I)
NONLINEAR_OPS = re.compile(
    r"(leaky_|p|r)?relu|hardtanh|c?elu|[gs]elu|silu|mish|hardswish|hardsigmoid|softplus|tanh|"
    r"sigmoid|threshold|clamp_min"
)
N_KEPT = 24  # values that are remembered while the pass goes on: what follows, follows soon


@dataclass(slots=True)
class Run:
    """One run of one module.

    Parameters
    ----------
    shapes
        Of each tensor that it put out, by name or number; "" = it put out one tensor alone.
    nonlinearity
        ``after`` = a nonlinearity made the value, ``before`` = one takes it next, perhaps
        normalized in between.
    values
        Copies of these tensors, where they were asked for.
    """

    shapes: dict[str, tuple[int, ...]]
    nonlinearity: Nonlinearity = ""
    values: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class Trace:
    """One pass.

    Parameters
    ----------
    runs
        Of each module path, in the order in which modules first finished; "" = the network.
    output
        What the network returned.
    """

    runs: dict[str, list[Run]] = field(default_factory=dict)
    output: object = None


def tensors_of(output: object) -> dict[str, torch.Tensor]:
    """Return the tensors that a module put out, by name or number; "" = it is one tensor.

    Examples
    --------
    >>> list(tensors_of((torch.zeros(1), None, torch.ones(1))))
    ['0', '2']
    """
    if isinstance(output, torch.Tensor):
        return {"": output}
    if isinstance(output, Mapping):
        return {str(k): v for k, v in output.items() if isinstance(v, torch.Tensor)}
    if isinstance(output, Sequence):
        return {str(i): v for i, v in enumerate(output) if isinstance(v, torch.Tensor)}
    return {}


def pick(output: object, field: str) -> torch.Tensor | None:
    """Return the tensor called `field`, or where that is "" the only one; None where none is."""
    found = tensors_of(output)
    if not field and len(found) == 1:
        return next(iter(found.values()))
    return found.get(field)


def trace(
    module: torch.nn.Module, call: Callable[[], object], *, keep: Collection[str] = ()
) -> Trace:
    """Run `call` once and return what the parts of `module` did meanwhile.

    Parameters
    ----------
    module
        Whose parts are watched.
    call
        Shows something to the network and returns what it makes of it.
    keep
        Paths of the parts whose values are copied.
    """
    made = Trace()
    notes = _Notes()
    handles = []
    for path, part in module.named_modules(remove_duplicate=False):
        if path:
            handles += [
                part.register_forward_pre_hook(partial(_entered, notes)),
                part.register_forward_hook(partial(_left, notes, made, path, path in keep)),
            ]
    try:
        with torch.inference_mode(), _Operations(notes):
            output = call()
        made.runs[""] = [_run_of(notes, output)]
        made.output = output
    finally:
        for handle in handles:
            handle.remove()
    return made


@dataclass(slots=True)
class _Notes:
    """Which storages hold values that a nonlinearity made, or that await one."""

    recent: deque[tuple[int, torch.Tensor]] = field(default_factory=deque)  # keeps ids unique
    waiting: dict[int, list[Run]] = field(default_factory=dict)
    made: set[int] = field(default_factory=set)
    parent: dict[int, int] = field(default_factory=dict)

    def keep(self, tensor: torch.Tensor) -> int:
        name = _storage(tensor)
        self.recent.append((name, tensor))
        if len(self.recent) > N_KEPT:
            gone, _ = self.recent.popleft()
            if all(gone != other for other, _ in self.recent):
                self.waiting.pop(gone, None)
                self.parent.pop(gone, None)
                self.made.discard(gone)
        return name

    def bent(self, tensor: torch.Tensor) -> None:
        """Note that `tensor` goes into a nonlinearity."""
        name: int | None = _storage(tensor)
        while name is not None:
            for run in self.waiting.pop(name, []):
                run.nonlinearity = run.nonlinearity or "before"
            name = self.parent.pop(name, None)

    def altered(self, tensor: torch.Tensor) -> None:
        """Note that something else than a nonlinearity wrote into `tensor`."""
        name = _storage(tensor)
        self.waiting.pop(name, None)
        self.parent.pop(name, None)
        self.made.discard(name)


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch does not type it
    """Notes the nonlinearities that are no module, and what is altered in place."""

    def __init__(self, notes: _Notes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.notes = notes

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        is_nonlinear = NONLINEAR_OPS.fullmatch(func.overloadpacket.__name__.rstrip("_"))
        if is_nonlinear and isinstance(args[0], torch.Tensor):
            self.notes.bent(args[0])
        else:
            for written in _written(func, args, kwargs or {}):
                self.notes.altered(written)
        made = func(*args, **(kwargs or {}))
        if is_nonlinear and isinstance(made, torch.Tensor):
            self.notes.made.add(self.notes.keep(made))
        return made


def _written(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the tensors that an operation writes into, such as a sum into its first term."""
    if not func._schema.is_mutable:
        return []
    given = {told.name: one for told, one in zip(func._schema.arguments, args, strict=False)}
    given |= kwargs
    named = [one.name for one in func._schema.arguments if one.is_write]
    return [given[name] for name in named if isinstance(given.get(name), torch.Tensor)]


def _entered(notes: _Notes, module: torch.nn.Module, given: tuple[Any, ...]) -> None:
    if _is_leaf(module, NONLINEAR) and given and isinstance(given[0], torch.Tensor):
        notes.bent(given[0])


def _left(
    notes: _Notes,
    made: Trace,
    path: str,
    is_kept: bool,  # noqa: FBT001  # a hook's arguments have no names
    module: torch.nn.Module,
    given: tuple[Any, ...],
    output: object,
) -> None:
    single = pick(output, "")
    if single is not None and _is_leaf(module, NONLINEAR):
        notes.made.add(notes.keep(single))
    run = _run_of(notes, output)
    made.runs.setdefault(path, []).append(run)
    if is_kept:
        run.values = {name: one.clone() for name, one in tensors_of(output).items()}
    if (
        single is not None
        and given
        and isinstance(given[0], torch.Tensor)
        and _is_leaf(module, PASSES_ON)
        and _storage(given[0]) != _storage(single)
    ):
        notes.parent[_storage(single)] = _storage(given[0])


def _run_of(notes: _Notes, output: object) -> Run:
    found = tensors_of(output)
    run = Run({name: tuple(tensor.shape) for name, tensor in found.items()})
    for tensor in found.values():
        name = notes.keep(tensor)
        if name in notes.made:
            run.nonlinearity = "after"
        notes.waiting.setdefault(name, []).append(run)
    return run


def _is_leaf(module: torch.nn.Module, kind: re.Pattern[str]) -> bool:
    return not any(module.children()) and bool(kind.search(type(module).__name__))


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
