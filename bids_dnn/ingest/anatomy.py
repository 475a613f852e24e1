"""Where a participant's surfaces and transforms lie: fMRIPrep's own, or else FreeSurfer's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bids_dnn.errors import MissingInputError
from bids_dnn.ingest.match import ABSENT, Found, Wanted, keep
from bids_dnn.ingest.records import Anatomy, Subject

SIDES = {"L": "lh", "R": "rh"}
NATIVE = (ABSENT, "fsnative")  # spaces of a surface on the participant's own mesh
GIFTI: Mapping[str, Sequence[Wanted]] = {  # the first that is there
    "white": ({"suffix": ("white",)}, {"suffix": ("smoothwm",)}),
    "pial": ({"suffix": ("pial",)},),
    "midthickness": ({"suffix": ("midthickness",)}, {"suffix": ("graymid",)}),
    "midthickness-fsLR": (
        {"suffix": ("midthickness",), "space": ("fsLR",), "den": ("32k",)},
        {"suffix": ("midthickness",), "space": ("fsLR",), "den": ("59k",)},
    ),
    "inflated": ({"suffix": ("inflated",)},),
    "sphere": ({"suffix": ("sphere",)},),
    "reg-fsaverage": (
        {"suffix": ("sphere",), "desc": ("reg",), "space": ("fsaverage",)},
        {"suffix": ("sphere",), "desc": ("reg",)},  # until version 23 the name told no space
    ),
    "reg-fsLR": (
        {"suffix": ("sphere",), "desc": ("msmsulc",), "space": ("fsLR",)},
        {"suffix": ("sphere",), "desc": ("reg",), "space": ("fsLR",)},
    ),
    "cortex": ({"suffix": ("mask",), "desc": ("cortex",), "extension": (".label.gii",)},),
}
FREESURFER: Mapping[str, Sequence[str]] = {
    "white": ("surf/{side}.white", "surf/{side}.smoothwm"),
    "pial": ("surf/{side}.pial", "surf/{side}.pial.T1"),
    "midthickness": ("surf/{side}.midthickness", "surf/{side}.graymid"),
    "inflated": ("surf/{side}.inflated",),
    "sphere": ("surf/{side}.sphere",),
    "reg-fsaverage": ("surf/{side}.sphere.reg",),
    "cortex": ("label/{side}.cortex.label",),
}
XFM = re.compile(r"_from-([A-Za-z0-9+]+)_to-([A-Za-z0-9+]+)_(?:mode-image_)?xfm\.(?:h5|txt)$")


def find_anatomy(
    participant: str, sessions: Sequence[str], *, made: Sequence[Found], homes: Sequence[Path]
) -> Anatomy:
    """Return a participant's surfaces and transforms.

    Parameters
    ----------
    participant
        Label without ``sub-``.
    sessions
        Labels, in which an anatomy may lie where there is none for all sessions; empty = any.
    made
        Files of fMRIPrep's outputs (and of others); none where there are none.
    homes
        Folders that may hold FreeSurfer's subjects, as `freesurfer_homes` lists them.

    Returns
    -------
    anatomy
        Empty where nothing is found.
    """
    own = _near(
        [f for f in made if f.get("subject") == participant and f.get("datatype") == "anat"],
        sessions,
    )
    folder = _freesurfer(participant, sessions, homes)
    surfaces: dict[str, Path] = {}
    for letter, side in SIDES.items():
        for kind, wanted in GIFTI.items():
            found = _gifti(own, letter, wanted) or _first(folder, FREESURFER.get(kind, ()), side)
            if found is not None:
                surfaces[f"{letter}_{kind}"] = found
        template = next((h / "fsaverage" for h in homes if (h / "fsaverage").is_dir()), None)
        if mask := _first(template, FREESURFER["cortex"], side):
            surfaces[f"{letter}_cortex-fsaverage"] = mask
    return Anatomy(folder, surfaces, _transforms(own))


def freesurfer_homes(
    bids_dir: Path, datasets: Mapping[str, Path], *, given: Path | None
) -> tuple[Path, ...]:
    """Return the folders in which FreeSurfer's subjects are looked for.

    Parameters
    ----------
    bids_dir
        The raw data set.
    datasets
        Derivatives by name; beside or in that of ``fmriprep`` lies FreeSurfer's folder: in
        ``sourcedata/freesurfer`` (layout ``bids``) or in ``../freesurfer`` (``legacy``).
    given
        As by ``--fs-subjects-dir``; then no other is looked at.

    Raises
    ------
    MissingInputError
        If the given one does not exist, or holds no subject.
    """
    if given is not None:
        given = given.absolute()
        if not given.is_dir():
            raise MissingInputError(
                f"--fs-subjects-dir {given}: there is no such directory.",
                mend="Give the folder that holds FreeSurfer's subjects (sub-<label>/surf).",
            )
        if not any((folder / "surf").is_dir() for folder in given.iterdir()):
            raise MissingInputError(
                f"--fs-subjects-dir {given} holds no FreeSurfer subject (a folder with surf/).",
                mend="Give the folder that holds the subjects, not that of one subject."
                if not (given / "surf").is_dir()
                else f"Give the folder above: --fs-subjects-dir {given.parent}",
            )
        return (given,)
    places = []
    if "fmriprep" in datasets:
        root = datasets["fmriprep"]
        places += [root / "sourcedata" / "freesurfer", root.parent / "freesurfer"]
        places += [root / "freesurfer"]
    places += [bids_dir / "derivatives" / "freesurfer", bids_dir / "sourcedata" / "freesurfer"]
    if "freesurfer" in datasets:
        places.insert(0, datasets["freesurfer"])
    return tuple(dict.fromkeys(place for place in places if place.is_dir()))


def not_in(given: Path, subjects: Sequence[Subject]) -> list[str]:
    """Return a note for each participant who has no folder where FreeSurfer's were said to be.

    Parameters
    ----------
    given
        As by ``--fs-subjects-dir``.
    subjects
        With the anatomy that was found.

    Raises
    ------
    MissingInputError
        If nobody has one there.
    """
    missing = sorted({s.participant for s in subjects if s.anatomy.freesurfer is None})
    if missing and all(s.anatomy.freesurfer is None for s in subjects):
        there = ", ".join(sorted(p.parent.name for p in given.glob("*/surf"))[:10])
        raise MissingInputError(
            f"--fs-subjects-dir {given} has none of the participants; its subjects are: {there}.",
            mend=f"Name them as fMRIPrep does (sub-{missing[0]}), by links for one, or leave out "
            "--fs-subjects-dir.",
        )
    return [f"sub-{label} has no folder in --fs-subjects-dir {given}." for label in missing]


def _freesurfer(participant: str, sessions: Sequence[str], homes: Sequence[Path]) -> Path | None:
    """Return the participant's folder: ``sub-XX``, or else ``sub-XX_ses-YY`` or ``XX``."""
    names = [f"sub-{participant}", *(f"sub-{participant}_ses-{s}" for s in sessions if s)]
    names.append(participant)  # as in data sets that are not BIDS
    folders = [home / name for home in homes for name in names]
    found = next((f for f in folders if (f / "surf").is_dir() or (f / "mri").is_dir()), None)
    if found is not None or sessions:
        return found
    several = [p for home in homes for p in sorted(home.glob(f"sub-{participant}_ses-*"))]
    return several[0] if len(several) == 1 else None


