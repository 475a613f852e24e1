"""What every test may ask for."""

from __future__ import annotations

import io
import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from PIL import Image

REAL = Path(
    os.environ.get("BIDS_DNN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
).resolve()


def pytest_collection_modifyitems(items):
    """Let the one whole run start first: it takes longest, and files stay on one worker."""
    items.sort(key=lambda item: item.get_closest_marker("whole") is None)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def real_data():
    if not REAL.is_dir():
        pytest.skip(f"no real data at {REAL} (set BIDS_DNN_TEST_DATA)")
    return REAL


@pytest.fixture
def undrawn(monkeypatch):
    """Put figures together, but do not lay them out: for tests of what is said, not drawn."""
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(stream, format="PNG")
    monkeypatch.setattr(Figure, "savefig", lambda _, file, **__: file.write(stream.getvalue()))


@pytest.fixture(autouse=True)
def _one_thread():
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
