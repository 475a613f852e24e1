"""From which masks a participant's regions are made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bids_dnn import __version__, imaging
from bids_dnn.derivatives import names, provenance
from bids_dnn.errors import ConfigError, nearest
from bids_dnn.ingest.inventory import Subject
from bids_dnn.rois.define import other_space
from bids_dnn.workflows.scene import STEPS, Manifest, Scene

WHOLE = "brain"  # the region that stands for all where no other mask was found


def regions_manifest(scene: Scene, subject: Subject) -> Manifest:
    """Say from which masks the regions are made.

    Parameters
    ----------
    scene
        Of the run.
    subject
        A participant in a task and space.

    Raises
    ------
    ConfigError
        If a rule names a mask that the participant does not have, or a file of unknown space.
    SpaceError
        If a mask lies in another space.
    NotEnoughDataError, MissingInputError, UnreadableError
        If a mask that was asked for is empty, not there, or damaged.
    """
    rules = _rules(scene.config.regions, subject)
    files = [Path(rule["path"]) for rule in rules]
    return {
        "participant": subject.participant,
        "output_dir": str(scene.output_dir),
        "rules": [
            rule | {"uri": provenance.sources([Path(rule["path"])], scene.roots())[0]}
            for rule in rules
        ],
        "inputs": scene.inputs.of(files),
        "sidecar": {"GeneratedBy": f"bids_dnn {__version__}"},
        "code": provenance.code_fingerprint(f"{STEPS}.regions"),
    }


def _rules(regions: Mapping[str, str], subject: Subject) -> list[Manifest]:
    """Return the masks that a participant's regions come from, as name, path, space, asked."""
    here = {mask.name: mask for mask in subject.masks if mask.space == subject.space}
    if not regions:
        wanted = {name: mask for name, mask in here.items() if name != WHOLE} or here
        return [{**mask.to_json(), "asked": False} for mask in wanted.values()]
    made: list[Manifest] = []
    for name, rule in regions.items():
        if rule.startswith("mask:"):
            label = rule.removeprefix("mask:")
            if label not in here:
                raise ConfigError(
                    f"Region {name!r} asks for the mask {label!r}, which sub-"
                    f"{subject.participant} does not have in space {subject.space}.",
                    mend=nearest(label, here),
                )
            made.append({**here[label].to_json(), "name": name, "asked": True})
            continue
        path, _, space = rule.partition("@")
        path = path.replace("{participant}", subject.participant)
        known = names.entities_of(Path(path)).get("space", "")
        if not (space or known):
            raise ConfigError(
                f"The space of region {name!r} ({path}) is not in its name.",
                mend=f"Say it: --roi {name}={path}@{subject.space}",
            )
        if (space or known) != subject.space:
            raise other_space(name, Path(path), mask_space=space or known, space=subject.space)
        imaging.space_of_mask(Path(path), name=space or known)  # refuses what is no mask
        made.append({"name": name, "path": path, "space": space or known, "asked": True})
    return made
