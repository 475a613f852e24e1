"""Decode conditions from the features of layers, under noise, as from a region's pattern."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.decode.choices import Interval
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.comparisons import Comparison, parse_known
from bids_dnn.analyses.decode.noise import (
    Clean,
    Noise,
    axes_of,
    check_snr,
    clean_of,
    draw_noise,
)
from bids_dnn.analyses.decode.permutation import Labelings, labelings
from bids_dnn.analyses.decode.predict import Learner, predict
from bids_dnn.analyses.decode.prepare import Patterns, Preparation
from bids_dnn.analyses.decode.scoring import scores_of
from bids_dnn.analyses.decode.tasks import Task
from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats import leakage
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.kernels import centered

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
METRIC = "balanced_accuracy"  # accuracy where sides have as many stimuli
PLAIN = Preparation()


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinChoices:
    """The settings of [twin], by name, and those of [decode] that hold for networks too.

    Parameters
    ----------
    comparisons
        See `comparisons.parse`.
    seed
        The same seed gives the same numbers; those of a layer do not depend on which others are
        asked for, but for `p_corrected` and `p_fdr`.
    snr : above 0
        Signal-to-noise ratios: mean squared distance of the training stimuli from their mean,
        over the expected squared length of the noise; inf = no noise.
    n_draws : int, at least 1
        Of the noise.
    n_null_draws : int, at least 1
        The first of these, over which the null distribution is taken; p is that of the mean over
        them.
    n_components : int, at least 1
        Principal components of the training stimuli; None = all features.
    noise
        See `noise.clean_of`.
    n_folds : int, at least 2
        Of the stimuli.
    n_permutations : int, at least 1
    classifier
        Costs are for dimensions (features, or components) of unit variance on average.
    interval
        ``t`` = corrected resampled t over folds; ``bootstrap`` = over stimuli.

    Raises
    ------
    ConfigError
        If a number is too small, or `snr` holds no ratios.
    """

    comparisons: tuple[str, ...]
    seed: int
    snr: tuple[float, ...] = (math.inf, 4.0, 2.0, 1.0, 0.5)
    n_draws: int = 20
    n_null_draws: int = 5
    n_components: int | None = 100
    noise: Noise = "isotropic"
    n_folds: int = 5
    n_permutations: int = 1000
    classifier: Classifier = field(default_factory=Classifier)
    interval: Interval = "t"

    def __post_init__(self) -> None:
        check_snr(self.snr)
        least = {"n_draws": 1, "n_null_draws": 1, "n_permutations": 1, "n_folds": 2}
        if self.n_components is not None:
            least["n_components"] = 1
        for name, number in least.items():
            if getattr(self, name) < number:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be at least {number}.",
                    mend="Set it under [twin] in analysis.toml.",
                )


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One comparison in one layer at one level of noise.

    Parameters
    ----------
    network, layer, snr
    task
        The comparison, with folds and labelings over all stimuli.
    scores : (n_draws,)
        Balanced accuracy in each draw of the noise; of one where there is no noise.
    null : (n_labelings,)
        Its mean over the first draws under each labeling; the first labeling is as it was.
    right : (n_stimuli,)
        Share of draws in which a stimulus was named rightly.
    n_dimensions : int
        Features or components; the median over folds.
    """

    network: str
    layer: str
    snr: float
    task: Task
    scores: Array
    null: Array
    right: Array
    n_dimensions: int


