"""Two tasks that the cortex with known receptive fields sees: objects at places, and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bids_dnn.simulate.cortex import DISKS, Half
from bids_dnn.simulate.pictures import draw_pictures
from bids_dnn.simulate.timing import DURATION_S, FIRST_ONSET_S, T_R_S, Run

Array = NDArray[np.float64]
POSITIONS_TASK = "positions"
LOCALIZER_TASK = "loc"
POSITIONS = {"fovea": (0.0, 0.0), **DISKS}
CATEGORIES = ("Face", "House")
CONDITIONS = tuple(f"{place}{category}" for place in POSITIONS for category in CATEGORIES)
BLOCKS = ("face", "object")
FOLDER = "positions"
N_EXEMPLARS = 4
N_RUNS = 6
N_LOCALIZER_RUNS = 2
PER_RUN = 2  # trials of each condition
N_BLOCKS = 3  # of each kind, in a run
BLOCK_S = 12.0
PAUSE_S = 6.0
SOA_S = 4.5
LAST_REST_S = 12.0
JITTER_S = (-0.5, 0.0, 0.5)
FIELD_DEG = 16.0  # side of a picture
CANVAS_PX = 128
OBJECT_PX = 28  # 3.5 degrees
GRAY = (125, 125, 125)
STIMULUS_SD_DEG = 1.2
BLOCK_SD_DEG = 3.0
STRENGTH = 2.0  # of a vertex whose field is centered on the stimulus, in percent
PATTERN = 0.8  # by how much categories differ in a vertex, of its strength
PREFERENCE = {"face": 2.0, "other": 0.5}  # what the cluster answers, in percent
PERIPHERAL_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Protocol:
    """One run of a task.

    Parameters
    ----------
    task
        As in the file names.
    conditions
        What the numbers in ``run.stimuli`` stand for.
    run
        When what was shown.
    duration_s : s
        Of each trial or block.
    pictures
        Stimulus of each trial; ``n/a`` where there is none.
    """

    task: str
    conditions: tuple[str, ...]
    run: Run
    duration_s: float
    pictures: tuple[str, ...]


def draw(rng: np.random.Generator) -> dict[str, Image.Image]:
    """Return a picture for each exemplar of each condition: a small object at its position.

    The picture is 16 degrees wide, so that 8 pixels are one degree.
    """
    drawn = draw_pictures(rng, n_exemplars=N_EXEMPLARS)
    scale = CANVAS_PX / FIELD_DEG
    made = {}
    for place, (x, y) in POSITIONS.items():
        left = round(CANVAS_PX / 2 + scale * x - OBJECT_PX / 2)
        top = round(CANVAS_PX / 2 - scale * y - OBJECT_PX / 2)
        for category in CATEGORIES:
            for i in range(1, N_EXEMPLARS + 1):
                _, whole = drawn[f"{category.lower()}{i:02}.png"]
                canvas = Image.new("RGB", (CANVAS_PX, CANVAS_PX), GRAY)
                small = whole.resize((OBJECT_PX, OBJECT_PX), Image.Resampling.BICUBIC)
                canvas.paste(small, (left, top))
                made[_name(f"{place}{category}", i)] = canvas
    return made


def plan_positions(rng: np.random.Generator) -> tuple[Protocol, ...]:
    """Return the runs in which objects are shown at five places, two of each kind a run."""
    made = []
    for number in range(N_RUNS):
        shown = rng.permutation(np.tile(np.arange(len(CONDITIONS)), PER_RUN))
        gaps = SOA_S + rng.choice(JITTER_S, size=len(shown) - 1)
        onsets = FIRST_ONSET_S + np.concatenate([[0.0], np.cumsum(gaps)])
        run = _run(number, shown, onsets, end_s=FIRST_ONSET_S + SOA_S * len(shown))
        seen = [int((shown[:i] == c).sum()) for i, c in enumerate(shown)]
        exemplars = [(PER_RUN * number + k) % N_EXEMPLARS + 1 for k in seen]
        pictures = [_name(CONDITIONS[c], i) for c, i in zip(shown, exemplars, strict=True)]
        made.append(Protocol(POSITIONS_TASK, CONDITIONS, run, DURATION_S, tuple(pictures)))
    return tuple(made)


def plan_localizer(rng: np.random.Generator) -> tuple[Protocol, ...]:
    """Return the runs in which blocks of faces and of objects follow each other."""
    made = []
    for number in range(N_LOCALIZER_RUNS):
        shown = np.tile(rng.permutation(len(BLOCKS)), N_BLOCKS)
        onsets = FIRST_ONSET_S + (BLOCK_S + PAUSE_S) * np.arange(len(shown))
        run = _run(number, shown, onsets, end_s=onsets[-1] + BLOCK_S)
        made.append(Protocol(LOCALIZER_TASK, BLOCKS, run, BLOCK_S, ("n/a",) * len(shown)))
    return tuple(made)


def overlap(half: Half, x: float, y: float, *, extent_deg: float) -> Array:
    """Return how much of a stimulus each vertex sees, (n_vertices,), 0 to 1.

    The stimulus and the receptive field are Gaussians; the product is 1 where both centers
    meet. Vertices without a receptive field have 0.

    Parameters
    ----------
    half
        One hemisphere.
    x, y : deg
        Center of the stimulus.
    extent_deg : deg
        Standard deviation of the stimulus.
    """
    fields = half.fields
    apart = (fields.x - x) ** 2 + (fields.y - y) ** 2
    seen = np.exp(-apart / (2 * (fields.sigma**2 + extent_deg**2)))
    return np.where(fields.area > 0, seen, 0.0)


def answers(
    halves: Sequence[Half], rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return what each vertex answers to each condition of both tasks, in percent.

    Parameters
    ----------
    halves
        The left and the right hemisphere.

    Returns
    -------
    positions, localizer
        Condition to (n_vertices,), the left vertices first. What a vertex sees decides how
        strongly it answers, times a pattern that is random in each vertex, of its own for each
        category; blocks hold many pictures, so that these patterns average out. The cluster
        that prefers faces answers wherever they are, less so in the periphery.
    """
    n_vertices = sum(len(half.curvature) for half in halves)
    pattern = {kind: 1 + PATTERN * rng.normal(size=n_vertices) for kind in CATEGORIES}
    liking = 1 + 0.2 * rng.normal(size=n_vertices)
    liking *= np.concatenate([half.regions["faces"] for half in halves])

    def seen(x: float, y: float, extent_deg: float) -> Array:
        parts = [overlap(half, x, y, extent_deg=extent_deg) for half in halves]
        return STRENGTH * np.concatenate(parts)

    positions = {}
    for place, (x, y) in POSITIONS.items():
        share = 1.0 if place == "fovea" else PERIPHERAL_SHARE
        for kind in CATEGORIES:
            preferred = PREFERENCE["face" if kind == "Face" else "other"]
            visual = seen(x, y, STIMULUS_SD_DEG) * pattern[kind]
            positions[f"{place}{kind}"] = visual + share * preferred * liking
    blocks = seen(0, 0, BLOCK_SD_DEG)
    localizer = {
        "face": blocks + PREFERENCE["face"] * liking,
        "object": blocks + PREFERENCE["other"] * liking,
    }
    return positions, localizer


def _run(
    number: int, shown: NDArray[np.intp], onsets: NDArray[np.floating], *, end_s: float
) -> Run:
    n_volumes = int(np.ceil((end_s + LAST_REST_S) / T_R_S))
    return Run(f"{number + 1:02}", shown, onsets.astype(np.float64), n_volumes)


def _name(condition: str, exemplar: int) -> str:
    return f"{FOLDER}/{condition}{exemplar:02}.png"
