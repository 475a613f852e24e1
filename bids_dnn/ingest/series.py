"""The units that all runs of a participant measure, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_dnn import imaging
from bids_dnn.containers.space import HEMISPHERES, Grayordinates, Grid, Space, Surface
from bids_dnn.errors import MissingInputError, NotEnoughDataError, SpaceError
from bids_dnn.ingest.records import Run, Subject

Kind = Literal["volume", "surface", "cifti"]
TEMPLATE = "fsaverage"  # its smaller meshes are its own first vertices


def common_space(subject: Subject) -> tuple[Space, dict[str, Any]]:
    """Return the units that all runs of a participant have measured.

    Parameters
    ----------
    subject
        From the inventory, with runs of preprocessed BOLD of one kind.

    Returns
    -------
    space
        Volumes: the voxels in the brain masks of all runs. Surfaces: the vertices of both
        hemispheres, less the medial wall where a mask of the cortex is there for that mesh.
        CIFTI: all grayordinates.
    facts
        JSON-ready: ``unit`` (what a unit is called), ``n_places`` (of the space),
        ``left_out_of_space`` (reason -> number of units that some run measured and that are not
        in `space`) and ``cortex_masks`` (file names, empty where there are none).

    Raises
    ------
    MissingInputError
        If there is no run, or a mask, hemisphere or image is not there or was not fetched.
    UnreadableError
        If a file is damaged.
    SpaceError
        If the runs are not of one kind, or lie on different grids, meshes or grayordinates, or
        a mask of the cortex belongs to another mesh.
    NotEnoughDataError
        If no unit is in all runs.
    """
    if not subject.runs:
        raise MissingInputError(
            f"sub-{subject.participant} has no run of task {subject.task!r}.",
            mend="Choose participants and tasks that have BOLD.",
        )
    kinds = [kind_of(run.bold) for run in subject.runs]
    _require_one(subject, kinds, what="are of different kinds")
    return _COMMON[kinds[0]](subject)


def read_series(run: Run, space: Space) -> NDArray[np.float32]:
    """Return what the units of `space` hold in each volume of a run, (n_volumes, n_units).

    Parameters
    ----------
    run
        Of the kind of `space`: a volume for a `Grid`, both hemispheres for a `Surface`, CIFTI
        for `Grayordinates`.
    space
        As `common_space` gives it, or some of its units.

    Raises
    ------
    SpaceError
        If the run is of another kind, or lies on another grid, mesh or other grayordinates.
    MissingInputError
        If the image is not there or was not fetched.
    UnreadableError
        If it ends early or is of another kind than its name says.
    """
    kind = kind_of(run.bold)
    if kind == "volume" and isinstance(space, Grid):
        return imaging.read_units(run.bold, space)
    if kind == "surface" and isinstance(space, Surface):
        return imaging.read_surface_units(run.bold, _right(run), space)
    if kind == "cifti" and isinstance(space, Grayordinates):
        return imaging.read_cifti_units(run.bold, space)
    raise SpaceError(
        f"{run.bold.name} is a {kind} image, the units are those of {space.describe()}.",
        mend="Choose one output space of fMRIPrep for all runs with --space.",
    )


def kind_of(bold: Path) -> Kind:
    """Return what kind of BOLD a file holds, by its name.

    Examples
    --------
    >>> kind_of(Path("sub-01_task-x_hemi-L_space-fsnative_bold.func.gii"))
    'surface'
    """
    if bold.name.endswith(".dtseries.nii"):
        return "cifti"
    return "surface" if bold.suffix == ".gii" else "volume"


def _common_grid(subject: Subject) -> tuple[Space, dict[str, Any]]:
    spaces = []
    for run in subject.runs:
        if run.mask is None:
            raise MissingInputError(
                f"{run.bold.name} has no brain mask (*_desc-brain_mask.nii.gz) beside it.",
                mend="Run fMRIPrep with --level full, or fetch the masks.",
            )
        spaces.append(imaging.space_of_mask(run.mask, name=subject.space))
    common, some = spaces[0], spaces[0].index
    for run, space in zip(subject.runs, spaces, strict=True):
        if not space.has_places_of(common):
            raise SpaceError(
                f"The runs of sub-{subject.participant} lie on two grids: {common.shape} in "
                f"{subject.runs[0].said}, {space.shape} in {run.said}, or shifted.",
                mend="Run fMRIPrep once on all runs, or choose runs with --session-label and "
                "--run-id.",
            )
        common = common.select(np.isin(common.index, space.index))
        some = np.union1d(some, space.index)
    if not len(common):
        raise NotEnoughDataError(
            f"The brain masks of the {len(spaces)} runs of sub-{subject.participant} share no "
            "voxel.",
            mend="Look at the masks; a run that is badly aligned can be left out with --run-id.",
        )
    left_out = {"outside the brain mask of some run": int(some.size - len(common))}
    return common, _facts(common, left_out)


def _common_surface(subject: Subject) -> tuple[Space, dict[str, Any]]:
    spaces = [
        imaging.space_of_surfaces(run.bold, _right(run), name=subject.space)
        for run in subject.runs
    ]
    meshes = [f"{left} + {right} vertices" for left, right in (s.n_vertices for s in spaces)]
    _require_one(subject, meshes, what="lie on different meshes")
    whole, keep = spaces[0], np.ones(len(spaces[0]), dtype=bool)
    masks = subject.cortex_masks()
    for hemisphere, mask in zip(HEMISPHERES, masks, strict=True):
        if mask is not None:
            here = whole.in_hemisphere(hemisphere)
            keep[here] = _cortex(mask, int(here.sum()), space=subject.space)
    common = whole.select(keep)
    if not len(common):
        raise NotEnoughDataError(
            f"The masks of the cortex of sub-{subject.participant} hold no vertex of the "
            f"{whole.n_places} of {whole.name}.",
            mend="Fetch or copy the masks again.",
        )
    facts = _facts(common, {"in the medial wall": int((~keep).sum())})
    return common, facts | {"cortex_masks": [m.name for m in masks if m is not None]}


def _common_grayordinates(subject: Subject) -> tuple[Space, dict[str, Any]]:
    first = imaging.space_of_cifti(subject.runs[0].bold, name=subject.space)
    spaces = [first]
    spaces += [imaging.space_of_cifti(run.bold, name=subject.space) for run in subject.runs[1:]]
    found = [
        f"{s.n_places} grayordinates of {len(s.structures)} structures"
        + ("" if s.has_places_of(first) or s.n_places != first.n_places else ", in another order")
        for s in spaces
    ]
    _require_one(subject, found, what="list different grayordinates")
    return first, _facts(first, {})


def _cortex(mask: Path, n_vertices: int, *, space: str) -> NDArray[np.bool_]:
    """Mark the vertices (n_vertices,) of one hemisphere's cortex."""
    inside = imaging.read_cortex(mask)
    found, is_smaller = len(inside), space.startswith(TEMPLATE) and space != TEMPLATE
    if mask.suffix == ".label":  # it lists vertices, and does not say how many the mesh has
        inside = np.pad(inside, (0, max(0, n_vertices - found)))
        found = max(found, n_vertices)
    if found != n_vertices and not (is_smaller and found > n_vertices):
        raise SpaceError(
            f"The mask of the cortex {mask} has {found} vertices or more, the hemisphere of the "
            f"BOLD in {space} has {n_vertices}.",
            mend="Give the FreeSurfer folder that fMRIPrep used: --fs-subjects-dir PATH",
        )
    return inside[:n_vertices]


