"""Stages of a run: a graph, its bars, its log, its failures.

nipype and torch are imported only where a stage has nodes to run, so that a call on finished
results answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_dnn.workflows.failure import Failure
from bids_dnn.workflows.plan import Plan
from bids_dnn.workflows.record import Log
from bids_dnn.workflows.resources import Resources
from bids_dnn.workflows.scene import Manifest
from bids_dnn.workflows.screen import Screen

if TYPE_CHECKING:
    from nipype import Workflow


@dataclass(frozen=True, slots=True)
class Stages:
    """Runs one graph after another with the same means.

    Parameters
    ----------
    work_dir
        Where nodes' folders go.
    resources
        Processes, threads, memory.
    screen, log
        Where progress is shown and kept.
    plugin_file
        Of another nipype plugin, or None.
    stop_on_first_crash
        Leave a stage at its first failure.
    """

    work_dir: Path
    resources: Resources
    screen: Screen
    log: Log
    plugin_file: Path | None = None
    stop_on_first_crash: bool = False

    def analyses(self, plan: Plan) -> list[Failure]:
        """Run every waiting analysis of every participant."""
        from bids_dnn.workflows.graph import bar_of, init_analysis_wf, node_names

        flow = init_analysis_wf(plan, work_dir=self.work_dir, resources=self.resources)
        totals: dict[str, int] = {}
        for name in node_names(flow):
            if name != "features":  # where the networks' features meet; no work of its own
                totals[name.split(".")[0]] = totals.get(name.split(".")[0], 0) + 1
        ticks = {
            bar_of(name): Path(told["progress"])
            for name, told in plan.networks.items()
            if bar_of(name) in totals
        }
        ticks |= {
            subject.name: Path(job.manifest["progress"])
            for subject in plan.subjects
            for job in subject.waiting()
            if "progress" in job.manifest
        }
        return self._run(flow, totals, ticks)

    def independent(
        self, name: str, kind: str, manifests: Mapping[str, Manifest]
    ) -> list[Failure]:
        """Run nodes of one kind that do not need each other: reports, or group tests."""
        if not manifests:
            return []
        from bids_dnn.workflows.graph import init_single_wf

        flow = init_single_wf(
            name,
            kind,
            manifests,
            work_dir=self.work_dir,
            n_threads=self.resources.n_threads,
        )
        ticks = {
            bar: Path(told["progress"]) for bar, told in manifests.items() if "progress" in told
        }
        return self._run(flow, dict.fromkeys(manifests, 1), ticks)

    def _run(
        self, flow: Workflow, totals: dict[str, int], ticks: Mapping[str, Path] | None = None
    ) -> list[Failure]:
        from bids_dnn.workflows.runner import run

        with self.screen.bars(totals, ticks) as bars:

            def status(node: str, state: str) -> None:
                self.log.add(state, node=node)
                bars.status(node, state)

            failures = run(
                flow,
                resources=self.resources,
                status=status,
                plugin_file=self.plugin_file,
                stop_on_first_crash=self.stop_on_first_crash,
            )
        for failure in failures:
            self.log.add(
                "failure", node=failure.node, message=failure.message, crash=failure.crash_file
            )
        return failures
