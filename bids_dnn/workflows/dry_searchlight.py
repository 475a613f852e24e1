"""What --dry-run prints of the searchlight: what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bids_dnn import imaging
from bids_dnn.analyses.decode.samples import texts
from bids_dnn.analyses.decode.spheres import hours_of
from bids_dnn.analyses.decode.tasks import decoded_samples, design_of
from bids_dnn.analyses.rsa.laid import Kind, check_number
from bids_dnn.containers.space import Hemisphere
from bids_dnn.errors import BidsDnnError
from bids_dnn.ingest.inventory import Subject
from bids_dnn.ingest.samples_ahead import independence_ahead, samples_ahead
from bids_dnn.report.parts import counted
from bids_dnn.workflows.check_samples import without_values
from bids_dnn.workflows.meshes import read_meshes
from bids_dnn.workflows.plan import SubjectPlan
from bids_dnn.workflows.scene import Manifest
from bids_dnn.workflows.steps.searchlight import choices_of

NOUNS = {"stimulus": "stimuli", "condition": "conditions"}
TYPICAL = 10_000  # centers, where their number is known only once responses are read


def searchlight_lines(subject: SubjectPlan) -> list[str]:
    """Say how many machines are trained for a participant, and about how long that takes.

    Parameters
    ----------
    subject
        Of the plan, with a job that is a searchlight.
    """
    job = next(one for one in subject.jobs if one.analysis == "searchlight")
    told = job.manifest
    settings = told["settings"]
    made = []
    models = [f"the layers of {name}" for name in settings["models"]] + settings["categories"]
    if models:
        made.append(
            f"  searchlight: dissimilarities of {NOUNS[settings['items']]} compared with "
            f"{', '.join(models)}"
        )
        made += _problem_of_items(subject, settings["items"])
    return [*made, *_decoding_lines(subject, told)] if settings["comparisons"] else made


def _problem_of_items(subject: SubjectPlan, kind: Kind) -> list[str]:
    """Say where a participant shows too few or too many items."""
    try:
        samples = samples_ahead(subject.subject, subject.responses["settings"])
        if samples is not None and kind in samples:
            check_number(len(set(texts(samples[kind])) - {""}), kind)
    except BidsDnnError as err:
        return [f"  searchlight: problem: {err}"]
    return []


def _decoding_lines(subject: SubjectPlan, told: Manifest) -> list[str]:
    choices = choices_of(told["settings"], told["decode"], seed=told["seed"])
    try:
        settings = subject.responses["settings"]
        samples = samples_ahead(subject.subject, settings)
        if samples is None:
            return ["  searchlight: its cost is known once responses are read"]
        whole = without_values(samples, independence_ahead(subject.subject, settings))
        design = design_of(decoded_samples(whole, choices), choices)
        n_centers = None
        if not told["settings"]["within"]:
            n_centers = count_centers(subject.subject, told["meshes"])
    except BidsDnnError as err:
        return [f"  searchlight: problem: {err}"]
    hours = 0.0
    for task in design.tasks:
        n_sides = len(task.comparison.sides)
        taught = task.taught[0] >= 0
        n_train = float(np.mean([(fold.train & taught).sum() for fold in task.folds]))
        hours += hours_of(
            n_centers or TYPICAL,
            round(2 * n_train / n_sides),
            n_folds=len(task.folds),
            n_labelings=len(task.labelings.codes),
            n_pairs=n_sides * (n_sides - 1) // 2,
        )
    where = f"each {TYPICAL:,} centers"
    if n_centers:
        where = f"{'up to ' if told['meshes'] else ''}{n_centers:,} centers"
    return [
        f"  searchlight: spheres or disks of {told['settings']['radius_mm']:g} mm, "
        f"{counted(len(design.tasks), 'comparison')}, {choices.n_permutations} maps under "
        f"exchanged labels: about {_time(hours)} of one core for {where}"
    ]


def count_centers(subject: Subject, meshes: Mapping[Hemisphere, str]) -> int | None:
    """Return how many units a participant has; None where only the responses tell.

    Parameters
    ----------
    subject
        From the inventory; the masks of its runs are read.
    meshes
        Of surfaces, from `mesh_files`: no more than their vertices are measured. Of
        grayordinates, which are voxels too, they tell nothing.

    Raises
    ------
    UnreadableError
        If a mask or mesh is damaged.
    """
    if meshes and subject.space != "fsLR":
        return sum(len(mesh.vertices) for mesh in read_meshes(meshes).values())
    masks = {run.mask for run in subject.runs if run.mask is not None}
    if not masks:
        return None
    return max(int((imaging.read_volume(path)[0] > 0).sum()) for path in masks)


def _time(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(60 * hours))} min"
