"""A participant's files -> responses, one row a sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_dnn.files import read_json
from bids_dnn.ingest import fmriprep, spm
from bids_dnn.ingest.inventory import Ingested, Subject
from bids_dnn.ingest.ready import door
from bids_dnn.ingest.records import READY
from bids_dnn.stimuli.catalog import ambiguous, match, resolve
from bids_dnn.workflows.steps.artifacts import AREAS, save_responses, save_rois


def responses_step(manifest: Path, *, out_dir: Path) -> Path:
    """Read one participant's responses to one task in one space."""
    told = read_json(manifest)
    made = _read(Subject.from_json(told["subject"]), told["settings"])
    names = [str(name) for name in made.responses.samples["stimulus"].unique() if name]
    ids = resolve(names, told["stimuli"], told["aliases"])
    samples = made.responses.samples
    ids = {name: told["same"].get(picture, picture) for name, picture in ids.items()}
    samples = samples.assign(stimulus=samples["stimulus"].map(lambda name: ids.get(name, name)))
    responses = replace(made.responses, samples=samples)
    met = match(samples, set(told["stimuli"]) - set(told["same"]))
    warnings = list(made.facts.get("warnings", ()))
    if several := ambiguous(names, told["stimuli"], told["aliases"]):
        name, found = next(iter(several.items()))
        warnings.append(
            f"{len(several)} stimulus names mean several pictures, such as {name!r}: "
            f"{', '.join(found[:3])}. They have no picture."
        )
    facts = made.facts | {
        "n_stimuli": len(met.used),
        "missing_stimuli": list(met.missing),
        "unused_stimuli": list(met.unused),
        "independence": responses.independence,
        "warnings": warnings,
    }
    save_rois(out_dir / AREAS, made.rois, [])
    return save_responses(out_dir / "responses.npz", responses, facts)


def _read(subject: Subject, settings: dict[str, Any]) -> Ingested:
    if subject.source in READY:
        return door(subject.source).read_responses(subject, **settings)
    if subject.source == "spm":
        table = settings["conditions"]
        window = tuple(settings["fir_window_s"])
        own = settings | {"conditions": Path(table) if table else None, "fir_window_s": window}
        return spm.read_responses(subject, **own)
    lists = {key: tuple(settings[key]) for key in ("rest", "fir_window_s")}
    return fmriprep.read_responses(subject, **(settings | lists))
