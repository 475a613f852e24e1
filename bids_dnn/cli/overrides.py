"""From typed options to the config."""

from __future__ import annotations

from typing import Any

from bids_dnn.cli.options import given
from bids_dnn.config.load import load, named, networks_of
from bids_dnn.config.regions import regions_of
from bids_dnn.config.schema import READY, Config, RunConfig
from bids_dnn.errors import ConfigError, nearest

PREFIXES = {
    "participant_label": "sub-",
    "session_label": "ses-",
    "task_id": "task-",
    "run_id": "run-",
}

# Options by the settings that they set.
DECODE = {
    "comparisons": "comparison",
    "classifier": "classifier",
    "permutations": "n_permutations",
}
ENCODE = {"estimator": "estimator", "permutations": "n_permutations"}


def configure(options: dict[str, Any]) -> Config:
    """Turn the options that were typed, and ``analysis.toml``, into one frozen config.

    Raises
    ------
    ConfigError
        If a name or value does not exist.
    MissingInputError
        If the file of ``--config`` does not exist.
    """
    typed = given(options)
    run = {k: v for k, v in typed.items() if k in RunConfig.model_fields}
    for key, prefix in PREFIXES.items():
        if key in run:
            run[key] = tuple(text.removeprefix(prefix) for text in run[key])
    if "derivatives" in run:
        run["derivatives"] = named(run["derivatives"], "--derivatives")
    overrides: dict[str, Any] = {"run": run}
    if "network" in typed:
        overrides["networks"] = networks_of(typed["network"])
    if "roi" in typed:
        from bids_dnn.rois.grammar import name_of

        overrides["regions"] = regions_of(typed["roi"], name_of=name_of)
    if "responses" in typed:
        ((kind, path),) = named([typed["responses"]], "--responses").items()
        if kind not in READY:
            raise ConfigError(
                f"--responses {kind}={path}: {kind!r} is no kind of ready-made responses.",
                mend=nearest(kind, READY),
            )
        overrides["responses"] = {"source": kind, "path": path}
    overrides |= _analyses_of(typed)
    weights = named(typed.get("weights", ()), "--weights")
    return load(typed.get("config"), overrides, weights=weights)


def _analyses_of(typed: dict[str, Any]) -> dict[str, Any]:
    """Return what was typed of [decode] and [encode]."""
    decode, encode = (
        {name: typed[option] for name, option in settings.items() if option in typed}
        for settings in (DECODE, ENCODE)
    )
    return {name: own for name, own in (("decode", decode), ("encode", encode)) if own}
