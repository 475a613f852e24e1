"""What is to be done over participants, from the derivatives alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from bids_dnn import __version__
from bids_dnn.config.schema import GROUPED, Config
from bids_dnn.containers.space import Hemisphere
from bids_dnn.derivatives import names, provenance, read
from bids_dnn.errors import MissingInputError
from bids_dnn.files import fingerprint, fingerprint_of
from bids_dnn.group.choices import Choices
from bids_dnn.group.contrasts import check_sides, parse_contrast, parse_contrasts
from bids_dnn.group.family import KEYS
from bids_dnn.group.people import numbers_of
from bids_dnn.workflows.besides import seed_of
from bids_dnn.workflows.differences import differences
from bids_dnn.workflows.group_ceiling import ANALYSIS as CEILING
from bids_dnn.workflows.group_ceiling import ceiling_lines, shared_patterns
from bids_dnn.workflows.meshes import meshes_of
from bids_dnn.workflows.named_places import NamedPlaces, named_places
from bids_dnn.workflows.record import Known, known_people
from bids_dnn.workflows.scene import STEPS, Manifest

CHOSEN = tuple(one.name for one in fields(Choices) if one.name != "seed")
MAPPED = ("searchlight",)  # whose maps are tested against exchanged labels, by clusters
TESTED = ("tests", "correct", "contrasts", "covariates")  # settings of all but ceilings
NO_GROUP = "is of single participants: their pages show it, and nothing is tested over them."
CLUSTERED = ("p_unit", "n_maps")  # of searchlights alone, beside the atlas


@dataclass(frozen=True, slots=True)
class GroupJob:
    """One analysis of one task in one space, over participants.

    Parameters
    ----------
    analysis, task, space
        Labels; `task` is "" where the names have none, `a+b` where it is across tasks.
    manifest
        All that its step needs to know.
    done
        Its result is there, whole, made from these tables.
    """

    analysis: str
    task: str
    space: str
    manifest: Manifest
    done: bool

    def first_table(self) -> Path:
        """Return the table of the first participant, whose settings speak for all."""
        return Path(next(iter(self.manifest["tables"].values())))

    def table(self) -> Path:
        """Return where its table lies."""
        return names.path_of(
            Path(self.manifest["output_dir"]),
            "group_scores",
            **self.manifest["entities"],
            analysis=self.analysis,
        )


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A whole group-level run.

    Parameters
    ----------
    output_dir
        Root of the data set of derivatives.
    jobs
        One for each analysis, task and space.
    warnings
        Missing participants, by name.
    known
        Who should be there, and what is known of them.
    """

    output_dir: Path
    jobs: tuple[GroupJob, ...]
    warnings: tuple[str, ...]
    known: Known

    def waiting(self) -> dict[str, Manifest]:
        """Return the manifests of the jobs whose results are not there, by name."""
        return {_name(job): job.manifest for job in self.jobs if not job.done}

    def sets(self) -> tuple[tuple[str, str], ...]:
        """Return each task and space, one report page each."""
        return tuple(sorted({(job.task, job.space) for job in self.jobs}))

    def page(self, task: str, space: str) -> Path:
        """Return the report page of a task and space; ``group.html`` where there is one only."""
        path = names.path_of(self.output_dir, "group_report")
        if len(self.sets()) == 1:
            return path
        more = f"_task-{task}" if task else ""
        return path.with_name(f"{path.stem}{more}_space-{space}.html")

    def pages(self) -> list[Path]:
        """Return every report page."""
        return [self.page(task, space) for task, space in self.sets()]

    def inputs(self) -> dict[str, str]:
        """Return the SHA-256 of each table that is read."""
        made = {
            path: digest for job in self.jobs for path, digest in job.manifest["inputs"].items()
        }
        if self.known.table.is_file():
            made[str(self.known.table)] = fingerprint(self.known.table)
        return made

    def lines(self) -> list[str]:
        """Say what was found and what would run, for ``--dry-run``."""
        made = []
        for job in self.jobs:
            state = "done" if job.done else "waits"
            found = ", ".join(f"sub-{name}" for name in job.manifest["tables"])
            what = "patterns" if "patterns" in job.manifest else "tables"
            made.append(f"{_name(job)}: {state}; {what} of {found}")
            made += [*_prevalence_lines(job), *_cluster_lines(job), *ceiling_lines(job.manifest)]
        return made + [f"warning: {text}" for text in self.warnings]


