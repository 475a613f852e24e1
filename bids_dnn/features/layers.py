"""How a layer is written: ``PATH[:OPTION...]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from bids_dnn.containers.network import Card, Modality
from bids_dnn.errors import ConfigError, nearest

if TYPE_CHECKING:
    import torch

Take = Literal["all", "mean", "class", "at", "pool"]
OPTIONS = {
    "all": "every value (the default)",
    "mean": "mean over the places of a map, or over patches without the class token",
    "class": "the class token",
    "at(ROW,COLUMN;...)": "these places of a map, counted from 0 at the upper left",
    "pool(N)": "means over N x N parts of a map; a map of fewer places is left as it is",
    "relu": "negative values become 0, before any mean",
    "visit(K)": "the K-th run, from 0, of a module that runs several times; else the last",
    "field(NAME)": "one of several things that a module puts out, by its name or number",
    "text": "where a module serves pictures and texts alike: what it makes of texts",
}
WITH_ARGUMENT = ("at", "pool")
_PLACES = re.compile(r"\d+,\d+(;\d+,\d+)*")


@dataclass(frozen=True, slots=True)
class Layer:
    """What is taken of which module.

    Parameters
    ----------
    name
        As the user wrote it, and as it stands in tables.
    module
        Path; "" = the network itself, whose value is what its method returns.
    field
        Name, or number from 0, of one of several things that the module puts out; "" = the
        only one.
    take
        All values, the spatial mean or the mean of patches, the class token, `places`, or the
        means over `n_cells` x `n_cells` parts of a map.
    places : (row, column), from 0
        Of a map; empty unless `take` is ``at``.
    n_cells : int
        Rows and columns that are left of a map at most; 0 unless `take` is ``pool``.
    is_rectified
        Whether negative values become 0.
    visit : int
        Which run of the module, from 0; None = the last one.
    modality
        Which tower, where the module runs in both; "" = that of the pictures where there is one.
    """

    name: str
    module: str
    field: str = ""
    take: Take = "all"
    places: tuple[tuple[int, int], ...] = ()
    n_cells: int = 0
    is_rectified: bool = False
    visit: int | None = None
    modality: Modality | Literal[""] = ""


def split_layers(text: str) -> list[str]:
    """Split names of layers at the commas that stand outside parentheses.

    Examples
    --------
    >>> split_layers("conv1, conv2:at(1,2;3,4)")
    ['conv1', 'conv2:at(1,2;3,4)']
    """
    return [part.strip() for part in _split(text, ",") if part.strip()]


def parse_layer(text: str, aliases: Mapping[str, str]) -> Layer:
    """Return what `text` asks for; whether there is such a module is not looked at.

    Parameters
    ----------
    text
        ``PATH[:OPTION...]``; the options are the keys of `OPTIONS`, in any order. ``.NAME``
        is short for ``:field(NAME)``: a field of what the network itself returns.
    aliases
        Other names of paths, each to ``PATH[:OPTION...]``. The empty path is the network itself.

    Raises
    ------
    ConfigError
        If an option is unknown, stands twice, or excludes another.

    Examples
    --------
    >>> layer = parse_layer("conv1:at(0,3)", {"conv1": "features.0"})
    >>> layer.module, layer.take, layer.places
    ('features.0', 'at', ((0, 3),))
    """
    path, *options = _split(text, ":")
    path = path.strip()
    if path in aliases:
        path, *before = _split(aliases[path], ":")
        options = before + options
    elif not path and not options:
        raise ConfigError(
            "A layer has no name.", mend="Write PATH[:OPTION...], such as features.0:mean."
        )
    if path.startswith("."):
        path, options = "", [f"field({path[1:]})", *options]

    layer = Layer(text, path)
    for option in options:
        layer = _with_option(layer, option.strip())
    return layer


def layers_of(module: torch.nn.Module) -> tuple[str, ...]:
    """Return every module path of a network, in the order in which they were made."""
    return tuple(name for name, _ in module.named_modules(remove_duplicate=False) if name)


def resolve_layers(module: torch.nn.Module, card: Card, names: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers that `names` ask for, in that order.

    Whether an option fits what the module puts out, `probe.probe` finds out.

    Parameters
    ----------
    module
        Of the network.
    card
        Its name stands in messages, its aliases may stand in `names`.
    names
        As the user wrote them.

    Raises
    ------
    ConfigError
        If none is named, one is unknown, has an option that is wrong, or is named twice.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    >>> resolve_layers(net, Card("mine", (), aliases={"fc1": "0"}), ["fc1"])[0].module
    '0'
    """
    there = layers_of(module)
    known = [*card.aliases, *there]
    if not names:
        raise ConfigError(
            f"No layer of {card.name} was named, and it has no default.",
            mend=f"Write --network {card.name}@LAYER,... {nearest('', known)}",
        )
    made: dict[Layer, str] = {}
    for name in names:
        layer = parse_layer(name, card.aliases)
        if layer.module and layer.module not in there:
            path = _split(name, ":")[0].strip()
            if path in card.aliases:
                raise ConfigError(
                    f"The alias {path!r} of {card.name} stands for {layer.module!r}, which the "
                    "network does not have.",
                    mend=f"Correct the card. {nearest(layer.module, there)}",
                )
            raise ConfigError(f"{card.name} has no layer {path!r}.", mend=nearest(path, known))
        bare = replace(layer, name="")
        if bare in made:
            raise ConfigError(
                f"The layers {made[bare]!r} and {name!r} of {card.name} are one and the same.",
                mend="Name each layer once.",
            )
        made[bare] = name
    return tuple(replace(bare, name=name) for bare, name in made.items())


