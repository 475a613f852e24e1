"""What --dry-run prints: what was matched, what would run, with how much disk and memory."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_dnn.containers.network import READY
from bids_dnn.files import size_text
from bids_dnn.workflows.dry_decode import decoding_lines
from bids_dnn.workflows.dry_searchlight import searchlight_lines
from bids_dnn.workflows.networks import (
    caption_notes,
    check_estimators,
    check_layers,
    ready_files,
)
from bids_dnn.workflows.plan import Plan
from bids_dnn.workflows.resources import (
    GB_FEATURES,
    MEMORY_SHARE,
    Resources,
    memory_of,
    memory_of_products,
)
from bids_dnn.workflows.scene import Manifest, Scene

if TYPE_CHECKING:
    from bids_dnn.features.probe import Probed

NAMED = 2  # files of a region that are named
BYTES = 8  # of a product: float64
FEATURE_BYTES = 4  # float32


def describe(scene: Scene, plan: Plan, resources: Resources, settings: str) -> Sequence[str]:
    """Return the lines that ``--dry-run`` prints.

    Parameters
    ----------
    scene, plan
        What was found, and what would be done.
    resources
        What the run may use.
    settings
        The resolved ``analysis.toml``.
    """
    lines = ["# What was matched", *scene.inventory.describe()]
    lines.append(f"stimuli: {len(scene.catalog)} pictures")
    lines += ["", "# What would run"]
    extractions = _extractions(scene, plan, resources)
    for one in extractions:
        lines += one.lines
    for subject in plan.subjects:
        nodes = [job.analysis for job in subject.waiting()]
        done = [job.analysis for job in subject.jobs if job.done]
        first = ["responses", "regions"] if nodes else []
        lines.append(
            f"{subject.name}: nodes {', '.join([*first, *nodes]) or 'none'}"
            + (f"; done {', '.join(done)}" if done else "")
            + f"; about {memory_of(subject):.1f} GB of memory"
        )
        lines += _regions(subject.regions)
        if any(job.analysis == "decode" for job in subject.jobs):
            lines += decoding_lines(scene, subject)
        if any(job.analysis == "searchlight" for job in subject.jobs):
            lines += searchlight_lines(subject)
        lines += [f"  left out: {note}" for note in subject.notes]
        lines += [f"  problem: {why}" for why in subject.problems]
    lines += ["", "# With what", *_means(scene, plan, resources, extractions)]
    return [*lines, "", "# With which settings", settings]


def _regions(manifest: Manifest) -> list[str]:
    """Say of each region by which rule and from which files it is made."""
    lines = []
    for rule in manifest.get("rules", ()):
        files = list(dict.fromkeys(p for told in rule["terms"].values() for p in told["files"]))
        named = [Path(path).name for path in files[:NAMED]]
        more = [f"{len(files) - NAMED} more files"] if len(files) > NAMED else []
        where = f" (from {', '.join([*named, *more])})" if files else ""
        lines.append(f"  region {rule['name']}: {rule['rule']}{where}")
    if manifest.get("own") and not lines:
        return ["  regions: those that the data name, else all units"]
    return lines


@dataclass(frozen=True, slots=True)
class Extraction:
    """What the features of a network take.

    Parameters
    ----------
    lines
        Layers with their numbers of features, and how their products are made.
    disk_gb : GB
        Of the scratch files and the cache.
    probed
        The layers; none of features that were made elsewhere.
    """

    lines: tuple[str, ...]
    disk_gb: float
    probed: tuple[Probed, ...] = ()


def extraction_of(name: str, told: Manifest, *, free_disk: int, memory: int) -> Extraction:
    """Return what the features of a network take, from one look of untrained weights.

    Parameters
    ----------
    name
        Of the network, in the settings.
    told
        Its manifest.
    free_disk, memory : bytes
        What is there for scratch files, and for blocks of features.

    Raises
    ------
    ConfigError
        If the network or a layer does not exist, or there is no transform for composed pictures.
    MissingInputError
        If weights or a captioner are not there, and may not be downloaded.
    NotEnoughDataError
        If a layer reads captions, and there are none.
    """
    if told["network"].startswith(READY):
        path = told["network"].removeprefix(READY)
        files = ready_files(Path(path)) if told["keep_columns"] else []
        size = BYTES * len(told["stimuli"]) ** 2 + sum(one.stat().st_size for one in files)
        return Extraction((f"features of {name}: read from {path}",), size / 1e9)
    from bids_dnn.features.gram import plan_grams
    from bids_dnn.features.models import load_network
    from bids_dnn.features.models.presence import whereabouts
    from bids_dnn.features.probe import probe
    from bids_dnn.features.reduce import parse_reduction, widths_left
    from bids_dnn.features.text import check_captioner
    from bids_dnn.workflows.steps.kept import with_maps

    network = load_network(
        told["network"],
        weights="random",
        layers=told["layers"] or None,
        seed=0,
        offline=told["offline"],
    )
    probed = probe(network, network.card.layers)
    check_layers(told, probed)
    where = whereabouts(told["network"], weights=told["weights"], offline=told["offline"])
    if told["captioner"]:
        check_captioner(told["captioner"], offline=told["offline"])
    widths = {one.layer.name: one.n_features for one in probed}
    n = len(told["stimuli"])
    reduction = parse_reduction(told["reduce"])
    left = widths_left(reduction, widths, n_stimuli=n)
    plan = plan_grams(n, left, free_disk=free_disk, memory=memory, mode=told["gram"])
    is_own = ".py:" in told["network"] or not network.weights.startswith("random")
    weights = told["weights"] or ("its own" if is_own else "published")
    route = "memory" if plan.mode == "recompute" and plan.n_passes == 1 else plan.mode
    passes = "1 pass" if plan.n_passes == 1 else f"{plan.n_passes} passes"
    lines = [
        f"features of {name}: {told['network']}, weights {weights}, {told['precision']}",
        *([f"  weights: {where}"] if where else []),
        *(f"  layer {layer}: {count} features" for layer, count in widths.items()),
        f"  products: {route}, {passes} over {n} stimuli, {size_text(plan.scratch_bytes)} of "
        f"scratch files, {size_text(plan.memory_bytes)} of memory: {plan.why}",
    ]
    lines += [f"  transform {one}" for one in told["transform"]]
    lines += [f"  {note}" for note in caption_notes(told, probed)]
    lines += [f"  reduction {told['reduce']}"] if told["reduce"] != "none" else []
    maps = with_maps(probed, reduction) if told["keep_maps"] else ()
    kept = [one.layer.name for one in maps]
    if kept and not told["keep_columns"] and is_anew(told, maps):
        lines.append(_anew_line(told, maps, size_px=network.card.size_px))
        kept = []
    kept = list(widths) if told["keep_features"] or told["keep_columns"] else kept
    size = BYTES * n**2 * len(widths) + FEATURE_BYTES * n * sum(left[layer] for layer in kept)
    if kept:
        lines.append(f"  kept: features of {len(kept)} layers")
    return Extraction(tuple(lines), (plan.scratch_bytes + size) / 1e9, probed)


def is_anew(told: Manifest, maps: Sequence[Probed]) -> bool:
    """Tell whether readouts make maps anew; those that lie in the cache already are taken.

    Parameters
    ----------
    told
        Manifest of the network.
    maps
        Layers that put out maps.
    """
    from bids_dnn.backend import choose_device
    from bids_dnn.workflows.steps.anew import bytes_of_maps, is_made_anew
    from bids_dnn.workflows.steps.features import known_maps

    if told["readout_features"] == "auto" and known_maps(told, choose_device(told["device"])):
        return False
    return is_made_anew(told, bytes_of_maps(maps, len(told["stimuli"])))


def _anew_line(told: Manifest, maps: Sequence[Probed], *, size_px: int) -> str:
    from bids_dnn.workflows.steps.anew import bytes_of_maps

    n = len(told["stimuli"])
    why = "as asked" if told["readout_features"] == "images" else "more than half of the free disk"
    return (
        f"  readouts: maps of {len(maps)} layers ({size_text(bytes_of_maps(maps, n))}; {why}) are "
        f"made anew for each batch, from {size_text(3 * n * size_px**2)} of pictures in memory"
    )


def _extractions(scene: Scene, plan: Plan, resources: Resources) -> list[Extraction]:
    if not plan.needs_features():
        return []
    free = shutil.disk_usage(_first_there(scene.work_dir)).free
    memory = int(MEMORY_SHARE * resources.memory_gb * 1e9)
    made = {
        name: extraction_of(name, told, free_disk=free, memory=memory)
        for name, told in plan.networks.items()
    }
    looked_at = {name: one.probed for name, one in made.items() if one.probed}
    check_estimators(scene.config, plan.networks, looked_at)
    return list(made.values())


def _first_there(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _means(
    scene: Scene, plan: Plan, resources: Resources, extractions: Sequence[Extraction]
) -> list[str]:
    waiting = [subject for subject in plan.subjects if subject.waiting()]
    largest = max([memory_of(s) for s in waiting], default=0.0)
    disk = sum(memory_of(s) for s in waiting) / 2
    disk += sum(one.disk_gb for one in extractions)
    needs = largest
    if plan.needs_features():
        needs = max(largest, GB_FEATURES, memory_of_products(plan.networks, resources))
    return [
        f"processes: {resources.n_procs}, with {resources.n_threads} threads each",
        f"memory: {resources.memory_gb:.1f} GB may be used; the largest node takes about "
        f"{needs:.1f} GB",
        f"disk: about {disk:.1f} GB in {scene.work_dir}",
    ]
