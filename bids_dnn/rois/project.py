"""From a participant's vertices to the places of the responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import HEMISPHERES, Grayordinates, Grid, Hemisphere, Space, Surface
from bids_dnn.errors import SpaceError
from bids_dnn.imaging.mesh import is_gifti
from bids_dnn.rois.benson_files import BensonFiles, surface_of
from bids_dnn.rois.ribbon import Cortex, share_of_ribbon
from bids_dnn.rois.sphere import locate

Mask = NDArray[np.bool_]
Marked = Mapping[Hemisphere, Mask]
Points = NDArray[np.float64]
NATIVE, ANATOMY = "fsnative", "T1w"
MOST = 0.5  # share of a voxel's cortex, above which the voxel belongs to a region


def project(marked: Marked, space: Space, *, files: BensonFiles) -> tuple[Mask, list[str]]:
    """Mark the places of the responses that vertices of the participant's own mesh belong to.

    Parameters
    ----------
    marked : (n_vertices,) for each hemisphere
        On the participant's own mesh (fsnative).
    space
        ``fsnative`` vertices, fsLR grayordinates, or voxels in T1w or in a space to which there
        is a transform from it.
    files
        Surfaces, spheres and transforms.

    Returns
    -------
    places : (n_places,)
    warnings
        A sentence each.

    Raises
    ------
    SpaceError
        If meshes have other sizes, or no way leads to the space of the responses.
    MissingInputError
        If a surface or a sphere is not there.
    UnreadableError
        If a file is damaged.
    """
    if isinstance(space, Grid):
        return to_voxels(marked, space, files=files)
    if isinstance(space, Grayordinates):
        return to_grayordinates(marked, space, files=files), []
    if isinstance(space, Surface) and space.name == NATIVE:
        return on_mesh(marked, space), []
    raise SpaceError(
        f"Retinotopic maps cannot be brought to {space.describe()}.",
        mend="Analyze in T1w, a space with a transform from T1w, fsnative, fsaverage or fsLR.",
    )


def on_mesh(marked: Marked, space: Surface) -> Mask:
    """Mark the places of a mesh whose vertices are marked.

    Raises
    ------
    SpaceError
        If a hemisphere has another number of vertices.
    """
    places = np.zeros(space.n_places, dtype=np.bool_)
    for hemisphere, n, start in zip(
        HEMISPHERES, space.n_vertices, (0, space.n_vertices[0]), strict=True
    ):
        if not n or hemisphere not in marked:
            continue
        if len(marked[hemisphere]) != n:
            raise SpaceError(
                f"The {hemisphere} hemisphere of {space.name} has {n} vertices in the responses, "
                f"but {len(marked[hemisphere])} in the maps.",
                mend="Give the FreeSurfer folder from which the responses were made.",
            )
        places[start : start + n] = marked[hemisphere]
    return places


def to_grayordinates(marked: Marked, space: Grayordinates, *, files: BensonFiles) -> Mask:
    """Mark the cortical grayordinates whose nearest vertex of the participant is marked.

    Raises
    ------
    SpaceError
        If spheres are not given, or have other numbers of vertices than maps or responses.
    MissingInputError, UnreadableError
        If a sphere is not there or damaged.
    """
    places = np.zeros(space.n_places, dtype=np.bool_)
    whole = space.whole()
    for hemisphere, mask in marked.items():
        units, vertices, n_vertices = whole.cortex(hemisphere)
        if not units.size or not mask.any():
            continue
        native = _sphere(
            files.reg_fslr,
            hemisphere,
            len(mask),
            f"registered to fsLR (hemi-{hemisphere}_space-fsLR_desc-reg_sphere.surf.gii)",
        )
        there = _sphere(
            files.fslr,
            hemisphere,
            n_vertices,
            f"standard fsLR (tpl-fsLR_den-*_hemi-{hemisphere}_sphere.surf.gii)",
        )
        nearest = locate(native, there.vertices).nearest
        places[units] = mask[nearest[vertices]]
    return places


def to_voxels(marked: Marked, grid: Grid, *, files: BensonFiles) -> tuple[Mask, list[str]]:
    """Mark the voxels of a grid whose cortex is marked for the most part.

    Where a region is so small that no voxel is, those are taken that come nearest, down to half
    of the largest share, with a warning.

    Raises
    ------
    SpaceError
        If there is no transform to the grid's space, or surfaces and maps have other meshes.
    MissingInputError, UnreadableError
        If a surface or transform is not there or damaged.
    """
    paths = {h: (surface_of(files, h, "white"), surface_of(files, h, "pial")) for h in HEMISPHERES}
    kinds = {is_gifti(path) for pair in paths.values() for path in pair}
    if len(kinds) != 1:
        raise SpaceError(
            "White and pial surfaces are GIFTI of fMRIPrep in part and FreeSurfer's own in part, "
            "which may lie in different spaces.",
            mend="Give all four of one kind.",
        )
    carry, warnings = _way(NATIVE if kinds == {False} else ANATOMY, grid.name, files.transforms)
    cortices = []
    for h, (white, pial) in paths.items():
        meshes = imaging.read_mesh(white), imaging.read_mesh(pial)
        mask = marked.get(h, np.zeros(len(meshes[0].vertices), dtype=np.bool_))
        cortices.append(Cortex(*meshes, mask))
    share = share_of_ribbon(cortices, grid, carry=carry)
    places = share > MOST
    if not places.any() and share.any():
        least = share.max() / 2
        places = share >= least
        warnings.append(
            f"No voxel of {grid.describe()} has more than half of its cortex in the region, which "
            f"is small for this grid: the {int(places.sum())} voxels with at least "
            f"{100 * least:.0f} % were taken."
        )
    return places, warnings


def _way(
    source: str, target: str, transforms: Mapping[str, Path]
) -> tuple[Callable[[Points], Points], list[str]]:
    """Return what takes points from the surfaces' space to that of the responses."""
    steps: list[Callable[[Points], Points]] = []
    warnings: list[str] = []
    here = source
    if here == NATIVE and target != NATIVE:
        if (step := _step(NATIVE, ANATOMY, transforms)) is not None:
            steps.append(step)
        else:
            warnings.append(
                "No transform from fsnative to T1w was found: FreeSurfer's T1 was taken to lie "
                "in the scanner's coordinates of T1w."
            )
        here = ANATOMY
    if here != target:
        if (step := _step(here, target, transforms)) is None:
            raise SpaceError(
                f"The surfaces lie in {here}, the responses in {target}, and no transform "
                f"between the two is known; there are: {', '.join(sorted(transforms)) or 'none'}.",
                mend=f"Needed is fMRIPrep's from-{target}_to-{here}_mode-image_xfm.h5 or "
                f"from-{here}_to-{target}_mode-image_xfm.h5 (--derivatives fmriprep=FOLDER); or "
                "analyze in T1w: --space T1w.",
            )
        steps.append(step)
    return partial(_follow, steps), warnings