def plan_group(output_dir: Path, config: Config, bids_dir: Path | None = None) -> GroupPlan:
    """Decide what is tested over which participants.

    Parameters
    ----------
    output_dir
        Where the participant level wrote.
    config
        Of it, `group`, the analyses and the participants asked for, and the seed.
    bids_dir
        Whose ``participants.tsv`` counts where there is one; else OUTPUT_DIR's copy.

    Raises
    ------
    MissingInputError
        If there is no finished participant-level table.
    ConfigError
        If a contrast or covariate does not exist, or two settings exclude each other.
    """
    known = known_people(output_dir, bids_dir)
    _check(known, config)
    wanted = set(config.run.participant_label)
    jobs: list[GroupJob] = []
    asked = config.run.analysis or GROUPED
    warnings = [f"{one} {NO_GROUP}" for one in asked if one not in GROUPED]
    for analysis in [one for one in asked if one in GROUPED]:
        sets: dict[tuple[str, str], dict[str, Path]] = {}
        for label, paths in read.participants_with(output_dir, analysis).items():
            if wanted and label not in wanted:
                continue
            for path in paths:
                found = names.entities_of(path)
                sets.setdefault((found.get("task", ""), found["space"]), {})[label] = path
        for (task, space), tables in sorted(sets.items()):
            expected = sorted(wanted or {*known.people, *tables})
            if missing := sorted(set(expected) - set(tables)):
                shown = ", ".join(f"sub-{name}" for name in missing)
                warnings.append(
                    f"{analysis}, task {task or 'none'}, space {space}: no finished table of "
                    f"{shown}."
                )
            job = _job(output_dir, config, (analysis, task, space), (tables, expected, known))
            warnings += job.manifest["warnings"]
            jobs.append(job)
    if not jobs:
        raise MissingInputError(
            " ".join([f"There is no finished table of a participant in {output_dir}.", *warnings]),
            mend="Run the participant level first: bids_dnn BIDS_DIR OUTPUT_DIR participant",
        )
    for job in jobs:
        _check_sides(job)
    warnings += _unfit(jobs, config.group.contrasts)
    return GroupPlan(output_dir, tuple(jobs), tuple(warnings), known)


def check_group(config: Config) -> None:
    """Refuse settings of the group that no data can meet, before any participant is run.

    Raises
    ------
    ConfigError
        If two exclude each other, or a contrast cannot be read.
    """
    Choices(**{name: getattr(config.group, name) for name in CHOSEN})
    for text in config.group.contrasts:
        parse_contrast(text)


def _check(known: Known, config: Config) -> None:
    """Refuse settings of the group that no participant can meet."""
    check_group(config)
    asked = config.group
    if asked.contrasts or asked.covariates:
        parse_contrasts(asked.contrasts, known.people)
        numbers_of(known.people, asked.covariates, list(known.people))


def _check_sides(job: GroupJob) -> None:
    """Refuse contrasts of regions, comparisons and layers that no participant has."""
    for contrast in map(parse_contrast, job.manifest["settings"].get("contrasts", ())):
        if contrast.what not in KEYS.get(job.analysis, ()):
            continue
        known: set[str] = set()
        for path in job.manifest["tables"].values():
            column = pd.read_csv(
                path, sep="\t", usecols=[contrast.what], dtype=str, keep_default_na=False
            )
            known |= set(column[contrast.what])
        check_sides(contrast, known)


def _unfit(jobs: Sequence[GroupJob], contrasts: Sequence[str]) -> list[str]:
    """Say which contrasts compare what tables have, but none of these."""
    columns = KEYS | dict.fromkeys(MAPPED, ("comparison",))
    known = {key for job in jobs for key in columns.get(job.analysis, ())}
    made = ", ".join(dict.fromkeys(job.analysis for job in jobs))
    return [
        f"The contrast {one.text!r} is left out: no table here ({made}) has a column {one.what!r}."
        for one in map(parse_contrast, contrasts)
        if one.is_within and one.what not in known
    ]


def _job(
    output_dir: Path,
    config: Config,
    place: tuple[str, str, str],
    found: tuple[dict[str, Path], list[str], Known],
) -> GroupJob:
    (analysis, task, space), (tables, expected, known) = place, found
    sidecars = {label: read.read_sidecar(path) for label, path in tables.items()}
    inputs = {str(path): fingerprint(names.sidecar_of(path)) for path in tables.values()}
    nulls = _nulls(analysis, tables, config)
    is_common = not names.needs_reference(space)
    meshes = _meshes(analysis, space, config) if is_common else {}
    is_named = analysis in MAPPED and is_common
    places = named_places(output_dir, tables, space, config.group.atlas) if is_named else None
    shared = shared_patterns(output_dir, analysis, tables)
    inputs |= {str(path): fingerprint(path) for path in (*nulls.values(), *shared.values())}
    people = {} if analysis == CEILING else _people(known, config)
    settings = _settings(analysis, config, places, is_common=is_common)
    named = places.paths() if places else ()
    files = [path for own in (tables, nulls, shared, meshes) for path in own.values()]
    files += [*named, *([known.table] if people else [])]
    seed = seed_of(config.run.random_seed, "group", analysis)
    digest = fingerprint_of(
        {
            "version": __version__,
            "code": provenance.code_fingerprint(f"{STEPS}.group"),
            "tables": sorted(inputs.values()),
            "expected": expected,
            "people": people,
            "settings": settings,
            "meshes": {side: fingerprint(path) for side, path in meshes.items()},
            "places": [fingerprint(path) for path in named],
            "seed": seed,
        }
    )
    manifest: Manifest = {
        "analysis": analysis,
        "output_dir": str(output_dir),
        "entities": {"task": task, "space": space},
        "tables": {label: str(path) for label, path in tables.items()},
        "inputs": inputs,
        "nulls": {label: str(path) for label, path in nulls.items()},
        "shared": {label: str(path) for label, path in shared.items()},
        "meshes": {side: str(path) for side, path in meshes.items()},
        "places": places.to_json() if places else None,
        "people": people,
        "expected": expected,
        "settings": settings,
        "warnings": differences(analysis, sidecars),
        "seed": seed,
        "sidecar": _sidecar(
            config,
            settings,
            provenance.sources(files, {"": output_dir, "raw": known.table.parent}),
            digest,
        ),
    }
    job = GroupJob(analysis, task, space, manifest, done=False)
    done = provenance.is_done(names.sidecar_of(job.table()), digest)
    return GroupJob(analysis, task, space, manifest, done)


