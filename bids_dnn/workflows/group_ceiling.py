"""What noise ceilings over participants rest on, beside the tables of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bids_dnn.derivatives import names, provenance, read
from bids_dnn.workflows.scene import Manifest

ANALYSIS = "ceiling"


def shared_patterns(
    output_dir: Path, analysis: str, tables: Mapping[str, Path]
) -> dict[str, Path]:
    """Return the patterns that participants left with decoding, for ceilings of dissimilarities.

    Parameters
    ----------
    output_dir
        Root of the data set of derivatives.
    analysis
        Of the tables; any but ``ceiling`` takes none.
    tables
        By participant.
    """
    if analysis != ANALYSIS:
        return {}
    made: dict[str, Path] = {}
    for label, path in tables.items():
        own = {key: names.entities_of(path).get(key, "") for key in ("task", "space")}
        table = names.path_of(output_dir, "scores", participant=label, analysis="decode", **own)
        if names.sidecar_of(table).is_file() and has_patterns(table):
            made[label] = names.patterns_of(table)
    return made


def has_patterns(table: Path) -> bool:
    """Tell whether patterns lie beside a finished table, as its sidecar says."""
    path = names.patterns_of(table)
    return path.is_file() and path.name in read.read_sidecar(table)[provenance.OUTPUTS]


def ceiling_lines(manifest: Manifest) -> list[str]:
    """Say whose dissimilarities have ceilings, for ``--dry-run``."""
    if manifest["analysis"] != ANALYSIS:
        return []
    n, n_all = len(manifest["shared"]), len(manifest["tables"])
    return [f"  dissimilarities of conditions: patterns of {n} of {n_all} participants"]


def ceilings_told(manifests: Iterable[Manifest]) -> Manifest:
    """Return of what there are ceilings over participants, for the methods text.

    Parameters
    ----------
    manifests
        Of the jobs of one page.
    """
    for told in manifests:
        if told["analysis"] == ANALYSIS:
            return {"loo_ceiling": {"kinds": ["encoding", *(["rsa"] if told["shared"] else [])]}}
    return {}
