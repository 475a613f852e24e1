"""What each source of responses is, in words: for the page and for the methods text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of responses.

    Parameters
    ----------
    what
        For the page, after "Source: ".
    methods
        A sentence for a paper, with citations.
    """

    what: str
    methods: str


SOURCES: Mapping[str, Source] = {
    "fmriprep": Source(
        "BOLD series preprocessed by fMRIPrep",
        "BOLD series had been preprocessed with fMRIPrep [@esteban2019].",
    ),
    "spm": Source(
        "first-level estimates of SPM",
        "Responses were the parameter estimates of a first-level model fitted with SPM "
        "[@friston1994].",
    ),
    "glmsingle": Source(
        "single-trial betas of GLMsingle",
        "Responses were single-trial betas of GLMsingle [@prince2022].",
    ),
    "nsd": Source(
        "betas of the Natural Scenes Dataset (NSD)",
        "Responses were the single-trial betas of the Natural Scenes Dataset [@allen2022], "
        "estimated with GLMsingle [@prince2022].",
    ),
    "bold5000": Source(
        "betas of BOLD5000",
        "Responses were the single-trial betas of BOLD5000 [@chang2019], release 2, estimated "
        "with GLMsingle [@prince2022].",
    ),
    "algonauts": Source(
        "responses of the Algonauts Project 2023",
        "Responses were those of the Algonauts Project 2023 challenge [@gifford2023], made from "
        "the Natural Scenes Dataset [@allen2022].",
    ),
    "vim1": Source(
        "estimated responses of vim-1",
        "Responses were the estimated voxel responses of vim-1 [@kay2008].",
    ),
    "tvsd": Source(
        "multi-unit activity in the layout of TVSD",
        "Responses were multi-unit activity of electrode arrays in the layout of the THINGS "
        "Ventral Stream Spiking Dataset [@papale2025].",
    ),
    "nwb": Source(
        "spike counts of sorted units (NWB)",
        "Responses were spike rates of sorted units, read from Neurodata Without Borders files "
        "[@rubel2022].",
    ),
    "statmap": Source(
        "a series of statistical maps (BIDS)",
        "Responses were statistical maps, one a sample, organized after BIDS [@gorgolewski2016].",
    ),
    "table": Source(
        "a table of responses",
        "Responses were given as a table of samples by units.",
    ),
}
FORMS = {
    "voxel": "volumes",
    "vertex": "both hemispheres' surfaces",
    "grayordinate": "CIFTI grayordinates",
    "channel": "channels",
}
NOT_INDEPENDENT = (
    "Repeats are not independent: these responses were estimated by looking at all runs "
    "(GLMdenoise, ridge regression or averaging), so that noise is shared between repeats. Noise "
    "ceilings and cross-validated distances can come out too high."
)
WITHIN_RUNS = (
    "Noise is taken as independent between runs only: single-trial estimates of one model share "
    "it within their run."
)


def input_text(facts: Facts, unit: str) -> str:
    """Return what the responses were made from, in a sentence; "" where that is not known.

    Examples
    --------
    >>> input_text({"source": "spm", "space": "MNI152NLin6Asym"}, "voxel")
    'Source: first-level estimates of SPM, as volumes in space MNI152NLin6Asym.'
    """
    name = str(facts.get("source", ""))
    if name not in SOURCES:
        return ""
    form = FORMS.get(unit, "units")
    space = f" in space {facts['space']}" if facts.get("space") and unit != "channel" else ""
    return f"Source: {SOURCES[name].what}, as {form}{space}."


def independence_warnings(facts: Facts, said: Sequence[str]) -> tuple[str, ...]:
    """Return the warning that repeats are not independent, where that is so and not yet said."""
    is_said = any("not independent" in text for text in said)
    return (NOT_INDEPENDENT,) if facts.get("independence") == "none" and not is_said else ()


def settled(ran: Facts, facts: Facts) -> dict[str, Any]:
    """Return what ran, with settings such as ``auto`` replaced by what was chosen.

    Examples
    --------
    >>> settled({"responses": {"standardize": "auto"}}, {"standardize": "session"})
    {'responses': {'standardize': 'session'}}
    """
    made = dict(ran) | {key: facts[key] for key in ("scale",) if facts.get(key)}
    if responses := ran.get("responses"):
        made["responses"] = {
            key: facts[key] if facts.get(key) is not None else value
            for key, value in responses.items()
        }
    return made


def denoise_text(confounds: str) -> str:
    """Return what was regressed out, in a clause with citations.

    Parameters
    ----------
    confounds
        A strategy by name, or tokens joined by ``_``.

    Examples
    --------
    >>> denoise_text("6-HMP_cosine")
    '6 head-motion parameters and slow drift (cosines) were regressed out'
    """
    if confounds in _STRATEGIES:
        return _STRATEGIES[confounds]
    parts = [_EXPANDED[token] for token in confounds.split("_") if token in _EXPANDED]
    if not parts:
        return "confounds were regressed out"
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{listed} were regressed out"


_STRATEGIES = {
    "none": "no confound was regressed out",
    "Null": "no confound was regressed out",
    "simple": "head motion and the mean signals of white matter and cerebrospinal fluid were "
    "regressed out",
    "scrubbing": "head motion and tissue signals were regressed out and volumes with high motion "
    "left out [@power2014]",
    "compcor": "head motion and CompCor components were regressed out [@behzadi2007]",
    "ica_aroma": "ICA-AROMA's noise components were regressed out [@pruim2015]",
}
_EXPANDED = {
    "6-HMP": "6 head-motion parameters",
    "12-HMP": "6 head-motion parameters with their derivatives",
    "24-HMP": "24 head-motion parameters (with derivatives and squares) [@satterthwaite2013]",
    "1-GS": "the global signal",
    "2-GS": "the global signal with its derivative",
    "4-GS": "the global signal with its derivative and squares",
    "2-Phys": "the signals of white matter and cerebrospinal fluid",
    "4-Phys": "the signals of white matter and cerebrospinal fluid with their derivatives",
    "8-Phys": "the signals of white matter and cerebrospinal fluid with derivatives and squares",
    "10-aCompCor": "the first five anatomical CompCor components each of white matter and "
    "cerebrospinal fluid [@behzadi2007]",
    "50-aCompCor": "the anatomical CompCor components of white matter and cerebrospinal fluid "
    "that explain half of their variance [@behzadi2007]",
    "SpikeReg": "one regressor for each volume with high motion [@power2014]",
    "cosine": "slow drift (cosines)",
}
