"""Where the SPM first level of a participant lies, and in which space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bids_dnn import imaging
from bids_dnn.errors import BidsDnnError
from bids_dnn.ingest.datasets import PLACEHOLDER
from bids_dnn.ingest.match import Found, keep

UNKNOWN = "SPM"


def find_spm(root: Path, participant: str, *, tasks: Sequence[str]) -> tuple[Path | None, str]:
    """Return a participant's ``SPM.mat``, or None and why there is none.

    Parameters
    ----------
    root
        Holds ``sub-<participant>`` folders, or names the folder by ``{participant}``.
    participant
        Label without ``sub-``.
    tasks
        Where several models are found, the one with ``task-<task>`` in its path is taken.

    Returns
    -------
    path
        The only ``SPM.mat``, directly in the participant's folder or below it.
    reason
        Empty where `path` is given.
    """
    if PLACEHOLDER in str(root):
        names = [participant, f"sub-{participant}"]
        folders = [Path(str(root).replace(PLACEHOLDER, name)) for name in names]
    else:
        folders = [root / f"sub-{participant}"]
    folder = next((f for f in folders if f.exists()), None)
    if folder is None:
        return None, f"there is no {' or '.join(map(str, folders))}"
    if folder.is_file():
        return folder, ""
    if (folder / "SPM.mat").exists() or (folder / "SPM.mat").is_symlink():
        return folder / "SPM.mat", ""
    found = sorted(folder.rglob("SPM.mat"))
    if len(found) > 1 and tasks:
        found = [p for p in found if any(f"task-{task}" in str(p) for task in tasks)] or found
    if len(found) == 1:
        return found[0], ""
    return None, _why_not_one(folder, found)


def _why_not_one(folder: Path, found: Sequence[Path]) -> str:
    if found:
        where = ", ".join(str(p.parent.relative_to(folder)) for p in found[:5])
        return f"{folder} has {len(found)} SPM.mat (in {where}), one was expected"
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
    own = next((p for p in (folder / "mask.nii", folder / "mask.nii.gz") if p.exists()), None)
    if own is None:
        return False
    try:
        shape, affine, _ = imaging.read_header(mask)
        here, place, _ = imaging.read_header(own)
    except BidsDnnError:  # a mask that cannot be read tells nothing here
        return False
    return shape[:3] == here[:3] and bool(np.allclose(affine, place, rtol=0, atol=1e-2))
