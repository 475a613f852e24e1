"""Small reports, as the workflow fills them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid
from bids_dnn.group import tests as group_tests
from bids_dnn.group.stack import stack
from bids_dnn.report.page import GroupReport, ParticipantReport
from tests.factories.results import LAYERS, REGIONS, make_decode, make_encode

SHAPE = (40, 48, 36)
AFFINE = np.array([[-4.0, 0, 0, 78], [0, 4, 0, -112], [0, 0, 4, -70], [0, 0, 0, 1]])
NETWORK = {
    "name": "alexnet",
    "network": "alexnet",
    "weights": "random",
    "weights_sha256": "0123456789abcdef" * 4,
    "layers": list(LAYERS),
    "reference": "",
}
RAN = {
    "source": "fmriprep",
    "responses": {"model": "lsa", "hrf": "spm", "confounds": "simple", "standardize": "run"},
    "decode": {"c": 1.0, "permutations": 1000},
    "encode": {
        "folds": {"stimulus": 5, "inner": 5},
        "ceiling": "split-half",
        "permutations": 1000,
    },
}


def ball(center: tuple[int, int, int], radius: float) -> Grid:
    grid = np.indices(SHAPE)
    inside = sum((g - c) ** 2 for g, c in zip(grid, center, strict=True)) <= radius**2
    return Grid("T1w", SHAPE, AFFINE, np.flatnonzero(inside).astype(np.int64))


def make_background() -> tuple[np.ndarray, np.ndarray]:
    shape = tuple(2 * n for n in SHAPE)
    grid = np.indices(shape).astype(float)
    middle = [(n - 1) / 2 for n in shape]
    scaled = sum(((g - m) / (0.46 * n)) ** 2 for g, m, n in zip(grid, middle, shape, strict=True))
    volume = np.where(scaled < 1, 700 + 200 * np.sin(grid[0] / 3) * np.cos(grid[1] / 4), 0)
    affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1.0])
    return volume, affine


def make_rois() -> tuple[Roi, ...]:
    centers = ((20, 8, 14), (11, 14, 12), (28, 16, 10), (20, 36, 24))
    return tuple(
        Roi(name, ball(center, 3.6), f"/data/masks/{name}_mask.nii.gz", 210)
        for name, center in zip(REGIONS, centers, strict=True)
    )


def make_stimuli(folder: Path, n: int = 30) -> tuple[tuple[str, Path], ...]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    made = []
    for i in range(n):
        name = f"{('face', 'house', 'tool', 'body')[i % 4]}/exemplar-{i // 4 + 1:02d}.png"
        path = folder / name.replace("/", "_")
        pixels = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((12, 12, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        made.append((name, path))
    return tuple(made)


def make_participant(folder: Path) -> ParticipantReport:
    rng = np.random.default_rng(0)
    rois = make_rois()
    union = np.unique(np.concatenate([roi.space.index for roi in rois]))
    encode = make_encode(rng, space=Grid("T1w", SHAPE, AFFINE, union))
    runs = [
        {
            "run": f"{i:02d}",
            "n_volumes": 150,
            "n_volumes_left_out": i % 2,
            "n_events": 12,
            "mean_framewise_displacement_mm": 0.1 + 0.01 * i,
            "tsnr": 55.0 - i,
            "degrees_of_freedom": 98.0,
        }
        for i in range(1, 9)
    ]
    facts = {
        "source": "fmriprep", "model": "lsa", "n_runs": 8, "n_volumes": 1200, "n_samples": 96,
        "n_units": 4321, "left_out_units": 7, "left_out_because": {"nan": 5, "constant": 2},
        "samples_without_stimulus": 2, "conditions_without_stimulus": ["catch"],
        "samples_by_condition": {"body": 24, "face": 24, "house": 24, "tool": 24},
        "runs": runs, "something_new": 3, "unused_stimuli": ["face/exemplar-09.png"],
    }  # fmt: skip
    return ParticipantReport(
        "01",
        {"decode": make_decode(rng), "encode": encode},
        RAN,
        task="objects",
        space="T1w",
        facts=facts,
        rois=rois,
        background=make_background(),
        stimuli=make_stimuli(folder / "stimuli"),
        networks=(NETWORK,),
        tables={"decode": "sub-01/func/sub-01_desc-decode_scores.tsv"},
        command="bids_dnn /data /out participant --weights alexnet=random",
        config_toml='[decode]\nclassifier = "svm-linear"\n',
        versions={"bids_dnn": "0.1.0", "numpy": "2.4.0"},
        seed=0,
        warnings=("Mask V1 was resampled to the grid of the responses.", "A < B & C"),
        left_out=("Run 09: no events.",),
    )


def make_group(n: int = 6) -> GroupReport:
    labels = [f"{i:02d}" for i in range(1, n + 1)]
    results = {}
    for analysis, make in (("decode", make_decode), ("encode", make_encode)):
        tables = {x: make(np.random.default_rng(i)).table for i, x in enumerate(labels)}
        table, _ = stack(tables, labels)
        results[analysis] = group_tests.test_group(
            table, analysis=analysis, seed=0, expected=[*labels, "99"]
        )
    return GroupReport(
        results,
        {"group": {"tests": ["sign-flip", "t"], "correct": "fdr"}},
        participants=tuple(labels),
        missing=("99",),
        networks=(NETWORK,),
        tables={"decode": "group/space-T1w_desc-decode_scores.tsv"},
        command="bids_dnn /data /out group",
    )
