"""Same/different by streams that see the two pictures of a pair as crops, each as a whole input.

Where a pair lies on the canvas is not shown to them: both orientations look alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bids_dnn.analyses.samediff.augment import Copy, Picture
from bids_dnn.analyses.samediff.choices import FOVEAL, Choices
from bids_dnn.analyses.samediff.looking import Trunk, fed, last_map, n_weights, shape_of
from bids_dnn.analyses.samediff.material import Entries, Material
from bids_dnn.analyses.samediff.objectives import Objective, contrastive, cross_entropy
from bids_dnn.analyses.samediff.pairs import Answer
from bids_dnn.analyses.samediff.streams import Distance, Siamese
from bids_dnn.analyses.samediff.training import Inputs, Problem
from bids_dnn.analyses.samediff.transfer import watched_of
from bids_dnn.containers.network import Network
from bids_dnn.errors import ConfigError, NotEnoughDataError

GREY = 125 / 255
SALTED = 0.5  # share of pixels that are black or white
DRAWN = 54  # tells this draw from others of the same seed


class Crops:
    """Gives both pictures of pairs, and what is shown to the fovea.

    Parameters
    ----------
    material
    network
        Its card says how pictures are fed.
    copies
        Of each training pair.
    choices
        ``foveal``, ``redraws``, ``seed`` and ``device`` are used.
    has_fovea
        Whether a third picture is given.
    """

    def __init__(
        self,
        material: Material,
        network: Network,
        copies: Sequence[Copy],
        choices: Choices,
        *,
        has_fovea: bool,
    ) -> None:
        self._material, self._card, self._copies = material, network.card, tuple(copies)
        self._choices, self.n_copies = choices, len(copies)
        rows = range(len(material.pairs) if has_fovea else 0)
        self.foveal = [foveal_picture(material, row, choices) for row in rows]

    def __call__(self, entries: Entries, *, epoch: int) -> Inputs:
        """Return the pictures (n, 3, size, size) of pairs under some augmentation."""
        seed, device = self._choices.seed, self._choices.device
        drawn = epoch if self._choices.redraws else 0
        sides: tuple[list[Picture], list[Picture]] = ([], [])
        for row, which in entries.tolist():
            crops = self._material.crops(row, self._copies, which, seed=seed, epoch=drawn)
            for side, crop in zip(sides, crops, strict=True):
                side.append(crop)
        shown = [*sides]
        if self.foveal:
            shown.append([self.foveal[row] for row in entries[:, 0].tolist()])
        return tuple(fed(one, self._card, device=device) for one in shown)


def foveal_picture(material: Material, row: int, choices: Choices) -> Picture:
    """Return what the fovea is shown while a pair is in the periphery.

    Parameters
    ----------
    material
    row : int
        Of the pair.
    choices
        ``foveal`` says what, ``seed`` which of many.

    Returns
    -------
    picture : (h, w, 3) float32, in [0, 1]
        An exemplar is of the same part of the split, and none of the pair.

    Raises
    ------
    NotEnoughDataError
        If that part of the split has no such exemplar.
    """
    kind = choices.foveal
    grey = np.full(material.pictures.shape[1:], GREY, dtype=np.float32)
    if kind in ("none", "grey"):
        return grey
    rng = np.random.default_rng([choices.seed, DRAWN, row])
    if kind == "noise":
        chance = rng.random(grey.shape[:2])
        grey[chance < SALTED / 2] = 0
        grey[chance > 1 - SALTED / 2] = 1
        return grey
    pairs = material.pairs
    pair = pairs.iloc[row]
    is_own = pairs["category"] == pair["category"]
    own = pairs[(is_own if kind == "same-category" else ~is_own) & (pairs["split"] == pair.split)]
    names = sorted({*own["first"], *own["second"]} - {pair["first"], pair["second"]})
    if not names:
        raise NotEnoughDataError(
            f"There is no exemplar of {kind.replace('-', ' ')} beside the pair {pair['pair']!r} "
            f"among those of {pair['split']}.",
            mend="Add exemplars or categories, or show the fovea grey or noise.",
        )
    name = names[int(rng.integers(len(names)))]
    picture: Picture = material.pictures[material.exemplars.index(name)]
    return picture


def siamese_problem(
    material: Material, network: Network, choices: Choices, copies: Sequence[Copy]
) -> tuple[Problem, dict[str, Any]]:
    """Return the training of a siamese classifier, and facts for the sidecar.

    Parameters
    ----------
    material
    network
        Of which both streams are made, up to a map over space.
    choices
    copies
        Of each training pair.

    Raises
    ------
    ConfigError
        If the network has no map over space, or no such layer.
    NotEnoughDataError
        If there is no exemplar to be shown to the fovea, or one category, which is to be answered.
    """
    layer, n_channels, side = map_of(network, choices.layer)
    has_fovea = choices.foveal != "none"
    n = len(material.classes(choices.answer)[0])

    def stream() -> Trunk:
        return Trunk(network, layer, is_frozen=not choices.trains_trunk)

    def make() -> Siamese:
        fovea = stream() if has_fovea else None
        shape = {"n_channels": n_channels, "side": side, "size_px": network.card.size_px}
        return Siamese(stream(), fovea, **shape, n_classes=n).to(choices.device)

    # Without a foveal stream its picture is not looked at.
    supply = Crops(material, network, copies, choices, has_fovea=True)
    objective = cross_entropy(is_same=choices.answer == "same")
    problem = _problem(material, make, objective, supply, choices.answer)
    kind = choices.foveal
    facts = {"foveal": kind, "fovea_shown": FOVEAL[kind], "feedback": has_fovea}
    return problem, facts | _told(network, layer, choices, n_streams=1 + has_fovea)


def contrastive_problem(
    material: Material, network: Network, choices: Choices, copies: Sequence[Copy]
) -> tuple[Problem, dict[str, Any]]:
    """Return the training of a distance, and facts for the sidecar.

    Parameters
    ----------
    material, network, choices, copies
        As of `siamese_problem`.

    Raises
    ------
    ConfigError
        If the network has no map over space, or no such layer.
    """
    layer, n_channels, _ = map_of(network, choices.layer)

    def make() -> Distance:
        stream = Trunk(network, layer, is_frozen=not choices.trains_trunk)
        return Distance(stream, n_channels=n_channels).to(choices.device)

    supply = Crops(material, network, copies, choices, has_fovea=False)
    problem = _problem(material, make, contrastive(choices.margin), supply, "same")
    return problem, {"margin": choices.margin} | _told(network, layer, choices, n_streams=1)


def _problem(
    material: Material,
    make: Callable[[], Distance | Siamese],
    objective: Objective,
    supply: Crops,
    answer: Answer,
) -> Problem:
    return Problem(
        make=make,
        objective=objective,
        supply=supply,
        train=material.entries("train", supply.n_copies),
        watched=watched_of(material),
        truth=material.classes(answer)[1],
    )


def map_of(network: Network, layer: str = "") -> tuple[str, int, int]:
    """Return a layer that is a map over space, its channels and its side.

    Parameters
    ----------
    network
    layer
        Path of a module; "" = the last such layer.

    Raises
    ------
    ConfigError
        If there is no such layer, or it is no square map.
    """
    if not layer:
        return last_map(network)
    shape = shape_of(network, layer)
    if len(shape) != 3 or shape[1] != shape[2]:
        raise ConfigError(
            f"Layer {layer!r} of {network.card.name} puts out {' x '.join(map(str, shape))}; "
            "channels x height x width of one size were expected.",
            mend="Name a convolution or what follows it.",
        )
    return layer, shape[0], shape[1]


def _told(network: Network, layer: str, choices: Choices, *, n_streams: int) -> dict[str, Any]:
    """Return how many weights of the network stay, and from where the streams start."""
    n_frozen = 0 if choices.trains_trunk else n_streams * n_weights(network, layer)
    return {"layer": layer, "trains_trunk": choices.trains_trunk, "n_frozen": n_frozen}
