"""A participant's files -> responses, one row a sample."""

from __future__ import annotations

from pathlib import Path

from bids_dnn.files import read_json
from bids_dnn.ingest import fmriprep, spm
from bids_dnn.ingest.inventory import Subject
from bids_dnn.stimuli.catalog import match
from bids_dnn.workflows.steps.artifacts import save_responses


def responses_step(manifest: Path, *, out_dir: Path) -> Path:
    """Read one participant's responses to one task in one space."""
    told = read_json(manifest)
    subject, settings = Subject.from_json(told["subject"]), told["settings"]
    if subject.source == "spm":
        table = settings["conditions"]
        made = spm.read_responses(
            subject,
            conditions=Path(table) if table else None,
            standardize=settings["standardize"],
        )
    else:
        settings = settings | {"rest": tuple(settings["rest"])}
        made = fmriprep.read_responses(subject, **settings)
    met = match(made.responses.samples, told["stimuli"])
    facts = made.facts | {
        "n_stimuli": len(met.used),
        "missing_stimuli": list(met.missing),
        "unused_stimuli": list(met.unused),
    }
    return save_responses(out_dir / "responses.npz", made.responses, facts)
