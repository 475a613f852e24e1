"""What the methods text says of networks, and the works that their cards name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import ascii_lowercase
from typing import Any
from unicodedata import normalize

from bids_dnn.containers.portrait import NetworkFacts
from bids_dnn.report.parts import listed
from bids_dnn.report.reference import Reference
from bids_dnn.report.references import REFERENCES

Told = Mapping[str, Any]
BY_DOI = {work.doi.lower(): work for work in REFERENCES.values() if work.doi}
# Networks that are cited by more works than the one on their card.
ALSO = dict.fromkeys(("alexnet", "torchvision:alexnet"), ("krizhevsky2017", "krizhevsky2014"))
RESIZE = {
    "squash": "squashed to {size} x {size} pixels, whatever their shape",
    "center-crop": "resized to {size} pixels along the shorter side and cropped to the central "
    "square",
    "pad": "resized to {size} pixels along the longer side and padded with mid grey",
}
SIDES = {"before": "before the nonlinearity", "after": "after the nonlinearity"}
MOST_LAYERS = 24  # that the text names
_CITED = re.compile(
    r"(?P<who>[^\W\d_][\w'-]*(?: (?:&|and) [^\W\d_][\w'-]*)?(?:,? et al\.?)?)"
    r" \((?P<year>(?:19|20)\d\d)\)"
)
_DOI = re.compile(r",? *doi:(10\.\d{4,}/[^\s,;]*[^\s,;.)])")
_ARXIV = re.compile(r"arXiv:\d+\.\d+")
_PLACE = re.compile(r"(?:arXiv|bioRxiv|[A-Z])")


def networks_text(networks: Sequence[Told]) -> str:
    """Return the paragraph on networks: what was shown to which, how, and what was taken.

    Parameters
    ----------
    networks
        ``name`` of each, and what is known of ``network``, ``weights``, ``weights_sha256``,
        ``layers``, ``size_px``, ``resize``, ``interpolation``, ``mean``, ``sd``, ``transforms``,
        ``precision``, ``license``, ``reference``, ``doi`` and ``modality``.

    Returns
    -------
    text
        Citations stand as ``[@key]``; "" where there is no network.
    """
    works = works_of(networks)
    own = [one for one in networks if not is_ready(one)]
    ready = [str(one["name"]) for one in networks if is_ready(one)]
    made = []
    if own:
        made.append(
            "Features of the stimuli were taken from the layers of "
            f"{', '.join(_named(one, works) for one in own)}, run in PyTorch [@paszke2019]."
        )
    details = [(str(one["name"]), _details(one)) for one in own]
    made += [f"{name}: {text}" if len(own) > 1 else text for name, text in details if text]
    if ready:
        made.append(
            f"Features of {', '.join(ready)} had been made elsewhere and were joined with the "
            "stimuli by their names."
        )
        made += [
            f"{one['name']}: {text}"
            for one in networks
            if is_ready(one) and (text := _reduction_text(one))
        ]
    return " ".join(made)


def is_ready(network: Told) -> bool:
    """Tell whether features were made elsewhere.

    Examples
    --------
    >>> is_ready({"name": "mine", "network": "features:mine.npy"})
    True
    """
    return str(network.get("network") or "").startswith("features:")


def is_random(network: Told) -> bool:
    """Tell whether a network's weights are random.

    Examples
    --------
    >>> is_random({"name": "alexnet", "weights": "random (seed 0)"})
    True
    """
    return str(network.get("weights") or "").startswith("random")


def described(facts: NetworkFacts) -> dict[str, Any]:
    """Return what the methods text and the table of networks want to know of a network."""
    sides = {one.nonlinearity for one in facts.layers}
    told = facts.to_json() | {"layers": [one.name for one in facts.layers]}
    told["nonlinearity"] = sides.pop() if len(sides) == 1 else ""
    return {key: value for key, value in told.items() if value}


def works_of(networks: Sequence[Told]) -> dict[str, Reference]:
    """Return the works with a DOI that networks' cards name, by their keys.

    A DOI that the table of references has stands for its entry there. Of others, authors, year
    and title are read from the card's line, so that no network must be listed by hand.

    Examples
    --------
    >>> card = {"name": "net", "reference": "Doe et al. (2024), A net, CVPR", "doi": "10.1234/a"}
    >>> works_of([card])["doe2024"].text()
    'Doe et al. (2024). A net. CVPR.'
    """
    made: dict[str, Reference] = {}
    for work in (work for one in networks for work in _read(one)):
        doi = work.doi.lower()
        if doi in {other.doi.lower() for other in made.values()}:
            continue
        known = BY_DOI.get(doi)
        own = known or work
        taken = {**made, **({} if known else REFERENCES)}
        keys = (own.key, *(f"{own.key}{letter}" for letter in ascii_lowercase))
        key = next(key for key in keys if key not in taken)
        made[key] = replace(own, key=key)
    return made


def _read(network: Told) -> list[Reference]:
    """Read works from a card: ``AUTHORS (YEAR), TITLE, PLACE, doi:...`` within its line."""
    line, doi = (str(network.get(key) or "").strip() for key in ("reference", "doi"))
    marks = list(_CITED.finditer(line))
    ends = [*(mark.start() for mark in marks), len(line)][1:]
    made = [_work(mark, line[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]
    if doi and doi.lower() not in {work.doi.lower() for work in made}:
        bare = [i for i, work in enumerate(made) if not work.doi]
        if bare:
            made[bare[0]] = replace(made[bare[0]], doi=doi)
        else:
            made.insert(0, _unread(network, line, doi))
    return [work for work in made if work.doi]


def _work(mark: re.Match[str], rest: str) -> Reference:
    who = re.sub(r",? et al\.?$", " and others", mark["who"]).replace(" & ", " and ")
    plain = normalize("NFKD", who).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9]+", plain.split(" and ")[0])
    doi = _DOI.search(rest)
    text = (rest[: doi.start()] if doi else rest).strip(".,:;() ")
    title, *places = text.split(", ")
    while places and not _PLACE.match(places[0]):  # a title may hold commas
        title += f", {places.pop(0)}"
    key = f"{words[-1].lower() if words else 'network'}{mark['year']}"
    year, place = int(mark["year"]), ", ".join(places)
    return Reference(key, who, title, year, place, doi[1] if doi else "", kind="misc")


def _unread(network: Told, line: str, doi: str) -> Reference:
    """Return a work of which no more than its DOI is known."""
    name = str(network["name"])
    key = "".join(re.findall(r"[A-Za-z0-9_]+", name)).lower() or "network"
    place = _ARXIV.search(line)
    return Reference(
        key, "", f"The network {name}", 0, place[0] if place else "", doi, kind="misc"
    )


def _named(network: Told, works: Mapping[str, Reference]) -> str:
    """Return a network's name with what is to be cited, or with its card's line."""
    name = str(network["name"])
    dois = {work.doi.lower() for work in _read(network)}
    own = [key for key, work in works.items() if work.doi.lower() in dois]
    keys = dict.fromkeys([*ALSO.get(str(network.get("network") or name), ()), *own])
    if is_random(network):
        name += " with RANDOM, untrained weights"
    if keys:
        return f"{name} [{'; '.join(f'@{key}' for key in keys)}]"
    return f"{name} ({line})" if (line := str(network.get("reference") or "")) else name


def _details(network: Told) -> str:
    texts = [
        _input_text(network),
        _layers_text(network),
        _reduction_text(network),
        _weights_text(network),
    ]
    return " ".join(text for text in texts if text)


def _input_text(network: Told) -> str:
    if network.get("modality") == "text":
        source = f" ({network['captions']})" if network.get("captions") else ""
        return f"It read the captions of the stimuli{source}."
    if not network.get("size_px"):
        return ""
    transforms = network.get("transforms") or ()
    steps = f"transformed by {', then '.join(map(str, transforms))}"
    is_made = bool(transforms) and not network.get("resize")  # one of them makes the square
    rule = RESIZE.get(str(network.get("resize")), "resized to {size} x {size} pixels")
    rule = f"{steps}, to {{size}} x {{size}} pixels" if is_made else rule
    text = f"Pictures were {rule.format(size=network['size_px'])}"
    if network.get("interpolation"):
        text += f" ({network['interpolation']} interpolation)"
    if transforms and not is_made:
        text += f", {steps}"
    if norm := norm_text(network.get("mean") or (), network.get("sd") or ()):
        text += f", and normalized by channel ({norm})" if "SD" in norm else f", {norm}"
    return f"{text}."


def norm_text(mean: Sequence[float], sd: Sequence[float]) -> str:
    """Return what is done to each color channel; "" where it is not known.

    Examples
    --------
    >>> norm_text((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)), norm_text((0, 0, 0), (1, 1, 1))
    ('mean 0.5, 0.5, 0.5; SD 0.2, 0.2, 0.2', 'left in [0, 1]')
    """
    if not mean or not sd:
        return ""
    if not any(mean) and set(sd) == {1}:
        return "left in [0, 1]"
    rows = (", ".join(f"{v:g}" for v in row) for row in (mean, sd))
    return "mean {}; SD {}".format(*rows)


def _layers_text(network: Told) -> str:
    layers = network.get("layers") or ()
    names = layers.split(", ") if isinstance(layers, str) else [str(one) for one in layers]
    if not names or not network.get("modality"):
        return ""
    one = "The layer was" if len(names) == 1 else "The layers were"
    text = f"{one} {listed(names, most=MOST_LAYERS)}"
    if network.get("nonlinearity") in SIDES:
        text += f", {SIDES[network['nonlinearity']]}"
    if network.get("precision"):
        text += f", in {network['precision']}"
    return f"{text}."


def _reduction_text(network: Told) -> str:
    told = str(network.get("reduction") or "")
    if told.startswith("pca"):
        return (
            "Of each layer the first principal components were kept, learnt on the training "
            f"stimuli of each fold: {told}."
        )
    is_projected = told.startswith("srp")
    return f"Of each layer sparse random projections were kept: {told}." if is_projected else ""


def _weights_text(network: Told) -> str:
    """Return which weights these were, so that another can tell whether theirs are the same."""
    facts = []
    if not is_random(network) and network.get("weights"):
        own = str(network["weights"]).startswith("as made by")
        facts.append(f"{'' if own else 'file '}{network['weights']}")
    if sha256 := str(network.get("weights_sha256") or ""):
        facts.append(f"SHA-256 beginning with {sha256[:12]}")
    if network.get("license"):
        facts.append(f"license {network['license']}")
    return f"Weights: {', '.join(facts)}." if facts and network.get("modality") else ""
