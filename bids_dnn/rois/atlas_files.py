"""Where an atlas lies: in derivatives, in a FreeSurfer folder, or in TemplateFlow's cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_dnn.containers.space import HEMISPHERES
from bids_dnn.errors import ConfigError, MissingInputError, nearest
from bids_dnn.rois.places import SPELLED

VOLUME = (".nii.gz", ".nii")
SUFFIXES = ("dseg", "dparc", "label", "parc", "atlas")
NAMED_BY = ("atlas", "seg", "desc")  # an atlas is called by one of these
APART = ("desc", "seg", "scale", "den")  # what makes two files two atlases
SKIPPED = ("figures", "logs", "freesurfer", ".git", ".datalad")
WANG15 = ("wang15_mplbl", "wang15_mplbl.mgz")
CACHE = Path("~/.cache/templateflow")


@dataclass(frozen=True, slots=True)
class AtlasFiles:
    """The files of one atlas in one space.

    Parameters
    ----------
    name
        As it was asked for.
    images
        One for voxels or grayordinates, one for each hemisphere for vertices.
    table
        TSV with `index` and `name`; None where there is none, or the images name their labels.
    """

    name: str
    images: tuple[Path, ...]
    table: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `from_json` makes the same of them again."""
        return {
            "name": self.name,
            "images": [str(path) for path in self.images],
            "table": None if self.table is None else str(self.table),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> AtlasFiles:
        """Return what `to_json` turned into plain values."""
        table = None if told["table"] is None else Path(told["table"])
        return cls(told["name"], tuple(map(Path, told["images"])), table)


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    entities: Mapping[str, str]
    root: Path

    @property
    def space(self) -> str:
        said = self.entities.get("space") or self.entities.get("tpl")
        return said or ("T1w" if "sub" in self.entities else "")


def find_atlas(
    name: str,
    roots: Sequence[Path],
    participant: str,
    space: str,
    *,
    entities: Mapping[str, str] | None = None,
) -> AtlasFiles:
    """Return the files of an atlas that lies among derivatives, by its name and its space.

    Parameters
    ----------
    name
        Label of the ``atlas-``, ``seg-`` or ``desc-`` entity of a ``dseg``, ``dlabel`` or
        ``label.gii`` file, in upper or lower case.
    roots
        Folders of data sets, or of a template; the first that has the atlas gives it. The
        participant's own files come before those of all.
    participant
        Label, without ``sub-``.
    space
        BIDS label of the space of the responses.
    entities
        Further labels that the files must have, such as ``desc`` or ``scale``.

    Raises
    ------
    MissingInputError
        If there is no such atlas in this space, or a hemisphere of it is not there; names the
        atlases that there are, or the spaces in which it lies.
    ConfigError
        If several files fit; names the option that tells them apart.
    """
    wanted = {k: v for k, v in (entities or {}).items() if k in ("desc", "res", "den", "scale")}
    every = [found for root in roots for found in _walk(root, participant)]
    there = [f for f in every if f.space == space and f.path.name.endswith(_endings(space))]
    fits = [f for f in there if _is_called(f, name) and _has(f, wanted)]
    if not fits:
        raise _absent(name, space, every, there)
    best = min(_order(f, roots) for f in fits)
    fits = sorted((f for f in fits if _order(f, roots) == best), key=lambda f: f.path.name)
    _refuse_several(name, fits)
    if fits[0].entities.get("hemi"):
        images = [_hemisphere(fits, side) for side in HEMISPHERES]
    else:
        images = fits[:1]
    return AtlasFiles(name, tuple(f.path for f in images), _table(fits[0]))


def atlas_at(path: Path, space: str) -> AtlasFiles | None:
    """Return the atlas that a path names, if it can lie in a space.

    Parameters
    ----------
    path
        An image or ``.label.gii``; ``{hemi}`` in it stands for L and R, or lh and rh. A TSV that
        belongs to it lies beside it.
    space
        BIDS label.

    Returns
    -------
    files
        None where the name of the file tells another space, or its kind is that of another.

    Raises
    ------
    MissingInputError
        If the file, or that of a hemisphere, is not there.
    """
    said = entities_of(path.name)
    told = said.get("space") or said.get("tpl") or space
    if told != space or not path.name.endswith((*_endings(space), ".annot")):
        return None
    images = [path]
    if "{hemi}" in str(path):
        pairs = [[Path(str(path).replace("{hemi}", w)) for w in SPELLED[h]] for h in HEMISPHERES]
        images = [next((p for p in pair if p.is_file()), pair[0]) for pair in pairs]
    for image in images:
        if not image.is_file():
            raise MissingInputError(f"There is no atlas {image}.", mend="Mend group.atlas.")
    return AtlasFiles(
        said.get("atlas") or said.get("seg") or path.name.partition(".")[0],
        tuple(images),
        _table(_Found(images[0], entities_of(images[0].name), images[0].parent)),
    )


def freesurfer_atlas(name: str, *, freesurfer: Path, space: str) -> AtlasFiles:
    """Return the annotation of a participant, or of FreeSurfer's average, for both hemispheres.

    Parameters
    ----------
    name
        Such as ``aparc`` or ``aparc.a2009s``; ``wang15`` for Wang et al.'s maximum probability
        labels, as neuropythy's atlas command writes them to ``surf``.
    freesurfer
        The participant's FreeSurfer folder; averages are looked for beside it.
    space
        ``fsnative``, ``fsaverage``, or ``fsaverage3`` to ``fsaverage6``, whose vertices are the
        first ones of fsaverage.

    Raises
    ------
    MissingInputError
        If an annotation is not there; names those that are.
    """
    folders = [freesurfer] if space == "fsnative" else _averages(freesurfer.parent, space)
    pairs = [
        tuple(folder / part / f"{words[1]}.{file}" for words in SPELLED.values())
        for folder in folders
        for part, file in _annotations(name)
    ]
    for pair in pairs:
        missing = [path for path in pair if not (path.is_file() or path.is_symlink())]
        if not missing:
            return AtlasFiles(name, pair)
        if len(missing) < len(pair):
            raise MissingInputError(
                f"{missing[0]} does not exist, but the other hemisphere does.",
                mend="Copy it there.",
            )
    there = sorted({p.name[3:-6] for f in folders for p in f.glob("label/?h.*.annot")})
    raise MissingInputError(
        f"The FreeSurfer annotation {name!r} is not there for {space}: {pairs[0][0]}.",
        mend=nearest(name, there),
    )


def templateflow_atlas(
    template: str, atlas: str, *, desc: str = "", resolution: int = 0, is_online: bool = False
) -> AtlasFiles:
    """Return an atlas of TemplateFlow, from its cache alone unless `is_online`.

    Parameters
    ----------
    template
        Such as ``MNI152NLin2009cAsym``.
    atlas, desc
        Labels, such as ``Schaefer2018`` and ``100Parcels7Networks``.
    resolution : int
        Of TemplateFlow (2 = 2 mm for most); 0 = whichever is there.
    is_online
        Whether what is not cached may be fetched over the network.

    Raises
    ------
    MissingInputError
        If it is not in the cache; the message holds the command that fetches it.
    ConfigError
        If several files fit.
    """
    asked = {"atlas": atlas, "suffix": "dseg"} | ({"desc": desc} if desc else {})
    call = "".join(f", {key}={value!r}" for key, value in asked.items())
    call += f", resolution={resolution}" if resolution else ""
    if is_online:
        _fetch(template, asked | ({"resolution": resolution} if resolution else {}))
    folder = templateflow_home() / f"tpl-{template}"
    entities = ({"desc": desc} if desc else {}) | (
        {"res": f"{resolution:02d}"} if resolution else {}
    )
    try:
        return find_atlas(atlas, [folder], "", template, entities=entities)
    except MissingInputError as err:
        raise MissingInputError(
            f"TemplateFlow's cache {folder} lacks the atlas {atlas!r} {desc}".rstrip() + ".",
            mend=f'Fetch it once, with the network: python -c "from templateflow import api; '
            f'api.get({template!r}{call})"',
        ) from err


def templateflow_home() -> Path:
    """Return the folder of TemplateFlow's cache; it need not exist."""
    return Path(os.environ.get("TEMPLATEFLOW_HOME") or CACHE).expanduser()


def _fetch(template: str, asked: Mapping[str, Any]) -> None:
    from templateflow import api

    api.get(template, **asked)


def _walk(root: Path, participant: str) -> Iterator[_Found]:
    for folder, below, files in os.walk(root):
        own = f"sub-{participant}"
        below[:] = sorted(
            one
            for one in below
            if one not in SKIPPED and (not one.startswith("sub-") or one == own)
        )
        for file in sorted(files):
            path = Path(folder, file)
            stem, _, ending = file.partition(".")
            *_, suffix = stem.split("_")
            is_atlas = suffix in SUFFIXES or ending in ("label.gii", "dlabel.nii")
            if not is_atlas or ending in ("tsv", "json") or _is_stub(path):
                continue
            yield _Found(path, entities_of(file), root)


def entities_of(file: str) -> dict[str, str]:
    """Return the entities of a file name, by their short keys.

    Examples
    --------
    >>> entities_of("tpl-fsLR_den-91k_atlas-Glasser_dseg.dlabel.nii")
    {'tpl': 'fsLR', 'den': '91k', 'atlas': 'Glasser'}
    """
    stem = file.partition(".")[0]
    return dict(re.findall(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9+]+)(?=_|$)", stem))


def _is_stub(path: Path) -> bool:
    """Tell whether TemplateFlow has only the name of a file, not its content."""
    return path.is_file() and path.stat().st_size == 0


def _endings(space: str) -> tuple[str, ...]:
    if space.startswith("fsLR"):
        return (".dlabel.nii", ".label.gii")
    return (".gii",) if space.startswith(("fs", "onavg")) else VOLUME


def _is_called(found: _Found, name: str) -> bool:
    called = name.casefold()
    return any(found.entities.get(key, "").casefold() == called for key in NAMED_BY)


def _has(found: _Found, wanted: Mapping[str, str]) -> bool:
    return all(
        found.entities.get(key, "").lstrip("0") == value.lstrip("0")
        for key, value in wanted.items()
    )


def _order(found: _Found, roots: Sequence[Path]) -> tuple[bool, int, bool]:
    """Own files first, then in the order of the folders, CIFTI before GIFTI."""
    is_shared = "sub" not in found.entities
    return is_shared, roots.index(found.root), not found.path.name.endswith(".dlabel.nii")


def _refuse_several(name: str, fits: Sequence[_Found]) -> None:
    for key in APART:
        values = sorted({f.entities.get(key, "") for f in fits})
        if len(values) > 1:
            raise ConfigError(
                f"{len(fits)} files fit the atlas {name!r}, with the {key}- labels "
                f"{', '.join(value or 'none' for value in values)}, such as {fits[0].path}.",
                mend=f"Say which: atlas:{name}:LABEL, {key}={values[-1]}"
                if key != "seg"
                else f"Name it by seg-: atlas:{values[-1]}:LABEL",
            )


def _hemisphere(fits: Sequence[_Found], side: str) -> _Found:
    for found in fits:
        if found.entities.get("hemi") == side:
            return found
    raise MissingInputError(
        f"The atlas {fits[0].path} has no file of the hemisphere {side} beside it.",
        mend="Copy it there.",
    )


def _table(image: _Found) -> Path | None:
    """Return the TSV that belongs to an image: its own, or the nearest that it inherits."""
    *_, suffix = image.path.name.partition(".")[0].split("_")
    folder = image.path.parent
    while True:
        fits = []
        for path in folder.glob(f"*{suffix}.tsv"):
            said = entities_of(path.name)
            if path.stem.split("_")[-1] == suffix and said.items() <= image.entities.items():
                fits.append((len(said), path.name, path))
        if fits:
            return max(fits)[2]
        if folder in (image.root, folder.parent):
            return None
        folder = folder.parent


def _averages(subjects: Path, space: str) -> list[Path]:
    return [subjects / name for name in dict.fromkeys((space, "fsaverage"))]


def _annotations(name: str) -> list[tuple[str, str]]:
    if name == "wang15":
        return [(part, file) for part in ("surf", "label") for file in WANG15]
    return [("label", f"{name}.annot")]


def _absent(
    name: str, space: str, every: Sequence[_Found], there: Sequence[_Found]
) -> MissingInputError:
    spaces = sorted({f.space for f in every if _is_called(f, name)} - {space, ""})
    if spaces:
        return MissingInputError(
            f"The atlas {name!r} is there in {', '.join(spaces)}, the responses lie in {space}.",
            mend=f"Bring it to {space}, or analyze with --space {spaces[0]}.",
        )
    called = {f.entities[key] for f in there for key in NAMED_BY if key in f.entities}
    return MissingInputError(
        f"No atlas {name!r} of space {space} is among the derivatives.",
        mend=f"{nearest(name, called)} Or give their folder: --derivatives NAME=FOLDER",
    )
