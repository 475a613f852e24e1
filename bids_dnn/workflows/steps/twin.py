"""Responses, regions and features -> networks decoded beside regions, as derivatives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn.analyses.decode.decoding import decode
from bids_dnn.analyses.decode.network import TwinChoices, decode_network
from bids_dnn.analyses.decode.twin import conditions_of_stimuli, twin
from bids_dnn.analyses.encode.tables import network_facts
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.files import read_json
from bids_dnn.workflows.decode_choices import choices_of as decode_choices
from bids_dnn.workflows.steps.about import leave_out, with_facts
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois
from bids_dnn.workflows.steps.decode import learner_of, spaces_of
from bids_dnn.workflows.steps.features import load_grams, refuse_scaling

# Of [decode]: what decoding itself tells of regions beside their scores is not made here.
PLAIN = {"targets": [], "baseline": [], "patterns": False}


def twin_step(manifest: Path, responses: Path, regions: Path, features: list[Path]) -> Path:
    """Decode networks, and regions alike; returns the sidecar, which is written last.

    Regions are decoded here again, with the settings and the seed of [decode]: that gives the
    same scores and p, and leaves nothing to go stale.
    """
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    settings = told["settings"]
    used = [
        index
        for index in features
        if not settings["networks"] or read_json(index)["name"] in settings["networks"]
    ]
    grams = [gram for index in used for gram in load_grams(index)]
    conditions, notes = conditions_of_stimuli(measured.samples, grams)
    for index in used:
        made = read_json(index)
        warnings += made["warnings"]
        check_scaling(conditions, made["scaled_on"])
    of_regions = told["decode"] | PLAIN
    if settings["comparisons"] is not None:
        of_regions["comparisons"] = settings["comparisons"]
    try:
        choose = None
        if of_regions["units"]:
            own = told | {"settings": of_regions, "seed": told["decode_seed"]}
            choose = learner_of(own, measured, rois, features)
        how = decode_choices(of_regions, seed=told["decode_seed"])
        spaces = spaces_of(told, features)
        decoded = decode(measured, rois, choices=how, choose=choose, spaces=spaces)
        choices = choices_of(settings, told["decode"], seed=told["seed"])
        trials = decode_network(grams, conditions, choices)
    except NotEnoughDataError as err:
        return leave_out(told, err)
    result = twin(decoded, trials, choices, notes)
    result = replace(result, meta=result.meta | {"networks": network_facts(grams)})
    result = with_facts(
        result, ingest=facts, warnings=warnings, rois=rois, entities=told["entities"]
    )
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]


def choices_of(
    settings: Mapping[str, Any], of_regions: Mapping[str, Any], *, seed: int
) -> TwinChoices:
    """Return the settings of [twin] as the analysis takes them.

    Parameters
    ----------
    settings
        JSON-ready.
    of_regions
        Those of [decode]: comparisons where [twin] names none, the classifier, the interval.
    seed
        Of this participant's analysis.

    Raises
    ------
    ConfigError
        If they do not go together.
    """
    n = settings["components"]
    return TwinChoices(
        comparisons=tuple(settings["comparisons"] or of_regions["comparisons"]),
        seed=seed,
        snr=tuple(map(float, settings["snr"])),
        n_draws=settings["draws"],
        n_null_draws=settings["null_draws"],
        n_components=None if n == "all" else n,
        noise=settings["noise"],
        n_folds=settings["n_folds"],
        n_permutations=settings["permutations"],
        classifier=decode_choices(of_regions, seed=seed).classifier,
        interval=of_regions["interval"],
    )


def check_scaling(tested: Collection[str], scaled_on: Collection[str]) -> None:
    """Refuse features that were scaled by stimuli which are decoded.

    Parameters
    ----------
    tested
        Stimuli with a condition.
    scaled_on
        Those by whose features the columns were divided; none = they were not.

    Raises
    ------
    LeakageError
        If one of them is decoded.
    """
    refuse_scaling(
        scaled_on,
        tested,
        how="are decoded here",
        mend="Leave scale out under [networks.*], or --analysis twin out.",
    )
