"""Folders of stimuli: tiny pictures, stimuli.tsv, COCO's annotations, stacks."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from bids_dnn.stimuli.unpack import unpack


def write_picture(path: Path, color=(10, 20, 30), size_px: int = 8) -> Path:
    """Write a picture of one color; PNG, JPEG ... by its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size_px, size_px), color).save(path)
    return path


def stimuli_folder(folder: Path, names) -> Path:
    """Write pictures, each of a color of its own, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        write_picture(folder / name, (number % 256, number // 256, 99))
    return folder


def write_tsv(path: Path, columns: str, *rows: str, encoding: str = "utf-8") -> Path:
    """Write a table of which columns and cells are separated by ``|``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in (columns, *rows))
    path.write_text(text.replace("|", "\t"), encoding=encoding)
    return path


def write_coco(path: Path, images: dict, captions: list) -> Path:
    """Write annotations: image number -> file name, and (id, image number, caption)."""
    told = {
        "info": {"description": "made up"},
        "images": [{"id": key, "file_name": name} for key, name in images.items()],
        "annotations": [{"id": i, "image_id": key, "caption": text} for i, key, text in captions],
    }
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def brick(rng, n: int = 5, *, height: int = 8, width: int = 6) -> np.ndarray:
    """Return color pictures as NSD lays them out, (n, height, width, 3) uint8."""
    return rng.integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def write_h5(path: Path, **arrays) -> Path:
    """Write arrays of HDF5; ``__`` in a name stands for ``/``."""
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return path


def pixels(path: Path) -> np.ndarray:
    """Return the pixels of a picture."""
    with Image.open(path) as image:
        return np.asarray(image)


def moved(values: np.ndarray, axes: str, standard: str = "nyxc") -> np.ndarray:
    """Return an array of the axes `standard` with those of `axes`."""
    return values.transpose([standard.index(axis) for axis in axes])


def unpacked(pictures, folder: Path) -> np.ndarray:
    """Unpack all pictures and return them in one array, the first axis counting."""
    return np.stack([pixels(path) for path in unpack(pictures, pictures.names, folder).values()])
