"""What a layer puts out, found by showing a network two and then three small inputs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from bids_dnn.containers.network import Modality, Network
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.answers import batch_axis, check_answers, show
from bids_dnn.features.layers import Layer, resolve_layers
from bids_dnn.features.trace import Nonlinearity, Run, Trace, trace

CLASS_TOKENS = ("cls_token", "class_token", "class_embedding", "cls_emb")
CHANNELS_FIRST = ("Conv", "BatchNorm", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool")
MOST_PREFIX = 16  # class token, a distillation token, registers


@dataclass(frozen=True, slots=True)
class Probed:
    """A layer, and what it puts out.

    Parameters
    ----------
    layer
        What is taken of which module.
    kind
        Class of the module.
    modality
        ``image`` or ``text``: what it is an answer to.
    shape
        Of one stimulus, as the module puts it out, without the batch.
    n_features : int
        After the options.
    batch_axis : int
        Of what the module puts out.
    n_visits : int
        How often the module runs in one pass.
    nonlinearity
        ``before`` = a nonlinearity takes the value next, perhaps normalized in between;
        ``after`` = a nonlinearity made it; "" = neither.
    tokens
        Whether `shape` is (n_tokens, width).
    n_prefix : int
        Tokens before the patches: class token, distillation token, registers.
    has_class
        Whether the first token is a class token.
    channel_axis : int
        Of `shape` where it is that of a map, 0 or 2; -1 = it is no map.
    """

    layer: Layer
    kind: str
    modality: Modality
    shape: tuple[int, ...]
    n_features: int
    batch_axis: int
    n_visits: int
    nonlinearity: Nonlinearity
    tokens: bool
    n_prefix: int = 0
    has_class: bool = False
    channel_axis: int = -1

    @property
    def visit(self) -> int:
        """Return which run of the module counts, from 0."""
        return self.n_visits - 1 if self.layer.visit is None else self.layer.visit

    def map_shape(self) -> tuple[int, int, int] | None:
        """Return channels, rows and columns where features are a whole map, else None.

        Features are flattened with the channel slowest, whatever its axis was.
        """
        if self.channel_axis < 0 or self.layer.take not in ("all", "pool"):
            return None
        return self.sides()

    def sides(self) -> tuple[int, int, int]:
        """Return channels, rows and columns of a map, those that are left where it is pooled."""
        first, second, third = self.shape
        c, h, w = (first, second, third) if self.channel_axis == 0 else (third, first, second)
        most = self.layer.n_cells or max(h, w)
        return c, min(h, most), min(w, most)


def probe(network: Network, names: Sequence[str] | None) -> tuple[Probed, ...]:
    """Find out what layers put out, and check that what is asked of them fits.

    Parameters
    ----------
    network
        As loaded. Random inputs are shown to it, always the same.
    names
        Layers, see `layers.parse_layer`; None for every module that puts out one tensor with a
        batch axis.

    Returns
    -------
    probed
        In the order of `names`; where that is None, in the order in which modules first finish.

    Raises
    ------
    ConfigError
        If a layer does not exist, never runs, puts out no tensor or several, has no batch axis,
        or has an option that does not fit; or if the network's answers are random, or depend on
        what else is in the batch.

    Examples
    --------
    >>> import torch
    >>> from bids_dnn.containers.network import Card
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    >>> found, = probe(Network(net, Card("mine", (), size_px=8), "", ""), ["0:mean"])
    >>> found.shape, found.n_features, found.nonlinearity
    ((4, 6, 6), 4, 'before')
    """
    layers = None if names is None else resolve_layers(network.module, network.card, names)
    keep = {layer.module for layer in layers or ()}
    towers = {kind: _Tower.of(network, kind, keep=keep) for kind in _modalities(network)}
    if layers is not None:
        asked = _without_twins([_probed(network, layer, towers) for layer in layers])
        for modality in sorted({one.modality for one in asked}):
            towers[modality].check(network, modality)
        return asked
    found = {}
    for modality, tower in towers.items():
        tower.check(network, modality)
        for path in tower.two.runs:
            layer = Layer(path, path)
            if path and path not in found and not isinstance(_look(layer, tower), _Wrong):
                found[path] = _probed(network, layer, {modality: tower})
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Tower:
    """What ran for two and for three inputs of one kind."""

    two: Trace
    three: Trace
    channel_axes: Mapping[tuple[str, int], int]  # of each run of a module that makes a map
    n_patches: int  # 0 = not known
    n_prefix: int  # as the network itself says; -1 = it does not
    has_class: bool

    @classmethod
    def of(cls, network: Network, modality: Modality, *, keep: Collection[str]) -> _Tower:
        two, three = (
            trace(network.module, partial(show, network, modality, n), keep=keep) for n in (2, 3)
        )
        kinds = dict(network.module.named_modules(remove_duplicate=False))
        axes, n_patches = _read_maps(two, three, {k: type(v).__name__ for k, v in kinds.items()})
        names = [name for name, _ in network.module.named_parameters()]
        tokens = [name for name in names if name.endswith(CLASS_TOKENS)]
        told = getattr(network.module, "num_prefix_tokens", -1)
        return cls(
            two, three, axes, n_patches, told if isinstance(told, int) else -1, bool(tokens)
        )

    def check(self, network: Network, modality: Modality) -> None:
        check_answers(network, modality, two=self.two, three=self.three)


def _modalities(network: Network) -> tuple[Modality, ...]:
    asked: list[Modality] = ["image"] if "image" in network.card.methods else []
    if "text" in network.card.methods and network.tokenize is not None:
        asked.append("text")
    return tuple(asked)


def _read_maps(
    two: Trace, three: Trace, kinds: Mapping[str, str]
) -> tuple[dict[tuple[str, int], int], int]:
    """Tell channels from rows and columns, and count patches by the last map before tokens."""
    axes: dict[tuple[str, int], int] = {}
    last, n_patches, is_open = 0, 0, True
    for path, runs in two.runs.items():
        for visit, run in enumerate(runs):
            shape = _alone(run, three.runs.get(path, []), visit)
            if shape is None:
                continue
            if len(shape) == 2:
                is_open = is_open and not n_patches
            if len(shape) == 3:
                axes[path, visit] = last = _channel_axis(shape, kinds.get(path, ""), last)
                places = math.prod(shape) // shape[last]
                n_patches = places if is_open else n_patches
    return axes, n_patches


def _channel_axis(shape: tuple[int, ...], kind: str, before: int) -> int:
    """Return 0 or 2: inputs are square, so that the two equal lengths are rows and columns."""
    first, second, third = shape
    if kind.startswith(CHANNELS_FIRST) or (second == third != first):
        return 0
    return 2 if first == second != third else before


def _alone(run: Run, runs: Sequence[Run], visit: int) -> tuple[int, ...] | None:
    """Return the shape of one stimulus where a run put out one tensor with a batch axis."""
    if len(run.shapes) != 1 or visit >= len(runs):
        return None
    name, shape = next(iter(run.shapes.items()))
    axis = batch_axis(shape, runs[visit].shapes.get(name, ()))
    return None if axis is None else shape[:axis] + shape[axis + 1 :]


class _Wrong(NamedTuple):
    """Why a layer cannot be had, and what to do."""

    what: str
    mend: str = (
        "Name a module inside it or the one after it, write :field(NAME) where it puts out "
        "several tensors, or :visit(K) for one of its runs."
    )


def _look(layer: Layer, tower: _Tower) -> tuple[int, tuple[int, ...], int] | _Wrong:
    """Return which run, the shape of one stimulus and the batch axis, or what is wrong."""
    runs, again = tower.two.runs.get(layer.module, []), tower.three.runs.get(layer.module, [])
    place = _find(layer, runs)
    if isinstance(place, _Wrong):
        return place
    visit, name = place
    shape = runs[visit].shapes[name]
    other = again[visit].shapes.get(name, ()) if visit < len(again) else ()
    axis = batch_axis(shape, other)
    if axis is None:
        return _Wrong(
            f"puts out a tensor of shape {shape} for two inputs and {other} for three, which has "
            "no axis of stimuli"
        )
    return visit, shape[:axis] + shape[axis + 1 :], axis


def _find(layer: Layer, runs: Sequence[Run]) -> tuple[int, str] | _Wrong:
    """Return which run and which of its tensors are meant, or what is wrong."""
    if not runs:
        return _Wrong("does not run when the network is shown something")
    visit = len(runs) - 1 if layer.visit is None else layer.visit
    if visit >= len(runs):
        return _Wrong(f"runs {len(runs)} time(s), counted from 0")
    names = list(runs[visit].shapes)
    if not names:
        return _Wrong("puts out no tensor")
    if not layer.field and len(names) > 1:
        return _Wrong(f"puts out several tensors, called {', '.join(names)}")
    if layer.field and layer.field not in names:
        return _no_field(layer, names)
    return visit, layer.field or names[0]


def _no_field(layer: Layer, names: Sequence[str]) -> _Wrong:
    if any(names):
        return _Wrong(f"puts out no {layer.field!r}", nearest(layer.field, names))
    mend = f"Leave :field({layer.field}) out." if layer.module else "Name a module of it."
    return _Wrong(f"puts out one tensor without a name, and no {layer.field!r}", mend)


def _probed(network: Network, layer: Layer, towers: Mapping[Modality, _Tower]) -> Probed:
    ran: list[Modality] = [key for key, one in towers.items() if layer.module in one.two.runs]
    modality: Modality = next(iter(ran or towers), "image")
    if layer.modality:
        modality = layer.modality
    if modality not in towers:
        raise ConfigError(
            f"Layer {layer.name!r} asks for what {network.card.name} makes of {modality}s, but "
            f"it has no {modality} tower.",
            mend="Leave that option out, or name a network that reads such stimuli.",
        )
    tower = towers[modality]
    seen = _look(layer, tower)
    if isinstance(seen, _Wrong):
        if not ran and "text" in network.card.methods and "text" not in towers:
            raise ConfigError(
                f"Layer {layer.name!r} of {network.card.name} does not run when pictures are "
                "shown, and no text can be: its tokenizer is not there.",
                mend="Fetch the tokenizer (the log says from where), or name a layer of the "
                "image tower.",
            )
        raise ConfigError(
            f"Layer {layer.name!r} of {network.card.name} {seen.what}.", mend=seen.mend
        )
    visit, shape, axis = seen
    part = network.module.get_submodule(layer.module) if layer.module else network.module
    kind = type(part).__name__
    channel_axis = -1
    if len(shape) == 3:
        told = tower.channel_axes.get((layer.module, visit))
        channel_axis = _channel_axis(shape, kind, 0) if told is None else told
    n_prefix = _prefix(shape, tower) if modality == "image" else 0
    made = Probed(
        layer=layer,
        kind=kind,
        modality=modality,
        shape=shape,
        n_features=math.prod(shape),
        batch_axis=axis,
        n_visits=len(tower.two.runs[layer.module]),
        nonlinearity=tower.two.runs[layer.module][visit].nonlinearity,
        tokens=_is_tokens(shape, kind, tower),
        n_prefix=n_prefix,
        has_class=tower.has_class and n_prefix > 0,
        channel_axis=channel_axis,
    )
    return replace(made, n_features=_count(made, network.card.name))


def _is_tokens(shape: tuple[int, ...], kind: str, tower: _Tower) -> bool:
    if len(shape) != 2 or kind.startswith(("Conv", "BatchNorm")):
        return False
    more = shape[0] - tower.n_patches
    return tower.n_patches != shape[1] or 0 <= more <= MOST_PREFIX  # else channels x places


def _prefix(shape: tuple[int, ...], tower: _Tower) -> int:
    """Count the tokens before the patches."""
    if len(shape) != 2:
        return 0
    if tower.n_patches:
        more = shape[0] - tower.n_patches
        return more if 0 < more <= MOST_PREFIX else 0
    return tower.n_prefix if tower.n_prefix >= 0 else int(tower.has_class)


def _count(probed: Probed, network: str) -> int:
    """Return how many features the options leave.

    Raises a `ConfigError` where an option does not fit the shape.
    """
    layer, shape = probed.layer, probed.shape
    says = f"Layer {layer.name!r} of {network} puts out {_told(probed)}"
    if layer.take == "all":
        return math.prod(shape)
    if layer.take in ("at", "pool"):
        return _count_places(probed, says)
    if layer.take == "class":
        if not (probed.tokens and probed.has_class):
            raise ConfigError(
                f"{says}, which has no class token.",
                mend="Take mean or all of it, or a layer of a network that has a class token.",
            )
        return shape[1]
    if probed.tokens and probed.modality == "image":
        return shape[1]
    if probed.channel_axis >= 0:
        return shape[probed.channel_axis]
    raise ConfigError(
        f"{says}, over which there is no mean of places.",
        mend="Leave :mean out; it is for maps and for tokens of patches.",
    )


def _count_places(probed: Probed, says: str) -> int:
    """Return how many features single or pooled places of a map leave."""
    layer = probed.layer
    if probed.channel_axis < 0:
        raise ConfigError(
            f"{says}, which has no rows and columns.", mend=f"Leave :{layer.take}(...) out."
        )
    channels, rows, columns = probed.sides()
    if layer.take == "pool":
        return channels * rows * columns
    for row, column in layer.places:
        if row >= rows or column >= columns:
            raise ConfigError(
                f"{says}, and the place ({row},{column}) lies outside of it.",
                mend=f"Rows run from 0 to {rows - 1}, columns from 0 to {columns - 1}.",
            )
    return channels * len(layer.places)


def _told(probed: Probed) -> str:
    if probed.channel_axis >= 0:
        channels, rows, columns = replace(probed, layer=replace(probed.layer, n_cells=0)).sides()
        return f"a map of {channels} channels, {rows} rows and {columns} columns"
    if probed.tokens:
        kind = "patches" if probed.modality == "image" else "words"
        return f"{probed.shape[0]} tokens of {kind} of {probed.shape[1]} values each"
    return f"{math.prod(probed.shape)} values of shape {probed.shape}"


def _without_twins(found: Sequence[Probed]) -> tuple[Probed, ...]:
    seen: dict[Layer, str] = {}
    for one in found:
        bare = replace(one.layer, name="", visit=one.visit, modality=one.modality)
        if bare in seen:
            raise ConfigError(
                f"The layers {seen[bare]!r} and {one.layer.name!r} are one and the same.",
                mend="Name each layer once.",
            )
        seen[bare] = one.layer.name
    return tuple(found)
