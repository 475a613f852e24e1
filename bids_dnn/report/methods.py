"""The methods text: paragraphs chosen by what ran, and the works they cite."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bids_dnn.errors import ConfigError, nearest
from bids_dnn.report.across import across_text
from bids_dnn.report.cards import networks_text, works_of
from bids_dnn.report.decoders import decoding_text
from bids_dnn.report.estimates import estimate_texts
from bids_dnn.report.estimators import (
    CITE,
    fitted_text,
    inference_text,
    patterns_text,
)
from bids_dnn.report.group_ceilings import group_ceiling_text
from bids_dnn.report.group_searchlight import lights_text
from bids_dnn.report.group_twin import group_twin_text
from bids_dnn.report.over_participants import group_text
from bids_dnn.report.parts import many
from bids_dnn.report.references import REFERENCES, Reference
from bids_dnn.report.searchlight import searchlight_text
from bids_dnn.report.sources import SOURCES
from bids_dnn.report.twin import twin_text

Ran = Mapping[str, Any]

UNSCALED = ("algonauts", "tvsd", "nwb")  # whose responses have a unit of their own
_CEILINGS = {
    "split-half": "from the correlation of halves of the repeats",
    "ncsnr": "from signal and noise variance over repeats [@allen2022]",
    "fev": "from the fraction of explainable variance over repeats [@cadena2019]",
}
# What is said of regions, by the kinds of terms in their rules; each kind once.
_RULES = {
    "benson": "Retinotopic regions were predicted from the participant's own cortical folding "
    "with the anatomical template of Benson et al. [@benson2014; @benson2018], mapped through the "
    "spherical registration of FreeSurfer [@fischl2012]",
    "wang15": "Topographic areas came from the probabilistic atlas of Wang et al. [@wang2015]",
    "localizer": "Functional regions were defined in each participant by a localizer contrast "
    "[@fedorenko2010], in data other than those analyzed unless said otherwise "
    "[@kriegeskorte2009]",
    "atlas": "Regions came from published atlases (TemplateFlow [@ciric2022])",
    "aparc": "Anatomical regions were those of FreeSurfer's parcellation "
    "[@fischl2012; @desikan2006]",
    "annot": "Regions came from FreeSurfer annotations [@fischl2012]",
    "file": "Regions came from masks that were given",
    "sphere": "Spherical regions were drawn around given coordinates",
    "area": "Regions were those that the data set itself names",
}
_ALIKE = {"mask": "file", "aparc.a2009s": "aparc", "aparc.DKTatlas": "aparc"}
_KIND = re.compile(r"(?<![\w/.:])([a-z][\w.]*):")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of the methods text, and when it is printed.

    Parameters
    ----------
    needs
        Key of what must have run.
    write
        Makes the text from what ran; "" = nothing to say.
    """

    needs: str
    write: Callable[[Ran], str]


_TRIGGERED = (
    " Response-triggered averages [@chichilnisky2001] of some {} weighed the training images, in "
    "gray as the network sees them, by the responses; z are over exchanges of responses among "
    "images. No correction for correlations among pixels was made."
)


def _general(_: Ran) -> str:
    return (
        "Results were computed with bids_dnn, a BIDS App [@gorgolewski2016; @gorgolewski2017] "
        "built on Nipype [@gorgolewski2011]."
    )


def _source(ran: Ran) -> str:
    settings = ran.get("responses", {})
    source = str(ran["source"])
    known = SOURCES[source].methods if source in SOURCES else ""
    unit, _ = _units(ran)
    texts = [known, *estimate_texts(settings, source=source)]
    return " ".join(text.replace("{unit}", unit) for text in texts if text)


def _units(ran: Ran) -> tuple[str, str]:
    """Return what a unit is called, one and many."""
    unit = str(ran.get("unit", "voxel"))
    return unit, many(unit)


def _regions(ran: Ran) -> str:
    rules = {str(one["name"]): str(one.get("rule") or "") for one in ran["regions"]}
    named: dict[str, list[str]] = {}
    for name, rule in rules.items():
        for kind in _kinds(rule):
            named.setdefault(kind, []).append(name)
    texts = [
        f"{_RULES[kind]} ({', '.join(names)})." for kind, names in named.items() if kind in _RULES
    ]
    return " ".join(texts)


def _kinds(rule: str) -> list[str]:
    """Return the kinds of terms in a rule, each once; a rule without any is a file."""
    found = [kind for kind in _KIND.findall(rule) if kind in _RULES or kind in _ALIKE]
    return list(dict.fromkeys(_ALIKE.get(kind, kind) for kind in found)) or ["file"]


