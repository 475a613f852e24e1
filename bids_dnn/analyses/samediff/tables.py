"""The tables of a same/different result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bids_dnn.analyses.samediff.chance import Exchange, exchange, exchange_classes, interval
from bids_dnn.analyses.samediff.pairs import ANSWERS, LABELS, Answer, names_of
from bids_dnn.analyses.samediff.pairs import COLUMNS as PAIR_COLUMNS
from bids_dnn.stats.inference import fdr

if TYPE_CHECKING:
    from bids_dnn.analyses.samediff.training import Judged

BOTH, EVERY = "both", "all"
COLUMNS = {
    "network": "Name of the network.",
    "variant": "How pairs are judged: frozen, siamese or contrastive.",
    "orientation": "normal = first upper right, second lower left; inverted = first upper left, "
    "second lower right; both = the two together.",
    "category": "Category of both exemplars; all = every category together.",
    "accuracy": "Share of test pairs that were judged rightly, in [0, 1].",
    "balanced_accuracy": "Mean of the shares of right answers to same and to different, or to "
    "each category.",
    "chance": "Mean accuracy over all exchanges of labels among pairs of a category: what these "
    "answers would get if labels meant nothing. 0.5 where labels are balanced.",
    "ci_low": "Lower end of the 95 % bootstrap interval of accuracy over pairs of exemplars, for "
    "one trained network: training itself is not repeated.",
    "ci_high": "Upper end of that interval.",
    "p": "Share of all exchanges of labels among pairs of exemplars (within category, counted "
    "exactly) with at least this accuracy. Copies of a pair are exchanged together. Where the "
    "category is answered: of random exchanges of categories, and of the accuracy of pairs that "
    "show one exemplar twice, as those share none.",
    "p_corrected": "p adjusted for the false discovery rate over the rows of a variant.",
    "p_floor": "One over the number of exchanges: the p of answers without a mistake, or the "
    "smallest of random exchanges.",
    "n_pairs": "Pairs of exemplars in the test.",
    "n_shown": "Pairs as they were shown: those in each orientation count.",
    "split": "train, validation or test; exemplars are in one of them only.",
    "epoch": "Epochs of training done; 0 = before.",
    "loss": "Loss of the plain pair.",
    "truth": "What was shown.",
    "guess": "What the network answered.",
    "count": "How many pairs as they were shown.",
    "rank": "1 = greatest loss of the test.",
    "pair": "Both exemplars; the same name for both orders and orientations.",
    "first": "Exemplar shown first.",
    "second": "Exemplar shown second.",
    "label": "same = one exemplar twice.",
    "evidence": "Above 0 the answer is same; of categories, how far ahead the answer is; see the "
    "sidecar.",
    "rate": "Highest rate of the cycle, or the rate of a step of the range test.",
    "smoothed": "Running mean of the loss of batches.",
    "batch_size": "Pairs of a step.",
    "is_chosen": "Whether training used it.",
}
EXTRA_COLUMNS = {
    "curves": {
        "loss": "Mean loss over the plain pairs of the part, in evaluation mode.",
        "accuracy": "Share of them that were judged rightly.",
    },
    "rates": {"loss": "Mean loss of the batch, before the step."},
    "batch_sizes": {
        "loss": "Mean loss over the validation pairs after the last epoch of the trial.",
        "accuracy": "Share of them that were judged rightly.",
    },
}


def judged_table(pairs: pd.DataFrame, said: Judged, names: Sequence[str]) -> pd.DataFrame:
    """Return each pair with the answer to it.

    Parameters
    ----------
    pairs : n_pairs rows
    said : of n_pairs
    names
        Of the classes.
    """
    guess = np.array(names, dtype=object)[said.guess]
    kept = pairs[[*PAIR_COLUMNS, "split"]]
    return kept.assign(guess=guess, evidence=said.evidence, loss=said.loss)


def score_table(judged: pd.DataFrame, *, seed: int, answer: Answer = "same") -> pd.DataFrame:
    """Return the scores of each orientation and category, and of all together.

    Parameters
    ----------
    judged
        Pairs of the test; see `judged_table`.
    seed : int
        Of the bootstrap, and of exchanges of categories.
    answer
        What was answered; where that is the category, there is no row for each.
    """
    made = {"same": _scores, "category": _category_scores}[answer]
    rows = [
        {"orientation": way, "category": category, **made(part, seed)}
        for way, category, part in _parts(judged, is_by_category=answer == "same")
    ]
    table = pd.DataFrame(rows)
    place = list(table.columns).index("p") + 1
    table.insert(place, "p_corrected", fdr(table["p"].to_numpy(float)))
    return table


def _parts(
    judged: pd.DataFrame, *, is_by_category: bool
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Give each part that has a row of its own, the whole first."""
    ways, categories = ([*dict.fromkeys(judged[name])] for name in ("orientation", "category"))
    categories = categories if is_by_category else [EVERY]
    for way in [BOTH, *ways] if len(ways) > 1 else ways:
        shown = judged if way == BOTH else judged[judged["orientation"] == way]
        for category in [EVERY, *categories] if len(categories) > 1 else categories:
            part = shown if category == EVERY else shown[shown["category"] == category]
            if len(part):
                yield way, category, part


