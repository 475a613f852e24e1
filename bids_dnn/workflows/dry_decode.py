"""What --dry-run prints of decoding: samples, repeats, the floor of p, and ceilings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bids_dnn.analyses.decode.samples import texts
from bids_dnn.analyses.decode.tasks import Design, averaging_warnings, decoded_samples, design_of
from bids_dnn.derivatives import names
from bids_dnn.derivatives.read import read_result
from bids_dnn.errors import BidsDnnError
from bids_dnn.ingest.samples_ahead import independence_ahead, samples_ahead
from bids_dnn.report.parts import counted
from bids_dnn.stats.inference import p_floor
from bids_dnn.workflows.check_samples import without_values
from bids_dnn.workflows.decode_choices import choices_of
from bids_dnn.workflows.plan import SubjectPlan
from bids_dnn.workflows.scene import Scene

NAMED = 3  # comparisons that are named


def decoding_lines(scene: Scene, subject: SubjectPlan) -> list[str]:
    """Say what decoding of a participant rests on, before any image is read.

    Parameters
    ----------
    scene
    subject
        Of the plan, with a job that decodes.
    """
    job = next(one for one in subject.jobs if one.analysis == "decode")
    choices = choices_of(job.manifest["settings"], seed=job.manifest["seed"])
    try:
        settings = subject.responses["settings"]
        samples = samples_ahead(subject.subject, settings)
        if samples is None:
            return ["  decode: samples are known once responses are read"]
        whole = without_values(samples, independence_ahead(subject.subject, settings))
        own = decoded_samples(whole, choices)
        design = design_of(own, choices)
    except BidsDnnError as err:
        return [f"  decode: problem: {err}"]
    made = [_samples_line(own.samples, design), _repeats_line(own.samples)]
    made += averaging_warnings(whole, choices)
    made += [f"problem: {name!r} cannot be decoded. {why}" for name, why in design.lost.items()]
    return [
        f"  decode: {text}"
        for text in [*made, *_floor_lines(design), _ceiling_line(scene, subject)]
    ]


def _samples_line(samples: pd.DataFrame, design: Design) -> str:
    counts = np.zeros((design.runs.max() + 1, len(design.names)), dtype=np.intp)
    np.add.at(counts, (design.runs, design.conditions), 1)
    low, high = int(counts.min()), int(counts.max())
    told = f"{low}" if low == high else f"{low} to {high}"
    line = (
        f"{counted(len(samples), 'sample')} of {counted(len(design.names), 'condition')} in "
        f"{counted(len(counts), 'run')}, {told} of each in a run"
    )
    absent = [
        name
        for name, there in zip(design.names, (counts > 0).sum(axis=0), strict=True)
        if there == 1
    ]
    return line + (f"; in one run only: {', '.join(absent[:NAMED])}" if absent else "")


def _repeats_line(samples: pd.DataFrame) -> str:
    shown = pd.Series(texts(samples["stimulus"]))
    counts = shown[shown != ""].value_counts()
    if counts.empty:
        return "no stimulus is known, so that conditions are what repeats"
    low, high = int(counts.min()), int(counts.max())
    often = f"{low}" if low == high else f"{low} to {high}"
    mean = "" if low == high else f" (mean {counts.mean():.1f})"
    return f"{counted(len(counts), 'stimulus', 'stimuli')} shown {often} times{mean}"


def _floor_lines(design: Design) -> list[str]:
    floors: dict[tuple[float, int, bool], list[str]] = {}
    for task in design.tasks:
        n, is_all = task.labelings.n_permutations, task.labelings.enumerated
        key = (p_floor(n, enumerated=is_all), n, is_all)
        floors.setdefault(key, []).append(task.comparison.name)
    made = []
    for (floor, n, is_all), found in sorted(floors.items()):
        shown = ", ".join(found[:NAMED]) + (" ..." if found[NAMED:] else "")
        what = "distinct labelings, all of them" if is_all else "random labelings"
        made.append(f"p cannot fall below {floor:.2g} ({n} {what}): {shown}")
    return made


def _ceiling_line(scene: Scene, subject: SubjectPlan) -> str:
    """Say the reliability of each region, where it was estimated before."""
    told = subject.subject
    path = names.path_of(
        scene.output_dir,
        "scores",
        participant=told.participant,
        task=told.task,
        space=told.space,
        analysis="ceiling",
    )
    if not names.sidecar_of(path).is_file():
        return "the noise ceiling is not known yet (--analysis ceiling estimates it)"
    table = read_result(path).table
    own = table[table["method"] == "split-half"].dropna(subset="score")
    parts = [f"{row['region']} {row['score']:.2f}" for _, row in own.iterrows()]
    return f"expected reliability by split halves: {', '.join(parts) or 'none'}"