def _cost(ran: Ran) -> str:
    settings = ran.get("responses", {})
    is_raw = ran.get("source") == "fmriprep" and settings.get("model") in ("block", "volumes")
    is_raw = is_raw or ran.get("source") in UNSCALED
    if "scale" in ran:
        is_raw = ran["scale"] not in ("beta", "psc")
    if settings.get("standardize", "none") != "none" or is_raw:
        return ""
    return (
        f", scaled in each training set as for {_units(ran)[1]} of unit variance, by their number "
        "over the mean diagonal of the centered Gram matrix"
    )


def _decode(ran: Ran) -> str:
    told = ran["decode"] | {"feature_spaces": ran.get("feature_spaces", ())}
    return decoding_text(told, units=_units(ran)[1], cost=_cost(ran))


def _networks(ran: Ran) -> str:
    return networks_text(ran["networks"])


def _encode(ran: Ran) -> str:
    told = ran["encode"]
    folds = told.get("folds", {})
    ceiling = _CEILINGS.get(told.get("ceiling", ""), "from repeats")
    unit, plural = _units(ran)
    if folds.get("split"):
        tested = (
            "Scores are of the test stimuli of the split that was given; none of them was in "
            "training."
        )
        interval = "Intervals are 95 % bootstrap intervals over test stimuli [@efron1993]."
    else:
        tested = (
            f"Scores are from {folds.get('stimulus', 5)} outer folds; no stimulus was in "
            "training and test; predictions and responses were centered, and predictions scaled "
            "to unit variance, within each test fold before they were pooled, which is close to "
            "the mean of the folds' r."
        )
        interval = "Intervals are 95 % corrected resampled t intervals over folds [@nadeau2003]."
    fitted = fitted_text(
        _estimators(ran),
        unit=unit,
        select=told.get("select", "auto"),
        n_inner=folds.get("inner", 5),
        has_choice=_has_choice(ran),
        is_scaled=bool(told.get("pls_scale")),
        loss=str(told.get("loss", "gaussian")),
    )
    p = inference_text(
        _estimators(ran),
        units=plural,
        n_permutations=told.get("permutations", 0),
        has_choice=_has_choice(ran),
        has_split=bool(folds.get("split")),
    )
    patterns = patterns_text(told.get("units"), units=plural)
    return (
        f"Encoding models predicted each {unit}'s mean response to each stimulus, and the mean "
        f"response of each region beside its {plural}. {fitted} "
        f"{tested} The score is the signed Pearson correlation of predicted and measured "
        f"responses, averaged over the {plural} of a region through Fisher's z. "
        f"The noise ceiling was estimated {ceiling}; the normalized score is score divided by "
        f"ceiling [@schoppe2016]. {interval} {p} Images were identified from predicted "
        f"patterns among the test images of a fold{patterns} [@kay2008]."
        + (_TRIGGERED.format(plural) if told.get("triggered") else "")
    )


def _estimators(ran: Ran) -> Sequence[str]:
    return tuple(ran["encode"].get("estimator") or ("ridge",))


def _has_choice(ran: Ran) -> bool:
    """Tell whether units chose among layers: those of ridge regression, where there are more."""
    layers = [layer for one in ran.get("networks", ()) for layer in one.get("layers", ())]
    return "ridge" in _estimators(ran) and len(layers) != 1


def _ceiling(_: Ran) -> str:
    return (
        "How reliable responses are was estimated from what was shown more than once, in three "
        "ways: from components of variance (the noise ceiling signal-to-noise ratio "
        "[@allen2022]), from how random halves of the repeats agree, stepped up by Spearman and "
        "Brown's formula, and from the fraction of explainable variance [@cadena2019]. The noise "
        "ceiling is the root of the mean reliability over a region's units."
    )


def _denoise(ran: Ran) -> str:
    named = ", ".join(ran["denoise"].get("strategies", ()))
    return (
        "The time series of each region in the first run were cleaned in several ways for "
        f"comparison ({named}), with and without a low-pass filter; they enter no other result."
    )


def _searchlight(ran: Ran) -> str:
    return searchlight_text(ran["searchlight"], unit=str(ran.get("unit", "voxel")))


def _group(ran: Ran) -> str:
    parts = [group_text(ran["group"])]
    parts += [lights_text(ran["group"], ran["searchlight"])] if "searchlight" in ran else []
    parts += [group_twin_text()] if "twin" in ran else []
    return " ".join(filter(None, parts))


