"""Ready-made responses that are damaged or do not fit: the message, the exit code, no table."""

import json

import h5py
import numpy as np
import pytest

from tests.factories.ready_statmap import series_maps, surface_maps
from tests.factories.ready_tvsd import write_pictures
from tests.factories.sources import check, one

pytestmark = pytest.mark.whole

# --- files that end early, or are not there

CUT = {  # which file is cut short, the exit code, and what is said beside its name
    "glmsingle": ("TYPED*.npy", 1, "is no whole pickle"),
    "nsd": ("betas_session01.hdf5", 1, "is no whole HDF5 file"),
    "bold5000": ("*LHPPA.npy", 1, "is no whole array of numbers (it ends after"),
    "algonauts": ("lh_training_fmri.npy", 1, "is no whole array of numbers"),
    "vim1": ("EstimatedResponses.mat", 2, "is no whole HDF5 file"),
    "tvsd": ("THINGS_normMUA.mat", 1, "is no whole HDF5 file"),
    "nwb": ("*.nwb", 1, "is no whole HDF5 file"),
    "statmap": ("*contrast-house*effect*.nii.gz", 1, "cannot be read as an image"),
    "table": ("responses.npy", 1, "is no whole array of numbers"),
}


@pytest.mark.parametrize("kind", CUT)
def test_a_file_cut_short(told, make, kind):
    pattern, code, words = CUT[kind]
    home = make(kind)
    path = one(home, pattern)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    said = told(kind, home, expect=code)
    check(said, path.name, words, "Fetch or copy it again")


