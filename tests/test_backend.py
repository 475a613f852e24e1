"""backend: devices, threads and memory as they are."""

import subprocess
import sys

import numpy as np
import pytest
import threadpoolctl
import torch

from bids_dnn import backend
from bids_dnn.errors import ConfigError


def test_cpu_is_always_there():
    assert backend.choose_device("cpu") == "cpu"
    assert backend.choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"--device cuda.*--gpus all.*--nv"):
        backend.choose_device("cuda")


def test_threads_are_set_inside_and_given_back():
    _ = np.ones((2, 2)) @ np.ones((2, 2))
    before = torch.get_num_threads()
    with backend.threads(1):
        assert torch.get_num_threads() == 1
        assert all(pool["num_threads"] == 1 for pool in threadpoolctl.threadpool_info())
    assert torch.get_num_threads() == before


def test_there_is_memory_and_a_core():
    assert 0.1 < backend.memory_gb() < 1e5
    assert backend.cores() >= 1


@pytest.mark.parametrize("stray", ["bids_dnn/readme.txt", "random.py"])
def test_workers_do_not_import_what_lies_in_the_working_directory(tmp_path, stray):
    """A checkout is a folder of the package's name; its parent is where many people type."""
    (tmp_path / stray).parent.mkdir(exist_ok=True)
    (tmp_path / stray).write_text("raise SystemExit('this is not the library')\n")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "script.py"
    script.write_text(
        "import multiprocessing, os\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from bids_dnn import __version__, backend\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_forkserver_preload(['bids_dnn.files'])\n"
        "    with ProcessPoolExecutor(1, mp_context=backend.workers()) as pool:\n"
        "        print(pool.submit(backend.cores).result() == backend.cores())\n"
        "    print(os.environ.get('PYTHONSAFEPATH'))\n"
    )
    told = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert told.stdout == "True\nNone\n", told.stderr
