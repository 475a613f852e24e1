"""A small folder as the Algonauts 2023 challenge publishes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

N_MESH = {"lh": 30, "rh": 26}
PRF = {0: "Unknown", 1: "V1v", 2: "V1d", 3: "V2v", 4: "V2d", 7: "hV4"}
FACES = {0: "Unknown", 1: "OFA", 2: "FFA-1", 3: "FFA-2"}


def write_algonauts(
    folder: Path,
    rng: np.random.Generator,
    *,
    label: str = "subj01",
    n_train: int = 12,
    n_test: int = 3,
    with_test: bool = False,
    on_surface: bool = True,
) -> dict:
    """Write one participant; returns ``lh``, ``rh`` (images, vertices), masks and names."""
    home = folder / label
    masks = home / "roi_masks"
    masks.mkdir(parents=True)
    numbers = np.sort(rng.choice(73_000, size=n_train + n_test, replace=False))
    made: dict = {"train": [], "test": [], "mask": {}, "prf": {}, "faces": {}}
    counts = {"train": ("training", n_train), "test": ("test", n_test)}
    for prefix, (split, n) in counts.items():
        images = home / f"{split}_split/{split}_images"
        images.mkdir(parents=True)
        for i in range(1, n + 1):
            name = f"{prefix}-{i:04d}_nsd-{numbers[len(made['train'] + made['test'])]:05d}.png"
            (images / name).touch()
            made[prefix].append(name)
    for hemisphere, n in N_MESH.items():
        mask = (rng.random(n) < 0.6).astype(np.int64)
        mask[[0, -1]] = 1, 2  # the published masks count how many regions marked a vertex
        made["mask"][hemisphere] = mask > 0
        if on_surface:
            np.save(masks / f"{hemisphere}.all-vertices_fsaverage_space.npy", mask)
        for key, stem, names in (
            ("prf", "prf-visualrois", PRF),
            ("faces", "floc-faces", FACES),
        ):
            labels = np.where(mask > 0, rng.choice(list(names), size=n), 0)
            made[key][hemisphere] = labels
            np.save(masks / f"{hemisphere}.{stem}_fsaverage_space.npy", labels)
            np.save(masks / f"{hemisphere}.{stem}_challenge_space.npy", labels[mask > 0])
            np.save(masks / f"mapping_{stem}.npy", names)
        for prefix, (split, n_rows) in counts.items():
            if prefix == "train" or with_test:
                values = rng.normal(size=(n_rows, int((mask > 0).sum()))).astype(np.float32)
                fmri = home / f"{split}_split/{split}_fmri"
                fmri.mkdir(parents=True, exist_ok=True)
                np.save(fmri / f"{hemisphere}_{split}_fmri.npy", values)
                made[f"{hemisphere}_{prefix}"] = values
    return made
