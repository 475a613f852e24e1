"""Which units some layer predicts, as a learnt step for analyses that come later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_dnn.analyses.encode.choices import Select, UnitChoice
from bids_dnn.analyses.encode.data import images_of, mean_by, without_nuisance
from bids_dnn.analyses.encode.deal import (
    FEWEST,
    deal_within,
    groups_of,
    selection_of,
    share_groups,
)
from bids_dnn.analyses.encode.tables import network_facts
from bids_dnn.analyses.encode.unit_choice import score_by_layers
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.responses import Responses
from bids_dnn.containers.roi import Roi
from bids_dnn.errors import ConfigError, NotEnoughDataError, ShapeError
from bids_dnn.stats.nuisance import nuisance_columns
from bids_dnn.stats.regions import RegionUnits, columns_of, region_units

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
STREAM = 3  # of random numbers, beside those of the folds and the ceilings of encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How units are chosen by their scores on the images of training samples.

    Parameters
    ----------
    rule
        Which of them are taken.
    n_inner : int, at least 2
        Folds of these images, on which units are scored.
    select, alphas
        Penalties, as in `Choices`.
    seed
        The same seed gives the same folds.
    nuisance
        Numeric columns of the sample table, regressed out of the responses as the training
        samples teach it.
    """

    rule: UnitChoice
    n_inner: int = 5
    select: Select = "auto"
    alphas: tuple[float, ...] | None = None
    seed: int = 0
    nuisance: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class EncodingLearner:
    """Choose the units of each region that some layer predicts; a `stats.regions.UnitLearner`.

    Parameters
    ----------
    responses
    regions
        Of the responses.
    grams
        One a layer.
    how
    disturbing : (n_samples, n_nuisance)
        What is regressed out.
    device
        ``cpu`` or ``cuda``.
    say
        Told what is next.
    """

    responses: Responses
    regions: Sequence[RegionUnits]
    grams: Sequence[FeatureGram]
    how: Learning
    disturbing: Array
    device: str
    say: Callable[[str], None]
    shares_runs: bool = False  # so far: whether images of one run taught and scored

    def __call__(self, train: Mask) -> list[Mask]:
        """Return the units of each region that the training samples choose.

        Parameters
        ----------
        train : (n_samples,) bool
            Samples of the responses. Those whose image has no features are passed over.

        Returns
        -------
        marks : n_regions of (n_units_in_region,) bool

        Raises
        ------
        ShapeError
            If `train` has another length.
        NotEnoughDataError
            If there are too few images among them.
        """
        n = len(self.responses.samples)
        if train.shape != (n,):
            raise ShapeError(
                f"The training samples have shape {train.shape}, and there are {n} samples.",
                mend="Give true or false for each sample of the responses.",
            )
        best, at = self._scores(train), self._units()
        places = [np.searchsorted(at, region.units) for region in self.regions]
        return [self.how.rule.choose(best[own]) for own in places]

    def facts(self) -> dict[str, Any]:
        """Return how units are chosen, and by what, JSON-ready."""
        shown = _shown(self.responses)
        known = self._known()
        return {
            "units": asdict(self.how.rule)
            | {
                "n_inner": self.how.n_inner,
                "select": selection_of(self.how.select, self.responses.independence),
                "alphas": None if self.how.alphas is None else list(self.how.alphas),
                "samples_without_features": int((~np.isin(shown, known)).sum()),
                "shares_runs": self.shares_runs,
            },
            "networks": network_facts(self.grams),
        }

    def warnings(self) -> list[str]:
        """Say what lets scores seem higher than they are; to be asked when units were chosen."""
        if not self.shares_runs:
            return []
        return [
            "Units were chosen by inner folds whose images share runs, and so the noise of their "
            "estimates: more units may lie above a threshold than follow a layer. The runs that "
            "are left out had no part in it."
        ]

    def _known(self) -> list[str]:
        """Return the images that have features in every layer, sorted."""
        return sorted(images_of(self.grams))

    def _units(self) -> NDArray[np.intp]:
        """Return the columns of the responses that lie in some region, ascending."""
        return np.unique(np.concatenate([region.units for region in self.regions]))

    def _scores(self, train: Mask) -> Array:
        """Return the highest r of each unit over the layers, of the training samples alone."""
        used = train & np.isin(_shown(self.responses), self._known())
        own = self.responses.select(used)
        stimuli, which = np.unique(_shown(own), return_inverse=True)
        names = [str(one) for one in stimuli]
        self._check(len(names), _shown(self.responses)[train])
        values = columns_of(own.values, self._units())
        if self.disturbing.shape[1]:
            everyone = np.ones(len(values), dtype=np.bool_)
            values = without_nuisance(self.disturbing[used], values, everyone)
        truth = mean_by(values, which, len(names))
        rng = np.random.default_rng([self.how.seed, STREAM])
        groups = groups_of(own, names)
        folds = deal_within(names, groups, n_folds=self.how.n_inner, rng=rng)
        self.shares_runs |= share_groups(folds, groups)
        self.say(f"units by {len(self.grams)} layers, on {len(names)} images")
        return score_by_layers(
            self.grams,
            names,
            truth,
            folds=folds,
            select=selection_of(self.how.select, own.independence),
            alphas=self.how.alphas,
            device=self.device,
        )

    def _check(self, n_images: int, shown: NDArray[np.str_]) -> None:
        """Refuse too few images; `shown` is the image of each training sample."""
        fewest = FEWEST * self.how.n_inner
        if n_images >= fewest:
            return
        what = (
            f"Units are to be chosen on {n_images} images with features, those of {len(shown)} "
            f"training samples, but {self.how.n_inner} inner folds need {fewest}"
        )
        if without := sorted(set(shown.tolist()) - set(self._known()) - {""}):
            raise NotEnoughDataError(
                f"{what}; {len(without)} images without features were shown, such as "
                f"{without[0]!r}.",
                mend="Check the stimulus of each sample against the stimuli folder, or leave "
                "units out.",
            )
        raise NotEnoughDataError(
            f"{what}; {int((shown == '').sum())} of these samples show no image that is known.",
            mend="Ask for fewer under [encode], such as folds = { inner = 3 }, or leave units "
            "out.",
        )


