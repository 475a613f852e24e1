"""What was measured of a cortex with known receptive fields, in each output space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bids_dnn import files, imaging
from bids_dnn.containers.space import HEMISPHERES, Grayordinates
from bids_dnn.simulate import retinotopy as known
from bids_dnn.simulate.bold import RESPONSE_PERCENT
from bids_dnn.simulate.confounds import confound_table
from bids_dnn.simulate.cortex import Half
from bids_dnn.simulate.fmriprep import timing_facts, write_confounds, write_run
from bids_dnn.simulate.meshes import icosphere
from bids_dnn.simulate.nuisance import AUTOCORRELATION, Nuisance, background, colored, disturb
from bids_dnn.simulate.positions import POSITIONS_TASK, Protocol
from bids_dnn.simulate.ribbon import Ribbon
from bids_dnn.simulate.surfaces import FSLR_LEVEL, TEMPLATE_LEVEL
from bids_dnn.simulate.timing import T_R_S, trial_regressors
from bids_dnn.simulate.trees import function

Array = NDArray[np.float64]
Series = NDArray[np.float32]
BASELINE = 1000.0
STEP = 4.0  # between the values that are written
NOISE = 0.4  # of a vertex, in percent
VOXEL_NOISE = 0.2  # of a voxel, beside that of its vertices
BACKGROUND = 0.3  # of motion, physiology and drift, against those of the other task
THALAMUS_SHAPE = (5, 4, 3)
THALAMUS_CORNER = (50, 52, 38)
VOLUME_SHAPE = (91, 109, 91)
VOLUME_MM = 2.0
VOLUME_ORIGIN_MM = (90.0, -126.0, -72.0)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One run.

    Parameters
    ----------
    protocol
        What was shown.
    nuisance
        What disturbed it.
    vertices : (n_volumes, n_vertices) float32
        Of the participant's own meshes, the left ones first; 0 where the slab does not reach.
    voxels : (n_volumes, n_units) float32
        Of the ribbon.
    """

    protocol: Protocol
    nuisance: Nuisance
    vertices: Series
    voxels: Series


def evoked(protocol: Protocol, answers: Mapping[str, Array]) -> Array:
    """Return what vertices would show without noise, (n_volumes, n_vertices), in percent.

    Parameters
    ----------
    protocol
        What was shown when.
    answers
        Condition to (n_vertices,), in percent.
    """
    amplitude = np.stack([answers[name] for name in protocol.conditions])
    shape = trial_regressors(protocol.run, duration_s=protocol.duration_s)
    by_condition = (
        shape @ np.eye(len(amplitude))[protocol.run.stimuli]
    )  # (n_volumes, n_conditions)
    return np.asarray(by_condition @ amplitude)


def record(
    protocol: Protocol,
    answers: Mapping[str, Array],
    halves: Sequence[Half],
    ribbon: Ribbon,
    rng: np.random.Generator,
) -> Recording:
    """Measure one run, in vertices and in voxels."""
    n_volumes = protocol.run.n_volumes
    nuisance = disturb(n_volumes, rng)

    def noise(n_units: int) -> Array:
        own = colored(rng, (n_volumes, n_units), memory=AUTOCORRELATION)
        return NOISE * own + BACKGROUND * background(nuisance, n_units, rng)

    is_covered = np.concatenate([half.is_covered for half in halves])
    changes = np.zeros((n_volumes, len(is_covered)))
    changes[:, is_covered] = evoked(protocol, answers)[:, is_covered]
    changes[:, is_covered] += noise(int(is_covered.sum()))
    in_voxels = np.asarray((ribbon.weights @ changes.T).T)
    in_voxels[:, ribbon.is_deep] = noise(int(ribbon.is_deep.sum()))
    in_voxels += VOXEL_NOISE * rng.normal(size=in_voxels.shape)
    vertices = np.where(is_covered, _scaled(changes), np.float32(0))
    return Recording(protocol, nuisance, vertices, _scaled(in_voxels))


