"""Small reports, as the workflow fills them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Hemisphere, Surface
from bids_dnn.containers.timeseries import TimeSeries
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


def make_mesh(hemisphere: Hemisphere, n: int = 600) -> Mesh:
    """An ellipsoid as long, deep and high as a hemisphere, triangles seen from outside."""
    from scipy.spatial import ConvexHull

    place = np.arange(n) + 0.5
    polar, turn = np.arccos(1 - 2 * place / n), np.pi * (1 + 5**0.5) * place
    ball_ = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1
    )
    faces = ConvexHull(ball_).simplices.astype(np.int64)
    a, b, c = (ball_[faces[:, i]] for i in range(3))
    inward = np.einsum("ni,ni->n", a, np.cross(b - a, c - a)) < 0
    faces[inward] = faces[inward][:, ::-1]
    side = -35.0 if hemisphere == "L" else 35.0
    return Mesh(ball_ * [32.0, 85.0, 50.0] + [side, 0.0, 0.0], faces)


def make_surfaces(n: int = 600) -> dict[Hemisphere, tuple[Mesh, np.ndarray | None]]:
    made: dict[Hemisphere, tuple[Mesh, np.ndarray | None]] = {}
    hemispheres: tuple[Hemisphere, ...] = ("L", "R")
    for hemisphere in hemispheres:
        mesh = make_mesh(hemisphere, n)
        made[hemisphere] = mesh, np.sin(mesh.vertices[:, 1] / 6) + np.cos(mesh.vertices[:, 2] / 5)
    return made


def make_retinotopy(n: int = 600) -> dict[str, dict[Hemisphere, np.ndarray]]:
    """Angle falls from top to bottom, eccentricity grows from the pole forward."""
    made: dict[str, dict[Hemisphere, np.ndarray]] = {"angle": {}, "eccentricity": {}, "area": {}}
    for hemisphere, (mesh, _) in make_surfaces(n).items():
        y, z = mesh.vertices[:, 1], mesh.vertices[:, 2]
        inside = y < -40
        size = 90 + 1.8 * z
        made["angle"][hemisphere] = np.where(inside, size if hemisphere == "L" else -size, np.nan)
        made["eccentricity"][hemisphere] = np.where(inside, np.exp((y + 85) / 14) - 0.7, np.nan)
        made["area"][hemisphere] = inside * (1 + (np.abs(z) > 15))
    return made


def make_surface_rois(n: int = 600) -> tuple[Roi, ...]:
    """V1 and V2 overlap."""
    whole = Surface("fsnative", (n, n), np.arange(2 * n))
    surfaces = make_surfaces(n)
    places = np.concatenate([surfaces[h][0].vertices for h in ("L", "R")])
    centers = ((0, -80, 0, 40), (0, -70, 20, 40), (0, -40, -40, 32), (0, 60, 30, 36))
    made = []
    for name, (x, y, z, radius) in zip(REGIONS, centers, strict=True):
        away = np.linalg.norm(places - [0, y, z], axis=1) + x
        index = np.flatnonzero(away < radius + 20)
        made.append(Roi(name, whole.at(index), f"benson:{name}", index.size))
    return tuple(made)


def make_cortex_rois(n: int = 600) -> tuple[Roi, ...]:
    """The same regions as grayordinates, which lack every fourth vertex."""
    kept = np.flatnonzero(np.arange(n) % 4 > 0)
    none = np.full((2 * len(kept), 3), -1)
    space = Grayordinates(
        "fsLR", ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT"), (n, n),
        np.repeat([0, 1], len(kept)), np.concatenate([kept, kept]), none, (0, 0, 0), np.eye(4),
        np.arange(2 * len(kept)),
    )  # fmt: skip
    place = np.full(2 * n, -1)
    place[np.concatenate([kept, kept + n])] = space.index
    made = []
    for roi in make_surface_rois(n):
        index = place[roi.space.index]
        made.append(Roi(roi.name, space.at(index[index >= 0]), roi.source, roi.n_before))
    return tuple(made)


def make_channel_rois() -> tuple[Roi, ...]:
    names = tuple(f"array{i // 64}-{i % 64}" for i in range(256))
    whole = Channels("electrodes", names, np.arange(256))
    cuts = (0, 128, 192, 224, 256)
    return tuple(
        Roi(name, whole.at(np.arange(a, b)), "table:area", b - a)
        for name, a, b in zip(REGIONS, cuts[:-1], cuts[1:], strict=True)
    )


def make_timeseries(
    n: int = 180, n_blocks: int = 16, t_r_s: float = 2.0, *, n_strategies: int = 8
) -> TimeSeries:
    """Blocks of four conditions; the first strategies leave drift and noise."""
    rng = np.random.default_rng(4)
    times = np.arange(n) * t_r_s + t_r_s / 2
    conditions = ("face", "house", "tool", "body")
    step = n * t_r_s / n_blocks
    events = tuple(
        (i * step + 4 + 2 * k, 1.5, conditions[i % 4]) for i in range(n_blocks) for k in range(6)
    )
    strategies = (
        "raw", "detrend + cosine", "6-HMP_SpikeReg_cosine", "6-HMP_8-Phys_SpikeReg_cosine",
        "24-HMP_SpikeReg_cosine", "6-HMP_4-GS_8-Phys_SpikeReg_cosine",
        "10-aCompCor_SpikeReg_cosine", "24-HMP_8-Phys_SpikeReg_cosine",
    )[:n_strategies]  # fmt: skip
    series: dict[str, dict[tuple[str, bool], np.ndarray]] = {}
    for region in ("V1", "FFA"):
        signal = 0.6 * np.sin(2 * np.pi * (times - 6) / step)
        series[region] = {}
        for k, strategy in enumerate(strategies):
            noise = rng.normal(0, 0.8 - 0.06 * k, n) + (0 if k else times / 200 - 0.9)
            smooth = np.convolve(noise, np.ones(5) / 5, mode="same")
            if "Spike" in strategy:
                noise[40:42] = smooth[40:42] = np.nan
            series[region][strategy, False] = signal + noise
            series[region][strategy, True] = signal + smooth
    return TimeSeries("01", times, series, events, 0.152)


def make_surface_participant(
    folder: Path, n: int = 600, *, n_strategies: int = 8
) -> ParticipantReport:
    """A participant on surfaces, with retinotopy and time series."""
    rng = np.random.default_rng(0)
    rois = make_surface_rois(n)
    union = np.unique(np.concatenate([roi.space.index for roi in rois]))
    encode = make_encode(rng, space=rois[0].space.at(union))
    return replace(
        make_participant(folder),
        results={"decode": make_decode(rng), "encode": encode},
        space="fsnative",
        rois=rois,
        background=None,
        surfaces=make_surfaces(n),
        retinotopy=make_retinotopy(n),
        timeseries=make_timeseries(n_strategies=n_strategies),
    )


def make_group(n: int = 6) -> GroupReport:
    labels = [f"{i:02d}" for i in range(1, n + 1)]
    results = {}
    for analysis, make in (("decode", make_decode), ("encode", make_encode)):
        tables = {x: make(np.random.default_rng(i)).table for i, x in enumerate(labels)}
        table, _ = stack(tables, labels)
        results[analysis] = group_tests.test_group(
            table, analysis=analysis, about=group_tests.About([*labels, "99"])
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
