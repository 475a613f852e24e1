"""Where the SPM first level of a participant lies, and in which space."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bids_dnn import imaging
from bids_dnn.errors import BidsDnnError
from bids_dnn.ingest.datasets import PLACEHOLDER
from bids_dnn.ingest.match import Found, keep

UNKNOWN = "SPM"
DESIGN = "{design}"


def find_designs(
    root: Path, participant: str, *, tasks: Sequence[str]
) -> tuple[dict[str, Path], str]:
    """Return a participant's first levels by design, or why there is none.

    Parameters
    ----------
    root
        Holds ``sub-<participant>`` folders, or names the folder by ``{participant}``, and where
        each design has a folder of its own, that by ``{design}``.
    participant
        Label without ``sub-``.
    tasks
        Designs that are wanted, by the name of their folder or by ``task-<task>`` in their path;
        empty = all.

    Returns
    -------
    designs
        Name (letters and digits of what the paths differ in; "" of a single design) -> its
        ``SPM.mat``.
    reason
        Empty where there is a design.
    """
    folders = _folders(root, participant)
    if not folders:
        return {}, f"there is no {_expected(root, participant)}"
    found = sorted({path for folder in folders for path in _models(folder)})
    named = {_name(path, found): path for path in found}
    if tasks and len(found) > 1:
        chosen = {n: p for n, p in named.items() if n in tasks or _is_of(p, tasks)}
        if not chosen:
            listed = ", ".join(named)
            return {}, f"its designs are {listed}, and none is of the task {' or '.join(tasks)}"
        return chosen, ""
    if not found:
        return {}, _why_none(folders[0])
    return named, ""


def model_files(spm: Path, *, images: str = "beta", normalize: str = "none") -> list[Path]:
    """Return the files that responses of a first level depend on, sorted.

    Parameters
    ----------
    spm
        The ``SPM.mat``.
    images
        ``beta`` or ``con``.
    normalize
        ``residual`` needs ``ResMS`` as well.
    """
    stems = [f"{images}_*", "mask", *(["ResMS"] if normalize == "residual" else [])]
    ends = (".nii", ".nii.gz", ".img", ".hdr")
    return sorted({spm, *(p for s in stems for e in ends for p in spm.parent.glob(s + e))})


def _folders(root: Path, participant: str) -> list[Path]:
    text = str(root) if PLACEHOLDER in str(root) else str(root / PLACEHOLDER)
    for label in (f"sub-{participant}", participant):
        parts = text.replace(PLACEHOLDER, label).split(DESIGN)
        pattern = "*".join(glob.escape(part) for part in parts)
        if found := sorted(glob.glob(pattern)):  # noqa: PTH207  (the pattern is absolute)
            return [Path(path) for path in found]
    return []


def _expected(root: Path, participant: str) -> str:
    if PLACEHOLDER not in str(root):
        own = ", but the SPM.mat of a single model" if (root / "SPM.mat").exists() else ""
        return f"{root / f'sub-{participant}'}{own}"
    labels = (participant, f"sub-{participant}")
    return " or ".join(str(root).replace(PLACEHOLDER, label) for label in labels)


def _models(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    own = folder / "SPM.mat"
    return [own] if own.exists() or own.is_symlink() else sorted(folder.rglob("SPM.mat"))


def _name(path: Path, found: Sequence[Path]) -> str:
    """Name a design by the parts of its path that not all designs have."""
    if len(found) == 1:
        return ""
    shared = set.intersection(*(set(p.parts) for p in found))
    own = [part for part in path.parts if part not in shared]
    named = re.search(r"task-([A-Za-z0-9]+)", "/".join(own))
    text = named[1] if named and len({_task(p) for p in found}) == len(found) else "".join(own)
    return re.sub(r"[^A-Za-z0-9]", "", text)


def _task(path: Path) -> str:
    found = re.search(r"task-([A-Za-z0-9]+)", str(path))
    return found[1] if found else ""


def _is_of(path: Path, tasks: Sequence[str]) -> bool:
    return any(f"task-{task}" in str(path) for task in tasks)


def _why_none(folder: Path) -> str:
    images = sorted(p for p in folder.rglob("*") if p.name.endswith((".nii", ".nii.gz", ".img")))
    if images:
        return (
            f"{folder} has {len(images)} images, such as {images[0].name}, but no SPM.mat, "
            "which says what each beta stands for"
        )
    return f"{folder} has no SPM.mat"


def name_space(
    path: Path, participant: str, *, asked: str | None, made: Sequence[Found]
) -> tuple[str, str]:
    """Return the label of the space of an SPM model, and a note where it was inferred.

    Parameters
    ----------
    path
        The ``SPM.mat``.
    participant
        Whose masks are looked at.
    asked
        As by ``--space``; it is taken as it is, because SPM's files do not tell.
    made
        Files of the other derivatives: where masks of just one space lie on the voxels of
        the model, that space is taken.
    """
    if asked is not None:
        return asked.split(":")[0], ""
    if named := re.search(r"space-([A-Za-z0-9]+)", str(path)):
        return named[1], ""
    spaces = {
        mask.get("space")
        for mask in keep(made, {"suffix": ("mask",), "extension": (".nii.gz", ".nii")})
        if mask.get("space")
        and mask.get("subject") in ("", participant)
        and _same_grid(mask.path, path.parent)
    }
    if len(spaces) == 1:
        name = spaces.pop()
        return name, (
            f"{path.parent} was taken to lie in {name}, as masks in that space have its voxels "
            "(--space says otherwise)."
        )
    return UNKNOWN, (
        f"The space of {path.parent} is not known, so masks of other derivatives were not used: "
        "say it with --space, such as --space T1w."
    )


def _same_grid(mask: Path, folder: Path) -> bool:
    names = ("mask.nii", "mask.nii.gz", "mask.img")
    own = next((folder / name for name in names if (folder / name).exists()), None)
    if own is None:
        return False
    try:
        shape, affine, _ = imaging.read_header(mask)
        here, place, _ = imaging.read_header(own)
    except BidsDnnError:  # a mask that cannot be read tells nothing here
        return False
    return shape[:3] == here[:3] and bool(np.allclose(affine, place, rtol=0, atol=1e-2))
