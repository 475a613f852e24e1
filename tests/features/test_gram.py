"""features.gram: direct products, one set of bytes by every route, plans, refusals."""

import errno
import os

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from bids_dnn.errors import ConfigError, NotEnoughDataError, OutputError, ShapeError
from bids_dnn.features import grid, scratch
from bids_dnn.features.extract import Options, Shown, passes_of
from bids_dnn.features.gram import (
    GramPlan,
    cross_grams,
    fold_scaled_grams,
    gram_of,
    grams_of,
    plan_grams,
)
from bids_dnn.features.probe import probe
from tests.factories.networks import photos, small_network
from tests.factories.passes import FakePasses, features

WIDTHS = {"wide": 1000, "narrow": 37, "middle": 640}
ROUTES = [("disk", 0), ("recompute", 32), ("recompute", 64), ("recompute", 96)]
GB = 10**9


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    """Cut small arrays as large ones are cut: several groups, several tiles, a rest of each."""
    monkeypatch.setattr(grid, "SPEEDS", {32: 36, 16: 25})
    monkeypatch.setattr(grid, "GROUP_BYTES", 4 * 32 * 700)
    monkeypatch.setattr(grid, "LEAST_OF_WIDE", 16)
    monkeypatch.setattr(grid, "TILES", (64, 192))
    monkeypatch.setattr(grid, "TILE_ELEMENTS", 64 * 300)


def plan(mode="disk", block=0):
    return GramPlan(mode, 0, 0, 1, block, "")


def bytes_of(made):
    return [part.tobytes() for one in made.values() for part in (one.gram, one.sums)]


@pytest.mark.parametrize("tile_elements", [1, 64 * 300, 8 << 20])
def test_tiles_give_the_direct_product(rng, monkeypatch, tile_elements):
    monkeypatch.setattr(grid, "TILE_ELEMENTS", tile_elements)
    x = rng.normal(size=(9, 501)).astype(np.float32)
    made = gram_of(x)
    np.testing.assert_allclose(made, x.astype(float) @ x.T.astype(float), rtol=1e-11)
    np.testing.assert_array_equal(made, made.T)


def test_no_columns_have_products_of_zero():
    np.testing.assert_array_equal(gram_of(np.empty((3, 0), np.float32)), np.zeros((3, 3)))


def test_sums_do_not_lose_what_float32_would(rng):
    x = np.concatenate([np.full((2, 1), 4096.0), rng.normal(size=(2, 3000))], axis=1)
    x = x.astype(np.float32)
    direct = (x.astype(np.longdouble)) @ (x.astype(np.longdouble)).T
    np.testing.assert_allclose(gram_of(x), direct.astype(float), rtol=1e-13)


def test_the_order_of_columns_does_not_matter(rng):
    x = rng.normal(size=(5, 40)).astype(np.float32)
    np.testing.assert_allclose(gram_of(x), gram_of(x[:, rng.permutation(40)]), rtol=1e-12)


@pytest.mark.parametrize("p", [20_011, 4793])
def test_the_number_of_threads_does_not_matter(rng, monkeypatch, p):
    monkeypatch.undo()
    x = rng.normal(size=(197, p)).astype(np.float32)
    made = []
    for n_threads in (1, 2, 5):
        with threadpool_limits(n_threads, user_api="blas"):
            made.append(gram_of(x).tobytes())
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("is_scaled", [False, True])
def test_each_route_gives_the_direct_product_and_the_same_bytes(rng, tmp_path, is_scaled):
    values = features(rng, 75, WIDTHS)
    values["wide"][:, 3] = 2.5
    values["wide"][0, 4] = 1.0
    train = np.arange(75) % 3 > 0
    values["wide"][train, 4] = -1.0  # varies, but not over the training rows
    found = {}
    for mode, block in ROUTES:
        for batch_size in (7, 32, 75):
            made = grams_of(
                FakePasses(values, batch_size),
                plan=plan(mode, block),
                scratch=tmp_path,
                train=train if is_scaled else None,
            )
            found[mode, block, batch_size] = bytes_of(made)
    assert all(one == found["disk", 0, 7] for one in found.values())
    for layer, one in made.items():
        x = values[layer].astype(float)
        if is_scaled:
            scaler = StandardScaler(with_mean=False).fit(x[train])
            x = scaler.transform(x)[:, scaler.var_ > 0]
        assert (one.n_features, one.n_constant) == (x.shape[1], WIDTHS[layer] - x.shape[1])
        np.testing.assert_allclose(one.gram, x @ x.T, rtol=1e-10, atol=1e-9)
        np.testing.assert_array_equal(one.gram, one.gram.T)
        np.testing.assert_allclose(one.sums, x.sum(axis=1), rtol=1e-9, atol=1e-9)
    assert made["wide"].n_constant == (2 if is_scaled else 0)
    assert list(tmp_path.iterdir()) == []


