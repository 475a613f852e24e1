"""A small TVSD release and small exports of it, as MATLAB 7.3 with references and backslashes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.factories.mat73 import write_mat73

N_CHANNELS = 1024


def things(n: int, *, start: int = 0) -> list[str]:
    """Name pictures as THINGS does: two of each object."""
    names = [f"thing{(start + i) // 2:03d}" for i in range(n)]
    return [f"{name}/{name}_{(start + i) % 2 + 1:02d}b.jpg" for i, name in enumerate(names)]


def write_pictures(home: Path, n_train: int, n_test: int) -> tuple[list[str], list[str]]:
    """Write ``_logs/things_imgs.mat``; return the names of training and test pictures."""
    train, test = things(n_train), things(n_test, start=n_train)

    def records(names):
        return [
            {
                "class": name.split("/")[0],
                "things_path": name.replace("/", "\\"),
                "local_path": f"C:\\pics\\{i:05d}.bmp",
            }
            for i, name in enumerate(names, start=1)
        ]

    write_mat73(
        home / "_logs" / "things_imgs.mat",
        {"train_imgs": records(train), "test_imgs": records(test)},
    )
    return train, test


def norm_mua(
    home: Path,
    rng,
    *,
    n_train: int = 12,
    n_test: int = 4,
    n_repeats: int = 3,
    n_channels: int = N_CHANNELS,
) -> dict:
    """Write a monkey's folder; return values, in the order train, repetition by repetition."""
    train = rng.normal(size=(n_train, n_channels))
    repeats = rng.normal(size=(n_repeats, n_test, n_channels))
    write_mat73(
        home / "THINGS_normMUA.mat",
        {
            # h5py shows the axes of MATLAB reversed
            "train_MUA": train.T,
            "test_MUA": repeats.mean(axis=0).T,
            "test_MUA_reps": repeats.transpose(2, 1, 0),
            "reliab": np.full((n_channels, 5), 0.5),
            "SNR": np.ones((n_channels, 2)),
            "tb": np.arange(-100.0, 200.0)[None],
        },
    )
    names = write_pictures(home, n_train, n_test)
    return {"train": train, "repeats": repeats, "names": names}


def export_mua(
    home: Path,
    rng,
    *,
    counts=(3, 2, 0, 4),
    numbers=(1, 2, 6, 10),
    n_train: int = 12,
    n_test: int = 4,
) -> dict:
    """Write ``THINGS_exportMUA_array*.mat``, those without channels as empty arrays."""
    trains, tests, channels = [], [], []
    for number, n in zip(numbers, counts, strict=True):
        train, test = rng.normal(size=(n_train, n)), rng.normal(size=(n_test, n))
        good = np.arange(2, 2 * n + 2, 2)
        write_mat73(
            home / f"THINGS_exportMUA_array{number}.mat",
            {
                # MATLAB drops a last axis of 1, so that it stands first there
                "train_MUA": train.T[None] if n else np.zeros((0, 0)),
                "test_MUA": test.T[None] if n else np.zeros((0, 0)),
                "good_chns": good[None].astype(float) if n else np.zeros((0, 0)),
                "temp_rel": np.ones((1, max(n, 1))),
            },
        )
        trains.append(train)
        tests.append(test)
        channels += [f"array{number:02d}channel{c:02d}" for c in good]
    values = np.concatenate([np.hstack(trains), np.hstack(tests)])
    return {"values": values, "channels": channels}
