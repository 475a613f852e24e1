"""How containers travel between steps: npz files without pickles, the same bytes each time."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from bids_dnn.containers.responses import Responses, Scale
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Space
from bids_dnn.errors import UnreadableError
from bids_dnn.files import json_text, writing

TEXT = ("stimulus", "condition", "run", "session")


def save_responses(path: Path, responses: Responses, facts: dict[str, Any]) -> Path:
    """Keep responses and what was counted when they were made; returns `path`."""
    table = responses.samples.to_json(orient="split", index=False, double_precision=15)
    return _save(
        path,
        values=responses.values,
        samples=np.array(table),
        scale=np.array(responses.scale),
        facts=np.array(json_text(facts)),
        **_space_arrays("", responses.space),
    )


def load_responses(path: Path) -> tuple[Responses, dict[str, Any]]:
    """Return what `save_responses` kept.

    Raises
    ------
    UnreadableError
        If the file holds another scale than those known.
    """
    with np.load(path, allow_pickle=False) as kept:
        text = io.StringIO(str(kept["samples"]))
        samples = pd.read_json(text, orient="split", dtype=dict.fromkeys(TEXT, str))
        scale = str(kept["scale"])
        known: tuple[Scale, ...] = get_args(Scale)
        found = next((name for name in known if name == scale), None)
        if found is None:
            raise UnreadableError(f"{path} has scale {scale!r}.", mend="Remove it and run again.")
        responses = Responses(kept["values"], samples, _space(kept, ""), found)
        return responses, json.loads(str(kept["facts"]))


def save_rois(path: Path, rois: Sequence[Roi], warnings: Sequence[str]) -> Path:
    """Keep regions, and what was to be warned of; returns `path`."""
    arrays: dict[str, Any] = {}
    for number, roi in enumerate(rois):
        arrays |= _space_arrays(f"{number}_", roi.space)
        arrays[f"{number}_about"] = np.array(
            json_text({"name": roi.name, "source": roi.source, "n_before": roi.n_before})
        )
    return _save(
        path, n=np.array(len(rois)), warnings=np.array(json_text(list(warnings))), **arrays
    )


def load_rois(path: Path) -> tuple[tuple[Roi, ...], list[str]]:
    """Return what `save_rois` kept."""
    with np.load(path, allow_pickle=False) as kept:
        rois = []
        for number in range(int(kept["n"])):
            about = json.loads(str(kept[f"{number}_about"]))
            rois.append(Roi(space=_space(kept, f"{number}_"), **about))
        return tuple(rois), json.loads(str(kept["warnings"]))


def _space_arrays(prefix: str, space: Space) -> dict[str, Any]:
    return {
        f"{prefix}space": np.array(space.name),
        f"{prefix}shape": np.array(space.shape),
        f"{prefix}affine": space.affine,
        f"{prefix}index": space.index,
    }


def _space(kept: Any, prefix: str) -> Space:
    x, y, z = (int(n) for n in kept[f"{prefix}shape"])
    name = str(kept[f"{prefix}space"])
    return Space(name, (x, y, z), kept[f"{prefix}affine"], kept[f"{prefix}index"])


def _save(path: Path, **arrays: Any) -> Path:
    with writing(path) as aside, aside.open("wb") as stream:
        np.savez(stream, **arrays)
    return path
