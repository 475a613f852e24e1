"""features.batches: rows keep their bytes, memory that runs out, what is not finite."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from bids_dnn.errors import ConfigError, UnreadableError
from bids_dnn.features import batches
from bids_dnn.features.capture import capture
from bids_dnn.features.extract import Options, Shown, extract_features, passes_of
from bids_dnn.features.gram import GramPlan, grams_of
from bids_dnn.features.grid import make_grid
from bids_dnn.features.passes import BatchHalvedError
from bids_dnn.features.probe import probe
from bids_dnn.features.transfer import OnCpu, normalized, stacked
from tests.factories.networks import photos, small_network

LAYERS = ("2", "0:mean", "5")


@pytest.fixture
def shown(rng):
    return photos(rng, 11)


def passes(shown, network=None, **options):
    network = network or small_network()
    progress = options.pop("progress", None)
    given = Shown(dict.fromkeys(shown, ""), shown.__getitem__)
    probed = probe(network, LAYERS)
    return passes_of(
        network, given, probed, options=Options(**{"batch_size": 4, **options}), progress=progress
    )


def test_batches_hold_what_capture_gives_for_the_same_pictures(shown):
    network = small_network()
    probed = probe(network, LAYERS)
    names = list(shown)
    starts = range(0, 11, 4)
    for start, made in zip(starts, passes(shown)(), strict=True):
        some = stacked([shown[name] for name in names[start : start + 4]])
        expected = capture(network, normalized(some, network.card), probed)
        for layer, values in expected.items():
            assert made[layer].tobytes() == values.numpy().tobytes()


@pytest.mark.parametrize("start", [0, 3, 4, 9, 11])
def test_a_row_has_the_same_bytes_wherever_the_pass_began(shown, start):
    job = passes(shown)
    whole = extract_features(job)
    rest = list(job(start))
    for layer, values in whole.items():
        parts = [one[layer] for one in rest] or [values[:0]]
        np.testing.assert_array_equal(np.concatenate(parts), values[start:])


def test_batches_that_were_given_stay_as_they_are(shown):
    job = passes(shown)
    kept = list(job())
    copies = [{k: v.copy() for k, v in one.items()} for one in kept]
    extract_features(job)
    for one, other in zip(kept, copies, strict=True):
        assert all(np.array_equal(one[layer], other[layer]) for layer in one)


class Greedy(torch.nn.Module):
    """Has memory for so many pictures only."""

    def __init__(self, inner, most):
        super().__init__()
        self.inner, self.most, self.tried = inner, most, []
        self.error = torch.OutOfMemoryError("CUDA out of memory.")

    def forward(self, x):
        self.tried.append(len(x))
        if len(x) > self.most:
            raise self.error
        return self.inner(x)


def greedy(most):
    network = small_network()
    module = Greedy(network.module, 3).eval()
    paths = [layer.partition(":")[0] for layer in LAYERS]
    card = replace(network.card, aliases={path: f"inner.{path}" for path in paths})
    network = replace(network, module=module, card=card)
    return network, lambda: setattr(module, "most", most)


@pytest.mark.parametrize(("most", "size"), [(8, 8), (7, 4), (4, 4), (3, 2), (1, 1)])
def test_the_batch_is_halved_until_memory_is_enough(shown, most, size):
    network, limit = greedy(most)
    job = passes(shown, network, batch_size=8)
    limit()
    network.module.tried.clear()
    made = extract_features(job)
    assert job.batch_size == size
    tried = [8]
    while tried[-1] > size:
        tried.append(tried[-1] // 2)
    assert network.module.tried[: len(tried)] == tried
    expected = extract_features(passes(shown))
    for layer, values in expected.items():
        np.testing.assert_allclose(made[layer], values, rtol=1e-5, atol=1e-6)


def real_error_of_the_cpu():
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as err:
        return err


@pytest.mark.parametrize(
    "error",
    [
        real_error_of_the_cpu(),
        MemoryError("Unable to allocate 7 EiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["of the CPU", "of Python", "of cuBLAS"],
)
def test_memory_may_run_out_in_other_words(shown, error):
    network, limit = greedy(4)
    network.module.error = error
    job = passes(shown, network, batch_size=8)
    limit()
    assert {len(values) for values in extract_features(job).values()} == {11}
    assert job.batch_size == 4


def test_other_errors_of_the_network_are_told(shown):
    network, limit = greedy(4)
    network.module.error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    job = passes(shown, network, batch_size=8)
    limit()
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        extract_features(job)
    assert job.batch_size == 8


class Leaky(torch.nn.Module):
    """Has memory for 4 pictures from its second large batch on; rows tell their batch's size."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.last, self.n_large = inner, torch.nn.Identity(), None

    def forward(self, x):
        if self.n_large is None:  # while it is probed
            return self.last(self.inner(x))
        self.n_large += len(x) > 4
        if len(x) > 4 and self.n_large > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.last(0 * self.inner(x) + len(x))


