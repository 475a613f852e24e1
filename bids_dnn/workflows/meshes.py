"""Where the meshes lie along which distances on surfaces are taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bids_dnn.containers.space import Hemisphere
    from bids_dnn.ingest.records import Subject

SIDES: dict[Hemisphere, str] = {"L": "lh", "R": "rh"}
KINDS = ("midthickness", "graymid", "white")  # of FreeSurfer's own template, the first there is
BUNDLED = "nilearn:"  # then side and kind: a file that comes with it, wherever it is installed


def mesh_files(subject: Subject) -> dict[Hemisphere, str]:
    """Return the mesh of each hemisphere on whose vertices a participant's responses lie.

    Parameters
    ----------
    subject
        ``fsnative`` lies on the participant's own middle (or white) surface, ``fsLR`` on the one
        that fMRIPrep has brought there, ``fsaverage*`` on FreeSurfer's averages, beside the
        participant's folder or, of fsaverage5, from nilearn.

    Returns
    -------
    files
        By hemisphere, for `path_of_mesh`; none of volumes, and none that is not there.
    """
    space, surfaces = subject.space, subject.anatomy.surfaces
    if space.startswith("fsaverage"):
        return _of_template(space, subject.anatomy.freesurfer)
    wanted = {"fsnative": ("midthickness", "white"), "fsLR": ("midthickness-fsLR",)}
    made: dict[Hemisphere, str] = {}
    for side in SIDES:
        paths = (surfaces.get(f"{side}_{kind}") for kind in wanted.get(space, ()))
        if (path := next(filter(None, paths), None)) is not None:
            made[side] = str(path)
    return made


def _of_template(space: str, freesurfer: Path | None) -> dict[Hemisphere, str]:
    made: dict[Hemisphere, str] = {}
    for side, spelled in SIDES.items():
        folder = None if freesurfer is None else freesurfer.parent / space / "surf"
        paths = [] if folder is None else [folder / f"{spelled}.{kind}" for kind in KINDS]
        path = next((one for one in paths if one.is_file()), None)
        if path is None and space == "fsaverage5":
            return {one: f"{BUNDLED}{one}:white" for one in SIDES}
        if path is not None:
            made[side] = str(path)
    return made


def real_files(files: Mapping[Hemisphere, str]) -> list[Path]:
    """Return those that are files of the data.

    Parameters
    ----------
    files
        From `mesh_files`.
    """
    return [Path(told) for told in files.values() if not told.startswith(BUNDLED)]


def path_of_mesh(told: str) -> Path:
    """Return where a mesh lies that `mesh_files` has named.

    Parameters
    ----------
    told
    """
    if not told.startswith(BUNDLED):
        return Path(told)
    side, kind = told.removeprefix(BUNDLED).split(":")
    return bundled(side, kind)


def bundled(side: str, kind: str) -> Path:
    """Return a file of fsaverage5 that comes with nilearn.

    Parameters
    ----------
    side
        ``L`` or ``R``.
    kind
        As nilearn calls it: ``white``, ``infl``, ``sulc`` ...
    """
    from nilearn.datasets import fetch_surf_fsaverage

    found = fetch_surf_fsaverage("fsaverage5")  # these come with the package: no network
    return Path(found[f"{kind}_left" if side == "L" else f"{kind}_right"])
