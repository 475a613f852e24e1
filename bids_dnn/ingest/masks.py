"""Which images mark regions of a participant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bids_dnn.ingest.choose import NATIVE
from bids_dnn.ingest.match import Found, Wanted, keep
from bids_dnn.ingest.records import MaskFile, Subject

MASK: Wanted = {"suffix": ("mask",), "extension": (".nii.gz", ".nii", ".label.gii")}
SURFACE = ".label.gii"


def find_masks(
    subject: Subject, made: Mapping[str, Sequence[Found]], wanted: Wanted
) -> tuple[Subject, list[str]]:
    """Return the participant with its masks, and notes on those left out.

    Parameters
    ----------
    subject
        Without masks.
    made
        Files of each derivative data set.
    wanted
        The ``mask`` query of the ``--bids-filter-file``.

    Returns
    -------
    subject
        With one mask for each name and space: those of its own task's BOLD come before
        anatomical ones, a participant's own before a group's. Each hemisphere of a surface has
        a mask of its own.
    notes
        A sentence for each kind of mask that was left out.
    """
    candidates: dict[tuple[str, str], list[Found]] = {}
    notes = []
    for dataset, found in made.items():
        for mask in keep(found, {**MASK, **wanted}):
            if mask.get("subject") not in ("", subject.participant):
                continue
            if mask.get("task") not in ("", subject.task):
                continue
            if mask.get("extension") == SURFACE and not mask.get("label"):
                continue  # fMRIPrep's desc-cortex, which is no region
            name, space = name_of_mask(mask), _space_of(mask, subject)
            if not space:
                if not mask.get("task"):  # fMRIPrep writes one on each run's own grid
                    notes.append(
                        f"{mask.path.name} of {dataset} was left out: its name says no space."
                    )
                continue
            if name:
                candidates.setdefault((name, space), []).append(mask)
    masks = [
        MaskFile(name, min(several, key=lambda m: _rank(m, subject)).path, space)
        for (name, space), several in sorted(candidates.items())
    ]
    folder = None if subject.spm is None else subject.spm.parent
    own = _spm_mask(folder)
    if own is not None:
        masks = [m for m in masks if (m.name, m.space) != ("brain", subject.space)]
        masks.append(MaskFile("brain", own, subject.space))
    anat = subject.anat or _background(subject, made)
    return replace(subject, masks=tuple(masks), anat=anat), notes


def name_of_mask(mask: Found) -> str:
    """Return a region's name: hemisphere and ``label-``, or else ``desc-``; letters and digits.

    Examples
    --------
    >>> name_of_mask(Found(Path("x"), {"hemi": "L", "label": "V1", "desc": "fine"}))
    'LV1'
    """
    name = mask.get("label") or mask.get("desc")
    return re.sub(r"[^A-Za-z0-9]", "", mask.get("hemi") + name) if name else ""


def _space_of(mask: Found, subject: Subject) -> str:
    if mask.get("space"):
        return mask.get("space")
    if template := re.match(r"tpl-([A-Za-z0-9]+)_", mask.path.name):
        return template[1]
    if mask.get("extension") == SURFACE:
        return "fsnative" if mask.get("subject") else ""
    if mask.get("task") and subject.space == NATIVE:
        return NATIVE
    if mask.get("subject") and (mask.get("datatype") == "anat"):
        return "T1w"  # where fMRIPrep names no space, it is that of the T1w image
    return ""


def _rank(mask: Found, subject: Subject) -> tuple[bool, bool, int, str]:
    return (
        not mask.get("subject"),
        mask.get("task") != subject.task,
        len(mask.entities),
        mask.path.as_posix(),
    )


def _spm_mask(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    names = ("mask.nii", "mask.nii.gz", "mask.img")
    return next((folder / name for name in names if (folder / name).exists()), None)


def _background(subject: Subject, made: Mapping[str, Sequence[Found]]) -> Path | None:
    wanted: Wanted = {
        "subject": (subject.participant,),
        "suffix": ("T1w",),
        "desc": ("preproc",),
        "extension": (".nii.gz", ".nii"),
    }
    found = [f for several in made.values() for f in keep(several, wanted)]
    same = [f.path for f in found if (f.get("space") or "T1w") == subject.space]
    return same[0] if same else None
