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
    if "n_permutations" in typed:
        permutations = {"permutations": typed["n_permutations"]}
        overrides |= {"decode": permutations, "encode": permutations}
    decode = {"comparisons": "comparison", "classifier": "classifier"}
    if own := {name: typed[option] for name, option in decode.items() if option in typed}:
        overrides["decode"] = overrides.get("decode", {}) | own
    if "estimator" in typed:
        overrides["encode"] = overrides.get("encode", {}) | {"estimator": typed["estimator"]}
    weights = named(typed.get("weights", ()), "--weights")
    return load(typed.get("config"), overrides, weights=weights)
