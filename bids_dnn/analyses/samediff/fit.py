"""Same or different: train on pairs of some exemplars, test on pairs of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bids_dnn.analyses.samediff import tables
from bids_dnn.analyses.samediff.augment import Copy, parse_copies
from bids_dnn.analyses.samediff.choices import Choices
from bids_dnn.analyses.samediff.finder import has_fallen, range_test, search_batch_size, suggested
from bids_dnn.analyses.samediff.material import Material
from bids_dnn.analyses.samediff.siamese import contrastive_problem, siamese_problem
from bids_dnn.analyses.samediff.training import (
    Problem,
    Progress,
    Training,
    judge,
    named,
    reproducible,
    train,
)
from bids_dnn.analyses.samediff.transfer import Frozen
from bids_dnn.containers.network import Network
from bids_dnn.containers.result import Result
from bids_dnn.errors import ConfigError

Copies = tuple[Copy, ...]
Made = tuple[Problem, dict[str, Any]]  # and facts for the sidecar
Extras = dict[str, pd.DataFrame]


def same_different(
    material: Material,
    network: Network,
    choices: Choices,
    *,
    left_out: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> Result:
    """Learn to tell whether two pictures show the same exemplar, and test it on other exemplars.

    With `Choices.answer` = ``category``, what is learnt is of what category both exemplars are.

    The weights of the last epoch are tested. Nothing is chosen on the test: rates come from
    training pairs, batch sizes from validation pairs.

    Parameters
    ----------
    material
        Pairs, with their split, and pictures.
    network
        On the CPU; it is not altered.
    choices
    left_out
        Pairs whose exemplars fell on both sides of the split: counted and listed.
    progress
        Called after each step, of what is searched for too.

    Returns
    -------
    result
        Its table has a row for each variant, orientation and category (and ``both``, ``all``);
        extras ``curves``, ``confusion``, ``top_losses``, ``pairs``; ``rates`` and
        ``batch_sizes`` where they were searched; ``left_out`` where there are such pairs.

    Raises
    ------
    ConfigError
        If the network sees no pictures, or has no layer that the variant needs.
    NotEnoughDataError
        If a batch size is to be found and there are no validation pairs, or there is one category
        and it is to be answered.
    UnreadableError
        If the network makes values that are no numbers.
    """
    if "image" not in network.card.methods:
        raise ConfigError(
            f"{network.card.name} reads {' and '.join(network.card.methods)}, no pictures.",
            mend="Name a network that sees pictures, such as cornet:z.",
        )
    copies = parse_copies(choices.augment)
    scores: list[pd.DataFrame] = []
    extras: dict[str, list[pd.DataFrame]] = {}
    told: dict[str, Any] = {}
    for variant in choices.variants:
        run = _Run(material, network, choices, copies, named(progress, variant))
        made, more, told[variant] = run.done(variant)
        front = {"network": network.card.name, "variant": variant}
        scores.append(_fronted(made, front))
        for name, table in more.items():
            extras.setdefault(name, []).append(_fronted(table, front))
    kept = {name: pd.concat(all_, ignore_index=True) for name, all_ in extras.items()}
    if left_out is not None and len(left_out):
        kept["left_out"] = left_out.reset_index(drop=True)
    return Result(
        analysis="samediff",
        table=pd.concat(scores, ignore_index=True),
        columns=tables.COLUMNS,
        extras=kept,
        extra_columns=tables.EXTRA_COLUMNS,
        meta=_meta(material, network, choices, copies, left_out) | {"variants": told},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One variant."""

    material: Material
    network: Network
    choices: Choices
    copies: Copies
    progress: Progress | None

    def done(self, variant: str) -> tuple[pd.DataFrame, Extras, dict[str, Any]]:
        choices = self.choices
        if self.progress is not None:
            self.progress("reading pictures", 0, 1)
        problem, facts = MAKERS[variant](self.material, self.network, choices, self.copies)
        options, searched = _settled(problem, choices, self.progress)
        trained = train(problem, options, progress=self.progress)
        rows = np.arange(len(self.material.pairs))
        entries = np.stack([rows, np.zeros_like(rows)], axis=1)
        with reproducible(options.seed, options.device):
            said = judge(trained.module, problem, entries, device=options.device)
        names, _ = self.material.classes(choices.answer)
        judged = tables.judged_table(self.material.pairs, said, names)
        tested = judged[judged["split"] == "test"]
        extras = {
            "curves": trained.curves,
            "confusion": tables.confusion_table(tested, answer=choices.answer),
            "top_losses": tables.top_losses(tested, choices.n_top),
            "pairs": judged,
            **searched,
        }
        facts |= {
            "objective": problem.objective.name,
            "evidence": problem.objective.words,
            "rate": options.rate,
            "batch_size": options.batch_size,
            "rate_found": has_fallen(searched["rates"]) if "rates" in searched else None,
            "n_learnt": sum(p.numel() for p in trained.module.parameters() if p.grad is not None),
        }
        scores = tables.score_table(tested, seed=choices.seed, answer=choices.answer)
        return scores, extras, facts


