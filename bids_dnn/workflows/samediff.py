"""From a folder of pictures to tables, figures and a page on same/different transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w
from numpy.typing import NDArray

from bids_dnn import __version__
from bids_dnn.analyses.samediff.augment import parse_copies
from bids_dnn.analyses.samediff.choices import Choices
from bids_dnn.analyses.samediff.fit import same_different
from bids_dnn.analyses.samediff.material import Material
from bids_dnn.analyses.samediff.pairs import ANSWERS
from bids_dnn.analyses.samediff.training import Progress
from bids_dnn.containers.network import Network
from bids_dnn.containers.result import Result
from bids_dnn.derivatives import names
from bids_dnn.derivatives.provenance import code_fingerprint
from bids_dnn.derivatives.study import KIND, write_study
from bids_dnn.errors import ConfigError
from bids_dnn.features.models import load_whole
from bids_dnn.features.models.custom import is_custom
from bids_dnn.files import fingerprint, write_text
from bids_dnn.report.samediff import SameDifferentReport, render_same_different
from bids_dnn.workflows.record import versions
from bids_dnn.workflows.steps.samediff import Prepared, Task, prepare

N_BATCH = 10  # training pairs on the page
MODULE = "bids_dnn.workflows.samediff"
ANALYSIS = "samediff"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Parameters
    ----------
    task
        Which pairs.
    choices
        How they are learnt.
    out_dir
        Where everything goes.
    network
        Name, as for ``--network`` of the App.
    weights
        A file, ``random``, or None for the trained ones.
    offline
        Never ask the network for weights.
    command
        As typed, for the page.
    """

    task: Task
    choices: Choices
    out_dir: Path
    network: str = "cornet:z"
    weights: str | None = None
    offline: bool = False
    command: str = ""


