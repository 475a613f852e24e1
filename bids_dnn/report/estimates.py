"""How responses were estimated, in sentences for the methods text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bids_dnn.report.sources import denoise_text

Settings = Mapping[str, Any]

_STANDARDIZE = {
    "run": "Responses of each {unit} were z-scored within each run.",
    "session": "Responses of each {unit} were z-scored within each session.",
    "rest": "Responses of each {unit} were z-scored by the rest volumes of their run.",
}
_TRIALS = (
    ", convolved with the {hrf} hemodynamic response{cited}, beside the confounds and cosine "
    "drift; {denoise} [@abraham2014]."
)
_MODELS = {
    "lsa": "The response to each trial was estimated with a general linear model that has one "
    "regressor a trial (least squares all) [@mumford2012; @abdulrahman2016]" + _TRIALS,
    "lss": "The response to each trial was estimated with a general linear model of its own, "
    "with one regressor for the trial and one for all other trials of its run (least squares "
    "separate) [@mumford2012; @abdulrahman2016]" + _TRIALS,
    "lss-by-condition": "The response to each trial was estimated with a general linear model of "
    "its own, with one regressor for the trial and one for the other trials of each condition of "
    "its run (least squares separate) [@turner2012]" + _TRIALS,
    "fir": "The response to each condition was deconvolved with a finite impulse response model "
    "[@glover1999] and averaged from {fir_start:g} to {fir_end:g} s after onset, beside the "
    "confounds and cosine drift; {denoise} [@abraham2014].",
    "block": "The response to each event was the mean of its volumes, {delay_s:g} s after onset; "
    "{denoise} [@abraham2014].",
    "volumes": "Each volume within an event, {delay_s:g} s after onset, was one sample; {denoise} "
    "[@abraham2014].",
    "glmsingle": "The response to each trial was estimated with GLMsingle [@prince2022], which "
    "chooses the hemodynamic response, denoises and regularizes by cross-validation.",
}
_HRF = {"spm": ("canonical (SPM)", " [@friston1998]"), "glover": ("Glover", " [@glover1999]")}
_NORMALIZED = (
    "Estimates of each {unit} were divided by the standard deviation of the model's residuals "
    "[@walther2016]."
)


def estimate_texts(settings: Settings, *, source: str) -> list[str]:
    """Return sentences on how responses were estimated, normalized and z-scored.

    Parameters
    ----------
    settings
        Those of ``[responses]``.
    source
        A key of `sources.SOURCES`; the model is told for those of fMRIPrep.

    Returns
    -------
    texts
        ``{unit}`` stands for what a unit is called.
    """
    texts = [_model(settings)] if source == "fmriprep" else []
    if settings.get("normalize") == "residual":
        texts.append(_NORMALIZED)
    texts.append(_STANDARDIZE.get(settings.get("standardize", "none"), ""))
    return [text for text in texts if text]


def _model(settings: Settings) -> str:
    model = _MODELS.get(settings.get("model", ""))
    if model is None:
        return ""
    hrf, cited_hrf = _HRF.get(settings.get("hrf", ""), ("canonical", ""))
    window = settings.get("fir_window_s") or (4.0, 8.0)
    text = model.format(
        hrf=hrf,
        cited=cited_hrf,
        denoise=denoise_text(settings.get("confounds", "")),
        delay_s=settings.get("delay_s", 0.0),
        fir_start=window[0],
        fir_end=window[1],
    )
    if low_pass := settings.get("low_pass_hz"):
        text += f" Series were low-pass filtered at {low_pass:g} Hz."
    return text
