"""Benson's template of visual areas, read from files.

neuropythy, in whose package it comes, is neither imported nor run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Hemisphere
from bids_dnn.errors import MissingInputError, SpaceError, UnreadableError
from bids_dnn.rois.benson_files import SIDES, BensonFiles
from bids_dnn.rois.maps import AREAS, Maps, Retinotopy, contralateral

NEEDED = ("varea", "angle", "eccen")
NAME = re.compile(
    r"[lr]h\.benson14_(varea|angle|eccen|sigma)(?:\.v(\d+)[._](\d+))?"
    r"(?:\.mg[zh]|\.nii(?:\.gz)?|(?:\.shape|\.func|\.label)?\.gii)?"
)
PLAIN = (99, 0)  # version of files that name none
SPHERES = (
    "{side}.sphere.reg",
    "{side}.sphere",
    "*hemi-{h}_*sphere.surf.gii",
    "*.{h}.sphere*.surf.gii",
)
TOLERANCE_DEG = 0.5
GET_IT = (
    "Type: pip install neuropythy (its template files are read from the package), or give a "
    "folder that holds ?h.benson14_{varea,angle,eccen}.mgz: --retinotopy-template FOLDER"
)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Maps on fsaverage, and the sphere on which they lie.

    Parameters
    ----------
    maps
        Of both hemispheres.
    spheres
        With as many vertices as the maps.
    """

    maps: Retinotopy
    spheres: Mapping[Hemisphere, Mesh]


def find_template(given: Path | None) -> Path:
    """Return the folder that holds the template's maps.

    Parameters
    ----------
    given
        A folder; None: that of an installed neuropythy, whose code is not run.

    Raises
    ------
    MissingInputError
        If the folder lacks maps, or there is neither.
    """
    if given is not None:
        places = [given, given / "surf"]
    else:
        spec = find_spec("neuropythy")
        roots = list(spec.submodule_search_locations or []) if spec else []
        places = [Path(root, "lib", "data", "fsaverage", "surf") for root in roots]
    for place in places:
        if all(map_files(place, h) is not None for h in HEMISPHERES):
            return place
    if given is None:
        raise MissingInputError(
            "There is no retinotopy template: no folder was given and neuropythy is not "
            "installed.",
            mend=GET_IT,
        )
    raise MissingInputError(
        f"{given} lacks {_lacking(places)}.",
        mend=GET_IT,
    )


def read_template_maps(folder: Path) -> Retinotopy:
    """Return the maps of a template on its own mesh, that of fsaverage.

    Parameters
    ----------
    folder
        As `find_template` gives it.

    Raises
    ------
    MissingInputError
        If a file is not there or was not fetched.
    UnreadableError
        If a file is damaged, or holds no such map.
    """
    found = {h: read_maps(required_maps(folder, h), h) for h in HEMISPHERES}
    return Retinotopy(found, "fsaverage", f"Benson template ({folder})")


def read_template(files: BensonFiles) -> Template:
    """Return the template's maps and the sphere of fsaverage on which they lie.

    Raises
    ------
    MissingInputError
        If the maps or the sphere are not found.
    SpaceError
        If no sphere has as many vertices as the maps: a template in another mesh.
    UnreadableError
        If a file is damaged.
    """
    folder = find_template(files.template)
    maps = read_template_maps(folder)
    spheres = {
        h: _template_sphere(folder, files, h, len(maps.hemispheres[h])) for h in HEMISPHERES
    }
    return Template(maps, spheres)


def map_files(folder: Path, hemisphere: Hemisphere) -> dict[str, Path] | None:
    """Return the files of the newest version that has all needed maps, by map; None: none has."""
    by_version: dict[tuple[int, int], dict[str, Path]] = {}
    for path in sorted(folder.glob(f"{SIDES[hemisphere]}.benson14_*")):
        if found := NAME.fullmatch(path.name):
            kind, major, minor = found.groups()
            version = PLAIN if major is None else (int(major), int(minor))
            by_version.setdefault(version, {})[kind] = path
    whole = [v for v, paths in by_version.items() if set(NEEDED) <= set(paths)]
    return by_version[max(whole)] if whole else None


def has_maps(folder: Path) -> bool:
    """Tell whether a folder holds a map of either hemisphere, be it one alone."""
    return any(NAME.fullmatch(path.name) for path in folder.glob("?h.benson14_*"))