MISSING = {
    "glmsingle": ("samples.tsv", 2, "does not hold samples.tsv or conditions.tsv"),
    "nsd": ("betas_session01.hdf5", 2, "does not hold files of sessions"),
    "bold5000": ("*RHPPA.npy", 2, "holds LHPPA, but not RHPPA"),
    "algonauts": ("rh_training_fmri.npy", 2, "is there, but rh_training_fmri.npy is not"),
    "vim1": ("EstimatedResponses.mat", 2, "does not hold EstimatedResponses.mat"),
    "tvsd": ("things_imgs.mat", 2, "names the pictures of THINGS_normMUA.mat. Give"),
    "nwb": ("*.nwb", 2, "does not hold any participant"),
    "table": ("samples.tsv", 2, "has responses.npy, but no samples.tsv"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_part_that_is_missing(told, make, kind):
    pattern, code, words = MISSING[kind]
    home = make(kind)
    one(home, pattern).unlink()
    check(told(kind, home, expect=code), str(home), words)


def test_a_contrast_that_one_run_lacks_is_told(app, raw, make):
    home = make("statmap")
    one(home, "*run-2*contrast-house*effect*.nii.gz").unlink()
    said = app(raw, "--responses", f"statmap={home}", analysis="ceiling", dry=True)
    assert "sub-01, run 2 has no map of: house." in " ".join(said.split())


def test_one_hemisphere_of_maps(told, tmp_path, rng):
    surface_maps(tmp_path / "maps", rng)
    one(tmp_path / "maps", "*hemi-R*house*").unlink()
    said = told("statmap", tmp_path / "maps", expect=2)
    check(said, "no partner of the other hemisphere", "house")


# --- as many rows, pictures and units as there should be


def drop_last_line(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def put(path, name, value):
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = value


def shorten_glmsingle(home, _):
    drop_last_line(one(home, "samples.tsv"))


def shorten_nsd(home, _):
    put(one(home, "betas_session01.hdf5"), "betas", np.zeros((749, 3, 4, 5), np.int16))


def shorten_bold5000(home, _):
    drop_last_line(one(home, "CSI1_sess01_run01.txt"))


def shorten_algonauts(home, _):
    one(home, "train-0005_*.png").unlink()


def shorten_vim1(home, _):
    put(one(home, "EstimatedResponses.mat"), "dataValS1", np.zeros((6, 39)))


def shorten_tvsd(home, _):
    write_pictures(home / "monkeyF", 11, 4)


def shorten_nwb(home, _):
    put(one(home, "*.nwb"), "intervals/trials/stop_time", np.arange(11.0))


def shorten_statmap(home, rng):
    for path in home.rglob("*.*"):
        path.unlink()
    series_maps(home, rng)
    drop_last_line(one(home, "*_samples.tsv"))


def shorten_table(home, _):
    drop_last_line(one(home, "samples.tsv"))


SHAPES = {
    "glmsingle": (shorten_glmsingle, 1, "has 8 trials, the sample table beside it names 7"),
    "nsd": (shorten_nsd, 1, "749 samples; 750 samples"),
    "bold5000": (shorten_bold5000, 1, "258 trials of all sessions, the betas 259"),
    "algonauts": (shorten_algonauts, 1, "11 training pictures for 12 responses"),
    "vim1": (shorten_vim1, 1, "dataValS1 of shape (6, 39)"),
    "tvsd": (shorten_tvsd, 1, "names 11 train images, there are responses to 12"),
    "nwb": (shorten_nwb, 1, "trials/stop_time of shape (11,), (12,) was"),
    "statmap": (shorten_statmap, 1, "has 4 rows for 5 volumes"),
    "table": (shorten_table, 1, "shape (12, 6); 11 samples x 6 units"),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_another_number_than_the_sample_table(told, make, rng, kind):
    alter, code, words = SHAPES[kind]
    home = make(kind)
    alter(home, rng)
    check(told(kind, home, expect=code), words)


# --- samples, pictures and units that stand twice


def repeat_glmsingle(home, _):
    path = one(home, "samples.tsv")
    rows = [f"im{i}.png\t01\t{i % 7}\n" for i in range(8)]
    path.write_text("".join(["stimulus\trun\ttrial\n", *rows]))


def repeat_nsd(home, _):
    path = one(home, "responses.tsv")
    path.write_text(path.read_text().replace("1\t1\t1\t2\t", "1\t1\t1\t1\t", 1))


def repeat_bold5000(home, _):
    (home / "CSI1_sess01_run01.txt").write_text("a.jpg\n")


def repeat_algonauts(home, _):
    path = one(home, "train-0002_*.png")
    (path.parent / "train-0002_nsd-99999.png").touch()


def repeat_vim1(home, _):
    put(one(home, "EstimatedResponses.mat"), "voxIdxS1", np.ones((1, 40)))


def repeat_nwb(home, _):
    with h5py.File(one(home, "*.nwb"), "r+") as file:
        file["units/id"][1] = file["units/id"][0]


def repeat_statmap(home, _):
    path = one(home, "*run-1*contrast-house*effect*.nii.gz")
    folder = path.parents[1] / "copy"
    folder.mkdir()
    (folder / path.name).write_bytes(path.read_bytes())


def repeat_table(home, _):
    path = one(home, "samples.tsv")
    path.write_text(path.read_text().replace("s1\t", "s0\t", 1))


TWICE = {
    "glmsingle": (repeat_glmsingle, 1, "trial '0' of run '01' twice"),
    "nsd": (repeat_nsd, 1, "trial 1 of run 1 in session 1 twice"),
    "bold5000": (repeat_bold5000, 1, "CSI1_sess01_run01.txt stands twice"),
    "algonauts": (repeat_algonauts, 1, "two pictures with the number 2"),
    "vim1": (repeat_vim1, 1, "some twice or outside"),
    "nwb": (repeat_nwb, 1, "1 of 5 unit names stand twice"),
    "statmap": (repeat_statmap, 2, "both the effect of one contrast in one run"),
    "table": (repeat_table, 1, "sample 's0' twice"),
}


@pytest.mark.parametrize("kind", TWICE)
def test_what_stands_twice(told, make, rng, kind):
    alter, code, words = TWICE[kind]
    home = make(kind)
    alter(home, rng)
    check(told(kind, home, expect=code), words)


# --- units that were not measured


ALL = slice(None)


def spoil(array, units):
    array = np.array(array)
    array[:, units] = np.nan
    return array


def spoil_glmsingle(home, units):
    path = one(home, "TYPED*.npy")
    held = np.load(path, allow_pickle=True).item()
    betas = held["betasmd"].reshape(-1, held["betasmd"].shape[-1])
    betas[-1 if units == 0 else ALL] = np.nan
    np.save(path, held)


def spoil_table(home, units):
    path = one(home, "responses.npy")
    np.save(path, spoil(np.load(path), units))


def spoil_bold5000(home, units):
    for path in home.rglob("*.npy" if units == ALL else "*LHPPA.npy"):
        np.save(path, spoil(np.load(path), units))


NAN = {"glmsingle": spoil_glmsingle, "table": spoil_table, "bold5000": spoil_bold5000}


@pytest.mark.parametrize("kind", NAN)
def test_units_that_are_nan_are_left_out_and_counted(app, raw, make, tmp_path, kind):
    home = make(kind)
    NAN[kind](home, 0)
    app(raw, "--responses", f"{kind}={home}", analysis="ceiling")
    (path,) = (tmp_path / "out").rglob("*_desc-ceiling_scores.json")
    assert json.loads(path.read_text())["Facts"]["ingest"]["left_out_because"]["nan"] == 1


@pytest.mark.parametrize("kind", NAN)
def test_nothing_but_nan(told, make, kind):
    home = make(kind)
    NAN[kind](home, ALL)
    said = told(kind, home, expect=1)
    check(said, "No unit can be used", "are NaN")
