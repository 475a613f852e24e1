"""Features of a layer as a derivative: an array, who its rows are, and what they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.derivatives import names
from bids_dnn.derivatives.tables import table_text
from bids_dnn.files import fingerprint, write_json, write_text, writing

COLUMNS = {"stimulus": {"Description": "Id of the stimulus of each row, its path below stimuli/."}}


def write_features(
    values: NDArray[np.float32],
    stimuli: Sequence[str],
    out_dir: Path,
    *,
    network: str,
    layer: str,
    sidecar: Mapping[str, Any],
) -> Path:
    """Write the features of one layer below ``stimuli/``; ``--network features:PATH`` reads them.

    Parameters
    ----------
    values : (n_stimuli, p)
        Features, the channel slowest.
    stimuli : n_stimuli
        Ids of the rows.
    out_dir
        Root of the output data set.
    network, layer
        As the settings call them.
    sidecar
        What the features depend on.

    Returns
    -------
    path
        Of the array (``.npy``); beside it lie its sidecar and the table of the rows, which is
        written last. The same features give the same bytes.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    labels = {"network": names.label_of(network), "layer": names.label_of(layer)}
    path = names.path_of(out_dir, "features", **labels)
    with writing(path) as aside, aside.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(values), allow_pickle=False)
    told = {
        "Description": f"Features of {layer} of {network}, one row a stimulus.",
        "Network": network,
        "Layer": layer,
        "Shape": list(values.shape),
        "SHA256": fingerprint(path),
    }
    write_json(names.sidecar_of(path), told | dict(sidecar) | {"Columns": COLUMNS})
    table = pd.DataFrame({"stimulus": list(stimuli)})
    write_text(path.with_suffix(".tsv"), table_text(table))
    return path
