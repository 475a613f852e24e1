"""Results that are of no participant: of networks alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn.containers.result import Result
from bids_dnn.derivatives import names
from bids_dnn.derivatives.extras import write_extras
from bids_dnn.derivatives.tables import describe, table_text
from bids_dnn.files import write_json, write_text

KIND = "study_scores"


def write_study(result: Result, out_dir: Path, *, sidecar: dict[str, Any]) -> list[Path]:
    """Write the tables of a result that is of no participant; the main sidecar last.

    Tables of an older result of the same analysis are taken away first.

    Parameters
    ----------
    result
        Without maps.
    out_dir
        Root of the output.
    sidecar
        Further fields of each sidecar, such as from what the result was made.

    Returns
    -------
    paths
        All that was written; the last one is the sidecar of the main table. The same result
        gives the same bytes.

    Raises
    ------
    ConfigError
        If the name of an extra table holds other characters than letters, digits and ``_``.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    entities = {"analysis": result.analysis}
    table = names.path_of(out_dir, KIND, **entities)
    last = names.sidecar_of(table)
    for older in out_dir.glob(f"desc-{result.analysis}*_scores.*"):
        older.unlink()
    labels = {name: names.label_of(name) for name in result.extras}
    plain = replace(
        result,
        extras={labels[name]: extra for name, extra in result.extras.items()},
        extra_columns={
            labels[name]: words for name, words in result.extra_columns.items() if name in labels
        },
    )
    written = [write_text(table, table_text(result.table))]
    facts, paths = write_extras(plain, out_dir, KIND, entities=entities, shared=sidecar)
    described = describe(result.table, result.columns)
    told = {"Analysis": result.meta}
    return [*written, *paths, write_json(last, described | facts | told | sidecar)]
