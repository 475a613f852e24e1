"""bids_dnn_tools layers and weights: what a network is made of, and where its weights are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bids_dnn.cli.options import DoubleSpelling, guarded
from bids_dnn.errors import ConfigError

if TYPE_CHECKING:
    from bids_dnn.containers.network import Card, Network
    from bids_dnn.features.layers import Layer
    from bids_dnn.features.probe import Probed

Row = tuple[str, ...]
OFFLINE = click.option("--offline", is_flag=True, help="Never ask the network for a file.")
COLUMNS = ("", "LAYER", "ALIAS", "CLASS", "SHAPE", "FEATURES", "NONLINEARITY", "RUNS", "OF")
RIGHT = ("FEATURES", "RUNS")
MARK = "*"


@click.command(cls=DoubleSpelling)
@click.argument("network", metavar="NETWORK")
@click.option(
    "--weights",
    metavar="PATH",
    help="Check that these weights fit; without them they are random, which alters no shape.",
)
@click.option("--all", "shows_all", is_flag=True, help="Show every module, not only named ones.")
@OFFLINE
def layers(network: str, weights: str | None, *, shows_all: bool, offline: bool) -> None:
    """Print the card of NETWORK and its layers in forward order.

    NETWORK is alexnet, timm:NAME, open_clip:ARCHITECTURE, transformers:REPOSITORY, cornet:z,
    ecoset:alexnet, lowlevel:gabor or PATH/file.py:factory. Layers marked * are analyzed where
    none are asked for. NONLINEARITY says whether values are those before or after one.
    """
    with guarded(0):
        from bids_dnn.features.models import load_whole
        from bids_dnn.features.probe import probe

        loaded = load_whole(network, weights=weights or "random", seed=0, offline=offline)
        found = {one.layer.module: one for one in probe(loaded, None)}
        shows_all = shows_all or not (loaded.card.layers or loaded.card.aliases)
        rows, refused = _rows(loaded, found, shows_all=shows_all)
        click.echo("\n".join([*_card(loaded.card), "", *_table(rows)]))
        more = "" if shows_all else f"; --all shows all {len(found)} modules"
        click.echo(f"\n{MARK} = analyzed by default{more}.")
        if refused:
            click.echo("\n".join(["", "On the card, but not to be had:", *refused]))


@click.command(cls=DoubleSpelling)
@click.argument("network", metavar="NETWORK")
@OFFLINE
def weights(network: str, *, offline: bool) -> None:
    """Find or download the trained weights of NETWORK and check that they fit.

    The SHA-256 over the tensors is the one that sidecars name.
    """
    with guarded(0):
        from bids_dnn.features.models import find_file, load_whole
        from bids_dnn.files import fingerprint

        path = find_file(network, offline=offline)
        loaded = load_whole(network, weights=None, seed=0, offline=offline)
        lines = [("weights", loaded.weights)]
        if path is not None:
            lines += [("file", str(path)), ("SHA-256 of the file", fingerprint(path))]
        lines += [("SHA-256 over the tensors", loaded.weights_sha256)]
        click.echo("\n".join([loaded.card.name, *_pairs(lines)]))


def _card(card: Card) -> list[str]:
    told = [
        ("input", f"{card.size_px} x {card.size_px} pixels"),
        ("resizing", f"{card.resize}, {card.interpolation}"),
        ("mean of RGB in [0, 1]", _numbers(card.mean)),
        ("SD", _numbers(card.sd)),
        ("reads", " and ".join(f"{kind}s" for kind in card.methods)),
        ("logits", f"{card.head}, {len(card.labels)} classes" if card.head else ""),
        ("license of the weights", card.license or "not known"),
        ("reference", card.reference or "none is known"),
        ("DOI", f"https://doi.org/{card.doi}" if card.doi else ""),
    ]
    return [card.name, *_pairs([(key, value) for key, value in told if value])]


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(key) for key, _ in pairs)
    return [f"  {key.ljust(width)}  {value}" for key, value in pairs]


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _rows(
    network: Network, found: dict[str, Probed], *, shows_all: bool
) -> tuple[list[Row], list[str]]:
    """Return what the table shows, in forward order, and why it shows no more.

    Parameters
    ----------
    network
        As loaded.
    found
        Every module that puts out one tensor, by its path, in forward order.
    shows_all
        Whether modules are shown that the card does not name.
    """
    from bids_dnn.features.layers import Layer as Asked
    from bids_dnn.features.layers import parse_layer

    card = network.card
    names: dict[Layer, list[str]] = {}
    for text in (*card.layers, *card.aliases):
        bare = replace(parse_layer(text, card.aliases), name="")
        names.setdefault(bare, []).append(text)
    for module in found if shows_all else ():
        names.setdefault(Asked("", module), []).append(module)

    asked = [texts[0] for bare, texts in names.items() if _plain(bare, found) is None]
    others = _each(network, asked)
    forward = {module: place for place, module in enumerate(found)}
    rows, refused = [], []
    for bare, texts in names.items():
        probed = _plain(bare, found) or others[texts[0]]
        if isinstance(probed, ConfigError):
            also = f" (So it is with {', '.join(texts[1:])}.)" if texts[1:] else ""
            refused.append(f"  {probed}{also}")
            continue
        place = forward.get(bare.module, len(forward))
        rows.append((place, _row(card, texts, probed)))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])], refused


def _each(network: Network, asked: Sequence[str]) -> dict[str, Probed | ConfigError]:
    """Return what each layer puts out, or why it cannot be had: one spoils no other."""
    from bids_dnn.features.probe import probe

    if not asked:
        return {}
    try:
        return dict(zip(asked, probe(network, asked), strict=True))
    except ConfigError as err:
        if len(asked) == 1:
            return {asked[0]: err}
    return {name: told for one in asked for name, told in _each(network, [one]).items()}


def _plain(layer: Layer, found: Mapping[str, Probed]) -> Probed | None:
    """Return what a layer without options puts out; None where it has some."""
    probed = found.get(layer.module)
    return probed if probed and layer == replace(probed.layer, name="") else None


def _row(card: Card, texts: Sequence[str], probed: Probed) -> Row:
    return (
        MARK if texts[0] in card.layers else "",
        card.aliases.get(texts[0], texts[0]),
        ", ".join(dict.fromkeys(text for text in texts if text in card.aliases)),
        probed.kind,
        " x ".join(map(str, probed.shape)),
        f"{probed.n_features:,}",
        probed.nonlinearity or "-",
        str(probed.n_visits),
        f"{probed.modality}s",
    )


def _table(rows: Sequence[Row]) -> list[str]:
    shown = [COLUMNS, *rows]
    if all(row[-1] == "images" for row in rows):  # then it goes without saying
        shown = [row[:-1] for row in shown]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = []
    for row in shown:
        cells = zip(row, widths, COLUMNS, strict=False)
        padded = [c.rjust(w) if head in RIGHT else c.ljust(w) for c, w, head in cells]
        lines.append("  ".join(padded).rstrip())
    return lines