def test_features_at_hand_give_the_bytes_of_features_that_pass_by(rng, tmp_path):
    values = features(rng, 75, WIDTHS)
    made = grams_of(FakePasses(values), plan=plan(), scratch=tmp_path)
    for layer, one in made.items():
        assert gram_of(values[layer]).tobytes() == one.gram.tobytes()


def test_a_block_needs_only_the_rows_from_it_on(rng, tmp_path):
    passes = FakePasses(features(rng, 75, WIDTHS))
    grams_of(passes, plan=plan("recompute", 32), scratch=tmp_path)
    assert passes.starts == [0, 32, 64]
    passes = FakePasses(features(rng, 75, WIDTHS))
    grams_of(passes, plan=plan(), scratch=tmp_path)
    assert passes.starts == [0]


@pytest.mark.parametrize(("mode", "block"), [("disk", 0), ("recompute", 32), ("recompute", 99)])
def test_each_fold_has_its_own_scale(rng, tmp_path, mode, block):
    values = features(rng, 70, WIDTHS)
    trains = [np.arange(70) % 4 != fold for fold in range(4)]
    made = fold_scaled_grams(
        FakePasses(values), plan=plan(mode, block), scratch=tmp_path, trains=trains
    )
    for layer, grams in made.items():
        for train, one in zip(trains, grams, strict=True):
            x = values[layer] / values[layer][train].astype(float).std(axis=0)
            np.testing.assert_allclose(one.gram, x @ x.T, rtol=1e-10, atol=1e-9)
    alone = grams_of(FakePasses(values), plan=plan(), scratch=tmp_path, train=trains[2])
    assert made["wide"][2].gram.tobytes() == alone["wide"].gram.tobytes()


@pytest.mark.parametrize("is_scaled", [False, True])
def test_new_stimuli_are_multiplied_with_old_ones(rng, tmp_path, is_scaled):
    old, new = features(rng, 75, WIDTHS), features(rng, 41, WIDTHS)
    train = np.arange(75) % 3 > 0 if is_scaled else None
    found = []
    for mode, block in ROUTES:
        passes = FakePasses(old), FakePasses(new, 11)
        made = cross_grams(
            passes[1], passes[0], plan=plan(mode, block), scratch=tmp_path, train=train
        )
        found.append([one.tobytes() for one in made.values()])
    assert all(one == found[0] for one in found)
    for layer, one in made.items():
        scale = old[layer].astype(float)[train].std(axis=0) if is_scaled else 1.0
        expected = (new[layer].astype(float) / scale) @ (old[layer] / scale).T
        np.testing.assert_allclose(one, expected, rtol=1e-10, atol=1e-9)


def test_old_stimuli_among_themselves_are_the_gram_matrix(rng, tmp_path):
    values = features(rng, 40, WIDTHS)
    here = {"plan": plan(), "scratch": tmp_path}
    whole = grams_of(FakePasses(values), **here)
    crossed = cross_grams(FakePasses(values), FakePasses(values), **here)
    for layer, one in whole.items():
        np.testing.assert_allclose(crossed[layer], one.gram, rtol=1e-12, atol=1e-10)


def test_a_network_gives_the_same_bytes_by_each_route(rng, tmp_path):
    shown, network = photos(rng, 40), small_network()
    inputs = Shown(dict.fromkeys(shown, ""), shown.__getitem__)
    found = []
    for mode, block in ROUTES:
        passes = passes_of(
            network, inputs, probe(network, ["0", "2"]), options=Options(batch_size=16)
        )
        found.append(bytes_of(grams_of(passes, plan=plan(mode, block), scratch=tmp_path)))
    assert all(one == found[0] for one in found)


def test_one_stimulus_has_a_gram_matrix(tmp_path):
    values = {"a": np.array([[3.0, 4.0]], dtype=np.float32)}
    made = grams_of(FakePasses(values), plan=plan(), scratch=tmp_path)["a"]
    assert (made.gram.tolist(), made.sums.tolist()) == ([[25.0]], [7.0])


# --- refusals


def test_masks_that_do_not_fit_are_refused(rng, tmp_path):
    passes, here = FakePasses(features(rng, 9, WIDTHS)), {"plan": plan(), "scratch": tmp_path}
    with pytest.raises(ShapeError, match=r"\(8,\), but there are 9 stimuli"):
        grams_of(passes, train=np.ones(8, dtype=bool), **here)
    with pytest.raises(NotEnoughDataError, match="over 1 training row"):
        grams_of(passes, train=np.arange(9) == 3, **here)
    with pytest.raises(NotEnoughDataError, match="no fold"):
        fold_scaled_grams(passes, trains=[], **here)
    with pytest.raises(ShapeError, match="'wide': 1000"):
        cross_grams(FakePasses({"a": np.ones((2, 2), dtype="f4")}), passes, **here)


@pytest.mark.parametrize("block", [0, 33])
def test_a_block_of_another_plan_is_refused(rng, tmp_path, block):
    passes = FakePasses(features(rng, 75, WIDTHS))
    with pytest.raises(ShapeError, match=rf"block of {block} rows .* whole groups of 16"):
        grams_of(passes, plan=plan("recompute", block), scratch=tmp_path)