def _follow(steps: list[Callable[[Points], Points]], points: Points) -> Points:
    for step in steps:
        points = step(points)
    return points


def _step(
    source: str, target: str, transforms: Mapping[str, Path]
) -> Callable[[Points], Points] | None:
    """Return what takes points from `source` to `target`.

    An image transform from A to B says where points of B lie in A: the file from `target` to
    `source` is the one that can be applied as it is; the other one must be inverted.
    """
    if path := transforms.get(f"{target}->{source}"):
        return imaging.read_transform(path).apply
    if path := transforms.get(f"{source}->{target}"):
        return imaging.read_transform(path).invert
    return None


def _sphere(
    paths: Mapping[Hemisphere, Path], hemisphere: Hemisphere, n_vertices: int, what: str
) -> Mesh:
    if hemisphere not in paths:
        raise SpaceError(
            "The responses lie on fsLR, and to bring maps there the "
            f"{hemisphere} sphere {what} is needed, which was not given.",
            mend="Run fMRIPrep with --cifti-output, which leaves the registered sphere; the "
            "standard one comes from templateflow.",
        )
    mesh = imaging.read_mesh(paths[hemisphere], is_sphere=True)
    if len(mesh.vertices) != n_vertices:
        raise SpaceError(
            f"{paths[hemisphere]} has {len(mesh.vertices)} vertices, {n_vertices} were expected.",
            mend="Give spheres of the participant's own mesh and of the responses' density.",
        )
    return mesh
