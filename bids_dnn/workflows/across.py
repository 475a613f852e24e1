"""What is to be decoded across participants and tasks, from the patterns that they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn import __version__
from bids_dnn.config.decode import DecodeConfig
from bids_dnn.config.schema import Config
from bids_dnn.derivatives import names, provenance, read
from bids_dnn.errors import MissingInputError
from bids_dnn.files import fingerprint, fingerprint_of
from bids_dnn.workflows.besides import seed_of
from bids_dnn.workflows.group_ceiling import has_patterns
from bids_dnn.workflows.over_group import GroupJob, GroupPlan
from bids_dnn.workflows.scene import STEPS, Manifest

ANALYSIS = "across"  # as `analyses.decode.across` calls it
Paths = dict[str, dict[str, Path]]  # by participant and task
LEAST = 2  # participants, or tasks


def with_across(plan: GroupPlan, config: Config) -> GroupPlan:
    """Return the plan with what is decoded across participants and tasks.

    What cannot be, as for a single participant, is left out with a warning.

    Parameters
    ----------
    plan
        Of the tests over participants.
    config
        Of it, ``group.across``, the participants asked for, and the seed.

    Raises
    ------
    MissingInputError
        If nobody left patterns.
    """
    asked = config.group.across
    if not asked or not ("decode" in config.run.analysis or not config.run.analysis):
        return plan
    tables = _tables(plan.output_dir, config)
    left = {
        space: {
            label: {
                task: names.patterns_of(path) for task, path in own.items() if has_patterns(path)
            }
            for label, own in people.items()
        }
        for space, people in tables.items()
    }
    if not any(one for people in left.values() for one in people.values()):
        raise MissingInputError(
            f"group.across asks for {' and '.join(asked)}, and no participant in "
            f"{plan.output_dir} has left patterns.",
            mend="Set share = true under [decode] and run the participant level again.",
        )
    jobs: list[GroupJob] = []
    notes: list[str] = []
    for kind, ways in (("participants", _over_participants), ("tasks", _over_tasks)):
        if kind not in asked:
            continue
        made: list[GroupJob] = []
        why: list[str] = []
        for space, people in sorted(left.items()):
            for task, chosen in ways(space, people, why):
                job = _job(plan, config, (kind, task, space), (chosen, tables[space]))
                made.append(job)
        if not made:
            why = [f"Nothing was decoded across {kind}. {' '.join(dict.fromkeys(why))}"]
        jobs += made
        notes += why
    return replace(
        plan, jobs=(*plan.jobs, *jobs), warnings=(*plan.warnings, *dict.fromkeys(notes))
    )


def told_of(jobs: Sequence[GroupJob]) -> Manifest:
    """Return what was done across participants or tasks, for the methods text.

    Parameters
    ----------
    jobs
        Of one page.
    """
    for job in jobs:
        if job.analysis == ANALYSIS:
            told = job.manifest
            own = {"across": told["across"], "patterns": told["settings"]["across_patterns"]}
            return {ANALYSIS: own | {"decode": told["decode"]}}
    return {}


def _tables(output_dir: Path, config: Config) -> dict[str, Paths]:
    """Return the finished tables of decoding, by space, participant and task."""
    wanted = set(config.run.participant_label)
    made: dict[str, Paths] = {}
    for label, paths in read.participants_with(output_dir, "decode").items():
        for path in paths if not wanted or label in wanted else ():
            found = names.entities_of(path)
            people = made.setdefault(found["space"], {})
            people.setdefault(label, {})[found.get("task", "")] = path
    return made


def _over_participants(
    space: str, people: Mapping[str, dict[str, Path]], why: list[str]
) -> list[tuple[str, Paths]]:
    """Return each task in a common space that several participants have patterns of."""
    if names.needs_reference(space):
        why.append(
            f"Space {space} is each participant's own, so that nothing is decoded across "
            "participants there; a common one is --space MNI152NLin2009cAsym."
        )
        return []
    made = []
    for task in sorted({task for one in people.values() for task in one}):
        chosen = {label: {task: one[task]} for label, one in people.items() if task in one}
        where = f"task {task or 'none'}, space {space}"
        if lacking := sorted(set(people) - set(chosen)):
            shown = ", ".join(f"sub-{label}" for label in lacking)
            why.append(f"Across participants, {where}: {shown} left no patterns (decode.share).")
        if len(chosen) < LEAST:
            why.append(
                f"Across participants, {where}: {len(chosen)} participant has patterns, and "
                f"{LEAST} are needed."
            )
        else:
            made.append((task, chosen))
    return made


def _over_tasks(
    space: str, people: Mapping[str, dict[str, Path]], why: list[str]
) -> list[tuple[str, Paths]]:
    """Return all tasks of a space, where somebody has patterns of several."""
    named = {
        label: {task: path for task, path in one.items() if task} for label, one in people.items()
    }
    chosen = {label: one for label, one in named.items() if len(one) >= LEAST}
    if not chosen:
        why.append(f"Across tasks, space {space}: nobody has patterns of two tasks.")
        return []
    if lacking := sorted(set(people) - set(chosen)):
        shown = ", ".join(f"sub-{label}" for label in lacking)
        why.append(f"Across tasks, space {space}: {shown} left no patterns of two tasks.")
    return [("+".join(sorted({task for one in chosen.values() for task in one})), chosen)]


def _job(
    plan: GroupPlan,
    config: Config,
    place: tuple[str, str, str],
    found: tuple[Paths, Paths],
) -> GroupJob:
    kind, task, space = place
    patterns, tables = found
    used = {label: [tables[label][one] for one in own] for label, own in patterns.items()}
    files = [path for own in patterns.values() for path in own.values()]
    inputs = {str(path): fingerprint(path) for path in files}
    decoded = _settings([path for own in used.values() for path in own])
    settings = config.group.model_dump(mode="json")
    seed = seed_of(config.run.random_seed, "group", f"{ANALYSIS}{kind}")
    expected = sorted(config.run.participant_label or {*plan.known.people, *patterns})
    digest = fingerprint_of(
        {
            "version": __version__,
            "code": provenance.code_fingerprint(f"{STEPS}.{ANALYSIS}"),
            "patterns": sorted(inputs.values()),
            "expected": expected,
            "decode": decoded,
            "across_patterns": settings["across_patterns"],
            "seed": seed,
        }
    )
    manifest: Manifest = {
        "analysis": ANALYSIS,
        "across": kind,
        "output_dir": str(plan.output_dir),
        "entities": {"task": task, "space": space},
        "tables": {label: str(paths[0]) for label, paths in used.items()},
        "patterns": {
            label: {one: str(path) for one, path in own.items()} for label, own in patterns.items()
        },
        "inputs": inputs,
        "expected": expected,
        "settings": settings,
        "decode": decoded,
        "seed": seed,
        "sidecar": {
            "Sources": provenance.sources(files, {"": plan.output_dir}),
            "GeneratedBy": f"bids_dnn {__version__}",
            "Settings": {"group": settings, "decode": decoded},
            "RandomSeed": config.run.random_seed,
            provenance.FINGERPRINT: digest,
        },
    }
    job = GroupJob(ANALYSIS, task, space, manifest, done=False)
    return replace(job, done=provenance.is_done(names.sidecar_of(job.table()), digest))


def _settings(tables: Sequence[Path]) -> dict[str, Any]:
    """Return the settings of decoding that the first one has, with the comparisons of all.

    A setting that an earlier version did not know is as it is by default.
    """
    every: list[dict[str, Any]] = [
        read.read_sidecar(path)["Settings"]["decode"] for path in tables
    ]
    texts = [text for one in every for text in one["comparisons"]]
    plain = DecodeConfig().model_dump(mode="json")
    return plain | every[0] | {"comparisons": list(dict.fromkeys(texts))}
