"""Which report pages are to be made, and what each must know."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import tomli_w

from bids_dnn.config.load import dump
from bids_dnn.config.schema import Analysis, Config
from bids_dnn.containers.network import Modality
from bids_dnn.derivatives import names, provenance, read
from bids_dnn.derivatives.portrait import portrait_path
from bids_dnn.files import fingerprint, fingerprint_of
from bids_dnn.report.over_participants import made_of
from bids_dnn.workflows.across import ANALYSIS, told_of
from bids_dnn.workflows.failure import Failure, why_failed
from bids_dnn.workflows.group_ceiling import ANALYSIS as CEILING
from bids_dnn.workflows.group_ceiling import ceilings_told
from bids_dnn.workflows.meshes import drawn_on, surfaces_of
from bids_dnn.workflows.over_group import GroupPlan
from bids_dnn.workflows.plan import Plan, SubjectPlan
from bids_dnn.workflows.record import versions
from bids_dnn.workflows.scene import STEPS, Manifest, Scene, portable
from bids_dnn.workflows.steps.about import MARK, OWNER

TAIL = 1000  # bytes of a page that hold its two last lines
MODALITIES: tuple[Modality, ...] = get_args(Modality)
ANALYSES: tuple[Analysis, ...] = get_args(Analysis)
LIGHTS = "searchlight"
KEPT = ("responses", "decode", "encode", "twin", "searchlight", "group")  # that the group shows


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
    failures
        Of the analyses of this run.
    """

    command: tuple[str, ...]
    config: Config
    scene: Scene
    plan: Plan
    failures: tuple[Failure, ...] = ()


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
    noted = [*told.scene.stimuli.notes, *told.scene.all_names()]
    for subject in told.plan.subjects:
        tables = _tables(subject)
        if not tables:
            continue
        manifest = _manifest(told, subject, tables, noted)
        if anew or not is_made(Path(manifest["page"]), manifest["fingerprint"]):
            made[subject.name] = manifest
    return made


def written(told: Told) -> list[Path]:
    """Return the pages of all participants of the plan."""
    return [page_of(told, subject) for subject in told.plan.subjects]


def page_of(told: Told, subject: SubjectPlan) -> Path:
    """Return a participant's page; task and space are in its name where there are several.

    ``sub-01.html`` stays with the task and space that had it first.
    """
    label = subject.subject.participant
    path = names.path_of(told.scene.output_dir, "report", participant=label)
    task, space = subject.subject.task, subject.subject.space
    if path.is_file():
        is_own = OWNER.format(task, space).encode() in _tail(path)
        return path if is_own else path.with_name(f"{path.stem}_task-{task}_space-{space}.html")
    sets = {(s.subject.task, s.subject.space) for s in told.plan.subjects if _is(s, label)}
    for analysis in ANALYSES:
        for table in read.participants_with(told.scene.output_dir, analysis).get(label, ()):
            found = names.entities_of(table)
            sets.add((found.get("task", ""), found["space"]))
    if len(sets) == 1:
        return path
    return path.with_name(f"{path.stem}_task-{task}_space-{space}.html")


def _tail(page: Path) -> bytes:
    with page.open("rb") as stream:
        stream.seek(max(0, page.stat().st_size - TAIL))
        return stream.read()


def _is(subject: SubjectPlan, label: str) -> bool:
    return subject.subject.participant == label