def _scores(part: pd.DataFrame, seed: int) -> dict[str, float | int]:
    is_same = (part["label"] == LABELS[1]).to_numpy(bool)
    says_same = (part["guess"] == LABELS[1]).to_numpy(bool)
    is_right = is_same == says_same
    pairs, categories = part["pair"].tolist(), part["category"].tolist()
    found = exchange(says_same, is_same, pairs=pairs, strata=categories)
    strata = list(zip(categories, part["label"], strict=True))
    low, high = interval(is_right, pairs=pairs, strata=strata, seed=seed)
    shares = [is_right[own].mean() if own.any() else np.nan for own in (is_same, ~is_same)]
    return _row(part, is_right, float(np.mean(shares)), found, (low, high))


def _category_scores(part: pd.DataFrame, seed: int) -> dict[str, float | int]:
    truth, guess = (part[name].to_numpy(str) for name in ("category", "guess"))
    is_right, pairs = truth == guess, part["pair"].tolist()
    alone = (part["label"] == LABELS[1]).to_numpy(bool)  # pairs that share no exemplar
    found = exchange_classes(guess, truth, pairs=pairs, tested=alone, seed=seed)
    low, high = interval(is_right, pairs=pairs, strata=truth.tolist(), seed=seed)
    balanced = float(np.mean([is_right[truth == one].mean() for one in set(truth)]))
    return _row(part, is_right, balanced, found, (low, high))


def _row(
    part: pd.DataFrame,
    is_right: NDArray[np.bool_],
    balanced: float,
    found: Exchange,
    ends: tuple[float, float],
) -> dict[str, float | int]:
    return {
        "accuracy": float(is_right.mean()),
        "balanced_accuracy": balanced,
        "chance": found.chance,
        "ci_low": ends[0],
        "ci_high": ends[1],
        "p": found.p,
        "p_floor": found.p_floor,
        "n_pairs": int(part["pair"].nunique()),
        "n_shown": len(part),
    }


def confusion_table(judged: pd.DataFrame, *, answer: Answer = "same") -> pd.DataFrame:
    """Return how often each class was taken for which, by orientation.

    Parameters
    ----------
    judged
        Pairs of the test.
    answer
        What was answered.
    """
    rows, names, column = [], names_of(judged, answer), ANSWERS[answer]
    for way in dict.fromkeys(judged["orientation"]):
        own = judged[judged["orientation"] == way]
        for truth in names:
            for guess in names:
                count = int(((own[column] == truth) & (own["guess"] == guess)).sum())
                rows.append((way, truth, guess, count))
    return pd.DataFrame(rows, columns=["orientation", "truth", "guess", "count"])


def top_losses(judged: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the pairs of greatest loss, the greatest first.

    Parameters
    ----------
    judged
        Pairs of the test.
    n : int
        At most.
    """
    order = np.argsort(-judged["loss"].to_numpy(float), kind="stable")[:n]
    made = judged.iloc[order].drop(columns="split").reset_index(drop=True)
    made.insert(0, "rank", np.arange(1, len(made) + 1))
    return made