def decode_network(
    grams: Sequence[FeatureGram],
    conditions: Mapping[str, str],
    choices: TwinChoices,
    *,
    progress: Callable[[str], None] | None = None,
) -> list[Trial]:
    """Tell conditions apart from the features of each layer, under each level of noise.

    Stimuli are dealt onto folds, those of each condition evenly. In each fold, features are
    centered and reduced as its training stimuli of all conditions teach, noise is added to all
    stimuli, and patterns are multiplied by one number, so that the training stimuli vary by one
    on average over dimensions. A draw of noise is one for all folds, levels (but for its
    strength) and labelings. Labels are exchanged within folds, which keeps as many stimuli of
    each side in each fold, as the folds were dealt; the same exchange for all layers and levels.

    Parameters
    ----------
    grams
        One a layer. Where one asks for `n_components` too, the smaller number counts.
    conditions
        By stimulus.
    choices
    progress
        Told what is next.

    Returns
    -------
    trials
        By layer, level of noise and comparison, in this order.

    Raises
    ------
    ConfigError
        If there is no layer, or a comparison names what does not exist.
    MissingInputError
        If a stimulus has no features.
    NotEnoughDataError
        If there are fewer than two conditions or stimuli of a side, or a layer's features do not
        differ.
    """
    if not grams:
        raise ConfigError(
            "There is no layer to decode from.", mend="Name layers with --network NAME@LAYER."
        )
    say = progress or (lambda _: None)
    stimuli = sorted(conditions)
    folds, tasks = tasks_of([conditions[one] for one in stimuli], stimuli, choices)
    made: list[Trial] = []
    for number, gram in enumerate(grams, start=1):
        say(f"decode {gram.network} {gram.layer} ({number} of {len(grams)})")
        made += _Layer(gram, stimuli, folds, tasks, choices).trials()
    return made


def tasks_of(
    conditions: Sequence[str], stimuli: Sequence[str], choices: TwinChoices
) -> tuple[list[Fold], list[Task]]:
    """Deal stimuli onto folds, and prepare each comparison but those of cross-decoding.

    Comparisons of conditions without stimuli are left out, where others are there.

    Parameters
    ----------
    conditions, stimuli : n_stimuli
        Each stimulus once.
    choices

    Returns
    -------
    folds, tasks

    Raises
    ------
    ConfigError
        If all comparisons name what does not exist.
    NotEnoughDataError
        If there are fewer than two conditions, or stimuli of a side, or no comparison is left.
    """
    known, _ = parse_known(choices.comparisons, conditions)
    parsed = [one for one in known if not one.is_crossed]
    if not parsed:
        raise NotEnoughDataError(
            f"All of the {len(choices.comparisons)} comparisons are tested on other samples than "
            "those that teach, which is done for regions only.",
            mend="Name others under twin.comparisons in analysis.toml.",
        )
    fold_of = deal(conditions, choices.n_folds, _rng(choices.seed, "folds"))
    names = np.unique(fold_of)
    if len(names) < 2:
        raise NotEnoughDataError(
            f"{len(stimuli)} stimuli make {len(names)} fold(s), and decoding needs two.",
            mend="Show more stimuli, or leave --analysis twin out.",
        )
    folds = [Fold(str(k + 1), fold_of != k, fold_of == k) for k in names]
    leakage.check(folds, groups=list(stimuli), what="stimuli")
    return folds, [_task(one, conditions, folds, fold_of, choices) for one in parsed]


def deal(conditions: Sequence[str], n_folds: int, rng: np.random.Generator) -> Codes:
    """Deal stimuli onto folds at random, those of each condition evenly.

    Parameters
    ----------
    conditions : (n,)
    n_folds : int
    rng

    Returns
    -------
    fold_of : (n,)
        The numbers of stimuli of two folds differ by one at most, and so do those of each
        condition.

    Examples
    --------
    >>> fold_of = deal(["a", "b"] * 4, 4, np.random.default_rng(0))
    >>> sorted(fold_of[::2].tolist()), sorted(fold_of[1::2].tolist())
    ([0, 1, 2, 3], [0, 1, 2, 3])
    """
    names = np.asarray(conditions, dtype=object).astype(str)
    order = np.lexsort((rng.random(len(names)), names))
    fold_of = np.empty(len(names), dtype=np.intp)
    fold_of[order] = np.arange(len(names)) % n_folds
    return fold_of