def _sidecar(
    config: Config, settings: Mapping[str, Any], sources: list[str], digest: str
) -> dict[str, Any]:
    return {
        "Sources": sources,
        "GeneratedBy": f"bids_dnn {__version__}",
        "Settings": {"group": settings},
        "RandomSeed": config.run.random_seed,
        provenance.FINGERPRINT: digest,
    }


def _meshes(analysis: str, space: str, config: Config) -> dict[Hemisphere, Path]:
    """Return the meshes of maps in which clusters are looked for, or enhanced."""
    is_enhanced = analysis == "encode" and config.group.correct == "tfce"
    if analysis not in MAPPED and not is_enhanced:
        return {}
    return meshes_of(space, config.run.fs_subjects_dir)


def _settings(
    analysis: str, config: Config, places: NamedPlaces | None, *, is_common: bool
) -> dict[str, Any]:
    """Return the settings of [group] that an analysis takes; others do not make it run again."""
    if analysis == CEILING:
        return {}
    asked = config.group.model_dump(mode="json")
    is_enhanced = analysis == "encode" and asked["correct"] == "tfce"
    is_compared = analysis in MAPPED and asked["contrasts"]
    flipped = ("n_flips",) if is_common and (is_enhanced or is_compared) else ()
    clustered = CLUSTERED if analysis in MAPPED else ()
    made = {name: asked[name] for name in (*TESTED, *flipped, *clustered)}
    if analysis in MAPPED and (atlas := config.group.atlas) is not None:
        read_from = places.paths() if places is not None and places.atlas is not None else ()
        made["atlas"] = {
            "file": atlas.name,
            "sha256": {path.name: fingerprint(path) for path in read_from},
        }
    return made


def _nulls(analysis: str, tables: Mapping[str, Path], config: Config) -> dict[str, Path]:
    """Return the scores under exchanged labels that participants left, where they are needed."""
    is_asked = analysis == "decode" and "prevalence" in config.group.tests
    if not is_asked and analysis not in MAPPED:
        return {}
    paths = {label: names.null_of(path) for label, path in tables.items()}
    return {label: path for label, path in paths.items() if path.is_file()}


def _prevalence_lines(job: GroupJob) -> list[str]:
    """Say of how many participants prevalence can be bounded, where it is asked for."""
    told = job.manifest
    if job.analysis != "decode" or "prevalence" not in told["settings"]["tests"]:
        return []
    n, n_all = len(told["nulls"]), len(told["tables"])
    return [f"  prevalence: scores under exchanged labels of {n} of {n_all} participants"]


def _cluster_lines(job: GroupJob) -> list[str]:
    """Say of how many participants clusters can be told, and what names them."""
    told = job.manifest
    if job.analysis not in MAPPED:
        return []
    n, n_all = len(told["nulls"]), len(told["tables"])
    places = told["places"] or {"atlas": None, "regions": {}}
    atlas = places["atlas"] and f"the atlas {places['atlas']['name']}"
    named = atlas or f"regions of participants ({len(places['regions'])})"
    on = " on meshes" if told["meshes"] else ""
    return [f"  clusters{on}: exchanged maps of {n} of {n_all} participants, named by {named}"]


def _people(known: Known, config: Config) -> dict[str, dict[str, str]]:
    """Return the columns of participants.tsv that contrasts and covariates take."""
    contrasts = [parse_contrast(text) for text in config.group.contrasts]
    wanted = {one.what for one in contrasts if not one.is_within} | {*config.group.covariates}
    people = known.people if wanted else {}
    return {
        label: {column: text for column, text in row.items() if column in wanted}
        for label, row in people.items()
    }


def _name(job: GroupJob) -> str:
    parts = (job.analysis, job.task, job.space)
    return "_".join("".join(c for c in part if c.isalnum()) for part in parts if part)
