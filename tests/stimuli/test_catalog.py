"""stimuli.catalog: known answers, laws, refusals."""

import pandas as pd
import pytest

from bids_dnn.errors import MissingInputError
from bids_dnn.stimuli.catalog import ambiguous, match, read_catalog, resolve


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


CATALOG = [
    "aardvark/aardvark_01b.jpg",
    "faces/cat.png",
    "faces/one.png",
    "places/one.png",
    "test/THINGS/00001.bmp",
    "train/THINGS/00001.bmp",
    "stim-dog_image.png",
    "v1.2.png",
    "Upper.png",
    "one.jpg",
]


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("faces/one.png", "faces/one.png"),  # the id itself
        ("stimuli/faces/one.png", "faces/one.png"),  # a longer path
        ("THINGS_images\\aardvark\\aardvark_01b.jpg", "aardvark/aardvark_01b.jpg"),
        ("aardvark_01b.jpg", "aardvark/aardvark_01b.jpg"),
        ("train/THINGS/00001.bmp", "train/THINGS/00001.bmp"),
        ("./faces/cat.png", "faces/cat.png"),
        ("cat", "faces/cat.png"),
        ("cat.jpg", "faces/cat.png"),  # only the stem fits
        ("one.jpg", "one.jpg"),
        ("stim-dog", "stim-dog_image.png"),
        ("stim-dog_image", "stim-dog_image.png"),
        ("v1.2", "v1.2.png"),
        ("Upper", "Upper.png"),
    ],
)
def test_a_name_means_the_only_picture_that_fits(name, picture):
    assert resolve([name], CATALOG) == {name: picture}
    assert resolve([name], CATALOG[::-1]) == {name: picture}


def test_the_end_of_a_path_decides_before_the_file_name():
    assert resolve(["THINGS/1.bmp"], ["a/THINGS/1.bmp", "b/1.bmp"]) == {
        "THINGS/1.bmp": "a/THINGS/1.bmp"
    }


@pytest.mark.parametrize("name", ["00001.bmp", "THINGS/00001.bmp", "one.png", "one"])
def test_a_name_that_means_several_pictures_is_listed(name):
    assert resolve([name], CATALOG) == {}
    assert len(ambiguous([name], CATALOG)[name]) > 1


@pytest.mark.parametrize("name", ["upper", "", "horse.png", "dog"])
def test_a_name_without_a_picture_means_none(name):
    assert resolve([name], CATALOG) == {}
    assert ambiguous([name], CATALOG) == {}


def test_names_are_resolved_in_their_order():
    assert list(resolve(["v1.2", "cat", "Upper"], CATALOG)) == ["v1.2", "cat", "Upper"]
