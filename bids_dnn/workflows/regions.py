"""From which files a participant's regions are made: rules resolved before anything runs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bids_dnn import __version__, imaging
from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.derivatives import names, provenance
from bids_dnn.errors import ConfigError, MissingInputError, nearest
from bids_dnn.ingest.inventory import Run, Subject
from bids_dnn.ingest.localizer import conditions_of
from bids_dnn.ingest.records import READY
from bids_dnn.rois.atlas_files import templateflow_atlas, templateflow_home
from bids_dnn.rois.atlases import atlas_of, check_labels
from bids_dnn.rois.benson_files import BensonFiles
from bids_dnn.rois.define import other_space, parse_ball
from bids_dnn.rois.functional import RunId, check_circular, parse_contrast
from bids_dnn.rois.grammar import parse, split_space, terms
from bids_dnn.rois.localizer import is_map, localizer_runs
from bids_dnn.rois.rule import Rule, Term, fill, to_json
from bids_dnn.rois.template import find_template
from bids_dnn.rois.visual_field import parse_field
from bids_dnn.workflows.fetch import fetch_atlas
from bids_dnn.workflows.scene import STEPS, Manifest, Scene

WHOLE = "brain"  # the region that stands for all where no other mask was found
TEMPLATES = ("MNI", "fsLR", "fsaverage", "OASIS", "Pediatric", "NKI")  # some of TemplateFlow's
DENSITIES = {"91k": "32k", "170k": "59k"}  # of grayordinates, and of the mesh of one hemisphere
ATLASES = ("atlas", "annot", "aparc", "aparc.a2009s", "aparc.DKTatlas", "wang15")
UNSURE = (
    "Region {name} is localized in runs of the task {task}; whether the responses were estimated "
    "from the same runs cannot be told."
)
MAPS = ("benson14_angle", "benson14_eccen", "benson14_varea")  # sigma may be absent


def regions_manifest(scene: Scene, subject: Subject) -> Manifest:
    """Say from which rules and files the regions are made.

    Parameters
    ----------
    scene
        Of the run.
    subject
        A participant in a task and space.

    Returns
    -------
    manifest
        ``rules``: each with its name, text and tree, and for each term what it needs;
        ``own``: whether regions that the data themselves name are taken.

    Raises
    ------
    ConfigError
        If a rule cannot be read, or names what the participant does not have.
    SpaceError
        If a mask lies in another space.
    LeakageError
        If a localizer uses runs that are analyzed.
    NotEnoughDataError, MissingInputError, UnreadableError
        If a file that was asked for is empty, not there, or damaged.
    """
    rules = _rules(scene, subject)
    files = sorted({Path(p) for rule in rules for t in rule["terms"].values() for p in t["files"]})
    return {
        "participant": subject.participant,
        "task": subject.task,
        "space": subject.space,
        "output_dir": str(scene.output_dir),
        "rules": rules,
        "own": not scene.config.regions,
        "inputs": scene.inputs.of(files),
        "sources": provenance.sources(files, scene.roots()),
        "sidecar": {"GeneratedBy": f"bids_dnn {__version__}"} | reference_of(scene, subject),
        "code": provenance.code_fingerprint(f"{STEPS}.regions"),
    }


@dataclass(frozen=True, slots=True)
class _Asked:
    """A term of a participant's region called `name`."""

    scene: Scene
    subject: Subject
    name: str
    term: Term


def reference_of(scene: Scene, subject: Subject) -> Manifest:
    """Return the ``SpatialReference`` of a space that is no standard one, where it is known."""
    if subject.anat is None or not names.needs_reference(subject.space):
        return {}
    return {"SpatialReference": provenance.sources([subject.anat], scene.roots())[0]}