def _with_option(layer: Layer, option: str) -> Layer:
    word, _, rest = option.partition("(")
    argument = rest[:-1].strip() if rest.endswith(")") else None
    if word in get_args(Take) and (word in WITH_ARGUMENT) == (argument is not None):
        if layer.take != "all":
            raise _clash(layer, layer.take, word)
        return _taken(layer, cast(Take, word), argument)
    if word == "visit" and argument is not None and argument.isdecimal():
        if layer.visit is not None:
            raise _clash(layer, f"visit({layer.visit})", option)
        return replace(layer, visit=int(argument))
    if word == "field" and argument:
        if layer.field:
            raise _clash(layer, f"field({layer.field})", option)
        return replace(layer, field=argument)
    if option == "relu":
        return replace(layer, is_rectified=True)
    if option == "text":
        return replace(layer, modality="text")
    known = {one.partition("(")[0]: one for one in OPTIONS}
    mend = f"Write {known[word]}." if word in known else nearest(option, OPTIONS)
    raise ConfigError(f"Layer {layer.name!r} has the option {option!r}.", mend=mend)


def _taken(layer: Layer, take: Take, argument: str | None) -> Layer:
    if argument is None:
        return replace(layer, take=take)
    if take == "at":
        return replace(layer, take=take, places=_places(layer, argument))
    return replace(layer, take=take, n_cells=_n_cells(layer, argument))


def _places(layer: Layer, argument: str) -> tuple[tuple[int, int], ...]:
    plain = argument.replace(" ", "")
    if not _PLACES.fullmatch(plain):
        raise ConfigError(
            f"Layer {layer.name!r} has the places {argument!r}.",
            mend="Write rows and columns from 0, such as at(6,6) or at(0,0;12,12).",
        )
    pairs = [one.split(",") for one in plain.split(";")]
    places = tuple((int(row), int(column)) for row, column in pairs)
    if len(set(places)) < len(places):
        raise ConfigError(
            f"Layer {layer.name!r} has a place twice.", mend="Write each place once."
        )
    return places


def _n_cells(layer: Layer, argument: str) -> int:
    if not argument.isdecimal() or int(argument) < 1:
        raise ConfigError(
            f"Layer {layer.name!r} is to be pooled to {argument!r} rows and columns.",
            mend="Write a number from 1, such as pool(28).",
        )
    return int(argument)


def _clash(layer: Layer, one: str, other: str) -> ConfigError:
    return ConfigError(
        f"Layer {layer.name!r} asks for {one} and for {other}.",
        mend="Leave one of them out, or name two layers.",
    )


def _split(text: str, mark: str) -> list[str]:
    """Split at `mark` where it stands outside parentheses."""
    return re.split(rf"{re.escape(mark)}(?![^(]*\))", text)
