"""What --dry-run prints: what was matched, what would run, with how much disk and memory."""

from __future__ import annotations

from collections.abc import Sequence

from bids_dnn.workflows.plan import Plan
from bids_dnn.workflows.resources import GB_FEATURES, Resources, memory_of
from bids_dnn.workflows.scene import Scene

BYTES_OF_FEATURES = 4 * 6e5  # float32, all layers of AlexNet, one stimulus


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
        rules = [rule["name"] for rule in subject.regions.get("rules", ())]
        lines.append(f"  regions: {', '.join(rules) or 'none'}")
        lines += [f"  left out: {note}" for note in subject.notes]
        lines += [f"  problem: {why}" for why in subject.problems]
    lines += ["", "# With what", *_means(scene, plan, resources)]
    return [*lines, "", "# With which settings", settings]


def _means(scene: Scene, plan: Plan, resources: Resources) -> list[str]:
    waiting = [subject for subject in plan.subjects if subject.waiting()]
    largest = max([memory_of(s) for s in waiting], default=0.0)
    scratch = len(scene.catalog) * BYTES_OF_FEATURES * len(plan.networks) / 1e9
    kept = sum(memory_of(s) for s in waiting) / 2 + len(scene.catalog) ** 2 * 8 * 8 / 1e9
    disk = kept + (scratch if plan.needs_features() else 0.0)
    needs = max(largest, GB_FEATURES if plan.needs_features() else 0.0)
    return [
        f"processes: {resources.n_procs}, with {resources.n_threads} threads each",
        f"memory: {resources.memory_gb:.1f} GB may be used; the largest node takes about "
        f"{needs:.1f} GB",
        f"disk: about {disk:.1f} GB in {scene.work_dir}",
    ]