def _rules(scene: Scene, subject: Subject) -> list[Manifest]:
    here = {mask.name: mask for mask in subject.masks if mask.space == subject.space}
    if not scene.config.regions:
        is_whole = subject.source not in READY
        wanted = {n: m for n, m in here.items() if n != WHOLE} or (here if is_whole else {})
        return [_rule(scene, subject, name, Term("mask", name), asked=False) for name in wanted]
    row = _row(scene.inventory.bids_dir, subject.participant)
    row = {**row, "participant": subject.participant}
    return [
        _rule(scene, subject, name, fill(parse(text), row), asked=True)
        for name, text in scene.config.regions.items()
    ]


def _rule(scene: Scene, subject: Subject, name: str, rule: Rule, *, asked: bool) -> Manifest:
    resolved = {key_of(term): _term(scene, subject, name, term) for term in terms(rule)}
    files = [Path(p) for told in resolved.values() for p in told["files"]]
    uris = provenance.sources(files, scene.roots())
    is_mask = isinstance(rule, Term) and rule.kind in ("mask", "file") and bool(uris)
    return {
        "name": name,
        "rule": str(rule),
        "tree": to_json(rule),
        "terms": resolved,
        "asked": asked,
        "source": uris[0] if is_mask else str(rule),
        "uris": uris,
    }


def key_of(term: Term) -> str:
    """Return a text for a term that does not depend on the order of its options."""
    return str(replace(term, options=dict(sorted(term.options.items()))))


def _row(bids_dir: Path, participant: str) -> Mapping[str, str]:
    """Return a participant's row of ``participants.tsv``, empty where there is none."""
    table = bids_dir / "participants.tsv"
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if (row.get("participant_id") or "").removeprefix("sub-") == participant:
                return {key: value for key, value in row.items() if key and value is not None}
    return {}


def _term(scene: Scene, subject: Subject, name: str, term: Term) -> Manifest:
    """Find what a term needs: its ``files`` (for fingerprints), and more by its kind."""
    kind = "localizer map" if term.kind == "localizer" and is_map(term) else term.kind
    kind = "atlas" if kind in ATLASES else kind
    return TERMS[kind](_Asked(scene, subject, name, term))


def _mask(asked: _Asked) -> Manifest:
    subject, term = asked.subject, asked.term
    here = {mask.name: mask for mask in subject.masks if mask.space == subject.space}
    if term.argument not in here and subject.source in READY:
        return {"is_area": True, "files": []}  # ready-made data name regions of their own
    if term.argument not in here:
        raise ConfigError(
            f"Region {asked.name!r} asks for the mask {term.argument!r}, which sub-"
            f"{subject.participant} does not have in space {subject.space}.",
            mend=nearest(term.argument, here),
        )
    mask = here[term.argument]
    return {"path": str(mask.path), "space": mask.space, "files": [str(mask.path)]}


def _file(asked: _Asked) -> Manifest:
    subject, name = asked.subject, asked.name
    path, space = split_space(asked.term.argument)
    known = space or names.entities_of(Path(path)).get("space", "")
    if not known:
        raise ConfigError(
            f"The space of region {name!r} ({path}) is not in its name.",
            mend=f"Say it: --roi {name}={path}@{subject.space}",
        )
    if known != subject.space:
        raise other_space(name, Path(path), mask_space=known, space=subject.space)
    files = [path.replace("{hemi}", h) for h in _spellings(path)] if "{hemi}" in path else [path]
    for one in files:
        imaging.require_file(Path(one))
    if path.endswith((".nii", ".nii.gz")) and not path.endswith((".dscalar.nii", ".dlabel.nii")):
        imaging.space_of_mask(Path(path), name=known)  # refuses what is no mask
    return {"path": path, "space": known, "files": files}


def _spellings(path: str) -> tuple[str, str]:
    left = next((pair for pair in (("L", "R"), ("lh", "rh")) if _is_there(path, pair[0])), None)
    return left or ("L", "R")


def _is_there(path: str, hemisphere: str) -> bool:
    return Path(path.replace("{hemi}", hemisphere)).exists()


def _area(asked: _Asked) -> Manifest:
    if asked.subject.source not in READY:
        raise ConfigError(
            f"Region {asked.name!r} asks for {asked.term}, but responses from "
            f"{asked.subject.source} name no areas.",
            mend="Use mask:LABEL, a path, atlas:NAME:LABEL or benson:AREA.",
        )
    return {"files": []}


