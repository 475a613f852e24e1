"""How containers travel between steps: npz files without pickles, the same bytes each time."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import pandas as pd

from bids_dnn.containers.responses import Independence, Responses, Scale
from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives.spaces import space_arrays, space_from
from bids_dnn.errors import UnreadableError
from bids_dnn.files import json_text, writing

AREAS = "areas.npz"  # beside the responses: regions that the data themselves name
Word = TypeVar("Word", bound=str)
SCALES: tuple[Scale, ...] = get_args(Scale)
MARKS: tuple[Independence, ...] = get_args(Independence)
TEXT = ("stimulus", "condition", "run", "session")


def save_responses(path: Path, responses: Responses, facts: dict[str, Any]) -> Path:
    """Keep responses and what was counted when they were made; returns `path`."""
    table = responses.samples.to_json(orient="split", index=False, double_precision=15)
    return _save(
        path,
        values=responses.values,
        samples=np.array(table),
        scale=np.array(responses.scale),
        independence=np.array(responses.independence),
        facts=np.array(json_text(facts)),
        **space_arrays(responses.space),
    )


def load_responses(path: Path) -> tuple[Responses, dict[str, Any]]:
    """Return what `save_responses` kept.

    Raises
    ------
    UnreadableError
        If the file holds another scale or independence than those known.
    """
    with np.load(path, allow_pickle=False) as kept:
        text = io.StringIO(str(kept["samples"]))
        samples = pd.read_json(
            text, orient="split", dtype=dict.fromkeys(TEXT, str), convert_dates=False
        )
        scale = _known(path, "scale", str(kept["scale"]), SCALES)
        mark = _known(path, "independence", str(kept["independence"]), MARKS)
        responses = Responses(kept["values"], samples, space_from(kept), scale, mark)
        return responses, json.loads(str(kept["facts"]))


def _known(path: Path, what: str, found: str, known: Sequence[Word]) -> Word:
    for word in known:
        if word == found:
            return word
    raise UnreadableError(f"{path} has {what} {found!r}.", mend="Remove it and run again.")


def save_rois(path: Path, rois: Sequence[Roi], warnings: Sequence[str]) -> Path:
    """Keep regions, and what was to be warned of; returns `path`."""
    arrays: dict[str, Any] = {}
    for number, roi in enumerate(rois):
        arrays |= space_arrays(roi.space, f"{number}_")
        about = {name: getattr(roi, name) for name in ("name", "source", "n_before", "is_part")}
        arrays[f"{number}_about"] = np.array(json_text(about))
    return _save(
        path, n=np.array(len(rois)), warnings=np.array(json_text(list(warnings))), **arrays
    )


def load_rois(path: Path) -> tuple[tuple[Roi, ...], list[str]]:
    """Return what `save_rois` kept."""
    with np.load(path, allow_pickle=False) as kept:
        rois = []
        for number in range(int(kept["n"])):
            about = json.loads(str(kept[f"{number}_about"]))
            rois.append(Roi(space=space_from(kept, f"{number}_"), **about))
        return tuple(rois), json.loads(str(kept["warnings"]))


def _save(path: Path, **arrays: Any) -> Path:
    with writing(path) as aside, aside.open("wb") as stream:
        np.savez(stream, **arrays)
    return path
