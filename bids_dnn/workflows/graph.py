"""Short builders: one graph of nodes for each stage of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nipype import IdentityInterface, Merge, Node, Workflow

from bids_dnn.derivatives.provenance import code_fingerprint
from bids_dnn.files import write_json
from bids_dnn.workflows import interfaces
from bids_dnn.workflows.plan import Plan, SubjectPlan
from bids_dnn.workflows.resources import GB_FEATURES, Resources, memory_of, memory_of_products
from bids_dnn.workflows.scene import STEPS, Manifest

ANALYSES = {
    "decode": interfaces.Decode,
    "encode": interfaces.Encode,
    "ceiling": interfaces.EstimateCeilings,
    "denoise": interfaces.Denoise,
    "twin": interfaces.Twin,
    "searchlight": interfaces.Searchlight,
}


def init_analysis_wf(plan: Plan, *, work_dir: Path, resources: Resources) -> Workflow:
    """Build the graph of all waiting analyses: features once, then each participant.

    Parameters
    ----------
    plan
        Whose `waiting` jobs become nodes.
    work_dir
        Where the nodes' folders and manifests go.
    resources
        Threads that each node declares, and its step sets.
    """
    whole = Workflow(name="analyses", base_dir=str(work_dir))
    features: list[Node] = []
    if plan.needs_features():
        for name, manifest in plan.networks.items():
            told = manifest | {"memory_gb": resources.memory_gb}
            path = _write(work_dir, f"features_{name}", told)
            node = _node(
                "ExtractFeatures", bar_of(name), resources, mem_gb=GB_FEATURES, manifest=path
            )
            node.overwrite = True  # its own cache knows better what is there
            features.append(node)
    merged = Node(Merge(max(len(features), 1)), name="features", run_without_submitting=True)
    for number, node in enumerate(features, start=1):
        whole.connect(node, "out_file", merged, f"in{number}")
    products_gb = memory_of_products(plan.networks, resources)
    for subject in plan.subjects:
        if not subject.waiting():
            continue
        inner = init_participant_wf(
            subject, work_dir=work_dir, resources=resources, products_gb=products_gb
        )
        if subject.needs_features():
            whole.connect(merged, "out", inner, "inputnode.features")
        else:
            whole.add_nodes([inner])
    return whole


def init_participant_wf(
    plan: SubjectPlan, *, work_dir: Path, resources: Resources, products_gb: float = 0.0
) -> Workflow:
    """Build one participant's graph: responses, regions, then each waiting analysis.

    Parameters
    ----------
    plan
        Of this participant.
    work_dir
        Where its manifests go.
    resources
        Threads that each node declares.
    products_gb
        Memory that products of features take, for analyses that need these.
    """
    flow = Workflow(name=plan.name)
    inputnode = Node(IdentityInterface(["features"]), name="inputnode")
    outputnode = Node(
        IdentityInterface([job.analysis for job in plan.waiting()]), name="outputnode"
    )
    size = memory_of(plan)
    responses = _node(
        "ReadResponses",
        "responses",
        resources,
        mem_gb=size,
        manifest=_write(work_dir, f"{plan.name}_responses", plan.responses),
    )
    regions = _node(
        "DefineRegions",
        "regions",
        resources,
        mem_gb=size / 2,
        manifest=_write(work_dir, f"{plan.name}_regions", plan.regions),
    )
    regions.overwrite = True  # it writes masks, which may have been removed
    flow.connect(responses, "out_file", regions, "responses")
    for job in plan.waiting():
        told = job.manifest | {"n_threads": resources.n_threads}
        manifest = _write(work_dir, f"{plan.name}_{job.analysis}", told)
        kind = ANALYSES[job.analysis].__name__
        size_gb = max(size / 2, products_gb) if job.needs_features else size / 2
        node = _node(kind, job.analysis, resources, mem_gb=size_gb, manifest=manifest)
        node.overwrite = True  # the plan says that its result is not there
        flow.connect(responses, "out_file", node, "responses")
        flow.connect(regions, "out_file", node, "regions")
        flow.connect(node, "out_file", outputnode, job.analysis)
        if job.needs_features:
            flow.connect(inputnode, "features", node, "features")
    return flow


def init_single_wf(
    name: str, kind: str, manifests: Mapping[str, Manifest], *, work_dir: Path, n_threads: int
) -> Workflow:
    """Build a graph of independent nodes of one kind: reports, or group tests.

    Parameters
    ----------
    name
        Of the workflow.
    kind
        Name of the interface.
    manifests
        One node for each, by the node's name.
    work_dir
        Where nodes and manifests go.
    n_threads
        Of each node.
    """
    flow = Workflow(name=name, base_dir=str(work_dir))
    resources = Resources(1, n_threads, 0.0)
    nodes = []
    for label, manifest in manifests.items():
        path = _write(work_dir, f"{name}_{label}", manifest)
        node = _node(kind, label, resources, mem_gb=0.5, manifest=path)
        node.overwrite = True
        nodes.append(node)
    flow.add_nodes(nodes)
    return flow


def bar_of(network: str) -> str:
    """Return the name of the node that extracts the features of a network."""
    return "features_" + network.replace("-", "_").replace("+", "__")


def node_names(flow: Workflow) -> Sequence[str]:
    """Return the full names of the nodes that do work, for the plan and the progress bar."""
    found: list[str] = flow.list_node_names()
    return [name for name in found if not name.endswith(("inputnode", "outputnode"))]


def _node(kind: str, name: str, resources: Resources, *, mem_gb: float, manifest: Path) -> Node:
    interface: Any = getattr(interfaces, kind)
    step = MODULES[kind]
    inputs = {"n_threads": resources.n_threads, "manifest": manifest}
    made = interface(code=code_fingerprint(f"{STEPS}.{step}"), **inputs)
    return Node(made, name=name, n_procs=resources.n_threads, mem_gb=round(mem_gb, 3))


MODULES = {
    "ReadResponses": "responses",
    "DefineRegions": "regions",
    "ExtractFeatures": "features",
    "Decode": "decode",
    "Encode": "encode",
    "EstimateCeilings": "ceiling",
    "Denoise": "denoise",
    "Twin": "twin",
    "Searchlight": "searchlight",
    "Report": "report",
    "TestGroup": "group",
    "TestAcross": "across",
    "ReportGroup": "report",
}


def _write(work_dir: Path, name: str, manifest: Manifest) -> Path:
    return write_json(work_dir / "manifests" / f"{name}.json", manifest)