def _sphere(asked: _Asked) -> Manifest:
    """Find nothing: a ball needs no file."""
    parse_ball(asked.term.argument)  # refused before anything runs
    return {"argument": asked.term.argument, "files": []}


def _atlas(asked: _Asked) -> Manifest:
    scene, subject = asked.scene, asked.subject
    cached = templateflow_home() / f"tpl-{subject.space}"
    if scene.may_fetch and subject.space.startswith(TEMPLATES):
        fetch_atlas(asked.term, subject.space)
    roots = [root for root in (*scene.roots().values(), cached) if root.is_dir()]
    try:
        found, labels = atlas_of(
            asked.term,
            space=subject.space,
            participant=subject.participant,
            roots=roots,
            freesurfer=subject.anatomy.freesurfer,
        )
    except MissingInputError as err:
        raise _or_templateflow(err, asked) from None
    check_labels(found, labels)
    files = [*found.images, *([found.table] if found.table else [])]
    return {"atlas": found.to_json(), "labels": labels, "files": [str(path) for path in files]}


def _or_templateflow(err: MissingInputError, asked: _Asked) -> MissingInputError:
    """Add to a refusal how TemplateFlow's atlas is fetched, in the spaces that it has."""
    space, term = asked.subject.space, asked.term
    if term.kind != "atlas" or not space.startswith(TEMPLATES):
        return err
    name = term.argument.partition(":")[0]
    try:
        templateflow_atlas(space, name, desc=term.options.get("desc", ""))
    except (MissingInputError, ConfigError) as other:
        return MissingInputError(err.what, mend=f"{err.mend} Or: {other.mend}")
    return err


def _benson(asked: _Asked) -> Manifest:
    parse_field(asked.term.argument)  # refused before anything runs
    return benson_manifest(asked.scene, asked.subject)


def benson_manifest(scene: Scene, subject: Subject) -> Manifest:
    """Return the files from which a participant's retinotopy is made.

    Raises
    ------
    MissingInputError
        If there is no template, and the participant has no ready-made maps.
    """
    anatomy, given = subject.anatomy, scene.config.run.retinotopy_template
    surf = anatomy.freesurfer / "surf" if anatomy.freesurfer else None
    own = sorted(p for p in surf.glob("?h.benson14_*") if p.is_file()) if surf else []
    is_ready_made = set(MAPS) <= {p.name.split(".")[1] for p in own}
    files = BensonFiles(
        template=given if is_ready_made and not _is_average(subject) else find_template(given),
        freesurfer=anatomy.freesurfer,
        sphere_reg=_sides(anatomy.surfaces, "reg-fsaverage"),
        white=_sides(anatomy.surfaces, "white"),
        pial=_sides(anatomy.surfaces, "pial"),
        transforms=dict(anatomy.transforms),
        reg_fslr=_sides(anatomy.surfaces, "reg-fsLR"),
        fslr=_fslr(scene, subject) if subject.space == "fsLR" else {},
    )
    used = list(own)
    if files.template is not None:
        used += sorted(p for p in files.template.iterdir() if "h.benson14_" in p.name)
    for part in (
        files.sphere_reg,
        files.white,
        files.pial,
        files.transforms,
        files.reg_fslr,
        files.fslr,
    ):
        used += part.values()
    told = {one.name: _plain(getattr(files, one.name)) for one in fields(BensonFiles)}
    uris = provenance.sources(used, scene.roots())
    return {"benson": told, "files": [str(path) for path in used], "uris": uris}


def _is_average(subject: Subject) -> bool:
    return subject.space.startswith("fsaverage")


def _sides(surfaces: Mapping[str, Path], kind: str) -> dict[Hemisphere, Path]:
    return {h: surfaces[f"{h}_{kind}"] for h in HEMISPHERES if f"{h}_{kind}" in surfaces}


