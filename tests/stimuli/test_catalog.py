"""stimuli.catalog: known answers, laws, refusals."""

import os

import pandas as pd
import pytest
from PIL import Image

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.stimuli.catalog import ambiguous, joined, match, read_catalog, resolve, scan
from bids_dnn.stimuli.load import read_rgb
from tests.factories.stimuli import write_picture


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


@pytest.mark.parametrize(
    "suffix", ["png", "jpeg", "bmp", "gif", "tif", "webp", "jp2", "pgm", "ppm", "pnm", "avif"]
)
def test_what_can_be_read_is_found(tmp_path, suffix):
    Image.init()
    if suffix == "avif" and "AVIF" not in Image.SAVE:
        pytest.skip("this pillow has no AVIF")
    path = write_picture(tmp_path / f"a.{suffix}")
    assert read_catalog(tmp_path) == {path.name: path}
    assert resolve(["a"], [path.name]) == {"a": path.name}
    assert read_rgb(path).size == (8, 8)


def test_no_folder_is_refused(tmp_path):
    (tmp_path / "mine.npy").touch()
    with pytest.raises(MissingInputError, match=r"mine\.npy is a file, but no stack .*\.mat"):
        scan(tmp_path / "mine.npy")
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


# --- other names, and composed pictures


def test_an_alias_comes_after_the_id_and_before_file_names():
    catalog = ["a/1.png", "a/2.png", "stim-3"]
    aliases = {"1": ["a/2.png"], "stim-3": ["a/1.png"], "x": ["a/1.png", "a/2.png"], "y": ["gone"]}
    assert resolve(["1", "stim-3", "x", "y", "2"], catalog, aliases) == {
        "1": "a/2.png",
        "stim-3": "stim-3",
        "2": "a/2.png",
    }
    assert ambiguous(["1", "x", "y"], catalog, aliases) == {"x": ("a/1.png", "a/2.png")}


def test_an_alias_that_means_one_picture_of_the_catalog_is_taken():
    assert resolve(["x"], ["b"], {"x": ("a", "b")}) == {"x": "b"}


@pytest.mark.parametrize(
    "name", ["a.png;f/b.png", " ./a.png ; stimuli/f\\b.png", "stimuli/a.png;f/b.png"]
)
def test_a_composed_picture_is_known_by_its_files_in_order(name):
    catalog = ["a.png", "a.png;f/b.png", "f/b.png"]
    assert resolve([name], catalog) == {name: "a.png;f/b.png"}
    assert joined(name.split(";")) == "a.png;f/b.png"
    assert resolve(["f/b.png;a.png", "f/b.png", "b.png"], catalog) == {
        "f/b.png": "f/b.png",
        "b.png": "f/b.png",
    }


# --- what lies in a folder


def test_all_kinds_of_files_are_told_apart(folder):
    (folder / "a" / "gone.png").symlink_to("nowhere.png")
    (folder / "a" / "stimuli.tsv").write_text("stim_file\n")
    (folder / "stimuli.tsv").write_text("stim_file\n")
    (folder / "nsd.HDF5").write_bytes(b"")
    found = scan(folder)
    assert list(found.pictures) == ["a/x.tiff", "a/y.webp", "a/z.JPG", "b.png"]
    assert found.not_fetched == ("a/gone.png",)
    assert found.tables == ("stimuli.tsv", "a/stimuli.tsv")
    assert found.stacks == ("nsd.HDF5",)


def test_links_to_folders_are_followed_once(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "q.gif").write_bytes(b"x")
    (folder / "linked").symlink_to(other)
    (folder / "again").symlink_to(folder)  # round in circles
    (folder / "0").symlink_to(folder / "a")  # a folder that is there anyway
    (folder / "twice").symlink_to(other)
    found = read_catalog(folder)
    assert list(found) == ["a/x.tiff", "a/y.webp", "a/z.JPG", "b.png", "linked/q.gif"]


def test_a_name_that_is_no_utf8_is_refused(folder):
    try:
        (folder / os.fsdecode(b"k\xe4se.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(UnreadableError, match=r"the name 'k\\udce4se\.png', which is not UTF-8"):
        read_catalog(folder)


def test_a_folder_that_cannot_be_listed_is_refused(folder, monkeypatch):
    def closed(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("bids_dnn.stimuli.catalog.os.scandir", closed)
    with pytest.raises(UnreadableError, match=r"cannot be listed \(Permission denied\)"):
        read_catalog(folder)


def slowly(name, catalog):
    """Resolve one name as the docstring says, one picture after another."""

    def stems(path):
        name = path.split("/")[-1]
        base = name[:-4] if name[-4:].lower() in (".png", ".jpg") else name
        return {base, base.removesuffix("_image")}

    def agree(picture):
        folders = [path.split("/")[:-1] for path in (name, picture)]
        short, long = sorted(folders, key=len)
        return long[len(long) - len(short) :] == short

    last = name.split("/")[-1]
    own = last[:-4] if last[-4:].lower() in (".png", ".jpg") else last
    ways = [
        [p for p in catalog if p == name],
        [p for p in catalog if "/" in p and name.endswith(f"/{p}")],
        [p for p in catalog if p.endswith(f"/{name}") and "/" in name],
        [p for p in catalog if p.split("/")[-1] == last and agree(p)],
        [p for p in catalog if own in stems(p) and agree(p)],
    ]
    fits = next((way for way in ways if way), [])
    longest = [p for p in fits if len(p) == max(map(len, fits))] if fits is ways[1] else fits
    return longest[0] if len(longest) == 1 else None


def test_names_are_resolved_as_one_by_one(rng):
    def path():
        folders = rng.choice(["a", "b", "c"], rng.integers(0, 3))
        base = rng.choice(["1", "2", "stim-1", "stim-1_image", "v1.2"])
        return "/".join([*folders, f"{base}{rng.choice(['', '.png', '.PNG', '.jpg'])}"])

    for _ in range(100):
        catalog = sorted({path() for _ in range(8)})
        names = list({path() for _ in range(20)})
        expected = {name: slowly(name, catalog) for name in names}
        assert resolve(names, catalog) == {n: p for n, p in expected.items() if p is not None}
