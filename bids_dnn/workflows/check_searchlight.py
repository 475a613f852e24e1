"""What of a searchlight can be refused before responses are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bids_dnn import imaging
from bids_dnn.containers.space import HEMISPHERES
from bids_dnn.errors import BidsDnnError, ConfigError, MissingInputError, nearest
from bids_dnn.ingest.records import READY
from bids_dnn.ingest.spm_design import beside
from bids_dnn.stats.neighbours import check_disks, check_radius
from bids_dnn.workflows.meshes import mesh_files, read_meshes

if TYPE_CHECKING:
    from bids_dnn.config.searchlight import SearchlightConfig
    from bids_dnn.ingest.records import Subject
    from bids_dnn.workflows.scene import Manifest

SURFACES = ("fsnative", "fsaverage", "fsLR")  # spaces, or how their names begin


def why_not_searchlight(
    settings: SearchlightConfig, subject: Subject, regions: Manifest
) -> BidsDnnError | None:
    """Tell why a participant's searchlight cannot be done, None where nothing speaks against it.

    Parameters
    ----------
    settings
    subject
        From the inventory; the header of one mask is read, and meshes are.
    regions
        Their manifest.
    """
    known = [str(rule["name"]) for rule in regions["rules"]]
    for name in settings.within if known and subject.source not in READY else ():
        if name not in known:
            return ConfigError(
                f"[searchlight] within names the region {name!r}, which sub-{subject.participant} "
                "does not have.",
                mend=nearest(name, known),
            )
    is_surface = subject.space.startswith(SURFACES)
    there = mesh_files(subject) if is_surface else {}
    if is_surface and (absent := [side for side in HEMISPHERES if side not in there]):
        return MissingInputError(
            f"There is no surface of hemisphere {' and '.join(absent)} of {subject.space}, "
            "along which distances are taken.",
            mend="Give FreeSurfer's subjects (--fs-subjects-dir) or fMRIPrep's surfaces, or "
            "choose a volume (--space).",
        )
    masks = [run.mask for run in subject.runs if run.mask is not None]
    masks += [path for path in subject.files if path.name.startswith("mask.nii")]
    try:
        if subject.spm is not None:
            masks.append(beside(subject.spm.parent, "mask.nii"))
        for mesh in read_meshes(there).values():
            check_disks(mesh, settings.radius_mm)
        if masks:
            check_radius(imaging.read_header(masks[0])[1], settings.radius_mm)
    except BidsDnnError as err:
        return err
    return None
