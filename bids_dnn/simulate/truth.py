"""What each region answers to: components of a known layer, at a known noise ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bids_dnn import files
from bids_dnn.features.extract import Options, Shown, extract_grams
from bids_dnn.features.models import load_network
from bids_dnn.stimuli.load import Loader

Array = NDArray[np.float64]
Weighting = Literal["variance", "equal"]
NETWORK = "alexnet"
WEIGHTS = "random"
NETWORK_SEED = 0
N_VOXELS = 80
DECIMALS = 4  # scores are rounded, so that the last bit of a product cannot reach a file


@dataclass(frozen=True, slots=True)
class Planted:
    """A region and what moves it.

    Parameters
    ----------
    region
        As in the file names.
    layer
        Of the network; "" for a region of pure noise.
    n_components : int
        How many leading principal components move it, at most 10.
    weighting
        ``variance`` = each component weighs as in the layer; ``equal`` = all weigh the same:
        the largest ones are shared by neighboring layers, so that this tells them apart.
    ceiling : float
        Correlation that a perfect model reaches with the mean over both repeats, after the
        single-trial betas were estimated.
    center : (x, y, z)
        In voxels of the T1w grid.
    """

    region: str
    layer: str
    n_components: int
    weighting: Weighting
    ceiling: float
    center: tuple[float, float, float]


# The layers are three and more apart among AlexNet's convolutions and linear maps.
PLAN = (
    Planted("early", "features.0", 10, "variance", 0.88, (7.5, 4.0, 5.0)),
    Planted("middle", "features.10", 8, "equal", 0.95, (4.0, 9.0, 5.0)),
    Planted("late", "classifier.6", 10, "equal", 0.94, (11.0, 9.0, 5.0)),
    Planted("noise", "", 0, "equal", 0.0, (7.5, 13.5, 6.0)),
)


def score_components(pictures: Mapping[str, Path], scratch: Path) -> dict[str, Array]:
    """Show the pictures to the network and return the components of each planted layer.

    Parameters
    ----------
    pictures
        Stimulus id to file.
    scratch
        A folder with room.

    Returns
    -------
    scores : for each region with a layer (n_stimuli, n_components)
        As `components` gives them.
    """
    planted = [plan for plan in PLAN if plan.layer]
    layers = [plan.layer for plan in planted]
    network = load_network(NETWORK, weights=WEIGHTS, layers=layers, seed=NETWORK_SEED)
    card = network.card
    loader = Loader(
        {name: (path,) for name, path in pictures.items()},
        card.size_px,
        card.resize,
        card.interpolation,
    )
    grams = extract_grams(
        network,
        Shown({name: files.fingerprint(path) for name, path in pictures.items()}, loader),
        layers=layers,
        options=Options(),
        scratch=scratch,
    )
    return {
        plan.region: components(
            gram.gram, n_components=plan.n_components, weighting=plan.weighting
        )
        for plan, gram in zip(planted, grams, strict=True)
    }


def components(gram: Array, *, n_components: int, weighting: Weighting) -> Array:
    """Return the leading principal component scores from a Gram matrix.

    Parameters
    ----------
    gram : (n, n)
        Not centered.
    n_components : int
    weighting
        ``equal`` = every component gets standard deviation 1, ``variance`` = its share of that
        of the first.

    Returns
    -------
    scores : (n, n_components)
        Centered; the first has standard deviation 1; the largest in absolute value of each is
        positive.

    Examples
    --------
    >>> x = np.array([[3.0], [-1.0], [-2.0]])
    >>> components(x @ x.T, n_components=1, weighting="equal").round(2).ravel()
    array([ 1.39, -0.46, -0.93])
    """
    n = len(gram)
    centering = np.eye(n) - 1 / n
    power, vectors = np.linalg.eigh(centering @ gram @ centering)
    power, vectors = power[::-1][:n_components], vectors[:, ::-1][:, :n_components]
    peak = vectors[np.abs(vectors).argmax(axis=0), np.arange(n_components)]
    share = np.ones(n_components) if weighting == "equal" else np.maximum(power, 0) / power[0]
    scores = vectors * np.sign(peak) * np.sqrt(n * share)
    return np.asarray(scores.round(DECIMALS))


def mix(scores: Array, rng: np.random.Generator) -> Array:
    """Return what each voxel answers to each stimulus, as a random mixture of components.

    Parameters
    ----------
    scores : (n_stimuli, n_components)

    Returns
    -------
    amplitudes : (n_stimuli, N_VOXELS)
        Mean 0 and standard deviation 1 over the stimuli.
    """
    mixed = scores @ rng.normal(size=(scores.shape[1], N_VOXELS))
    mixed -= mixed.mean(axis=0)
    return np.asarray(mixed / mixed.std(axis=0))


def noise_for(ceiling: float, error: float) -> float:
    """Return the noise that lets a perfect model of the mean over repeats reach `ceiling`.

    Parameters
    ----------
    ceiling : float
        Correlation.
    error : float
        Variance of the mean over repeats of a stimulus' betas, where the noise has variance 1
        and the amplitudes have variance 1.

    Returns
    -------
    noise_sd : float
        In standard deviations of the amplitudes.
    """
    return float(np.sqrt((1 / ceiling**2 - 1) / error))


def truth_table(participants: Sequence[str]) -> list[dict[str, str]]:
    """Return one row for each participant and region."""
    return [
        {
            "participant": participant,
            "region": plan.region,
            "network": NETWORK if plan.layer else "n/a",
            "weights": f"{WEIGHTS} (seed {NETWORK_SEED})" if plan.layer else "n/a",
            "layer": plan.layer or "n/a",
            "n_components": str(plan.n_components),
            "weighting": plan.weighting if plan.layer else "n/a",
            "ceiling": str(plan.ceiling) if plan.layer else "n/a",
            "n_voxels": str(N_VOXELS),
        }
        for participant in participants
        for plan in PLAN
    ]


def write_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    with files.writing(path) as aside:
        picture.save(aside, format="PNG", optimize=False)