def group_pages(
    plan: GroupPlan, config: Config, command: Sequence[str], *, anew: bool
) -> dict[str, Manifest]:
    """Return the manifest of each group page that is to be made.

    What the participants' tables say of their settings and networks is what the page says.
    """
    made: dict[str, Manifest] = {}
    for task, space in plan.sets():
        jobs = [job for job in plan.jobs if (job.task, job.space) == (task, space)]
        tables: dict[str, Path] = {
            job.analysis: job.table() for job in jobs if job.table().is_file()
        }
        if not tables:
            continue
        firsts = {str(job.analysis): job.first_table() for job in jobs}
        ran = ran_of(firsts) | {"group": config.group.model_dump(mode="json")} | told_of(jobs)
        ran |= ceilings_told(job.manifest for job in jobs)
        asked, ran = ran, ran | {"group": ran["group"] | {"made": _made(tables)}}
        if set(tables) <= {ANALYSIS, CEILING}:  # nothing was decoded within tasks, nor tested
            ran = {key: value for key, value in ran.items() if key not in ("decode", "group")}
        page = plan.page(task, space)
        manifest: Manifest = {
            "page": str(page),
            "figures": str(names.path_of(plan.output_dir, "group_figures")),
            "task": task,
            "space": space,
            "output_dir": str(plan.output_dir),
            "tables": {name: str(path) for name, path in tables.items()},
            "portraits": portraits_of(plan.output_dir, ran),
            "ran": ran,
            "surfaces": drawn_on(space, config.run.fs_subjects_dir),
            "seed": config.run.random_seed,
            "warnings": list(plan.warnings),
        }
        settings = {"run": config.run.model_dump(mode="json", exclude_none=True)}
        kept = {key: asked[key] for key in KEPT if key in asked}
        text = tomli_w.dumps(settings | _without_none(kept))
        _finish(manifest, tables, command=command, config_toml=text, roots={})
        if anew or not is_made(page, manifest["fingerprint"]):
            made["".join(c for c in f"{task}{space}" if c.isalnum()) or "group"] = manifest
    return made


def _made(tables: Mapping[str, Path]) -> list[str]:
    """Return the columns and the maps that came out over participants."""
    made: set[str] = set()
    for name, path in tables.items():
        sidecar = read.read_sidecar(path)
        files = {key: path.parent / file for key, file in sidecar["Tables"].items()}
        maps = {str(one["Statistic"]) for one in sidecar["Maps"]}
        if name == LIGHTS:
            maps = _of_lights(maps, path, files.pop("contrasts", None))
        made |= maps | made_of(pd.read_csv(file, sep="\t") for file in (path, *files.values()))
    return sorted(made)


def _of_lights(maps: set[str], means: Path, contrasts: Path | None) -> set[str]:
    """Tell maps of means and of contrasts apart, where clusters are looked for in each by itself.

    Returns
    -------
    made
        ``cluster`` = of means; ``contrastmap`` = there are contrasts, ``contrastcluster`` = and
        clusters of these.
    """
    made = maps - {"cluster"}
    if (pd.read_csv(means, sep="\t")["n_clusters"] >= 0).any():
        made.add("cluster")
    if contrasts is not None and len(rows := pd.read_csv(contrasts, sep="\t")):
        made.add("contrastmap")
        if (rows["n_clusters"] >= 0).any():
            made.add("contrastcluster")
    return made


def facts_of(told: Told) -> dict[str, Any]:
    """Return what ran, for the methods text: what the finished tables say of themselves."""
    tables: dict[str, Path] = {}
    for subject in told.plan.subjects:
        tables = _tables(subject) | tables
    return ran_of(tables)


def ran_of(tables: Mapping[str, Path]) -> dict[str, Any]:
    """Return source, settings and networks of finished tables, by analysis.

    Parameters
    ----------
    tables
        The main table of each analysis.
    """
    ran: dict[str, Any] = {}
    for path in tables.values():
        sidecar = read.read_sidecar(path)
        settings = dict(sidecar.get("Settings", {}))
        responses = dict(settings.get("responses", {}))
        if "source" in responses:
            ran["source"] = responses["source"]
        ran |= settings | {"responses": responses}
        facts = sidecar.get("Facts", {})
        if regions := facts.get("regions"):
            ran["unit"] = regions[0]["unit"]
        if spaces := facts.get("feature_spaces"):
            ran["feature_spaces"] = list(spaces)
        if scale := facts.get("ingest", {}).get("scale"):
            ran["scale"] = scale
        own = {k: {"name": k} | v for k, v in sidecar.get("Networks", {}).items()}
        known = {one["name"]: one for one in ran.get("networks", ())}
        if "Networks" in sidecar:
            ran["networks"] = list((known | own).values())
    return ran


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value


def is_made(page: Path, mark: str) -> bool:
    """Tell whether a page stands whole with this fingerprint at its end."""
    wanted = MARK.format(mark).encode()
    if not page.is_file():
        return False
    with page.open("rb") as stream:
        stream.seek(max(0, page.stat().st_size - len(wanted)))
        return stream.read() == wanted