def required_maps(folder: Path, hemisphere: Hemisphere) -> dict[str, Path]:
    """Return the files of one hemisphere's maps, by map.

    Raises
    ------
    MissingInputError
        If an area, angle or eccentricity map is not there.
    """
    paths = map_files(folder, hemisphere)
    if paths is None:
        raise MissingInputError(
            f"{folder} lacks {_lacking([folder])}.",
            mend="Copy the files of both hemispheres there, or take away those of the other.",
        )
    return paths


def _lacking(places: list[Path]) -> str:
    """Return the maps that the best of the folders lacks, in words."""
    lists = []
    for place in places:
        present = {p.name.split(".v")[0].split(".mg")[0] for p in place.glob("?h.benson14_*")}
        wanted = [f"{SIDES[h]}.benson14_{kind}" for h in HEMISPHERES for kind in NEEDED]
        lists.append([name for name in wanted if not any(p.startswith(name) for p in present)])
    fewest = min(lists, key=len)
    return ", ".join(fewest) or "maps of one version"


def read_maps(paths: Mapping[str, Path], hemisphere: Hemisphere) -> Maps:
    """Return what each vertex of one hemisphere sees, from the files of `required_maps`.

    Raises
    ------
    MissingInputError
        If a file was not fetched.
    UnreadableError
        If a file is damaged, holds no such map, or has another number of vertices.
    """
    read = {kind: imaging.read_curvature(path) for kind, path in paths.items()}
    sizes = {kind: len(values) for kind, values in read.items()}
    if len(set(sizes.values())) != 1:
        raise UnreadableError(
            f"The maps in {paths['varea'].parent} have different numbers of vertices: "
            f"{', '.join(f'{paths[k].name} {n}' for k, n in sizes.items())}.",
            mend="Fetch or copy them again.",
        )
    area = np.rint(read["varea"])
    _check(
        np.isfinite(read["varea"])
        & (np.abs(area - read["varea"]) < 1e-3)
        & (area >= 0)
        & (area <= len(AREAS)),
        paths["varea"],
        f"areas, whole numbers from 0 to {len(AREAS)}",
    )
    inside = area > 0
    angle, eccentricity = read["angle"], read["eccen"]
    _check(
        ~inside | (np.abs(angle) <= 180 + TOLERANCE_DEG),
        paths["angle"],
        "angles from the upper vertical meridian, -180 to 180 degrees",
    )
    _check(
        ~inside | ((eccentricity >= -TOLERANCE_DEG) & (eccentricity <= 180)),
        paths["eccen"],
        "eccentricities, 0 to 180 degrees",
    )
    sigma = read.get("sigma", np.full(area.shape, np.nan))
    return Maps(
        area.astype(np.int64),
        np.where(inside, contralateral(angle, hemisphere), np.nan),
        np.where(inside, np.maximum(eccentricity, 0), np.nan),
        np.where(inside, sigma, np.nan),
    )


def _check(right: NDArray[np.bool_], path: Path, expected: str) -> None:
    if not right.all():
        raise UnreadableError(
            f"{path} has {int((~right).sum())} of {right.size} vertices whose values are no "
            f"{expected}.",
            mend="Give the template of neuropythy, or maps that its benson14_retinotopy wrote.",
        )


def _template_sphere(
    folder: Path, files: BensonFiles, hemisphere: Hemisphere, n_vertices: int
) -> Mesh:
    names = [name.format(side=SIDES[hemisphere], h=hemisphere) for name in SPHERES]
    places = [folder, folder.parent, folder.parent / "tpl-fsaverage"]
    if files.freesurfer is not None:
        places.append(files.freesurfer.parent / "fsaverage" / "surf")
    given = files.template_sphere.get(hemisphere)
    paths = [p for place in places for name in names for p in sorted(place.glob(name))]
    seen = []
    for path in [given] if given is not None else paths:
        mesh = imaging.read_mesh(path, is_sphere=True)
        if len(mesh.vertices) == n_vertices:
            return mesh
        seen.append(f"{path} ({len(mesh.vertices)})")
    if seen:
        raise SpaceError(
            f"The template in {folder} has {n_vertices} vertices, but the sphere has another "
            f"number: {', '.join(seen)}. It is a template in another mesh.",
            mend="Give the sphere of the template's own mesh (fsaverage: 163842 vertices).",
        )
    raise MissingInputError(
        f"The sphere of fsaverage, on which the template in {folder} lies, was not found.",
        mend=f"Copy {names[0]} of FreeSurfer's fsaverage there, or give the folder that holds it.",
    )