def leaky(shown):
    network = replace(small_network(), module=Leaky(small_network().module).eval())
    given = Shown(dict.fromkeys(shown, ""), shown.__getitem__)
    made = passes_of(network, given, probe(network, ["last"]), options=Options(batch_size=8))
    network.module.n_large = 0
    return made


def test_all_rows_are_of_the_batch_size_that_is_recorded(rng):
    job = leaky(photos(rng, 16))
    assert set(extract_features(job)["last"].ravel()) == {4}
    assert job.batch_size == 4


@pytest.mark.parametrize(
    ("mode", "block", "begin"),
    [("disk", 0, 0), ("recompute", 72, 0), ("recompute", make_grid((72,), 5).group, -9)],
    ids=["disk", "memory", "in the second of several passes"],
)
def test_products_are_of_the_batch_size_that_is_recorded(rng, tmp_path, mode, block, begin):
    job = leaky(photos(rng, 72))  # 9 batches
    job.network.module.n_large = begin
    plan = GramPlan(mode, 0, 0, 1, block, "")
    gram = grams_of(job, plan=plan, scratch=tmp_path)["last"].gram
    np.testing.assert_array_equal(gram, np.full((72, 72), 5 * 4.0**2))
    assert job.batch_size == 4


def test_memory_that_runs_out_later_asks_for_all_rows_anew(shown):
    network, limit = greedy(4)
    job = passes(shown, network, batch_size=8)
    network.module.most = 8
    features = job()
    assert len(next(features)["5"]) == 8
    limit()
    network.module.most = 1
    with pytest.raises(BatchHalvedError, match=r"batches are of 2 now.*batch_size = 2"):
        next(features)
    assert [len(one["5"]) for one in job()] == [1] * 11


def test_rows_before_the_start_are_left_out_of_halved_batches_too(shown):
    network, _ = greedy(8)
    job = passes(shown, network, batch_size=8)
    network.module.most = 4
    assert [len(one["5"]) for one in job(6)] == [2, 3]
    assert job.batch_size == 4
    assert list(job(11)) == []


def test_one_picture_that_does_not_fit_is_refused(shown):
    network, limit = greedy(0)
    job = passes(shown, network)
    limit()
    with pytest.raises(ConfigError, match=r"small and stimulus 'p000\.png' do not fit .* cpu"):
        extract_features(job)


def test_progress_is_told(shown):
    told = []
    list(passes(shown, progress=lambda done, n: told.append((done, n)))())
    assert told == [(4, 11), (8, 11), (11, 11)]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(shown, value):
    shown = {name: one / np.float32(255) for name, one in shown.items()}
    shown["p005.png"] = np.full((12, 12, 3), value, np.float32)
    with pytest.raises(
        UnreadableError, match=r"Layer '2' of small answers 'p005\.png' with 384 NaN"
    ):
        extract_features(passes(shown))


def test_large_values_whose_sum_is_infinite_pass(shown):
    network = small_network()
    with torch.no_grad():
        network.module[5].bias.fill_(1.5e38)
    assert np.isfinite(extract_features(passes(shown, network))["5"]).all()


def test_decoding_ends_where_the_pass_is_left(shown):
    before = threading.active_count()
    features = passes(shown)()
    next(features)
    features.close()
    assert threading.active_count() == before


def test_copies_that_overlap_give_the_same_rows(shown, monkeypatch):
    """As on a GPU: a batch is given once the next one was started."""
    told = []

    class Overlapping(OnCpu):
        __slots__ = ()

        def fetch(self, features):
            wait = OnCpu.fetch(self, features)
            told.append("started")
            return lambda: told.append("waited") or wait()

    expected = extract_features(passes(shown))
    monkeypatch.setattr(batches, "lane_to", lambda _: Overlapping(overlaps=True))
    made = extract_features(passes(shown))
    assert told == ["started", "started", "waited", "started", "waited", "waited"]
    for layer, values in expected.items():
        np.testing.assert_array_equal(made[layer], values)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-5), ("bf16", 1e-2)])
def test_the_gpu_agrees_with_the_cpu(shown, precision, most):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    network = small_network()
    plain = extract_features(passes(shown, network))
    one, other = (
        extract_features(passes(shown, network, device="cuda", precision=precision, batch_size=0))
        for _ in range(2)
    )
    assert next(network.module.parameters()).device.type == "cpu"
    for layer, values in plain.items():
        assert one[layer].tobytes() == other[layer].tobytes()
        x, y = (v - v.mean(0) for v in (values.astype(float), one[layer].astype(float)))
        assert np.linalg.norm(x @ x.T - y @ y.T) < most * np.linalg.norm(x @ x.T)
