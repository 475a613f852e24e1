"""Transforms between spaces in ITK's files, as fMRIPrep leaves them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from bids_dnn import files
from bids_dnn.simulate import anatomy

Array = NDArray[np.floating]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK counts left and back as positive


def to_mni() -> Array:
    """Return the map (4, 4) of places in T1w to places in MNI, scanner coordinates in mm."""
    here = anatomy.brain()
    there = anatomy.to_mni(here)
    step = np.eye(4)
    step[:3, 3] = anatomy.MNI_SHIFT
    return np.asarray(there.affine @ step @ np.linalg.inv(here.affine))


def write_transforms(folder: Path, participant: str) -> None:
    """Write the transforms between T1w and the MNI template, and between T1w and FreeSurfer.

    ITK's transforms take places of the image that is made to places of the image that is
    read: a file that is named from T1w to MNI takes places in MNI to places in T1w.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    forward = to_mni()
    stem = folder / f"sub-{participant}_from"
    _write_h5(Path(f"{stem}-T1w_to-{anatomy.MNI}_mode-image_xfm.h5"), np.linalg.inv(forward))
    _write_h5(Path(f"{stem}-{anatomy.MNI}_to-T1w_mode-image_xfm.h5"), forward)
    for name in ("fsnative_to-T1w", "T1w_to-fsnative"):
        _write_text(Path(f"{stem}-{name}_mode-image_xfm.txt"), np.eye(4))


def parameters(matrix: Array) -> Array:
    """Return ITK's 12 numbers of an affine (4, 4): the rotation by rows, then the shift."""
    turned = FLIP @ matrix @ FLIP
    return np.concatenate([turned[:3, :3].ravel(), turned[:3, 3]])


def _write_h5(path: Path, matrix: Array) -> None:
    text = h5py.string_dtype("ascii")
    with files.writing(path) as aside, h5py.File(aside, "w", track_order=False) as store:
        for name, value in (("HDFVersion", h5py.version.hdf5_version), ("ITKVersion", "5.4.0")):
            store.create_dataset(name, data=[value], dtype=text, track_times=False)
        kinds = ("CompositeTransform_double_3_3", "AffineTransform_double_3_3")
        for i, kind in enumerate(kinds):
            group = store.create_group(f"TransformGroup/{i}")
            group.create_dataset("TransformType", data=[kind], dtype=text, track_times=False)
        for name, values in (
            ("TransformParameters", parameters(matrix)),
            ("TransformFixedParameters", np.zeros(3)),
        ):
            group.create_dataset(name, data=values, track_times=False)


def _write_text(path: Path, matrix: Array) -> None:
    numbers = " ".join(f"{value + 0.0:.12g}" for value in parameters(matrix))
    files.write_text(
        path,
        "#Insight Transform File V1.0\n#Transform 0\n"
        "Transform: AffineTransform_double_3_3\n"
        f"Parameters: {numbers}\nFixedParameters: 0 0 0\n",
    )