PARAGRAPHS = (
    Paragraph("", _general),
    Paragraph("source", _source),
    Paragraph("regions", _regions),
    Paragraph("denoise", _denoise),
    Paragraph("ceiling", _ceiling),
    Paragraph("decode", _decode),
    Paragraph("networks", _networks),
    Paragraph("encode", _encode),
    Paragraph("twin", lambda ran: twin_text(ran["twin"])),
    Paragraph("searchlight", _searchlight),
    Paragraph("group", _group),
    Paragraph("loo_ceiling", lambda ran: group_ceiling_text(ran["loo_ceiling"])),
    Paragraph("across", lambda ran: across_text(ran["across"])),
)


def sentences(ran: Ran) -> list[str]:
    """Return the paragraphs that what ran asks for.

    Parameters
    ----------
    ran
        ``source`` (a key of `sources.SOURCES`), the settings of ``responses``, ``decode``,
        ``encode``, ``group`` and ``across``, ``networks``, ``regions`` (``name`` and ``rule`` of
        each) and ``unit`` (what a unit is called) and ``scale`` of the responses; each only where
        it ran.

    Returns
    -------
    paragraphs
        Citations stand as ``[@key; @key]``.

    Examples
    --------
    >>> len(sentences({}))
    1
    """
    texts = [one.write(ran) for one in PARAGRAPHS if not one.needs or ran.get(one.needs)]
    return [text for text in texts if text]


def cited(paragraphs: Iterable[str]) -> list[str]:
    """Return the keys that paragraphs cite, in order, each once.

    Examples
    --------
    >>> cited(["One [@b; @a].", "Two [@a]."])
    ['b', 'a']
    """
    found = [
        key.strip().lstrip("@")
        for text in paragraphs
        for group in CITE.findall(text)
        for key in group.split(";")
    ]
    return list(dict.fromkeys(found))


def references(
    keys: Sequence[str], further: Mapping[str, Reference] | None = None
) -> list[Reference]:
    """Return the works of these keys, in their order.

    Parameters
    ----------
    keys
        As `cited` returns them.
    further
        Works beside those of the table, such as those of networks' cards.

    Returns
    -------
    works

    Raises
    ------
    ConfigError
        If a key is not in the table.
    """
    known = {**REFERENCES, **(further or {})}
    if unknown := [key for key in keys if key not in known]:
        raise ConfigError(
            f"There is no reference {unknown[0]!r}.", mend=nearest(unknown[0], known)
        )
    return [known[key] for key in keys]


def linked(paragraph: str, numbers: Mapping[str, int]) -> str:
    """Return a paragraph as HTML, its citations as numbers that lead to the list.

    Parameters
    ----------
    paragraph
        Plain text with ``[@key]``; what is HTML in it is escaped.
    numbers
        Of each key in the list of references.

    Returns
    -------
    text

    Examples
    --------
    >>> linked("A < B [@a].", {"a": 1})
    'A &lt; B [<a href="#ref-a">1</a>].'
    """

    def numbered(found: re.Match[str]) -> str:
        keys = [key.strip().lstrip("@") for key in found.group(1).split(";")]
        links = [f'<a href="#ref-{key}">{numbers[key]}</a>' for key in keys]
        return f"[{', '.join(links)}]"

    return CITE.sub(numbered, html.escape(paragraph, quote=False))


def boilerplate(ran: Ran) -> dict[str, str]:
    """Return the methods text with its references, to be copied into a paper.

    Parameters
    ----------
    ran
        As for `sentences`.

    Returns
    -------
    texts
        By file suffix: ``md`` (for pandoc), ``html`` and ``bib``.
    """
    paragraphs = sentences(ran)
    works = references(cited(paragraphs), works_of(ran.get("networks", ())))
    numbers = {work.key: n for n, work in enumerate(works, start=1)}
    items = "\n".join(
        f'<li id="ref-{work.key}">{html.escape(work.text())} '
        f'<a href="{work.link}">{work.link}</a></li>'
        for work in works
    )
    body = "\n".join(f"<p>{linked(text, numbers)}</p>" for text in paragraphs)
    listed = "\n".join(f"{n}. {work.text()} <{work.link}>" for n, work in enumerate(works, 1))
    return {
        "md": "\n\n".join([*paragraphs, "## References", listed]) + "\n",
        "html": f'<!doctype html>\n<meta charset="utf-8">\n<title>Methods</title>\n{body}\n'
        f"<h2>References</h2>\n<ol>\n{items}\n</ol>\n",
        "bib": "\n\n".join(work.bibtex() for work in works) + "\n",
    }
