"""Responses, regions and, where units are chosen, features -> decoding results, as derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.sharing import share_patterns
from bids_dnn.analyses.encode.choices import UnitChoice
from bids_dnn.analyses.encode.tables import network_facts
from bids_dnn.analyses.encode.unit_learner import EncodingLearner, Learning, unit_learner
from bids_dnn.backend import choose_device
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import ConfigError, NotEnoughDataError, nearest
from bids_dnn.files import read_json
from bids_dnn.workflows.decode_choices import choices_of
from bids_dnn.workflows.steps.about import leave_out, with_facts
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois
from bids_dnn.workflows.steps.features import load_grams, refuse_scaling


def decode_step(
    manifest: Path, responses: Path, regions: Path, features: list[Path] | None = None
) -> Path:
    """Decode each comparison in each region; returns the sidecar, which is written last."""
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    settings = told["settings"]
    choices = choices_of(settings, seed=told["seed"])
    learner = None
    try:
        if settings["units"]:
            learner = learner_of(told, measured, rois, features or [])
        spaces = spaces_of(told, features or [])
        result = decode(measured, rois, choices=choices, choose=learner, spaces=spaces)
        if settings["share"]:
            result = replace(result, shared=share_patterns(measured, rois, choices=choices))
    except NotEnoughDataError as err:
        return leave_out(told, err)
    beside = {network for network, _ in told.get("feature_spaces", {}).values()}
    for made in map(read_json, features or []):
        warnings += made["warnings"] if learner or made["name"] in beside else []
    if learner is not None:
        warnings += learner.warnings()
        result = replace(result, meta=result.meta | learner.facts())
    if spaces:
        used = {id(one): one for own in spaces.values() for one in own}
        networks = network_facts(list(used.values())) | result.meta.get("networks", {})
        result = replace(result, meta=result.meta | {"networks": networks})
    result = with_facts(
        result, ingest=facts, warnings=warnings, rois=rois, entities=told["entities"]
    )
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]


def spaces_of(told: Mapping[str, Any], features: Sequence[Path]) -> dict[str, list[FeatureGram]]:
    """Return the layers of networks that are covariates, by their name in the settings.

    Parameters
    ----------
    told
        Manifest of decoding; ``feature_spaces`` has the network and layer of each, "" = all.
    features
        Indexes that `features_step` wrote.

    Raises
    ------
    ConfigError
        If a network has no such layer.
    """
    wanted = told.get("feature_spaces", {})
    needed = {network for network, _ in wanted.values()}
    grams = [
        gram
        for index in features
        if read_json(index)["name"] in needed
        for gram in load_grams(index)
    ]
    made = {}
    for name, (network, layer) in wanted.items():
        own = [gram for gram in grams if gram.network == network]
        made[name] = [gram for gram in own if layer in ("", gram.layer)]
        if not made[name]:
            raise ConfigError(
                f"[decode] names {name!r}, but {network} has no layer {layer!r}.",
                mend=nearest(layer, [gram.layer for gram in own]),
            )
    return made


def learner_of(
    told: Mapping[str, Any],
    responses: Responses,
    rois: Sequence[Roi],
    features: Sequence[Path],
) -> EncodingLearner:
    """Return what chooses units in each fold, by what the layers of networks predict.

    Parameters
    ----------
    told
        Manifest of decoding; ``scored`` has those settings of [encode] by which units are scored.
    responses, rois
        What is decoded.
    features
        Indexes that `features_step` wrote.

    Raises
    ------
    ConfigError
        If there is no layer.
    LeakageError
        If features are scaled by pictures that training runs have not shown.
    """
    for index in features:
        check_scaling_by_run(responses, read_json(index)["scaled_on"])
    settings, scored = told["settings"], told["scored"]
    alphas = scored["alphas"]
    how = Learning(
        rule=UnitChoice(**settings["units"]),
        n_inner=scored["inner"],
        select=scored["select"],
        alphas=None if alphas == "auto" else tuple(alphas),
        seed=told["seed"],
        nuisance=tuple(
            one for one in settings["nuisance"] if one not in told.get("feature_spaces", {})
        ),
    )
    grams = [gram for index in features for gram in load_grams(index)]
    return unit_learner(responses, rois, grams, how, device=choose_device(told["device"]))


def check_scaling_by_run(responses: Responses, scaled_on: Sequence[str]) -> None:
    """Refuse features that were scaled by pictures which only the run that is left out shows.

    Parameters
    ----------
    responses
        Each of whose runs is left out in turn.
    scaled_on
        Stimuli by whose features the columns were divided; none = they were not.

    Raises
    ------
    LeakageError
        If one of them is shown in one run only.
    """
    shown = responses.samples.loc[responses.samples["stimulus"].isin(scaled_on)]
    n_runs = shown.groupby("stimulus")["run"].nunique()
    refuse_scaling(
        scaled_on,
        list(map(str, n_runs.index[n_runs == 1])),
        how="are shown in one run only, which is left out in its turn",
        mend="Leave scale out under [networks.*], or units out of [decode].",
    )
