"""Portraits of networks -> derivatives, and back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.containers.portrait import Maps, NetworkFacts, Portrait
from bids_dnn.derivatives import names
from bids_dnn.derivatives.provenance import OUTPUTS
from bids_dnn.derivatives.tables import describe, table_text
from bids_dnn.errors import BidsDnnError, MissingInputError, UnreadableError
from bids_dnn.files import fingerprint, json_text, read_json, write_json, write_text, writing

DESCRIPTION = (
    "What the network looks like from inside: first filters, activation maps of one stimulus, the "
    "stimulus after each transform, and ranked dissimilarities of stimuli by layer."
)
LABEL_COLUMNS = {
    "stimulus": "Id of the stimulus, its path below stimuli/.",
    "label": "Most probable class, by the network's own head.",
    "probability": "Of that class (softmax over all classes).",
}


def write_portrait(
    portrait: Portrait, out_dir: Path, *, sidecar: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write a portrait below ``stimuli/``; its sidecar last.

    Parameters
    ----------
    portrait
        Of one network; its name is in the file names.
    out_dir
        Root of the output data set.
    sidecar
        Further fields: ``Sources``, ``Fingerprint`` ...

    Returns
    -------
    paths
        The arrays (npz), the table of labels with its own sidecar where the network has a head,
        and the sidecar of the arrays. The same portrait gives the same bytes.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    path = portrait_path(out_dir, portrait.facts.name)
    last = names.sidecar_of(path)
    last.unlink(missing_ok=True)
    written = [_write_arrays(path, portrait)]
    further = dict(sidecar or {})
    label = names.label_of(portrait.facts.name)
    table = names.path_of(out_dir, "predictions", network=label)
    if portrait.labels:
        frame = pd.DataFrame(
            [(name, *told) for name, told in portrait.labels.items()], columns=[*LABEL_COLUMNS]
        )
        said = describe(frame, LABEL_COLUMNS) | {
            "Network": portrait.facts.name,
            "WeightsSHA256": portrait.facts.weights_sha256,
        }
        written += [write_text(table, table_text(frame))]
        written += [write_json(names.sidecar_of(table), said | further)]
    else:
        for left in (table, names.sidecar_of(table)):
            left.unlink(missing_ok=True)
    fields = {
        "Description": DESCRIPTION,
        "Network": portrait.facts.to_json(),
        "WeightsSHA256": portrait.facts.weights_sha256,
        "Features": {layer: dict(told) for layer, told in portrait.identities.items()},
        "EffectiveDimensionality": dict(portrait.dimensionality),
        "NumberOfStimuli": portrait.n_stimuli,
    }
    outputs = {p.name: {"SHA256": fingerprint(p), "Size": p.stat().st_size} for p in written}
    return [*written, write_json(last, fields | further | {OUTPUTS: outputs})]


def portrait_path(out_dir: Path, network: str) -> Path:
    """Return where the arrays of a network's portrait lie.

    Examples
    --------
    >>> portrait_path(Path("out"), "alexnet-warped").as_posix()
    'out/stimuli/network-alexnetWarped_portrait.npz'
    """
    return names.path_of(out_dir, "portrait", network=names.label_of(network))


def read_portrait(path: Path) -> Portrait:
    """Return what `write_portrait` wrote.

    Parameters
    ----------
    path
        Of the arrays, as `portrait_path` gives it.

    Raises
    ------
    MissingInputError
        If the file or its sidecar is not there.
    UnreadableError
        If the file is damaged, or is none that `write_portrait` wrote.
    """
    if not path.is_file() or not names.sidecar_of(path).is_file():
        raise MissingInputError(
            f"There is no portrait {path} with its JSON sidecar.",
            mend="Run the participant level again, which makes it.",
        )
    try:
        outputs = read_json(names.sidecar_of(path))[OUTPUTS]
        if outputs[path.name]["SHA256"] != fingerprint(path):
            raise _damaged(path, "its checksum is another than its sidecar says")
        with np.load(path, allow_pickle=False) as kept:
            return _portrait({name: kept[name] for name in kept.files})
    except UnreadableError:
        raise
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile, BidsDnnError) as err:
        raise _damaged(path, str(err)) from err


def _damaged(path: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"The portrait {path} is damaged: {why}.",
        mend="Remove it and run the participant level again.",
    )


def _portrait(kept: Mapping[str, NDArray[Any]]) -> Portrait:
    told = json.loads(str(kept["about"]))

    def numbered(kind: str) -> dict[str, NDArray[Any]]:
        return {name: kept[f"{kind}_{i}"] for i, name in enumerate(told[kind])}

    maps = {
        layer: Maps(values, tuple(told["maps"][layer]["channels"]), told["maps"][layer]["n_all"])
        for layer, values in numbered("activations").items()
    }
    return Portrait(
        NetworkFacts.from_json(told["facts"]),
        told["n_stimuli"],
        filters=kept.get("filters"),
        n_filters=told["n_filters"],
        labels={name: (str(label), float(p)) for name, label, p in told["labels"]},
        example=told["example"],
        activations=maps,
        dimensionality={
            layer: float("nan") if value is None else float(value)
            for layer, value in told["dimensionality"]
        },
        order=tuple(told["order"]),
        categories=tuple(told["categories"]),
        rdms=numbered("rdms"),
        examples=numbered("examples"),
        caption=told["caption"],
        identities=dict(told["identities"]),
    )


def _write_arrays(path: Path, portrait: Portrait) -> Path:
    """Write arrays and words as an npz; what has an order is a list, as JSON sorts its keys."""
    arrays: dict[str, Any] = {}
    if portrait.filters is not None:
        arrays["filters"] = portrait.filters
    activations = {layer: maps.values for layer, maps in portrait.activations.items()}
    groups: dict[str, Mapping[str, NDArray[Any]]] = {
        "activations": activations,
        "rdms": portrait.rdms,
        "examples": portrait.examples,
    }
    for kind, made in groups.items():
        arrays |= {f"{kind}_{i}": values for i, values in enumerate(made.values())}
    about = {
        "facts": portrait.facts.to_json(),
        "n_stimuli": portrait.n_stimuli,
        "n_filters": portrait.n_filters,
        "labels": [[name, *told] for name, told in portrait.labels.items()],
        "example": portrait.example,
        "maps": {
            layer: {"channels": list(maps.channels), "n_all": maps.n_all}
            for layer, maps in portrait.activations.items()
        },
        "dimensionality": [list(pair) for pair in portrait.dimensionality.items()],
        "order": list(portrait.order),
        "categories": list(portrait.categories),
        "caption": portrait.caption,
        "identities": [[layer, dict(told)] for layer, told in portrait.identities.items()],
    } | {kind: list(made) for kind, made in groups.items()}
    arrays["about"] = np.array(json_text(about))
    with writing(path) as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    return path