@pytest.mark.parametrize("mode", ["disk", "recompute"])
def test_passes_that_break_their_word_are_refused(rng, tmp_path, mode):
    class Short(FakePasses):
        n = 12

    class Long(FakePasses):
        n = 5

    class Narrow(FakePasses):
        widths = {"a": 4}  # noqa: RUF012

    values = features(rng, 9, {"a": 3})
    for broken, match in ((Short, "9 rows.* 12 stimuli"), (Narrow, r"\{'a': 3\} columns")):
        with pytest.raises(ShapeError, match=match):
            grams_of(broken(values), plan=plan(mode, 16), scratch=tmp_path)
    long = Long(values, 9)
    long.__class__.__call__ = lambda self, _=0: iter([self.values])
    with pytest.raises(ShapeError, match=r"row 0 of 5 has \[9\] rows"):
        grams_of(long, plan=plan(mode, 16), scratch=tmp_path)


def test_a_disk_that_fills_is_told_and_the_scratch_is_gone(rng, tmp_path, monkeypatch):
    written = []

    def full(handle, data, offset):
        written.append(len(data))
        if len(written) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    monkeypatch.setattr(os, "pwritev", full)
    with pytest.raises(OutputError, match=r"No space left.* Free some space"):
        grams_of(FakePasses(features(rng, 75, WIDTHS)), plan=plan(), scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_told_before_anything_is_shown(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "free_disk", lambda _: 1000)
    passes = FakePasses(features(rng, 75, WIDTHS))
    with pytest.raises(OutputError, match=r"need [\d.]+ [kM]B in .*which has 1\.0 kB"):
        grams_of(passes, plan=plan(), scratch=tmp_path)
    assert passes.starts == []


def test_an_error_on_the_way_leaves_no_scratch(tmp_path):
    class Failing(FakePasses):
        def __call__(self, start=0):
            yield from super().__call__(start)
            raise KeyError("stop")

    with pytest.raises(KeyError):
        grams_of(Failing({"a": np.ones((9, 3), "f4")}), plan=plan(), scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- plans


def test_what_fits_into_memory_stays_there(monkeypatch):
    monkeypatch.undo()
    made = plan_grams(100, {"a": 9216}, free_disk=GB, memory=16 * GB)
    assert (made.mode, made.n_passes, made.block, made.scratch_bytes) == ("recompute", 1, 100, 0)
    assert "with ease" in made.sentence()


def test_the_disk_is_taken_where_there_is_room(monkeypatch):
    monkeypatch.undo()
    widths = {"a": 3_211_264}
    made = plan_grams(1000, widths, free_disk=45 * GB, memory=16 * GB)
    assert (made.mode, made.n_passes, made.scratch_bytes) == ("disk", 1, 4 * 1000 * 3_211_264)
    assert made.memory_bytes < GB
    assert "12.8 GB of scratch" in made.sentence()


def test_rows_are_shown_several_times_where_the_disk_is_short(monkeypatch):
    monkeypatch.undo()
    widths = {"a": 3_211_264}
    given = {"free_disk": 5 * GB, "memory": 3 * GB}
    made = plan_grams(1000, widths, **given)
    assert (made.mode, made.block, made.n_passes) == ("recompute", 128, 8)
    assert made.memory_bytes <= 3 * GB
    assert "too little" in made.why
    assert plan_grams(1000, widths, n_scalings=1, free_disk=0, memory=4 * GB).n_passes == 1 + 6
    assert plan_grams(1000, widths, n_new=50, **given).n_passes == 16


def test_what_is_asked_for_is_done_or_refused(monkeypatch):
    monkeypatch.undo()
    widths = {"a": 3_211_264}
    made = plan_grams(1000, widths, free_disk=45 * GB, memory=8 * GB, mode="recompute")
    assert made.mode == "recompute"
    assert "asked for" in made.why
    assert plan_grams(10, widths, free_disk=GB, memory=99 * GB, mode="disk").mode == "disk"
    with pytest.raises(OutputError, match=r"12\.8 GB, 5\.0 GB of disk are free.*--work-dir"):
        plan_grams(1000, widths, free_disk=5 * GB, memory=99 * GB, mode="disk")
    with pytest.raises(ConfigError, match=r"memory of 1\.0 GB is less than the 2\.\d GB"):
        plan_grams(1000, widths, free_disk=5 * GB, memory=GB)
    with pytest.raises(NotEnoughDataError, match="0 stimuli and 1 layers"):
        plan_grams(0, widths, free_disk=GB, memory=GB)


def test_blocks_hold_whole_groups_of_every_layer(monkeypatch):
    monkeypatch.undo()
    widths = {"a": 3_000_000, "b": 400_000, "c": 4096}
    made = plan_grams(3000, widths, free_disk=0, memory=16 * GB)
    groups = {grid.make_grid((3000,), p).group for p in widths.values()}
    assert groups == {64, 128, 512}
    assert {made.block % group for group in groups} == {0}
