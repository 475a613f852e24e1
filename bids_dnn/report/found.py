"""The sections on what went in: data, regions, stimuli, networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bids_dnn.containers.portrait import Portrait
from bids_dnn.containers.result import Result
from bids_dnn.report import slices
from bids_dnn.report.cards import described, is_random, is_ready
from bids_dnn.report.parts import Section, Table, counted, listed, picture, table_of, units
from bids_dnn.report.sources import WITHIN_RUNS, input_text

Facts = Mapping[str, Any]
# Columns of the table of runs, by their name among the facts.
RUN_COLUMNS = {
    "run": "Run, with its session where there are several.",
    "n_volumes": "Volumes recorded.",
    "n_volumes_left_out": "Volumes that the confounds strategy left out.",
    "n_events": "Events listed.",
    "n_samples": "Samples that came of them.",
    "mean_framewise_displacement_mm": "Mean motion from volume to volume, in mm.",
    "tsnr": "Median over units of temporal mean divided by standard deviation.",
    "degrees_of_freedom": "Of the residuals of the model.",
    "max_variance_inflation": "Of the trial that overlaps most with others; 1 = not at all.",
}
RUN_LABELS = {
    "n_volumes_left_out": "left out",
    "mean_framewise_displacement_mm": "mean motion (mm)",
    "tsnr": "tSNR",
    "degrees_of_freedom": "residual df",
    "max_variance_inflation": "variance inflation",
}
NAMED = {  # lists among the facts that are printed by name
    "missing_stimuli": "Stimuli of the events that have no file",
    "stimuli_without_features": "Stimuli that were shown, but have no features",
    "unused_stimuli": "Stimulus files that no sample showed",
    "conditions_without_stimulus": "Conditions whose samples showed no known stimulus",
    "regressors_without_row": "Regressors without a row in the table of conditions",
    "rows_without_regressor": "Rows of the table of conditions that no regressor has",
    "several_basis_functions": "Conditions of which only the first basis function was taken",
    "parametric_modulators_left_out": "Parametric modulators, which were left out",
    "cortex_masks": "Masks of the cortex, outside which vertices were left out",
}
REASONS = {"nan": "not a number (NaN)", "constant": "without variance"}
CHOICES = (
    "source", "model", "hrf", "confounds", "low_pass_hz", "basis", "images", "normalize",
    "standardize", "scale", "space",
)  # fmt: skip


def input_section(facts: Facts, left_out: Sequence[str], *, unit: str = "voxel") -> Section:
    """Return the section on the data: source, runs, samples, motion, what found no partner.

    Parameters
    ----------
    facts
        Those of `Ingested`; unknown ones are ignored.
    left_out
        Sentences.
    unit
        What a unit is called.
    """
    notes = [
        (label, tuple(map(str, facts[key]))) for key, label in NAMED.items() if facts.get(key)
    ]
    if left_out:
        notes.append(("Left out, and why", tuple(left_out)))
    tables = []
    if runs := runs_table(facts.get("runs", ())):
        tables.append(runs)
    if by_condition := facts.get("samples_by_condition"):
        frame = pd.DataFrame(by_condition.items(), columns=["condition", "samples"])
        words = {"condition": "As the events name it.", "samples": "How many there are."}
        tables.append(table_of(frame, words, caption="Samples of each condition."))
    return Section(
        "input",
        "What went in",
        "Which data is this page made from, and what found no partner?",
        " ".join(text for text in (input_text(facts, unit), input_answer(facts, unit)) if text),
        tables=tuple(tables),
        how=" ".join(_choices(facts)),
        notes=tuple(notes),
    )


def input_answer(facts: Facts, unit: str = "voxel") -> str:
    """Return how much went in, in one or two sentences."""
    counts = (
        ("n_sessions", "session"),
        ("n_runs", "run"),
        ("n_volumes", "volume"),
        ("n_samples", "sample"),
        ("n_units", unit),
    )
    found = [units(facts[key], noun) for key, noun in counts if facts.get(key)]
    text = f"{', '.join(found)}." if found else "Counts of the input are not known."
    if lost := facts.get("left_out_units"):
        because = facts.get("left_out_because", {})
        reasons = [f"{n:,} {REASONS.get(name, name)}" for name, n in because.items() if n]
        text += f" {units(lost, unit)} left out ({', '.join(reasons)})."
    if outside := facts.get("left_out_of_space"):
        parts = [f"{units(n, unit)} {where}" for where, n in outside.items() if n]
        text += f" Not read: {', '.join(parts)}." if parts else ""
    if n := facts.get("samples_without_stimulus"):
        text += f" {counted(n, 'sample')} showed no known stimulus."
    elif "samples_without_stimulus" in facts:
        text += " Every sample found its stimulus."
    return text


def runs_table(runs: Sequence[Facts]) -> Table | None:
    """Return one row a run, with the facts that are known of any."""
    known = [key for key in RUN_COLUMNS if any(run.get(key) is not None for run in runs)]
    if not known:
        return None
    frame = pd.DataFrame([{key: run.get(key) for key in known} for run in runs])
    words = {RUN_LABELS.get(key, key): RUN_COLUMNS[key] for key in known}
    frame = frame.rename(columns=RUN_LABELS)
    return table_of(frame, words, caption="One row a run.")


def _choices(facts: Facts) -> list[str]:
    said = [f"{name} = {facts[name]}" for name in CHOICES if facts.get(name)]
    texts = [f"Responses: {', '.join(said)}."] if said else []
    if facts.get("independence") == "run":
        texts.append(WITHIN_RUNS)
    return texts


def stimuli_section(
    stimuli: Sequence[tuple[str, Path]], networks: Sequence[Mapping[str, Any]], n_stimuli: int
) -> Section:
    """Return the section on stimuli and networks: contact sheet, weights, layers.

    `n_stimuli` counts all that were shown, of which `stimuli` may be a part.
    """
    n_all = max(n_stimuli, len(stimuli))
    pictures = []
    if stimuli:
        n_shown = min(len(stimuli), slices.MOST_STIMULI)
        pictures.append(
            picture(
                "stimuli",
                lambda theme: slices.contact_sheet(stimuli, theme=theme),
                alt=f"Contact sheet of {counted(n_shown, 'stimulus', 'stimuli')}.",
                caption=f"{n_shown} of {counted(n_all, 'stimulus', 'stimuli')}, evenly through "
                "the list.",
            )
        )
    if not stimuli:
        title, question = "Networks", "Which networks ran, and with which weights?"
    else:
        title = "Stimuli and networks" if networks else "Stimuli"
        question = "What was shown, and what was it turned into?"
    return Section(
        "stimuli",
        title,
        question,
        stimuli_answer(n_all, networks),
        tuple(pictures),
        (networks_table(networks),) if networks else (),
    )


def stimuli_answer(n_stimuli: int, networks: Sequence[Mapping[str, Any]]) -> str:
    """Return what was shown and to which networks, in a sentence."""
    shown = counted(n_stimuli, "stimulus", "stimuli")
    said = listed([f"{one['name']} with {weights_text(one)}" for one in networks])
    if not n_stimuli:
        return f"{said}."
    return f"{shown}, fed to {said}." if networks else f"{shown}; no network was run."


def weights_text(network: Mapping[str, Any]) -> str:
    """Return what is said of a network's weights; random ones loudly."""
    if is_random(network):
        return "RANDOM weights (untrained)"
    if is_ready(network):
        return "features that were made elsewhere"
    return f"weights {network['weights']}" if network.get("weights") else "published weights"