def _near(own: Sequence[Found], sessions: Sequence[str]) -> list[Found]:
    """Return the anatomy of all sessions, then that of the given ones, or else the only one."""
    several = {f.get("session") for f in own}
    wanted = ["", *sessions] if sessions else sorted(several)
    if several.isdisjoint(wanted) and len(several) == 1:
        wanted = [*several]  # one anatomy, from which all sessions were processed
    near = [f for f in own if f.get("session") in wanted]
    return sorted(near, key=lambda f: (wanted.index(f.get("session")), f.path.as_posix()))


def _gifti(own: Sequence[Found], hemisphere: str, wanted: Sequence[Wanted]) -> Path | None:
    for entities in wanted:
        exact: Wanted = {
            "extension": (".surf.gii",),
            "desc": (ABSENT,),
            "space": NATIVE,
            "den": (ABSENT,),
            "hemi": (hemisphere,),
            **entities,
        }
        if found := keep(own, exact):
            return found[0].path
    return None


def _first(folder: Path | None, patterns: Sequence[str], side: str) -> Path | None:
    if folder is None:
        return None
    paths = [folder / pattern.format(side=side) for pattern in patterns]
    return next((path for path in paths if path.exists() or path.is_symlink()), None)


def _transforms(own: Sequence[Found]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in (f.path for f in own if f.get("suffix") == "xfm"):
        if told := XFM.search(path.name):
            found.setdefault(f"{told[1]}->{told[2]}", path)
    return found
