"""Scores of single sessions: a mean over participants whose sessions differ in number."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.group.family import BASES, Family
from bids_dnn.stats.mixed import mixed_mean

COLUMNS = {
    "mean_mixed": "Mean above chance of a mixed model, whose participants are a random effect and "
    "whose observations are sessions.",
    "p_mixed": "One-sided p of that mean (t with as many degrees of freedom as participants less "
    "one), which takes scores and participants as normal.",
    "participant_sd": "SD over participants in that model.",
    "session_sd": "SD over the sessions of a participant in that model.",
    "n_sessions": "Sessions of all participants together.",
}
FIELDS = ("mean", "p", "between_sd", "within_sd", "n_sessions")  # of `Mixed`, in this order


def mixed_columns(
    family: Family, sessions: pd.DataFrame, *, analysis: str
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Fit a mixed model to the scores of sessions, row by row.

    Parameters
    ----------
    family
        The scores over all sessions, whose chance is that of each session.
    sessions
        ``participant``, the keys of the family, ``session`` and ``score``; empty where no
        participant has left such.
    analysis
        ``decode`` or ``encode``.

    Returns
    -------
    columns : by name, (n_rows,)
        Those of `COLUMNS`; none without sessions.
    warnings
        What was left out, and why.
    """
    keys = [str(name) for name in family.places]
    if sessions.empty or not {"participant", "session", "score", *keys} <= set(sessions.columns):
        return {}, [
            "The mixed model was left out: no participant has left scores by session "
            f"(desc-{analysis}Sessions)."
        ]
    labels = sorted(set(sessions["session"].astype(str)))
    scores = np.full((*family.above.shape, len(labels)), np.nan)
    at = {place: i for i, place in enumerate(family.places.itertuples(index=False, name=None))}
    for *place, participant, session, score in sessions[
        [*keys, "participant", "session", "score"]
    ].itertuples(index=False, name=None):
        row = at.get(tuple(place))
        if row is not None and participant in family.labels:
            scores[row, family.labels.index(participant), labels.index(str(session))] = score
    if base := BASES[analysis]:
        scores = scores - family.columns[base][..., None]
    fits = [mixed_mean(row) for row in scores]
    values = np.array([[getattr(fit, name) for name in FIELDS] for fit in fits], dtype=np.float64)
    warnings = []
    if np.isnan(values[:, 0]).all():
        warnings.append("The mixed model needs two participants, and two sessions of one of them.")
    return dict(zip(COLUMNS, values.T, strict=True)), warnings
