"""What is said of each estimator of encoding, on the page and in the methods text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bids_dnn.report.parts import many

CITE = re.compile(r"\[(@[\w; @]+)\]")
NAMES = {
    "ridge": "ridge regression",
    "pls": "partial least squares",
    "banded": "banded ridge regression",
    "bashivan": "a readout of mask and features (Bashivan et al. 2019)",
    "cadena": "a readout with full weights (Cadena et al. 2019)",
    "factorized": "a factorized readout (Klindt et al. 2017)",
}
_INNER = "on {inner} inner folds of the training stimuli"
_GCV = "by generalized cross-validation on the training stimuli [@golub1979]"
_SELECTIONS = {
    "inner": _INNER,
    "gcv": _GCV,
    "loo": "by leaving out each training stimulus in turn [@allen1974]",
    "auto": f"{_GCV}, or {_INNER} where responses were estimated together, and share noise",
}
_TRAINED = (
    " were trained on each layer that puts out maps, by {loss}; penalties were chosen and "
    "training was stopped on a part of the training stimuli."
)
_LOSSES = {
    "gaussian": "the squared error of standardized responses",
    "poisson": "the log-likelihood of counts under the Poisson distribution",
}
_SCALED = (
    "; features and responses were divided by their standard deviation over the training stimuli"
)
_FITTED = {
    "ridge": "Ridge regression [@hoerl1970] in its kernel form [@dupre2022] predicted each {unit} "
    "from each layer, with one penalty a {unit} chosen {select}.",
    "pls": "Partial least squares [@dejong1993] predicted the {units} of a region from each layer "
    "by components that they share, and its mean by components of its own, their number chosen "
    "on inner folds{scaled}.",
    "bashivan": "Readouts of a spatial mask and a vector of features [@bashivan2019]" + _TRAINED,
    "cadena": "Readouts with full weights over space and features [@cadena2019]" + _TRAINED,
    "factorized": "Factorized what-where readouts [@klindt2017]" + _TRAINED,
    "banded": "Banded ridge regression [@dupre2022] joined all feature spaces, each weighted for "
    "each {unit} on training stimuli; R² was split between spaces by the product measure.",
}


def fitted_text(
    estimators: Iterable[str],
    *,
    unit: str,
    select: str,
    n_inner: int,
    has_choice: bool,
    is_scaled: bool = False,
    loss: str = "gaussian",
) -> str:
    """Say how each estimator predicts, with citations.

    Parameters
    ----------
    estimators
        Keys of `NAMES`.
    unit
        What a unit is called.
    select
        How ridge regression chose its penalties: ``inner``, ``gcv``, ``loo`` or ``auto``.
    n_inner
        Inner folds.
    has_choice
        Whether units chose among several layers, which ridge regression alone offers them.
    is_scaled
        Whether partial least squares divided features and responses by their SD.
    loss
        Of readouts: ``gaussian`` or ``poisson``.

    Returns
    -------
    text

    Examples
    --------
    >>> print(fitted_text(["factorized"], unit="site", select="gcv", n_inner=5, has_choice=False))
    ... # doctest: +ELLIPSIS
    Factorized what-where readouts [@klindt2017] were trained on each layer ...
    """
    words = {
        "unit": unit,
        "units": many(unit),
        "select": _SELECTIONS.get(select, _INNER).format(inner=n_inner),
        "scaled": _SCALED if is_scaled else "",
        "loss": _LOSSES[loss],
    }
    texts = []
    for name in estimators:
        texts.append(_FITTED[name].format(**words) if name in _FITTED else "")
        if name == "ridge" and has_choice:
            texts.append(
                f"Each {unit} also took the layer that its training stimuli let expect to be "
                "best, in each fold anew."
            )
    return " ".join(text for text in texts if text)


def inference_text(
    estimators: Iterable[str],
    *,
    units: str,
    n_permutations: int,
    has_choice: bool,
    has_split: bool,
) -> str:
    """Say how p were made, for each kind of estimator, with citations.

    Parameters
    ----------
    estimators
        Keys of `NAMES`.
    units
        What units are called.
    n_permutations
    has_choice
        As in `fitted_text`.
    has_split
        Whether there is one set of test stimuli, in place of folds.

    Returns
    -------
    text
    """
    names = set(estimators)
    times = f"({n_permutations} times), the observed order counted among them [@phipson2010]"
    texts = []
    if "ridge" in names:
        texts.append(
            "p of ridge regression are those of the covariance of predicted and measured "
            f"responses, averaged over all penalties alike, {units} standardized: responses were "
            f"exchanged among the stimuli of a fold before the fit {times}."
        )
    if names != {"ridge"} or has_choice:
        where = "Where predictions depend on choices made on responses, t"
        inside = "" if has_split else " within folds"
        merged = ", and the p of the folds merged by twice their mean [@vovk2020]"
        texts.append(
            f"{where if 'ridge' in names else 'T'}est stimuli were exchanged{inside} "
            f"{times}{merged if inside else ''}."
        )
    texts.append(
        "Corrected p control the family of all regions and layers of an estimator by the maximum "
        "statistic [@westfall1993; @nichols2002]."
    )
    ways = ["by rotations of their responses [@langsrud2005]"] if "ridge" in names else []
    if names != {"ridge"} or has_choice:
        other = "others " if ways else ""
        inside = "" if has_split else " in each fold, merged in the same way"
        ways.append(f"{other}by the t test of their correlation{inside}")
    texts.append(
        f"Single {units} were tested {', '.join(ways)}, with the false discovery rate controlled "
        "over all of them [@benjamini1995]."
    )
    return " ".join(texts)


def patterns_text(chosen: Mapping[str, Any] | None, *, units: str) -> str:
    """Say of which units patterns are, as the end of a sentence; "" where they are of all.

    Parameters
    ----------
    chosen
        ``encode.units`` of the settings.
    units
        What units are called.

    Examples
    --------
    >>> patterns_text({"above": 0.1}, units="voxels")[:57]
    ', of the voxels that a layer predicts with r above 0.1 on'
    """
    return f", of {chosen_text(chosen, units=units)}, in each fold anew" if chosen else ""


def chosen_text(chosen: Mapping[str, Any], *, units: str) -> str:
    """Name the units that are chosen by what layers predict of them.

    Parameters
    ----------
    chosen
        ``units`` of the settings.
    units
        What units are called.

    Examples
    --------
    >>> chosen_text({"top": 500}, units="voxels")
    'the 500 voxels of a region that a layer predicts best on training stimuli'
    """
    if chosen.get("top") is not None:
        told = f"the {chosen['top']} {units} of a region that a layer predicts best"
    elif chosen.get("percent") is not None:
        told = f"the {chosen['percent']:g} % of a region's {units} that a layer predicts best"
    else:
        told = f"the {units} that a layer predicts with r above {chosen['above']:g}"
    return f"{told} on training stimuli"


def decoded_text(chosen: Mapping[str, Any] | None, *, units: str) -> str:
    """Say from which units conditions were decoded, as a sentence; "" where from all.

    Parameters
    ----------
    chosen
        ``decode.units`` of the settings.
    units
        What units are called.
    """
    if not chosen:
        return ""
    return (
        f"In each fold, patterns were of {chosen_text(chosen, units=units)}: by ridge regression "
        "[@hoerl1970] on inner folds of those that the training runs showed [@kay2008]; labels "
        "were exchanged with this choice as it was. "
    )


def uncited(text: str) -> str:
    """Return a text without its citations.

    Examples
    --------
    >>> uncited("Ridge [@hoerl1970] in folds [@a; @b].")
    'Ridge in folds.'
    """
    return re.sub(r" ?" + CITE.pattern, "", text)
