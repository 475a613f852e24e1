"""Responses, regions and features -> encoding results, as derivatives."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bids_dnn.analyses.encode.choices import Choices, UnitChoice
from bids_dnn.analyses.encode.fit import encode
from bids_dnn.backend import choose_device
from bids_dnn.containers.features import FeatureValues, ShownMaps
from bids_dnn.containers.network import READY
from bids_dnn.containers.readout import READOUTS
from bids_dnn.containers.responses import Responses
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import ConfigError, LeakageError, NotEnoughDataError
from bids_dnn.files import read_json
from bids_dnn.workflows.steps.about import leave_out, with_facts
from bids_dnn.workflows.steps.anew import shown_maps
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois
from bids_dnn.workflows.steps.features import load_grams, refuse_scaling
from bids_dnn.workflows.steps.kept import load_features
from bids_dnn.workflows.steps.pictures import grey_pictures

# Runs that data sets name after their split, with a number where there are several.
RUNS = {"train": "train", "training": "train", "test": "test", "validation": "test"}
RUN = re.compile(rf"({'|'.join(RUNS)})[-_ ]?\d*")


def encode_step(manifest: Path, responses: Path, regions: Path, features: list[Path]) -> Path:
    """Fit each layer of each network to each voxel; returns the sidecar, written last."""
    told = read_json(manifest)
    measured, facts = load_responses(responses)
    rois, warnings = load_rois(regions)
    settings = told["settings"]
    split = split_of(measured, told["split"]) if settings["folds"]["split"] else None
    for index in features:
        check_scaling(measured, read_json(index)["scaled_on"], split=split)
        warnings += read_json(index)["warnings"]
    grams = [gram for index in features for gram in load_grams(index)]
    device = choose_device(told["device"])
    shown = set(measured.samples["stimulus"].fillna("").astype(str))
    values = [one for index in features for one in values_of(index, told, shown, device)]
    pictures = grey_pictures(told["networks"], shown) if settings["triggered"] else None
    try:
        result = encode(
            measured,
            rois,
            grams,
            choices=choices_of(settings, seed=told["seed"], split=split),
            features=values,
            pictures=pictures,
            device=device,
        )
    except NotEnoughDataError as err:
        return leave_out(told, err)
    result = with_facts(
        result, ingest=facts, warnings=warnings, rois=rois, entities=told["entities"]
    )
    return write_result(
        result, Path(told["output_dir"]), entities=told["entities"], sidecar=told["sidecar"]
    )[-1]


def values_of(
    index: Path, told: Mapping[str, Any], shown: Collection[str], device: str
) -> Sequence[FeatureValues | ShownMaps]:
    """Return the features themselves of a network, where an estimator needs them.

    Parameters
    ----------
    index
        That a `features_step` wrote.
    told
        Manifest of encoding.
    shown
        Ids of the stimuli.
    device
        ``cpu`` or ``cuda``.

    Returns
    -------
    features
        As they are kept; or maps that are to be made anew of pictures.

    Raises
    ------
    BidsDnnError
        If an entry of the cache, or the network, its weights or a picture cannot be used.
    """
    settings = told["settings"]
    needs_all = settings["pls_scale"] and "pls" in settings["estimator"]
    needs_maps = any(name in READOUTS for name in settings["estimator"])
    if not (needs_all or needs_maps):
        return []
    made = read_json(index)
    network = told["networks"].get(made["name"], {})
    if made["is_anew"] and not network["network"].startswith(READY):
        return shown_maps(network, shown, device)
    return load_features(index, maps_only=not needs_all)


def choices_of(
    settings: Mapping[str, Any], *, seed: int, split: Mapping[str, str] | None
) -> Choices:
    """Return the settings of [encode] as the analysis takes them."""
    alphas = settings["alphas"]
    return Choices(
        n_folds=settings["folds"]["stimulus"],
        n_inner=settings["folds"]["inner"],
        alphas=None if alphas == "auto" else tuple(alphas),
        select=settings["select"],
        ceiling=settings["ceiling"],
        floor=settings["floor"],
        n_permutations=settings["permutations"],
        seed=seed,
        nuisance=tuple(settings["nuisance"]),
        estimators=tuple(settings["estimator"]),
        spaces=settings["spaces"],
        n_candidates=settings["candidates"],
        is_partitioned=settings["partition"],
        n_settings=settings["settings"],
        loss=settings["loss"],
        pls_scale=settings["pls_scale"],
        stimulus_deg=settings.get("stimulus_deg"),
        split=split,
        units=UnitChoice(**settings["units"]) if settings["units"] else None,
    )


def split_of(responses: Responses, told: Mapping[str, str]) -> dict[str, str]:
    """Return which stimuli train and which test.

    Parameters
    ----------
    responses
        Whose runs are named after the split in some data sets (TVSD, vim-1, Algonauts).
    told
        ``train`` or ``test`` of the stimuli of a table, "" where it leaves it open; where it
        says nothing of any stimulus that was shown, the names of the runs count.

    Raises
    ------
    ConfigError
        If the table tells the split of some stimuli, and the names of runs that of others.
    LeakageError
        If a stimulus is in both.
    NotEnoughDataError
        If nothing tells the stimuli apart.
    """
    samples = responses.samples
    shown = samples["stimulus"].fillna("").astype(str)
    known = {name: told[name] for name in set(shown) if told.get(name)}
    runs = zip(samples["run"].astype(str), samples["session"].astype(str), strict=True)
    parts = [part_of(run, session=session) for run, session in runs]
    pairs = {(name, part) for name, part in zip(shown, parts, strict=True) if name and part}
    if known:
        if left := sorted({name for name, _ in pairs if name in told} - set(known)):
            raise ConfigError(
                f"stimuli.tsv tells the split of {len(known)} stimuli that were shown, and leaves "
                f"{len(left)} open, such as {left[0]!r}, whose runs are called train or test.",
                mend="Fill the column split for these too, or leave the column out, so that the "
                "names of the runs count.",
            )
        return known
    both = sorted(name for name, part in pairs if part == "train" and (name, "test") in pairs)
    if both:
        raise LeakageError(
            f"{len(both)} stimuli are in training and in test runs, such as {both[0]!r}.",
            mend="Give the split of each stimulus in stimuli.tsv, or use folds "
            "(encode.folds = { stimulus = 5 }).",
        )
    if not pairs:
        raise NotEnoughDataError(
            "encode.folds.split asks for the split of the stimuli, but stimuli.tsv has none, and "
            f"the runs are called {', '.join(sorted(set(responses.samples['run']))[:5])}.",
            mend="Add a column split (train or test) to stimuli.tsv, or use folds.",
        )
    return dict(sorted(pairs))


def part_of(run: str, *, session: str = "") -> str:
    """Return which part of a split a run is, as its name says.

    Parameters
    ----------
    run
        Id of the run, which begins with the session where there are sessions (``03xtest01``).
    session
        "" = there are none.

    Returns
    -------
    part
        ``train`` or ``test``; "" where the name tells neither.

    Examples
    --------
    >>> part_of("test02"), part_of("training"), part_of("retest"), part_of("01")
    ('test', 'train', '', '')
    >>> part_of("03xtest01", session="03")
    'test'
    """
    own = run.removeprefix(f"{session}x") if session else run
    found = RUN.fullmatch(own.casefold())
    return RUNS[found[1]] if found else ""


def check_scaling(
    responses: Responses, scaled_on: Sequence[str], *, split: Mapping[str, str] | None = None
) -> None:
    """Refuse features that were scaled by stimuli which will be tested.

    Parameters
    ----------
    responses
        Whose images are dealt onto folds.
    scaled_on
        Stimuli by whose features the columns were divided; none = they were not.
    split
        Which of them train and which test; None = each is tested in turn.

    Raises
    ------
    LeakageError
        If one of them is among the images that are tested.
    """
    tested = set(responses.samples["stimulus"])
    if split is not None:
        tested = {name for name, part in split.items() if part == "test"}
    refuse_scaling(
        scaled_on,
        tested,
        how="are tested here",
        mend="Test on the split that is given (encode.folds = { split = true }), give the split "
        "'train' in stimuli.tsv to stimuli that no participant saw, or leave scale out.",
    )
