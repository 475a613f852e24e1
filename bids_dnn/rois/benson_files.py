"""The files from which a participant's retinotopic regions are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.errors import MissingInputError

SIDES: dict[Hemisphere, str] = {"L": "lh", "R": "rh"}
Paths = Mapping[Hemisphere, Path]


@dataclass(frozen=True, slots=True)
class BensonFiles:
    """Files from which retinotopic regions of one participant are made.

    Parameters
    ----------
    template
        Folder of the template's maps; None: those of an installed neuropythy.
    freesurfer
        The participant's FreeSurfer folder; its files are used where no others are given.
    template_sphere
        fsaverage's own sphere; else searched beside the maps, then in ``fsaverage`` beside
        `freesurfer`.
    sphere_reg
        The participant's sphere registered to fsaverage.
    white, pial
        GIFTI of fMRIPrep (in T1w), or FreeSurfer's own.
    transforms
        By source and target, ``T1w->MNI152NLin2009cAsym``: fMRIPrep's ``mode-image`` files.
    reg_fslr
        The participant's sphere registered to fsLR.
    fslr
        The standard sphere of fsLR at the density of the responses.
    """

    template: Path | None = None
    freesurfer: Path | None = None
    template_sphere: Paths = field(default_factory=dict)
    sphere_reg: Paths = field(default_factory=dict)
    white: Paths = field(default_factory=dict)
    pial: Paths = field(default_factory=dict)
    transforms: Mapping[str, Path] = field(default_factory=dict)
    reg_fslr: Paths = field(default_factory=dict)
    fslr: Paths = field(default_factory=dict)


def registered_spheres(files: BensonFiles) -> dict[Hemisphere, Path]:
    """Return both spheres registered to fsaverage: those given, else FreeSurfer's.

    Raises
    ------
    MissingInputError
        If one is neither given nor in the FreeSurfer folder.
    """
    return {h: surface_of(files, h, "sphere.reg") for h in HEMISPHERES}


def surface_of(files: BensonFiles, hemisphere: Hemisphere, kind: str) -> Path:
    """Return a surface (``white``, ``pial``, ``sphere.reg``): that given, else FreeSurfer's.

    Raises
    ------
    MissingInputError
        If there is neither.
    """
    if (found := find_surface(files, hemisphere, kind)) is not None:
        return found
    name = f"{SIDES[hemisphere]}.{kind}"
    where = "no FreeSurfer folder is known"
    if files.freesurfer is not None:
        where = f"{files.freesurfer / 'surf' / name} does not exist"
    raise MissingInputError(
        f"The participant's {name} was not found: fMRIPrep left no GIFTI of it, and {where}.",
        mend="Give the FreeSurfer subjects: --fs-subjects-dir SUBJECTS_DIR",
    )


def find_surface(files: BensonFiles, hemisphere: Hemisphere, kind: str) -> Path | None:
    """Return what `surface_of` returns, or None where there is neither."""
    given = {"white": files.white, "pial": files.pial, "sphere.reg": files.sphere_reg}[kind]
    if hemisphere in given:
        return given[hemisphere]
    if files.freesurfer is None:
        return None
    own = files.freesurfer / "surf" / f"{SIDES[hemisphere]}.{kind}"
    return own if own.exists() or own.is_symlink() else None