def run(
    asked: Asked,
    *,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Train and test, and write tables with sidecars, figures and a page.

    Parameters
    ----------
    asked
    say
        Is told what is found, a sentence at a time.
    progress
        Called after each step with what is done, and the numbers of steps done and in all.

    Returns
    -------
    paths
        The main table, then the page.

    Raises
    ------
    ConfigError
        If a name does not exist, a setting is out of range, or there is no such GPU.
    MissingInputError, UnreadableError
        If a picture, a table or weights are not there or cannot be read.
    NotEnoughDataError
        If a category has too few exemplars.
    LeakageError
        If a split that is given leaks.
    OutputError
        If the folder cannot be written.
    """
    tell = say or (lambda _: None)
    _check_device(asked.choices.device)
    choices = replace(asked.choices, seed=asked.task.seed)
    network = load_whole(
        asked.network, weights=asked.weights, seed=choices.seed, offline=asked.offline
    )
    prepared = prepare(asked.task, network.card)
    for note in prepared.notes:
        tell(note)
    pairs = prepared.material.pairs
    counts = pairs.drop_duplicates("pair")["split"].value_counts()
    told = ", ".join(f"{counts[part]} to {word}" for part, word in WORDS.items() if part in counts)
    tell(f"{len(prepared.material.exemplars)} exemplars make {int(counts.sum())} pairs: {told}.")
    result = same_different(
        prepared.material, network, choices, left_out=prepared.left_out, progress=progress
    )
    sidecar = _sidecar(asked, choices, prepared)
    write_study(result, asked.out_dir, sidecar=sidecar)
    page = _write_page(asked, choices, prepared, network, result)
    return [names.path_of(asked.out_dir, KIND, analysis=ANALYSIS), page]


WORDS = {"train": "train", "validation": "validate", "test": "test"}


def _check_device(device: str) -> None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"The device {device!r} is asked for, but torch finds no GPU.",
            mend="Type --device cpu, or install a torch that knows the GPU.",
        )


def _settings(asked: Asked, choices: Choices) -> dict[str, Any]:
    """Return all settings, defaults filled in, as TOML can hold them."""
    chosen = {name: value for name, value in asdict(choices).items() if name != "device"}
    task = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(asked.task).items()
        if value is not None
    }
    network = {"network": asked.network, "weights": asked.weights or "trained"}
    return {"network": network, "task": task, "choices": chosen}


def _sidecar(asked: Asked, choices: Choices, prepared: Prepared) -> dict[str, Any]:
    """Return from what the tables were made."""
    settings = _settings(asked, choices)
    settings["task"] = {k: v for k, v in settings["task"].items() if k != "stimuli_dir"}
    settings["network"] = {key: _without_folder(one) for key, one in settings["network"].items()}
    made: dict[str, Any] = {
        "GeneratedBy": {"Name": "bids_dnn", "Version": __version__},
        "Code": code_fingerprint(MODULE),
        "Settings": settings,
        "StimuliSHA256": prepared.sha256,
        "ItemPixels": prepared.item_px,
    }
    if asked.task.pairs is not None:
        settings["task"]["pairs"] = asked.task.pairs.name
        made["PairsSHA256"] = fingerprint(asked.task.pairs)
    return made


def _without_folder(name: str) -> str:
    """Return a name of a network or of weights without the folder where its file lies."""
    is_file = Path(name.partition(".py:")[0]).is_absolute() or is_custom(name)
    return name.rpartition("/")[2] if is_file else name


def _write_page(
    asked: Asked, choices: Choices, prepared: Prepared, network: Network, result: Result
) -> Path:
    extras = {"scores": "", **{name: names.label_of(name) for name in result.extras}}
    tables = {
        name: names.path_of(Path(), KIND, analysis=ANALYSIS, extra=label).name
        for name, label in extras.items()
    }
    card = network.card
    data = SameDifferentReport(
        result=result,
        network={
            "name": card.name,
            "weights": network.weights,
            "weights_sha256": network.weights_sha256,
            "reference": card.reference,
            "doi": card.doi,
        },
        batch=_batch(prepared.material, choices),
        top=_top(prepared.material, result.extras["top_losses"], ANSWERS[choices.answer]),
        tables=tables,
        command=asked.command,
        versions=versions(),
        seed=choices.seed,
        config_toml=tomli_w.dumps(_settings(asked, choices)),
        notes=prepared.notes,
    )
    figures = names.path_of(asked.out_dir, "study_figures")
    page = render_same_different(data, figures)
    return write_text(names.path_of(asked.out_dir, "study_report", analysis=ANALYSIS), page)


def _batch(material: Material, choices: Choices) -> dict[str, NDArray[np.uint8]]:
    """Return some training pairs, spread over the table and the augmentations."""
    copies = parse_copies(choices.augment)
    rows = material.entries("train")[:, 0]
    picked = rows[np.linspace(0, len(rows) - 1, min(N_BATCH, len(rows))).astype(int)]
    made = {}
    for k, row in enumerate(picked.tolist()):
        which = k % len(copies)
        crops = material.crops(row, copies, which, seed=choices.seed)
        pair = material.pairs.iloc[row]
        told = pair[ANSWERS[choices.answer]]
        words = f"{k + 1}. {told}, {pair['orientation']}, {copies[which].name}"
        made[words] = _eight_bits(material.draw(*crops, pair["orientation"]))
    return made


def _top(
    material: Material, table: pd.DataFrame, column: str
) -> dict[str, dict[str, NDArray[np.uint8]]]:
    """Return the pairs of greatest loss of each variant; `column` has what was to be answered."""
    place = {name: k for k, name in enumerate(material.exemplars)}
    made: dict[str, dict[str, NDArray[np.uint8]]] = {}
    for row in table.to_dict("records"):
        first, second = (material.pictures[place[row[side]]] for side in ("first", "second"))
        words = f"{row['rank']}. {row[column]}, answered {row['guess']}; loss {row['loss']:.2g}"
        canvas = material.draw(first, second, str(row["orientation"]))
        made.setdefault(str(row["variant"]), {})[words] = _eight_bits(canvas)
    return made


def _eight_bits(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(picture * 255).astype(np.uint8)


def orientations_of(word: str) -> Sequence[str]:
    """Return the orientations that an option stands for.

    Examples
    --------
    >>> orientations_of("both"), orientations_of("normal")
    (('normal', 'inverted'), ('normal',))
    """
    return ("normal", "inverted") if word == "both" else (word,)
