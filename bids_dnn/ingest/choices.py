"""How a run's volumes become responses: names, defaults, refusals."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, get_args

from bids_dnn.containers.responses import Independence
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.ingest.confounds import check_strategy
from bids_dnn.ingest.trials import HRFS, Hrf

Model = Literal["lsa", "lss", "lss-by-condition", "conditions", "fir", "block", "volumes"]
Standardize = Literal["auto", "none", "run", "session", "rest"]
MODELS: tuple[Model, ...] = get_args(Model)
OF_TRIALS = ("lsa", "lss", "lss-by-condition")
OF_CONDITIONS = ("conditions", "fir")
OF_VOLUMES = ("block", "volumes")
MANY_SESSIONS = 3  # from which on "auto" takes the differences of sessions out
GLMSINGLE = "glmsingle"


class Settings(TypedDict, total=False):
    """What `fmriprep.read_responses` may be told; what is not told is as in `DEFAULTS`."""

    model: Model
    hrf: Hrf
    high_pass_hz: float | None
    low_pass_hz: float | None
    confounds: str
    standardize: Standardize
    detrend: Literal["none", "linear"]
    rest: tuple[str, ...]
    delay_s: float
    fir_window_s: tuple[float, float]
    fir_length_s: float
    joint: bool


DEFAULTS: Settings = {
    "model": "lsa",
    "hrf": "spm",
    "high_pass_hz": 0.0078125,  # 1 / 128 s
    "low_pass_hz": None,
    "confounds": "simple",
    "standardize": "auto",
    "detrend": "linear",
    "rest": ("rest", "fixation", "baseline"),
    "delay_s": 5.0,
    "fir_window_s": (4.0, 8.0),
    "fir_length_s": 20.0,
    "joint": False,
}


def independence_of(model: str) -> Independence:
    """Return between which samples the noise of a model's responses is independent.

    Parameters
    ----------
    model
        Of [responses]. Estimates of one model of a run share its noise.
    """
    return "sample" if model in OF_VOLUMES else "run"


def settle(given: Settings, *, n_sessions: int) -> Settings:
    """Return all settings, with what was not told, and ``auto`` settled.

    Parameters
    ----------
    given
        What was told.
    n_sessions : int
        Of the participant; ``standardize = "auto"`` means ``session`` from three on, else
        ``none``.

    Raises
    ------
    ConfigError
        If a setting does not exist, or two of them exclude each other.
    """
    settings: Settings = {**DEFAULTS, **given}
    if unknown := sorted(set(settings) - set(DEFAULTS)):
        raise ConfigError(
            f"responses.{unknown[0]} does not exist.", mend=nearest(unknown[0], DEFAULTS)
        )
    _check_names(settings)
    check_strategy(settings["confounds"])
    _check_pairs(settings)
    _check_bands(settings)
    if settings["standardize"] == "auto":
        settings["standardize"] = "session" if n_sessions >= MANY_SESSIONS else "none"
    return settings


def _check_names(settings: Settings) -> None:
    if settings["model"] == GLMSINGLE:
        raise ConfigError(
            "responses.model is 'glmsingle', which is estimated outside.",
            mend="Run GLMsingle, and read its output folder with --responses glmsingle=PATH.",
        )
    allowed: dict[str, tuple[Any, tuple[str, ...]]] = {
        "model": (settings["model"], MODELS),
        "hrf": (settings["hrf"], HRFS),
        "standardize": (settings["standardize"], get_args(Standardize)),
        "detrend": (settings["detrend"], ("none", "linear")),
    }
    for name, (value, choices) in allowed.items():
        if value not in choices:
            raise ConfigError(
                f"responses.{name} is {value!r}, which does not exist.",
                mend=nearest(str(value), choices),
            )


def _check_pairs(settings: Settings) -> None:
    model = settings["model"]
    if model not in OF_VOLUMES and settings["standardize"] == "rest":
        raise ConfigError(
            f'responses.standardize is "rest", but trial estimates (responses.model = "{model}") '
            "have no rest.",
            mend='Use responses.standardize = "run" or "session", or responses.model = "block".',
        )
    if settings["joint"] and model not in OF_CONDITIONS:
        raise ConfigError(
            f'responses.joint is on, but with responses.model = "{model}" the runs share no '
            "regressor, so that one model of them all equals a model for each.",
            mend='Leave responses.joint out, or use responses.model = "fir" or "conditions".',
        )
    low, high = settings["fir_window_s"]
    if model == "fir" and not 0 <= low < high <= settings["fir_length_s"]:
        raise ConfigError(
            f"responses.fir_window_s is {low:g} to {high:g} s, but the model has the delays 0 to "
            f"{settings['fir_length_s']:g} s.",
            mend="Choose a window within responses.fir_length_s, the earlier end first.",
        )


def _check_bands(settings: Settings) -> None:
    high, low = settings["high_pass_hz"], settings["low_pass_hz"]
    if high is not None and high < 0:
        raise ConfigError(
            f"responses.high_pass_hz is {high:g} Hz, 0 (none) or more was expected.",
            mend="Use 0.0078125 (128 s), or leave it out.",
        )
    if low is not None and low <= (high or 0):
        raise ConfigError(
            f"responses.low_pass_hz is {low:g} Hz, which is not above responses.high_pass_hz "
            f"({high or 0:g} Hz), so that no frequency passes.",
            mend="Choose a higher responses.low_pass_hz, or leave it out.",
        )
