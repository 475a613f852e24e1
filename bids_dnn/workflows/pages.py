"""Which report pages are to be made, and what each must know."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_dnn.config.load import dump
from bids_dnn.config.schema import Config
from bids_dnn.derivatives import names, provenance
from bids_dnn.files import fingerprint, fingerprint_of
from bids_dnn.workflows.over_group import GroupPlan
from bids_dnn.workflows.plan import STEPS, Manifest, Plan, Scene, SubjectPlan
from bids_dnn.workflows.record import versions
from bids_dnn.workflows.steps.about import MARK


@dataclass(frozen=True, slots=True)
class Told:
    """What the pages of participants are made from.

    Parameters
    ----------
    command
        As typed.
    config
        The resolved settings.
    scene, plan
        What was found, and what was done.
    """

    command: tuple[str, ...]
    config: Config
    scene: Scene
    plan: Plan


def participant_pages(told: Told, *, anew: bool) -> dict[str, Manifest]:
    """Return the manifest of each page that is to be made, by the subject's name.

    Parameters
    ----------
    told
        What the pages are made from.
    anew
        Make every page, also where nothing changed.
    """
    made: dict[str, Manifest] = {}
    for subject in told.plan.subjects:
        tables = _tables(subject)
        if not tables:
            continue
        manifest = _manifest(told, subject, tables)
        if anew or not is_made(Path(manifest["page"]), manifest["fingerprint"]):
            made[subject.name] = manifest
    return made


def written(told: Told) -> list[Path]:
    """Return the pages of all participants of the plan."""
    return [page_of(told, subject) for subject in told.plan.subjects]


def page_of(told: Told, subject: SubjectPlan) -> Path:
    """Return a participant's page; the task is in its name where there are several."""
    label = subject.subject.participant
    path = names.path_of(told.scene.output_dir, "report", participant=label)
    tasks = {s.subject.task for s in told.plan.subjects if s.subject.participant == label}
    if len(tasks) == 1:
        return path
    return path.with_name(f"{path.stem}_task-{subject.subject.task}.html")


def group_pages(
    plan: GroupPlan, config: Config, command: Sequence[str], *, anew: bool
) -> dict[str, Manifest]:
    """Return the manifest of each group page that is to be made."""
    made: dict[str, Manifest] = {}
    for task, space in plan.sets():
        jobs = [job for job in plan.jobs if (job.task, job.space) == (task, space)]
        tables: dict[str, Path] = {
            job.analysis: job.table() for job in jobs if job.table().is_file()
        }
        if not tables:
            continue
        page = plan.page(task, space)
        manifest: Manifest = {
            "page": str(page),
            "figures": str(names.path_of(plan.output_dir, "group_figures")),
            "task": task,
            "space": space,
            "output_dir": str(plan.output_dir),
            "tables": {name: str(path) for name, path in tables.items()},
            "ran": {"group": config.group.model_dump(mode="json")},
            "config_toml": dump(config),
            "versions": versions(),
            "seed": config.run.random_seed,
            "warnings": list(plan.warnings),
        }
        _finish(manifest, tables, command)
        if anew or not is_made(page, manifest["fingerprint"]):
            made["".join(c for c in f"{task}{space}" if c.isalnum()) or "group"] = manifest
    return made


def facts_of(told: Told) -> dict[str, Any]:
    """Return what ran, for the methods text; each section only where it ran."""
    settings = told.config.model_dump(mode="json")
    sources = sorted({s.subject.source for s in told.plan.subjects})
    made: dict[str, Any] = {"source": sources[0], "responses": settings["responses"]}
    for analysis in sorted({job.analysis for s in told.plan.subjects for job in s.jobs}):
        made[analysis] = settings[analysis]
    if "encode" in made:
        made["networks"] = networks_of(told.plan)
    return made


def networks_of(plan: Plan) -> list[dict[str, Any]]:
    """Return name, weights and layers of each network, as the config says them."""
    return [
        {key: told[key] for key in ("name", "network", "weights", "layers")}
        for told in plan.networks.values()
    ]


def is_made(page: Path, mark: str) -> bool:
    """Tell whether a page stands whole with this fingerprint at its end."""
    wanted = MARK.format(mark).encode()
    if not page.is_file():
        return False
    with page.open("rb") as stream:
        stream.seek(max(0, page.stat().st_size - len(wanted)))
        return stream.read() == wanted


def _tables(subject: SubjectPlan) -> dict[str, Path]:
    """Return the finished tables, those of other settings or code too."""
    tables = {str(job.analysis): job.table() for job in subject.jobs}
    return {
        name: path
        for name, path in tables.items()
        if path.is_file() and names.sidecar_of(path).is_file()
    }


def _manifest(told: Told, subject: SubjectPlan, tables: Mapping[str, Path]) -> Manifest:
    label = subject.subject.participant
    page = page_of(told, subject)
    done = {job.analysis for job in subject.jobs if job.analysis in tables}
    left = [*subject.notes, *map(str, subject.problems)]
    left += [
        f"{j.analysis} has no result; see the log." for j in subject.jobs if j.analysis not in done
    ]
    left += [
        f"{j.analysis} is shown as it was made with other inputs, settings or code; run it again."
        for j in subject.jobs
        if j.analysis in done and not j.is_there()
    ]
    manifest: Manifest = {
        "page": str(page),
        "figures": str(names.path_of(told.scene.output_dir, "figures", participant=label)),
        "output_dir": str(told.scene.output_dir),
        "participant": label,
        "task": subject.subject.task,
        "space": subject.subject.space,
        "tables": {name: str(path) for name, path in tables.items()},
        "background": str(subject.subject.anat) if subject.subject.anat else None,
        "stimuli": {key: str(path) for key, path in told.scene.catalog.items()},
        "ran": facts_of(told),
        "networks": networks_of(told.plan),
        "inventory": list(told.scene.inventory.notes),
        "config_toml": dump(told.config),
        "versions": versions(),
        "seed": told.config.run.random_seed,
        "left_out": left,
    }
    _finish(manifest, tables, told.command)
    return manifest


def _finish(manifest: Manifest, tables: Mapping[str, Path], command: Sequence[str]) -> None:
    """Add the fingerprint, then what may change without the page being made anew."""
    manifest["fingerprint"] = fingerprint_of(
        {
            "manifest": manifest,
            "tables": {k: fingerprint(names.sidecar_of(v)) for k, v in tables.items()},
            "code": provenance.code_fingerprint(f"{STEPS}.report"),
        }
    )
    manifest["command"] = shlex.join(command)
