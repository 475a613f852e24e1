"""stimuli.catalog: known answers, laws, refusals."""

import pandas as pd
import pytest

from bids_dnn.errors import MissingInputError
from bids_dnn.stimuli.catalog import match, read_catalog


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a/z.JPG", "a/y.webp", "notes.txt", ".thumbs/b.png", "a/x.tiff"):
        path = tmp_path / "stimuli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "stimuli"


def test_ids_are_sorted_paths_below_the_folder(folder):
    found = read_catalog(folder)
    assert list(found) == ["a/x.tiff", "a/y.webp", "a/z.JPG", "b.png"]
    assert found["a/z.JPG"] == folder / "a" / "z.JPG"


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"no folder .*nowhere"):
        read_catalog(tmp_path / "nowhere")


def test_match_counts_every_sample_and_picture():
    samples = pd.DataFrame({"stimulus": ["b.png", "", "c.png", "b.png", ""]})
    met = match(samples, {"a.png": 1, "b.png": 2})
    assert met.used == ("b.png",)
    assert met.no_stimulus == 2
    assert met.missing == ("c.png",)
    assert met.unused == ("a.png",)


def test_match_does_not_care_for_the_order_of_samples(rng):
    samples = pd.DataFrame({"stimulus": ["b", "c", "", "a", "b"]})
    assert match(samples, ["a", "b"]) == match(samples.sample(frac=1, random_state=1), ["b", "a"])


def test_match_needs_the_column():
    with pytest.raises(MissingInputError, match=r"\['onset'\]"):
        match(pd.DataFrame({"onset": [1.0]}), [])