def write_recording(
    root: Path, label: str, recording: Recording, halves: Sequence[Half], ribbon: Ribbon
) -> None:
    """Write one run in all spaces, with its confounds.

    Parameters
    ----------
    root
        Of fMRIPrep's outputs.
    label
        Of the participant, without ``sub-``.
    recording
        As measured.
    halves, ribbon
        Where its vertices and voxels lie.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    task, run = recording.protocol.task, recording.protocol.run.label
    write_run(root, label, run, series=recording.voxels, space=ribbon.space, task=task)
    deep = np.flatnonzero(ribbon.is_deep)
    table = confound_table(recording.nuisance, recording.voxels.astype(np.float64), deep)
    write_confounds(root, label, run, table, task=task)

    own = np.split(recording.vertices, [len(halves[0].curvature)], axis=1)
    _write_surfaces(root, label, recording.protocol, own, space="fsnative")
    if task == POSITIONS_TASK:  # the localizer has fewer spaces, so that the tree stays small
        parts = _resampled(own, halves, level=TEMPLATE_LEVEL)
        _write_surfaces(root, label, recording.protocol, parts, space="fsaverage5")
        parts = [*_resampled(own, halves, level=FSLR_LEVEL), recording.voxels[:, deep]]
        _write_cifti(root, label, recording.protocol, parts)


def _write_surfaces(
    root: Path, label: str, protocol: Protocol, parts: Sequence[Series], *, space: str
) -> None:
    task, run = protocol.task, protocol.run.label
    for hemisphere, values in zip(HEMISPHERES, parts, strict=True):
        stem = function(root, label, run, f"hemi-{hemisphere}_space-{space}_bold", task=task)
        imaging.write_vertex_series(Path(f"{stem}.func.gii"), values, hemisphere, t_r_s=T_R_S)
        files.write_json(Path(f"{stem}.json"), timing_facts(task))


def _write_cifti(root: Path, label: str, protocol: Protocol, parts: Sequence[Series]) -> None:
    """Write cortex, and voxels of white matter in place of the thalamus, which is not imaged."""
    task, run = protocol.task, protocol.run.label
    stem = function(root, label, run, "space-fsLR_den-91k_bold", task=task)
    space = grayordinates()
    *meshes, deep = parts
    cortex = [part[:, space.cortex(h)[1]] for h, part in zip(HEMISPHERES, meshes, strict=True)]
    n_deep = len(space) - sum(part.shape[1] for part in cortex)
    values = np.concatenate([*cortex, deep[:, :n_deep]], axis=1)
    imaging.write_cifti_series(Path(f"{stem}.dtseries.nii"), values, space, t_r_s=T_R_S)
    about = {"Density": "2,562 vertices a hemisphere, so that files stay small"}
    files.write_json(Path(f"{stem}.json"), timing_facts(task) | about)


def grayordinates() -> Grayordinates:
    """Return cortex without its medial wall, and a block of thalamus, in CIFTI's order.

    The meshes have 2,562 vertices, not 32,492, so that files stay small.
    """
    directions = icosphere(FSLR_LEVEL).vertices
    vertices = [
        np.flatnonzero(~known.in_patch(directions, hemisphere, known.MEDIAL_WALL))
        for hemisphere in HEMISPHERES
    ]
    block = np.indices(THALAMUS_SHAPE).reshape(3, -1).T + THALAMUS_CORNER
    counts = [*map(len, vertices), len(block)]
    n_cortex = sum(counts[:2])
    affine = np.diag([-VOLUME_MM, VOLUME_MM, VOLUME_MM, 1.0])
    affine[:3, 3] = VOLUME_ORIGIN_MM
    return Grayordinates(
        "fsLR",
        tuple(
            f"CIFTI_STRUCTURE_{name}" for name in ("CORTEX_LEFT", "CORTEX_RIGHT", "THALAMUS_LEFT")
        ),
        (len(directions), len(directions), 0),
        np.repeat(np.arange(3), counts),
        np.concatenate([*vertices, np.full(len(block), -1)]),
        np.concatenate([np.full((n_cortex, 3), -1), block]),
        VOLUME_SHAPE,
        affine,
        np.arange(sum(counts), dtype=np.int64),
    )


def nearest(half: Half, *, level: int) -> NDArray[np.intp]:
    """Return the participant's vertex that is nearest to each vertex of a template sphere."""
    _, found = cKDTree(half.directions).query(icosphere(level).vertices)
    return np.asarray(found, dtype=np.intp)


def _resampled(own: Sequence[Series], halves: Sequence[Half], *, level: int) -> list[Series]:
    parts = zip(own, halves, strict=True)
    return [values[:, nearest(half, level=level)] for values, half in parts]


def _scaled(changes: Array) -> Series:
    """Return a few hundred different values around the baseline: they pack well."""
    made = BASELINE * (1 + RESPONSE_PERCENT / 100 * changes)
    return np.asarray(STEP * np.rint(made / STEP), dtype=np.float32)
