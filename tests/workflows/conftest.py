"""One simulated data set and one whole run, read-only, for every test that looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from bids_dnn.cli.app import main
from bids_dnn.files import fingerprint
from bids_dnn.simulate.dataset import simulate

N_PERMUTATIONS = 49
STEM = "sub-01/func/sub-01_task-objects_space-T1w_desc-{}_scores.tsv"


def files_of(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def bytes_of(folder):
    """Fingerprint of every file but the logs, which alone hold dates."""
    names = [name for name in files_of(folder) if not name.startswith("logs/")]
    return {name: fingerprint(folder / name) for name in names}


def table(out, analysis, participant="01"):
    made = pd.read_csv(
        out / STEM.format(analysis).replace("sub-01", f"sub-{participant}"), sep="\t"
    )
    if "target" in made:
        made = made[(made["target"] == "units") & (made["network"] != "*")].reset_index(drop=True)
    return made


@dataclass(frozen=True)
class Whole:
    """Where the data set and the results of the whole run lie."""

    bids: Path
    out: Path
    work: Path

    def options(self, level="participant"):
        args = [str(self.bids), str(self.out), level, "--work-dir", str(self.work)]
        if level == "group":
            return args
        few = ["--n-permutations", str(N_PERMUTATIONS), "--nprocs", "2", "--omp-nthreads", "1"]
        return [*args, "--weights", "alexnet=random", *few]


def invoke(*args):
    """Call the App as the command line does; anything that is no exit code is raised."""
    said = CliRunner().invoke(main, [str(arg) for arg in args])
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    return said


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("simulated") / "bids", n_participants=2, seed=0)


@pytest.fixture(scope="session")
def whole(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    made = Whole(simulated, folder / "out", folder / "work")
    for level in ("participant", "group"):
        said = invoke(*made.options(level))
        assert said.exit_code == 0, said.output
    return made