def _task(
    comparison: Comparison,
    conditions: Sequence[str],
    folds: Sequence[Fold],
    fold_of: Codes,
    choices: TwinChoices,
) -> Task:
    side_of = comparison.side_of
    labels = np.array([side_of.get(one, -1) for one in conditions], dtype=np.intp)
    counts = np.bincount(labels[labels >= 0], minlength=len(comparison.sides))
    if counts.min() < 2:
        side = comparison.labels[int(counts.argmin())]
        raise NotEnoughDataError(
            f"{side!r} has {counts.min()} stimulus, and the comparison {comparison.name!r} needs "
            "two of each side, one to learn from and one to test.",
            mend="Show more stimuli, or name other comparisons under twin.comparisons in "
            "analysis.toml.",
        )
    rows = np.flatnonzero(labels >= 0)
    rng = _rng(choices.seed, comparison.name)
    drawn = labelings(
        labels[rows],
        np.unique(fold_of[rows], return_inverse=True)[1].astype(np.intp),
        units=np.arange(len(rows), dtype=np.intp),
        n_permutations=choices.n_permutations,
        rng=rng,
    )
    codes = np.full((len(drawn.codes), len(labels)), -1, dtype=np.intp)
    codes[:, rows] = drawn.codes
    return Task(
        comparison=comparison,
        labels=labels,
        groups=fold_of,
        folds=[fold for fold in folds if (labels[fold.test] >= 0).any()],
        labelings=Labelings(codes, drawn.enumerated),
        taught=codes,
        is_balanced=bool(counts.min() == counts.max()),
        seed=int(rng.integers(2**32)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A layer, and what is asked of it."""

    gram: FeatureGram
    stimuli: Sequence[str]
    folds: Sequence[Fold]
    tasks: Sequence[Task]
    choices: TwinChoices

    def trials(self) -> list[Trial]:
        """Decode each comparison under each level of noise."""
        gram, choices = self.gram.take(self.stimuli), self.choices
        axes = axes_of(gram, self.gram.n_features)
        n = self._n_components()
        clean = [
            clean_of(gram, fold.train, axes, n_components=n, noise=choices.noise)
            for fold in self.folds
        ]
        size = int(np.median([one.n_dimensions for one in clean]))
        found: dict[tuple[float, int], list[tuple[Array, Array]]] = {}
        for number in range(choices.n_draws):
            rng = _rng(choices.seed, f"{self.gram.network}/{self.gram.layer}", number)
            draw = draw_noise(axes, rng)
            for snr in choices.snr:
                if math.isinf(snr) and number:
                    continue  # nothing is drawn
                patterns = {
                    fold.name: scaled_patterns(one, one.noisy(snr, draw), fold)
                    for fold, one in zip(self.folds, clean, strict=True)
                }
                n_labelings = None if number < choices.n_null_draws else 1
                for place, task in enumerate(self.tasks):
                    made = self._decode(task, patterns, n_labelings)
                    found.setdefault((snr, place), []).append(made)
        return [
            self._trial(snr, task, found[snr, place], size)
            for snr in choices.snr
            for place, task in enumerate(self.tasks)
        ]

    def _trial(
        self, snr: float, task: Task, found: Sequence[tuple[Array, Array]], size: int
    ) -> Trial:
        null = [score for score, _ in found[: self.choices.n_null_draws]]
        return Trial(
            self.gram.network,
            self.gram.layer,
            snr,
            task,
            scores=np.array([score[0] for score, _ in found]),
            null=np.mean(null, axis=0),
            right=np.mean([right for _, right in found], axis=0),
            n_dimensions=size,
        )

    def _n_components(self) -> int | None:
        told = [self.choices.n_components, self.gram.n_components or None]
        return min((one for one in told if one is not None), default=None)

    def _decode(
        self, task: Task, patterns: Mapping[str, Patterns], n_labelings: int | None
    ) -> tuple[Array, Array]:
        """Return the score under each labeling, and whether each stimulus was named rightly."""
        codes, n_classes = task.labelings.codes[:n_labelings], len(task.comparison.sides)
        made = predict(
            [patterns[fold.name] for fold in task.folds],
            task.folds,
            codes,
            Learner((self.choices.classifier,), PLAIN),
            groups=task.groups,
            n_classes=n_classes,
            has_values=False,
        )
        score = scores_of(METRIC, codes, made, task.folds, n_classes=n_classes)
        return score, (made.guess[0] == task.labels).astype(np.float64)


def scaled_patterns(clean: Clean, gram: Array, fold: Fold) -> Patterns:
    """Return a fold's patterns, of unit variance over the training stimuli on average.

    Parameters
    ----------
    clean
        As it was before noise.
    gram : (n, n)
        With noise.
    fold
    """
    spread = float(np.diagonal(centered(gram, fold.train))[fold.train].mean())
    runs = np.zeros(len(gram), dtype=np.intp)
    n = clean.n_dimensions
    return Patterns((n / spread) * gram, None, n, runs, fold.train)


def _rng(seed: int, name: str, number: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])
