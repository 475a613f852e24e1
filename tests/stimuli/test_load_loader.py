"""stimuli.load.Loader: what comes out, in which process, of how many files."""

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from PIL import Image

from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError
from bids_dnn.stimuli.load import Loader, read_rgb
from bids_dnn.stimuli.resize import square
from bids_dnn.stimuli.transform import parse_transforms, transformed


@pytest.fixture
def files(tmp_path, rng):
    made = {}
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / name)
        made[name] = (tmp_path / name,)
    return made | {"both": (tmp_path / "a.png", tmp_path / "b.png")}


def loader_of(files, *texts, **options):
    options = {"size_px": 16, "resize": "squash", **options}
    return Loader(files, transforms=parse_transforms(texts), **options)


@pytest.mark.parametrize("rule", ["squash", "center-crop", "pad"])
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_what_is_only_resized_stays_in_bytes(files, rule, kernel):
    made = loader_of(files, resize=rule, interpolation=kernel)("a.png")
    assert made.dtype == np.uint8
    assert made.flags.writeable
    expected = square(read_rgb(files["a.png"][0]), 16, resize=rule, interpolation=kernel)
    np.testing.assert_array_equal(made, np.asarray(expected))


@pytest.mark.parametrize("rule", ["squash", "center-crop", "pad"])
def test_a_resizing_transform_alone_is_the_same_rule(files, rule):
    by_transform = loader_of(files, rule, resize="squash")("a.png")
    np.testing.assert_array_equal(by_transform, loader_of(files, resize=rule)("a.png"))
    assert by_transform.dtype == np.uint8


@pytest.mark.parametrize("text", ["center-crop(keep=0.5)", "pad(fill=0)", "pad(fill=mean)"])
def test_its_options_are_used_in_bytes_too(files, text):
    made = loader_of(files, text)("a.png")
    unit = made / 255 if made.dtype == np.uint8 else made
    picture = np.asarray(read_rgb(files["a.png"][0]), dtype=np.float32) / 255
    expected = transformed(
        [picture], parse_transforms([text]), size_px=16, resize="squash", stimulus="a.png"
    )
    np.testing.assert_allclose(unit, expected, atol=1.01 / 255)


@pytest.mark.parametrize("texts", [["contrast(factor=1)"], ["squash", "contrast(factor=1)"]])
def test_resizing_that_comes_first_is_done_in_bytes(files, texts):
    made = loader_of(files, *texts)("a.png")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made * 255, loader_of(files)("a.png"), atol=1e-4)


def test_what_comes_before_a_resizing_transform_sees_the_picture_as_it_is(files):
    made = loader_of(files, "aperture(diameter=1)", "pad(fill=128)")("a.png")
    assert made[[0, -1]].min() == made[[0, -1]].max()  # the margin: no stretched circle
    assert np.abs(made[8, [0, -1]] - 128 / 255).max() < 1e-6  # 20 of 30 pixels are seen


def test_transforms_give_floats_that_are_not_clipped(files):
    made = loader_of(files, "contrast(factor=4)")("a.png")
    assert made.dtype == np.float32
    assert made.min() < -0.1
    assert made.max() > 1.1


def test_another_order_or_subset_gives_the_same_pictures(files):
    loader = loader_of(files, "noise(snr=1)")
    first = {name: loader(name) for name in ("a.png", "b.png")}
    np.testing.assert_array_equal(loader("b.png"), first["b.png"])
    alone = loader_of({"b.png": files["b.png"]}, "noise(snr=1)")
    np.testing.assert_array_equal(alone("b.png"), first["b.png"])
    assert np.abs(first["a.png"] - first["b.png"]).max() > 0.1


def test_each_stimulus_is_warped_itself(files):
    loader = loader_of(files, "retinawarp")
    made = {name: loader(name) for name in ("a.png", "b.png")}
    assert np.abs(made["a.png"] - made["b.png"]).max() > 0.1


def test_two_files_make_a_pair(files):
    made = loader_of(files, "pair", size_px=64)("both")
    alone = {name: loader_of(files, "pair", size_px=64)(name) for name in ("a.png", "b.png")}
    np.testing.assert_array_equal(made[:32], alone["a.png"][:32])
    np.testing.assert_array_equal(made[32:], alone["b.png"][32:])
    with pytest.raises(ConfigError, match=r"'both' is made of 2 pictures"):
        loader_of(files)("both")


def test_it_runs_in_worker_processes(files):
    loader = loader_of(files, "noise(snr=1)", "retinawarp(mode=fitted)")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as workers:
        made = list(workers.map(loader, ["a.png", "b.png"]))
        refused = workers.submit(loader, "c.png").exception()
    np.testing.assert_array_equal(made, [loader("a.png"), loader("b.png")])
    assert isinstance(refused, MissingInputError)


def test_a_pickled_loader_is_the_same(files):
    loader = loader_of(files, "grey")
    assert pickle.loads(pickle.dumps(loader)) == loader


def test_workers_need_no_torch():
    code = "import sys, bids_dnn.stimuli.load as _; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_stimulus_and_a_large_one_are_refused(files):
    with pytest.raises(MissingInputError, match=r"no stimulus 'a\.pngg'.*'a\.png'"):
        loader_of(files)("a.pngg")
    with pytest.raises(UnreadableError, match="30 x 20 pixels, more than the 599"):
        loader_of(files, max_pixels=599)("a.png")