def networks_table(networks: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row a network."""
    frame = pd.DataFrame(
        {
            "network": [one["name"] for one in networks],
            "weights": [weights_text(one) for one in networks],
            "SHA-256": [str(one.get("weights_sha256") or "n/a")[:16] for one in networks],
            "layers": [_layers_text(one.get("layers")) for one in networks],
            "reference": [str(one.get("reference") or "") for one in networks],
        }
    )
    frame = frame.loc[:, (frame != "").any()]
    words = {"SHA-256": "First 16 digits of the hash of the weights."}
    return table_of(frame, words, caption="One row a network.")


def _layers_text(layers: Any) -> str:
    return listed(layers.split(", ") if isinstance(layers, str) else list(map(str, layers or ())))


def networks_of(
    given: Sequence[Mapping[str, Any]],
    results: Mapping[str, Result],
    portraits: Sequence[Portrait] = (),
) -> tuple[dict[str, Any], ...]:
    """Return the networks that were given, with what the results know of their weights.

    Parameters
    ----------
    given
        From the settings, ``name`` at least.
    results
        Whose ``meta["networks"]`` holds facts by name.
    portraits
        Which know the card of each.
    """
    known: dict[str, Mapping[str, Any]] = {}
    for made in results.values():
        known |= made.meta.get("networks", {})
    own = {str(one["name"]): dict(one) for one in given}
    cards = {one.facts.name: described(one.facts) for one in portraits}
    names = list(dict.fromkeys([*own, *known, *cards]))
    return tuple(
        {"name": name} | own.get(name, {}) | dict(known.get(name, {})) | cards.get(name, {})
        for name in names
    )


def people_section(
    participants: Sequence[str],
    missing: Sequence[str],
    left_out: Sequence[str],
    partly: Sequence[str] = (),
) -> Section:
    """Return the group's section on who went in.

    Parameters
    ----------
    participants, missing
        Labels of those who are in, and of those who should have been.
    left_out
        Sentences.
    partly
        Of those who are in, who lacks an analysis, and which, such as ``06 (searchlight)``.
    """
    return Section(
        "input",
        "What went in",
        "Who is in this group, and who is missing?",
        f"{counted(len(participants), 'participant')}{missing_text(missing, partly)}.",
        how="The group level reads the participants' finished tables only.",
        notes=tuple(
            (label, tuple(names))
            for label, names in (
                ("Participants", participants),
                ("Missing", missing),
                ("Missing in part", partly),
                ("Left out, and why", left_out),
            )
            if names
        ),
    )


def missing_text(missing: Sequence[str], partly: Sequence[str] = ()) -> str:
    """Say who is missing, behind how many are there.

    Parameters
    ----------
    missing
        Labels.
    partly
        As `people_section` takes it.
    """
    told = [("missing", missing), ("missing in part", partly)]
    parts = [f"; {word}: {listed(list(names))}" for word, names in told if names]
    return "".join(parts) or "; none is missing"
