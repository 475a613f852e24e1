"""What every layer is fitted to: responses to images, folds of images, noise ceilings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.deal import FEWEST, deal
from bids_dnn.analyses.encode.explained import Showings, showings_of
from bids_dnn.analyses.encode.select import Selection
from bids_dnn.analyses.encode.solvers import lesson_of
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.ceiling import by_fev, ceiling_of, ncsnr, split_half
from bids_dnn.stats.folds import Fold
from bids_dnn.stats.nuisance import nuisance_columns, taught_slopes
from bids_dnn.stats.regions import RegionUnits, columns_of, region_means, region_units
from bids_dnn.stats.repeats import averages

Array = NDArray[np.float64]
Values = NDArray[np.floating[Any]]
BLOCK = 1024
TARGETS = ("units", "mean")
CEILINGS: dict[str, Callable[[NDArray[np.float32], Sequence[str], int], Array]] = {
    "ncsnr": lambda values, stimuli, _: ncsnr(values, stimuli),
    "fev": lambda values, stimuli, _: by_fev(values, stimuli),
    "split-half": lambda values, stimuli, seed: split_half(
        values, stimuli, np.random.default_rng([seed, 2])
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What all layers are fitted to.

    Parameters
    ----------
    truth : (n_stimuli, n_units + n_regions) float32
        Responses averaged over repeats, of the units of all regions; then the mean of each
        region's units.
    stimuli : n_stimuli
        Sorted.
    folds
        Over stimuli.
    inner
        For each fold, folds over its training stimuli.
    regions
        Each with its columns of `truth`.
    units : (n_units,)
        Columns of the responses that `truth` holds.
    reliability : (n_units + n_regions,)
        Share of signal in the variance of the responses that are tested; NaN where it cannot be
        told.
    select
        How penalties are chosen.
    showings
        How single responses to the tested images vary; None where no image repeats.
    teaching
        For each fold, the responses (as `truth`) less the nuisance as its training
        images teach it, of which `truth` holds the test images; None where no nuisance is
        regressed out.
    cleaning
        For each fold, the factors of `taught_slopes` that take the nuisance of images (mean over
        repeats) out of responses to them; empty where there is none. See `under_null`.
    warnings
        Of the nuisance.
    shares_runs
        Whether images of training and test folds were estimated in one run together, as there
        are not enough runs that share no image.
    keeps_runs
        Whether images of a run were to go together.
    """

    truth: NDArray[np.float32]
    stimuli: tuple[str, ...]
    folds: list[Fold]
    inner: list[list[Fold]]
    regions: list[tuple[RegionUnits, NDArray[np.intp]]]
    units: NDArray[np.intp]
    reliability: Array
    select: Selection
    showings: Showings | None = None
    teaching: tuple[NDArray[np.float32], ...] | None = None
    cleaning: tuple[tuple[Array, Array], ...] = ()
    warnings: tuple[str, ...] = ()
    shares_runs: bool = False
    keeps_runs: bool = False

    @property
    def n_units(self) -> int:
        """How many columns of `truth` are units."""
        return len(self.units)

    def mean_of(self, place: int) -> NDArray[np.intp]:
        """Return the column of `truth` that holds the mean of a region, by its place."""
        return np.array([self.n_units + place], dtype=np.intp)

    def places(self) -> list[tuple[RegionUnits, str, NDArray[np.intp]]]:
        """Return what is scored: each region's units, then its mean, with columns of `truth`."""
        return [
            (region, target, columns)
            for place, (region, own) in enumerate(self.regions)
            for target, columns in zip(TARGETS, (own, self.mean_of(place)), strict=True)
        ]

    def tested(self) -> NDArray[np.bool_]:
        """Mark the stimuli that some fold tests, (n_stimuli,)."""
        marks: NDArray[np.bool_] = np.any([fold.test for fold in self.folds], axis=0)
        return marks

    def taught(self, place: int) -> NDArray[np.float32]:
        """Return the responses (as `truth`) from which a fold learns, by the fold's place."""
        return lesson_of(self.truth, self.teaching, place)

    def training_means(self) -> list[Array]:
        """Return the mean response of the training images of each fold."""
        return [
            self.taught(f)[fold.train].mean(axis=0, dtype=np.float64)
            for f, fold in enumerate(self.folds)
        ]

    def under_null(self, operator: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an operator that takes the nuisance out again, of exchanged responses too.

        Cleaned responses are orthogonal to the nuisance, exchanged ones are not: without this
        the null would be wider than the data where features go with the nuisance.

        Parameters
        ----------
        operator : (n_stimuli, n_stimuli)
            From responses to predictions, zero within a fold.

        References
        ----------
        Freedman & Lane (1983), J. Bus. Econ. Stat. 1:292, doi:10.1080/07350015.1983.10509354.
        """
        if not self.cleaning:
            return operator
        total = np.zeros_like(operator)
        for fold, (shape, weights) in zip(self.folds, self.cleaning, strict=True):
            # of the predictions; then of the responses
            part = operator[fold.test].astype(np.float64)
            part[:, fold.train] -= (part @ shape) @ weights
            total[fold.test] += part
            total[fold.train] -= weights.T @ (shape[fold.test].T @ part)
        return total

    def predicted(self) -> NDArray[np.intp] | slice:
        """Return the images whose rows of an operator `under_null` are not zero, to index with.

        With a given split and no nuisance these are the test images, which may be few.
        """
        tested = self.tested()
        return slice(None) if tested.all() or self.cleaning else np.flatnonzero(tested)

    def ceiling(self) -> Array:
        """Return the noise ceiling of r for each column of `truth`; NaN where there is none."""
        return ceiling_of(self.reliability)

    def ceiling_in(self, columns: NDArray[np.intp]) -> float:
        """Return the noise ceiling of a region: of its units' mean reliability.

        Units whose estimate falls below zero count, so that a region of noise has no ceiling.
        """
        known = self.reliability[columns]
        known = known[np.isfinite(known)]
        return float(ceiling_of(known.mean(keepdims=True))[0]) if known.size else np.nan


def images_of(grams: Sequence[FeatureGram]) -> set[str]:
    """Return the images that have features in every layer."""
    return set.intersection(*(set(gram.stimuli) for gram in grams)) - {""}


def used_samples(
    responses: Responses, grams: Sequence[FeatureGram], choices: Choices
) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Mark the samples whose image has features in every layer, and count the others.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than four such images for each fold, or for training and for test.
    """
    shown = responses.samples["stimulus"].fillna("").astype(str)
    known = images_of(grams)
    used = shown.isin(known).to_numpy(dtype=np.bool_)
    without = sorted(set(shown) - known - {""})
    left_out = {
        "samples_without_stimulus": int((shown == "").sum()),
        "samples_without_features": int((~used).sum() - (shown == "").sum()),
        "stimuli_without_features": without,
        "stimuli_without_samples": len(known - set(shown)),
    }
    if choices.split is not None:
        dealt = shown.map(choices.split).isin(("train", "test")).to_numpy(dtype=np.bool_)
        left_out["stimuli_without_split"] = int(shown[used & ~dealt].nunique())
        used = used & dealt
    n = shown[used].nunique()
    if choices.split is None and n < FEWEST * choices.n_folds:
        raise NotEnoughDataError(
            f"{n} images have both responses and features, and {choices.n_folds} folds need "
            f"{FEWEST * choices.n_folds}; {len(without)} images with responses lack features"
            + (f", such as {without[0]!r}." if without else "."),
            mend="Check the stim_file column of the events against the stimuli folder, or ask "
            "for fewer folds (encode.folds in analysis.toml).",
        )
    return used, left_out


def prepare(responses: Responses, rois: Sequence[Roi], choices: Choices) -> Data:
    """Average over repeats, deal images onto folds, and estimate noise ceilings.

    Parameters
    ----------
    responses
        Samples with a stimulus only.
    rois
        On the grid of the responses.
    choices

    Raises
    ------
    NotEnoughDataError
        If there are fewer images than folds, or a region has no measured unit.
    LeakageError
        If a fold shares an image between training and test.
    ConfigError
        If there is no column of that nuisance.
    """
    found = region_units(responses, rois)
    units = np.unique(np.concatenate([region.units for region in found]))
    regions = [(region, np.searchsorted(units, region.units)) for region in found]
    shown = responses.samples["stimulus"].astype(str).to_list()
    stimuli, which = np.unique(np.asarray(shown), return_inverse=True)
    names = [str(one) for one in stimuli]
    values = _with_means(columns_of(responses.values, units), [own for _, own in regions])
    dealt = deal(responses, names, choices)
    disturbing, warnings = nuisance_columns(responses.samples, choices.nuisance)
    truth = mean_by(values, which, len(names))
    teaching, repeated = None, values
    cleaning: tuple[tuple[Array, Array], ...] = ()
    if disturbing.shape[1]:
        teaching = tuple(
            mean_by(without_nuisance(disturbing, values, fold.train[which]), which, len(names))
            for fold in dealt.folds
        )
        for fold, lesson in zip(dealt.folds, teaching, strict=True):
            rows = fold.test if len(dealt.folds) > 1 else fold.train | fold.test
            truth[rows] = lesson[rows]
        of_images = _known_mean(disturbing, which, len(names))
        cleaning = tuple(taught_slopes(of_images, fold.train) for fold in dealt.folds)
        repeated = without_nuisance(disturbing, values, np.ones(len(which), dtype=np.bool_))
    tested = np.any([fold.test for fold in dealt.folds], axis=0)[which]
    repeated = repeated if tested.all() else repeated[tested]
    return Data(
        truth=truth,
        stimuli=tuple(names),
        folds=dealt.folds,
        inner=dealt.inner,
        regions=regions,
        units=units,
        reliability=CEILINGS[choices.ceiling](
            repeated,
            [name for name, keep in zip(shown, tested, strict=True) if keep],
            choices.seed,
        ),
        select=dealt.select,
        showings=showings_of(repeated, which[tested], len(names)),
        teaching=teaching,
        cleaning=cleaning,
        warnings=tuple(warnings),
        shares_runs=dealt.shares_runs,
        keeps_runs=responses.independence == "run",
    )


def _with_means(values: Values, regions: Sequence[NDArray[np.intp]]) -> NDArray[np.float32]:
    """Return responses of units (n, n_units), and the mean of each region's in further columns."""
    n_units = values.shape[1]
    made = np.empty((len(values), n_units + len(regions)), dtype=np.float32)
    made[:, :n_units] = values
    made[:, n_units:] = region_means(values, regions)
    return made


def mean_by(values: NDArray[np.float32], which: NDArray[np.intp], n: int) -> NDArray[np.float32]:
    """Average over the repeats of each image, in double precision: (n, n_units).

    Parameters
    ----------
    values : (n_samples, n_units)
    which : (n_samples,)
        Number of each sample's image.
    n : int
        Images.
    """
    average = averages(which, n)
    out = np.empty((n, values.shape[1]), dtype=np.float32)
    for start in range(0, values.shape[1], BLOCK):
        where = slice(start, start + BLOCK)
        out[:, where] = average @ values[:, where].astype(np.float64)
    return out


def without_nuisance(
    nuisance: Array, values: NDArray[np.float32], train: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Take the nuisance out of responses (n_samples, n_units), as some of the samples teach it.

    Parameters
    ----------
    nuisance : (n_samples, n_nuisance)
    values : (n_samples, n_units)
    train : (n_samples,) bool
    """
    shape, weights = taught_slopes(nuisance, train)
    out = np.empty_like(values)
    for start in range(0, values.shape[1], BLOCK):
        block = values[:, start : start + BLOCK].astype(np.float64)
        out[:, start : start + BLOCK] = block - shape @ (weights @ block[train])
    return out


def _known_mean(nuisance: Array, which: NDArray[np.intp], n: int) -> Array:
    """Average over the repeats of each image that have a value: (n, n_nuisance), NaN = none."""
    made = np.full((n, nuisance.shape[1]), np.nan)
    for column, one in enumerate(nuisance.T):
        known = np.isfinite(one)
        count = np.bincount(which[known], minlength=n)
        total = np.bincount(which[known], one[known], minlength=n)
        np.divide(total, count, out=made[:, column], where=count > 0)
    return made