def _right(run: Run) -> Path:
    if run.bold_right is None:
        raise MissingInputError(
            f"{run.bold.name} has no right hemisphere beside it.",
            mend="Fetch or copy the file of hemi-R, or choose another space with --space.",
        )
    return run.bold_right


def _require_one(subject: Subject, found: Sequence[str], *, what: str) -> None:
    """Refuse runs of which something differs, naming which have which."""
    if len(set(found)) == 1:
        return
    groups = {
        value: [r.run for r, f in zip(subject.runs, found, strict=True) if f == value]
        for value in dict.fromkeys(found)
    }
    listed = "; ".join(f"{value} in {', '.join(runs)}" for value, runs in groups.items())
    raise SpaceError(
        f"The runs of sub-{subject.participant} {what}: {listed}.",
        mend="Run fMRIPrep once on all runs, or choose runs with --run-id, or sessions with "
        "--session-label.",
    )


def _facts(space: Space, left_out: dict[str, int]) -> dict[str, Any]:
    return {
        "unit": space.unit,
        "n_places": space.n_places,
        "left_out_of_space": left_out,
        "cortex_masks": [],
    }


_COMMON: dict[Kind, Callable[[Subject], tuple[Space, dict[str, Any]]]] = {
    "volume": _common_grid,
    "surface": _common_surface,
    "cifti": _common_grayordinates,
}
