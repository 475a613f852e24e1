"""Which samples responses will have, from events, a design or a table alone: no image is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bids_dnn.containers.responses import Independence
from bids_dnn.ingest.choices import independence_of
from bids_dnn.ingest.events import condition_table, number_repeats, read_events, sample_table
from bids_dnn.ingest.ready import table
from bids_dnn.ingest.records import Subject
from bids_dnn.ingest.spm import design_samples

BY_CONDITION = ("conditions", "fir")  # models with one response a condition and run


def independence_ahead(subject: Subject, settings: Mapping[str, Any]) -> Independence:
    """Return between which samples the noise of responses will be independent.

    Parameters
    ----------
    subject, settings
        As of `samples_ahead`.

    Returns
    -------
    independence
        ``sample`` where only the responses tell.
    """
    return independence_of(settings["model"]) if subject.source == "fmriprep" else "sample"


def samples_ahead(subject: Subject, settings: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return the samples that a participant's responses will have.

    Parameters
    ----------
    subject
        From the inventory.
    settings
        Those of [responses] that its reader takes.

    Returns
    -------
    samples
        A sample table, a row a trial where volumes are kept; None where only the responses tell,
        or a run has no events.

    Raises
    ------
    MissingInputError, UnreadableError
        If ``samples.tsv``, events or ``SPM.mat`` are damaged.
    """
    if subject.spm is not None:
        told = settings["conditions"]
        return design_samples(
            subject.spm,
            conditions=Path(told) if told else None,
            images=settings["images"],
            fir_window_s=tuple(settings["fir_window_s"]),
        )
    if subject.source == "table":
        return table.samples_of(subject)
    if subject.source != "fmriprep" or any(run.events is None for run in subject.runs):
        return None
    parts = []
    for run in subject.runs:
        if run.events is None:
            continue
        own = sample_table(read_events(run.events)[0], session=run.session, run=run.run)
        own = own[~own["condition"].isin(settings["rest"])]
        if settings["model"] in BY_CONDITION:
            names = sorted(set(own["condition"]))
            own = condition_table(own, names=names, run=run.run)
        parts.append(own)
    return number_repeats(pd.concat(parts, ignore_index=True))
