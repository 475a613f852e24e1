"""When the volumes of a run were taken, and how many there are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_dnn import files, imaging
from bids_dnn.errors import BidsDnnError, UnreadableError
from bids_dnn.ingest.match import MADE, Found, Wanted, inherited, keep, place
from bids_dnn.ingest.series import kind_of

SIDECAR: Wanted = {"suffix": ("bold",), "extension": (".json",)}
KEYS = ("RepetitionTime", "StartTime", "SliceTimingCorrected")


@dataclass(frozen=True, slots=True)
class Timing:
    """When the volumes of a run were taken.

    Parameters
    ----------
    t_r_s : s
        Between volumes; 0 where neither sidecars nor the image tell.
    start_s : s
        Time to which slice timing correction brought the first volume.
    start_from
        Where `start_s` comes from, in words.
    """

    t_r_s: float
    start_s: float
    start_from: str


def read_timing(bold: Found, *, raw: Sequence[Found], made: Sequence[Found]) -> Timing:
    """Return the timing of a run from its sidecars.

    What the image's own sidecars do not tell is taken from those of the same run in other
    output spaces, because those of surfaces and CIFTI are often incomplete, and then from the
    raw data.

    Parameters
    ----------
    bold
        The image, or its left hemisphere.
    raw, made
        Files of the raw data set and of fMRIPrep's outputs.

    Raises
    ------
    UnreadableError
        If a sidecar is no JSON.
    MissingInputError
        If a sidecar was not fetched.
    """
    told = _merged(inherited(keep(made, SIDECAR), bold.entities))
    if missing := [key for key in KEYS if key not in told]:
        told |= _of_other_spaces(bold, made, missing)
    original: dict[str, Any] = {}
    if not {"RepetitionTime", "SliceTimingCorrected"} <= set(told):
        original = _merged(inherited(keep(raw, SIDECAR), bold.entities, without=MADE))
    t_r_s = float(told.get("RepetitionTime") or original.get("RepetitionTime") or 0.0)
    t_r_s = t_r_s or _of_header(bold.path)
    if isinstance(told.get("StartTime"), (int, float)):
        return Timing(t_r_s, float(told["StartTime"]), "StartTime")
    if told.get("SliceTimingCorrected"):
        half = "slice timing was corrected, no StartTime: half of TR"
        return Timing(t_r_s, 0.5 * t_r_s, half)
    if "SliceTimingCorrected" not in told and original.get("SliceTiming"):
        # early versions of fMRIPrep do not tell, but correct wherever SliceTiming is known
        half = "no sidecar tells, but the raw data have SliceTiming: half of TR"
        return Timing(t_r_s, 0.5 * t_r_s, half)
    return Timing(t_r_s, 0.0, "slice timing was not corrected, no StartTime: 0")


def count_volumes(bold: Path) -> tuple[int, str]:
    """Return the number of volumes and, where the image cannot be read, why.

    Returns
    -------
    n_volumes
        0 where it cannot be read.
    why
        Empty where it can be read.
    """
    kind = kind_of(bold)
    try:
        if kind == "surface":
            return imaging.read_surface_header(bold)[0], ""
        if kind == "cifti":
            return imaging.read_cifti_shape(bold)[0], ""
        shape = imaging.read_header(bold)[0]
    except BidsDnnError as err:
        return 0, f"{err}"
    return (shape[3] if len(shape) > 3 else 1), ""


def _of_header(bold: Path) -> float:
    """Return the repetition time that an image itself tells, 0 where it does not."""
    kind = kind_of(bold)
    try:
        if kind == "surface":
            return 0.0
        return imaging.read_cifti_step(bold) if kind == "cifti" else imaging.read_header(bold)[2]
    except BidsDnnError:  # `count_volumes` says why; the reader of the run says it again
        return 0.0


def _of_other_spaces(
    bold: Found, made: Sequence[Found], missing: Sequence[str]
) -> Mapping[str, Any]:
    here = place(bold.entities, without=MADE)
    same = [f for f in keep(made, SIDECAR) if place(f.entities, without=MADE) == here]
    told: dict[str, Any] = {}
    for sidecar in sorted(same, key=lambda f: f.path.as_posix()):
        found = _merged([sidecar])
        told = {key: found[key] for key in missing if key in found} | told
    return told


def _merged(found: Sequence[Found]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for sidecar in found:
        try:
            merged |= files.read_json(imaging.require_file(sidecar.path))
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as err:
            raise UnreadableError(
                f"{sidecar.path} is no JSON object ({err}).", mend="Fetch or copy it again."
            ) from err
    return merged