def unit_learner(
    responses: Responses,
    rois: Sequence[Roi],
    grams: Sequence[FeatureGram],
    how: Learning,
    *,
    device: str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> EncodingLearner:
    """Return what chooses units by encoding scores, given the samples that train.

    Responses to the images of the training samples are averaged over those repeats that are
    among these samples; the images are dealt onto inner folds (whole runs together where their
    estimates hang together), each layer predicts each, and a unit's score is its highest r. So
    an image that is also shown in test samples teaches by its training samples alone.

    Parameters
    ----------
    responses
        Whose samples are then said to train or not.
    rois
        On the grid of the responses; where there is none, all units are one region.
    grams
        One a layer.
    how
    device
        ``cpu`` or ``cuda``: where matrices are multiplied.
    progress
        Told when units are scored.

    Returns
    -------
    learner
        A `stats.regions.UnitLearner`.

    Raises
    ------
    ConfigError
        If there is no layer, or no column of that nuisance.
    NotEnoughDataError
        If a region has no measured unit.
    SpaceError
        If a region lies on another grid.

    References
    ----------
    Kay et al. (2008), Nature 452:352, doi:10.1038/nature06713 (voxels of high predictive power).
    """
    if not grams:
        raise ConfigError(
            "There is no layer, and units are chosen by what layers predict.",
            mend="Name layers with --network NAME@LAYER,LAYER.",
        )
    disturbing, _ = nuisance_columns(responses.samples, how.nuisance)
    say = progress or (lambda _: None)
    return EncodingLearner(
        responses, region_units(responses, rois), grams, how, disturbing, device, say
    )


def _shown(responses: Responses) -> NDArray[np.str_]:
    """Return the image of each sample, "" where there is none."""
    return np.asarray(responses.samples["stimulus"].fillna("").astype(str), dtype=np.str_)
