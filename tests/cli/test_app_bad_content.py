"""Ready-made responses with code in them, or with pictures outside: refused, nothing is run."""

import os

import h5py
import numpy as np
import pytest

from tests.factories.mat73 import write_mat73
from tests.factories.ready_nwb import PICTURES
from tests.factories.ready_statmap import series_maps
from tests.factories.ready_tvsd import things
from tests.factories.sources import check, one

pytestmark = pytest.mark.whole

# --- code in the place of numbers


class Hostile:
    """Makes a file as soon as anybody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


CODE = {
    "glmsingle": ("TYPED*.npy", 1),
    "bold5000": ("*LHPPA.npy", 1),
    "algonauts": ("mapping_floc-faces.npy", 1),
    "table": ("responses.npy", 1),
}


@pytest.mark.parametrize("kind", CODE)
def test_code_in_a_pickle_is_refused_and_not_run(told, make, tmp_path, kind):
    pattern, code = CODE[kind]
    home = make(kind)
    path, was_run = one(home, pattern), tmp_path / "was-run"
    np.save(path, np.array({"betasmd": Hostile(was_run)}, dtype=object))
    said = told(kind, home, expect=code)
    check(said, path.name, "nothing in it was run")
    assert not was_run.exists()
    np.load(path, allow_pickle=True)  # what another program would have done
    assert was_run.exists()


# --- pictures outside of the folder of pictures

OUTSIDE = {"absolute": "/etc/passwd.png", "above": "../../secret.png", "Windows": "C:\\im.png"}


def point_glmsingle(home, name):
    path = one(home, "samples.tsv")
    path.write_text(path.read_text().replace("im2.png", name))


def point_bold5000(home, name):
    path = one(home, "CSI1_sess01_run01.txt")
    path.write_text("\n".join([name, *path.read_text().splitlines()[1:]]) + "\n")


def point_tvsd(home, name):
    path = one(home, "things_imgs.mat")
    train, test = things(12), things(4, start=12)
    shown = {
        "train_imgs": [{"things_path": n} for n in [name, *train[1:]]],
        "test_imgs": [{"things_path": n} for n in test],
    }
    path.unlink()
    write_mat73(path, shown)


def point_nwb(home, name):
    path = one(home, "*.nwb")
    shown = [name, *(PICTURES[i % 4] for i in range(1, 12))]
    with h5py.File(path, "r+") as file:
        del file["intervals/trials/stim_file"]
        table = file["intervals/trials"]
        table.create_dataset("stim_file", data=shown, dtype=h5py.string_dtype())


def point_statmap(home, name):
    for path in home.rglob("*.*"):
        path.unlink()
    series_maps(home, np.random.default_rng(0))
    path = one(home, "*_samples.tsv")
    path.write_text(path.read_text().replace("pics/2.png", name))


def point_table(home, name):
    path = one(home, "samples.tsv")
    path.write_text(path.read_text().replace("faces\\2.png", name))


POINT = {
    "glmsingle": point_glmsingle,
    "bold5000": point_bold5000,
    "tvsd": point_tvsd,
    "nwb": point_nwb,
    "statmap": point_statmap,
    "table": point_table,
}


@pytest.mark.parametrize("where", OUTSIDE)
@pytest.mark.parametrize("kind", POINT)
def test_pictures_outside_are_refused(told, make, kind, where):
    home = make(kind)
    POINT[kind](home, OUTSIDE[where])
    said = told(kind, home, expect=1)
    check(said, "lies outside the data set")
