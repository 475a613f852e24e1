"""fMRIPrep's BOLD (volumes, surfaces, CIFTI) -> `Responses`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.responses import Responses, Scale
from bids_dnn.containers.space import Space
from bids_dnn.errors import NotEnoughDataError, run_words
from bids_dnn.ingest.choices import (
    OF_CONDITIONS,
    OF_TRIALS,
    OF_VOLUMES,
    Settings,
    independence_of,
    settle,
)
from bids_dnn.ingest.estimates import (
    Made,
    Told,
    estimate_conditions,
    estimate_trials,
    take_volumes,
    tell_conditions,
)
from bids_dnn.ingest.events import number_repeats, read_events
from bids_dnn.ingest.recorded import read_run
from bids_dnn.ingest.records import Ingested, Subject
from bids_dnn.ingest.series import common_space
from bids_dnn.ingest.standardize import by_group
from bids_dnn.ingest.summary import scaling_facts, summarize, warnings_of

FEW_FREE = 0.1  # of the volumes: below it the estimates rest on little
ALL_RUNS = "all"  # the run of samples of one model over all runs


def read_responses(subject: Subject, **settings: Unpack[Settings]) -> Ingested:
    """Return what each unit answered to each trial, condition, block or volume.

    Parameters
    ----------
    subject
        From the inventory, with runs of preprocessed BOLD.
    **settings
        `model`, default ``lsa``: a general linear model of each run with, beside confounds and
        drift, ``lsa`` = one regressor for each trial (least squares all); ``lss`` = for each
        trial a model of its own, with one regressor for all other trials (least squares
        separate, Mumford et al. 2012); ``lss-by-condition`` = with one for the other trials of
        each condition (Turner et al. 2012); ``conditions`` = one regressor for each condition;
        ``fir`` = for each condition one regressor for each delay, and the mean of the response
        over `fir_window_s`: all in percent of the run's mean signal. Without a model: ``block``
        = mean over the volumes of an event; ``volumes`` = each volume of an event.
        `hrf`, default ``spm``: or ``glover``; with `` + derivative`` or `` + derivative +
        dispersion``, whose columns are fitted as well and not read (the amplitude is that of
        the canonical shape). Not for ``fir``, ``block`` and ``volumes``.
        `high_pass_hz`, default 1/128: cut-off of the cosine drift of a model, which is left out
        where the confounds hold cosines; None or 0 = none.
        `low_pass_hz`, default None: series, confounds and regressors are low-passed alike.
        `confounds`, default ``simple``: a named strategy, or tokens; see
        `confounds.read_confounds`.
        `standardize`, default ``auto`` = ``session`` from three sessions on, else ``none``:
        z-score over the samples of a ``run`` or ``session``, or on the ``rest`` volumes of each
        run (``block`` and ``volumes`` only).
        `detrend`, default ``linear``: or ``none``, for ``block`` and ``volumes``.
        `rest`, default ``rest``, ``fixation`` and ``baseline``: types that are no trials.
        `delay_s`, default 5: a volume belongs to the event that covers its time less this delay,
        for ``block`` and ``volumes``.
        `fir_window_s`, default 4 to 8, and `fir_length_s`, default 20: delays after the onset
        over which a response is averaged, and up to which it is modelled.
        `joint`, default False: one model over the runs of a session, with the nuisance of each
        run apart, for ``conditions`` and ``fir``; the samples' run is then the session (or
        ``all``). Models of single trials share no regressor between runs, so that a joint model
        equals one for each run, and the choice is refused.

    Returns
    -------
    ingested
        Units are those that all runs measured (`series.common_space`), less those that are NaN
        or do not vary in some run (counted in the facts). The sample table also has the numeric
        columns of the events (see `events.sample_table`), and ``motion``: mean framewise
        displacement (mm) over the volumes from which a sample is read. Noise of estimates is
        independent between runs only, as those of one model share its errors; blocks and
        volumes are each read off volumes of their own, so that they count as independent but
        for the slow correlation of BOLD, for which folds leave whole runs out.

    Raises
    ------
    ConfigError
        If a setting does not exist, or two exclude each other.
    MissingInputError
        If a mask, events, a column of the events or of the confounds is not there.
    UnreadableError
        If a file is damaged.
    SpaceError
        If the runs lie on different grids or meshes.
    NotEnoughDataError
        If a run has too few volumes, or no trial, or no unit is left.

    References
    ----------
    Mumford et al. (2012), NeuroImage 59:2636, doi:10.1016/j.neuroimage.2011.08.076.
    Turner et al. (2012), NeuroImage 62:1429, doi:10.1016/j.neuroimage.2012.05.057.
    """
    n_sessions = len({run.session for run in subject.runs} - {""})
    settled = settle(settings, n_sessions=n_sessions)
    space, space_facts = common_space(subject)
    made = list(_make(subject, space, settled))
    lost = {k: np.any([m.lost[k] for m in made], axis=0) for k in made[0].lost}
    keep = ~np.any(list(lost.values()), axis=0)
    if not keep.any():
        counts = ", ".join(f"{int(v.sum())} {k}" for k, v in lost.items())
        raise NotEnoughDataError(
            f"No {space.unit} of sub-{subject.participant} can be used: of {len(space)}, "
            f"{counts}.",
            mend="Look at the BOLD images, and at the brain masks beside them.",
        )
    samples = number_repeats(pd.concat([m.samples for m in made], ignore_index=True))
    values = np.concatenate([m.values[:, keep] for m in made])
    if settled["standardize"] in ("run", "session"):
        values, flat = by_group(values, samples[settled["standardize"]].to_numpy(dtype=str))
        values, lost["constant"] = values[:, ~flat], _also(lost["constant"], keep, flat)
        keep[np.flatnonzero(keep)[flat]] = False
    scale: Scale = "raw" if settled["model"] in OF_VOLUMES else "psc"
    responses = Responses(
        values,
        samples.reset_index(drop=True),
        space.select(keep),
        scale if settled["standardize"] == "none" else "zscore",
        independence_of(settled["model"]),
    )
    facts = _facts(responses, settled, made, lost)
    asked = settings.get("standardize", "auto")
    return Ingested(responses, {**space_facts, **facts, "standardize_asked": asked})


def _make(subject: Subject, space: Space, settings: Settings) -> Iterator[Made]:
    """Yield the samples of each run, or of each session where runs are joined."""
    if settings["model"] in OF_CONDITIONS:
        yield from _make_conditions(subject, space, settings)
        return
    make = estimate_trials if settings["model"] in OF_TRIALS else take_volumes
    for run in subject.runs:
        made = make(read_run(run, space, settings), settings)
        if not len(made.samples):
            raise NotEnoughDataError(
                f"The volumes of {run.said} determine no trial.",
                mend="Check the onsets (in seconds), or leave the run out with --session-label "
                "and --run-id.",
            )
        yield made


def _make_conditions(subject: Subject, space: Space, settings: Settings) -> Iterator[Made]:
    joined: dict[str, Told] = {}
    names = _conditions(subject, settings)
    for run in subject.runs:
        told = tell_conditions(read_run(run, space, settings), settings, names=names)
        if settings["joint"]:
            name = run.session or ALL_RUNS
            joined[name] = joined[name] + told if name in joined else told
        else:
            yield estimate_conditions(told, names=names, run=run.run)
    for name, told in joined.items():
        yield estimate_conditions(told, names=names, run=name)


def _conditions(subject: Subject, settings: Settings) -> tuple[str, ...]:
    """Return the conditions of all runs, sorted."""
    found: set[str] = set()
    for run in subject.runs:
        if run.events is not None:
            found |= set(read_events(run.events)[0]["trial_type"].str.strip())
    return tuple(sorted(found - set(settings["rest"])))


def _also(
    lost: NDArray[np.bool_], keep: NDArray[np.bool_], flat: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    more = lost.copy()
    more[np.flatnonzero(keep)[flat]] = True
    return more


def _facts(
    responses: Responses,
    settings: Settings,
    made: list[Made],
    lost: dict[str, NDArray[np.bool_]],
) -> dict[str, Any]:
    runs = [facts for m in made for facts in m.runs]
    scope, few = scaling_facts(responses.samples, settings["standardize"])
    notes = [
        f"{note} ({run_words(r['run'], r['session'])})"
        for r in runs
        for note in r["confound_notes"]
    ]
    notes += [
        f"The condition {name!r} is not determined by the volumes of "
        f"{run_words(r['run'], r['session'])} and was left out."
        for r in runs
        for name in r.get("undetermined_conditions", ())
    ]
    notes += [
        f"The model of {run_words(r['run'], r['session'])} leaves {r['degrees_of_freedom']} "
        f"degrees of freedom of {r['n_volumes']} volumes, so that its estimates are noisy."
        for r in runs
        if r.get("degrees_of_freedom", np.inf) < FEW_FREE * r["n_volumes"]
    ]
    return {
        "source": "fmriprep",
        **{k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()},
        **scope,
        "n_volumes": sum(r["n_volumes"] for r in runs),
        **summarize(responses, lost),
        "runs": runs,
        "warnings": [*warnings_of(runs), *few, *notes],
    }