def _tables(subject: SubjectPlan) -> dict[str, Path]:
    """Return every finished table, also of analyses that were not asked for now."""
    if not subject.jobs:
        return {}
    entities = subject.jobs[0].manifest["entities"]
    output_dir = Path(subject.jobs[0].manifest["output_dir"])
    tables = {
        name: names.path_of(output_dir, "scores", **entities, analysis=name) for name in ANALYSES
    }
    return {
        name: path
        for name, path in tables.items()
        if path.is_file() and names.sidecar_of(path).is_file()
    }


def _manifest(
    told: Told, subject: SubjectPlan, tables: Mapping[str, Path], noted: Sequence[str]
) -> Manifest:
    label = subject.subject.participant
    left, alerts = _not_shown(told, subject, tables)
    ran = ran_of(tables)
    manifest: Manifest = {
        "page": str(page_of(told, subject)),
        "figures": str(names.path_of(told.scene.output_dir, "figures", participant=label)),
        "output_dir": str(told.scene.output_dir),
        "participant": label,
        "task": subject.subject.task,
        "space": subject.subject.space,
        "tables": {name: str(path) for name, path in tables.items()},
        "background": str(subject.subject.anat) if subject.subject.anat else None,
        "stimuli": {key: str(path) for key, path in told.scene.catalog.items()},
        "portraits": portraits_of(told.scene.output_dir, ran),
        "surfaces": surfaces_of(subject.subject),
        "ran": ran,
        "networks": ran.get("networks", []),
        "seed": told.config.run.random_seed,
        "left_out": [*noted, *subject.notes, *map(str, subject.problems), *left],
        "alerts": alerts,
    }
    _finish(
        manifest,
        tables,
        command=told.command,
        config_toml=dump(told.config),
        roots=told.scene.roots(),
    )
    return manifest


def _not_shown(
    told: Told, subject: SubjectPlan, tables: Mapping[str, Path]
) -> tuple[list[str], list[str]]:
    """Return what was left out, and what failed or is shown as an earlier run left it."""
    left: list[str] = []
    alerts: list[str] = []
    for job in subject.jobs:
        name, is_shown = job.analysis, job.analysis in tables
        if why := job.why_left_out():
            left.append(f"{name}: {why}")
        elif job.is_there():
            continue
        elif why := why_failed(
            told.failures, subject.name, name, needs_features=job.needs_features
        ):
            was = " What is shown of it is of an earlier run." if is_shown else ""
            alerts.append(f"{name} failed: {why}{was}")
        elif is_shown:
            alerts.append(
                f"{name} is shown as it was made with other inputs, settings or code, not "
                "with those under Reproduce."
            )
        else:
            left.append(f"{name} has no result; see the log.")
    return left, alerts


def portraits_of(output_dir: Path, ran: Mapping[str, Any]) -> dict[str, str]:
    """Return the portraits of the networks that ran, by the name of the network or tower.

    Parameters
    ----------
    output_dir
        Root of the output data set.
    ran
        From `ran_of`.
    """
    made = {}
    for network in ran.get("networks", ()):
        for name in (network["name"], *(f"{network['name']}+{one}" for one in MODALITIES)):
            path = portrait_path(output_dir, name)
            if path.is_file() and names.sidecar_of(path).is_file():
                made[name] = str(path)
    return made


def _finish(
    manifest: Manifest,
    tables: Mapping[str, Path],
    *,
    command: Sequence[str],
    config_toml: str,
    roots: Mapping[str, Path],
) -> None:
    """Add the fingerprint, then what may change without the page being made anew."""
    places = dict(roots) | {"": Path(manifest["output_dir"])}
    manifest["fingerprint"] = fingerprint_of(
        {
            "manifest": portable(manifest, places),
            "tables": {k: fingerprint(names.sidecar_of(v)) for k, v in tables.items()},
            "portraits": {
                k: fingerprint(names.sidecar_of(Path(v))) for k, v in manifest["portraits"].items()
            },
            "code": provenance.code_fingerprint(f"{STEPS}.report"),
        }
    )
    manifest["command"] = shlex.join(command)
    manifest["config_toml"] = config_toml
    manifest["versions"] = versions()
