"""What --dry-run prints: what was matched, what would run, with how much disk and memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bids_dnn.workflows.plan import Plan
from bids_dnn.workflows.resources import GB_FEATURES, Resources, memory_of
from bids_dnn.workflows.scene import Manifest, Scene

NAMED = 2  # files of a region that are named
BYTES = {"feature": 4, "product": 8}  # float32 in the scratch file, float64 in a Gram matrix


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
    if plan.needs_features():
        for name, told in plan.networks.items():
            layers = ", ".join(told["layers"]) or "those of its card"
            weights = told["weights"] or "published"
            lines.append(f"features of {name}: layers {layers}; weights {weights}")
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
        lines += [f"  left out: {note}" for note in subject.notes]
        lines += [f"  problem: {why}" for why in subject.problems]
    lines += ["", "# With what", *_means(scene, plan, resources)]
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


def gigabytes_of(told: Manifest, n_stimuli: int) -> float:
    """Return what the features of a network take on disk: scratch file and Gram matrices, in GB.

    Parameters
    ----------
    told
        Manifest of the network; its layers are sized by one blank picture, whatever its weights.
    n_stimuli : int

    Raises
    ------
    ConfigError
        If the network or a layer does not exist.
    """
    from bids_dnn.features.capture import layer_sizes
    from bids_dnn.features.models import load_network

    layers = told["layers"] or None
    network = load_network(told["network"], weights="random", layers=layers, seed=0)
    sizes = layer_sizes(network.module, network.card.size_px, layers=network.card.layers)
    scratch = BYTES["feature"] * n_stimuli * sum(sizes.values())
    return (scratch + BYTES["product"] * n_stimuli**2 * len(sizes)) / 1e9


def _means(scene: Scene, plan: Plan, resources: Resources) -> list[str]:
    waiting = [subject for subject in plan.subjects if subject.waiting()]
    largest = max([memory_of(s) for s in waiting], default=0.0)
    disk = sum(memory_of(s) for s in waiting) / 2
    if plan.needs_features():
        disk += sum(gigabytes_of(told, len(scene.catalog)) for told in plan.networks.values())
    needs = max(largest, GB_FEATURES if plan.needs_features() else 0.0)
    return [
        f"processes: {resources.n_procs}, with {resources.n_threads} threads each",
        f"memory: {resources.memory_gb:.1f} GB may be used; the largest node takes about "
        f"{needs:.1f} GB",
        f"disk: about {disk:.1f} GB in {scene.work_dir}",
    ]