def _settled(
    problem: Problem, choices: Choices, progress: Progress | None
) -> tuple[Training, Extras]:
    """Return the options of training, what is to be searched found, and the searches."""
    options = training_of(choices)
    searched: Extras = {}
    if not choices.batch_size:
        found = search_batch_size(problem, options, progress=progress)
        searched["batch_sizes"] = found
        size = int(found.loc[found["is_chosen"], "batch_size"].iloc[0])
        options = replace(options, batch_size=size)
    if not choices.rate:
        searched["rates"] = range_test(problem, options, progress=progress)
        options = replace(options, rate=suggested(searched["rates"]))
    return options, searched


def training_of(choices: Choices) -> Training:
    """Return the options of training, with defaults for what is to be searched.

    Parameters
    ----------
    choices
    """
    default = Training()
    return Training(
        n_epochs=choices.n_epochs,
        batch_size=choices.batch_size or default.batch_size,
        rate=choices.rate or default.rate,
        weight_decay=choices.weight_decay,
        seed=choices.seed,
        device=choices.device,
    )


def _frozen(material: Material, network: Network, choices: Choices, copies: Copies) -> Made:
    options = training_of(choices)
    made = Frozen(material, network, copies, options, redraws=choices.redraws, layer=choices.layer)
    return made.problem(choices.answer), {"n_frozen": made.n_frozen, "features": made.source}


MAKERS: dict[str, Callable[[Material, Network, Choices, Copies], Made]] = {
    "frozen": _frozen,
    "siamese": siamese_problem,
    "contrastive": contrastive_problem,
}


def _fronted(table: pd.DataFrame, front: dict[str, str]) -> pd.DataFrame:
    made = table.copy()
    for place, (name, value) in enumerate(front.items()):
        made.insert(place, name, value)
    return made


def _meta(
    material: Material,
    network: Network,
    choices: Choices,
    copies: Copies,
    left_out: pd.DataFrame | None,
) -> dict[str, Any]:
    once = material.pairs.drop_duplicates("pair")
    kinds = (once["split"] + " " + once["label"]).value_counts()
    exemplars = {
        str(part): len({*own["first"], *own["second"]})
        for part, own in material.pairs.groupby("split")
    }
    return {
        "seed": choices.seed,
        "answer": choices.answer,
        "classes": list(material.classes(choices.answer)[0]),
        "network": {
            "name": network.card.name,
            "weights": network.weights,
            "weights_sha256": network.weights_sha256,
        },
        "copies": [one.name for one in copies],
        "redraws": choices.redraws,
        "n_exemplars": exemplars,
        "n_pairs": {str(kind): int(n) for kind, n in kinds.sort_index().items()},
        "n_left_out": 0 if left_out is None else len(left_out),
        "optimizer": "AdamW, one cycle",
        "weight_decay": choices.weight_decay,
        "n_epochs": choices.n_epochs,
        "device": choices.device,
    }
