"""stats.compiled: the same answer, also where nothing can be kept."""

import subprocess
import sys

import numba
import pytest

from bids_dnn.stats import compiled as module


def double(x):
    return 2 * x


def test_a_compiled_function_answers_as_it_did():
    assert module.compiled(double)(2.5) == 5.0


def test_where_no_folder_can_be_written_it_compiles_without_a_cache(monkeypatch):
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    monkeypatch.setattr("numba.core.caching.CompileResultCacheImpl._locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator available"):
        numba.njit(cache=True)(double)
    assert module.compiled(double)(1.5) == 3.0


def test_the_package_starts_without_numba():
    code = "import sys, bids_dnn, bids_dnn.analyses.decode.decoding; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