def _fslr(scene: Scene, subject: Subject) -> dict[Hemisphere, Path]:
    """Return the standard spheres of fsLR: beside the template, or in TemplateFlow's cache."""
    given = scene.config.run.retinotopy_template
    folders = [*([given] if given else []), templateflow_home() / "tpl-fsLR"]
    density = DENSITIES["170k" if any("den-170k" in r.bold.name for r in subject.runs) else "91k"]
    for folder in folders:
        found = {h: sorted(folder.glob(f"*fsLR*hemi-{h}*sphere.surf.gii")) for h in HEMISPHERES}
        named = {h: [p for p in found[h] if f"den-{density}" in p.name] for h in HEMISPHERES}
        chosen = {h: named[h] or found[h] for h in HEMISPHERES}
        if all(chosen.values()):
            return {h: paths[0] for h, paths in chosen.items()}
    return {}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: str(path) for key, path in value.items()}
    return None if value is None else str(value)


def benson_files(told: Mapping[str, Any]) -> BensonFiles:
    """Return what `benson_manifest` told, as paths."""
    made: dict[str, Any] = {}
    for field in fields(BensonFiles):
        value = told.get(field.name)
        if isinstance(value, Mapping):
            made[field.name] = {key: Path(path) for key, path in value.items()}
        elif value is not None:
            made[field.name] = Path(value)
    return BensonFiles(**made)


def _localizer(asked: _Asked) -> Manifest:
    scene, subject, name, term = asked.scene, asked.subject, asked.name, asked.term
    options = term.options
    task = options.get("task", subject.task)
    found = [
        one
        for one in scene.inventory.all_tasks
        if (one.participant, one.task, one.space) == (subject.participant, task, subject.space)
    ]
    if not found:
        there = sorted(
            {s.task for s in scene.inventory.all_tasks if s.participant == subject.participant}
        )
        raise MissingInputError(
            f"Region {name!r} needs a localizer of task {task!r} for sub-{subject.participant} in "
            f"space {subject.space}; there are BOLD runs of: {', '.join(there) or 'no task'}.",
            mend="Say with task= which it is, or give fMRIPrep's outputs of the localizer.",
        )
    by_id = _by_id(found[0])
    used = localizer_runs(term, by_id)
    runs = [by_id[one] for one in used]
    is_allowed = scene.config.run.allow_circular
    own = {run.bold for run in subject.runs}
    # SPM's and ready-made responses do not list their runs: all of their task count
    is_same = not own and task == subject.task
    analyzed = [one for one, run in by_id.items() if is_same or run.bold in own]
    warnings = check_circular(used, analyzed, is_allowed=is_allowed)
    unknown = not own and subject.task not in {s.task for s in scene.inventory.all_tasks}
    source = found[0].to_json() | {"runs": [run.to_json() for run in runs], "masks": []}
    files = Subject.from_json(source).inputs()
    settings = scene.config.responses
    if conditions := conditions_of(runs, rest=settings.rest):
        parse_contrast(term.argument, conditions)
    return {
        "subject": source,
        "settings": {
            "high_pass_hz": settings.high_pass_hz,
            "confounds": settings.confounds,
            "hrf": settings.hrf,
            "rest": list(settings.rest),
        },
        "circular": warnings,
        "unsure": [UNSURE.format(name=name, task=task)] if unknown else [],
        "files": [str(path) for path in files],
    }


def _by_id(subject: Subject) -> dict[RunId, Run]:
    """Return runs by task, session and label; by their whole name where labels stand twice."""
    short = {(subject.task, run.session, run.run.split("x")[-1]): run for run in subject.runs}
    if len(short) == len(subject.runs):
        return short
    return {(subject.task, run.session, run.run): run for run in subject.runs}


TERMS: Mapping[str, Callable[[_Asked], Manifest]] = {
    "mask": _mask,
    "file": _file,
    "area": _area,
    "sphere": _sphere,
    "atlas": _atlas,
    "benson": _benson,
    "localizer": _localizer,
    "localizer map": _file,
}
