"""What a run may use, and what its parts take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bids_dnn.backend import cores, memory_gb
from bids_dnn.config.load import gigabytes
from bids_dnn.config.schema import Config
from bids_dnn.workflows.plan import SubjectPlan
from bids_dnn.workflows.scene import Manifest

GB_FEATURES = 2.0  # a network, a batch, and a tile of the scratch file
LAYERS = 8  # of a network that names none
IN_WORK = 4  # matrices of stimuli by stimuli, while a layer is fitted and tested
MEMORY_SHARE = 0.25  # of all, for blocks of features that are kept in memory


@dataclass(frozen=True, slots=True)
class Resources:
    """What one run may use.

    Parameters
    ----------
    n_procs : int
        Processes at once.
    n_threads : int
        Of one process.
    memory_gb : GB
        Of all processes together.
    """

    n_procs: int
    n_threads: int
    memory_gb: float


def resources_of(config: Config) -> Resources:
    """Return processes, threads and memory: as asked for, or what this process may use."""
    n_cores = cores()
    n_procs = config.run.nprocs or n_cores
    n_threads = config.run.omp_nthreads or max(1, n_cores // n_procs)
    memory = gigabytes(config.run.mem) if config.run.mem else 0.9 * memory_gb()
    return Resources(n_procs, n_threads, memory)


def memory_of_products(networks: Mapping[str, Manifest], resources: Resources) -> float:
    """Return roughly how much memory the Gram matrices of all layers take, in GB; all at most.

    Each is held in double precision beside what maps responses to predictions, in single; a
    few more are held while one is worked on.

    Parameters
    ----------
    networks
        Manifests of the features, by name. Where one leaves its layers to the network, they are
        taken to be `LAYERS`.
    resources
        Whose memory is the most that is said.
    """
    squares = [
        len(told["stimuli"]) ** 2 * (12 * (len(told["layers"]) or LAYERS) + 8 * IN_WORK)
        for told in networks.values()
    ]
    return min(sum(squares) / 1e9, resources.memory_gb)


def memory_of(plan: SubjectPlan) -> float:
    """Return roughly how much memory a participant's responses take, in GB.

    Compressed images are taken to hold four times their size, as float32, twice.
    """
    sizes = [run.bold.stat().st_size for run in plan.subject.runs if run.bold.exists()]
    if plan.subject.spm is not None:
        sizes = [p.stat().st_size for p in plan.subject.inputs() if p.exists()]
    return 0.5 + 8.0 * sum(sizes) / 1e9
