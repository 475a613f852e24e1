"""features.store: what goes in comes out, and a damaged entry is found out."""

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from bids_dnn.containers.features import FeatureGram
from bids_dnn.errors import MissingInputError, OutputError, ShapeError, UnreadableError
from bids_dnn.features import entry, store
from bids_dnn.features.lease import leases


@pytest.fixture
def gram(rng):
    x = rng.normal(size=(5, 3))
    ids = ("a.png", "b/ü.png", "c.png", "d.png", "e.png")
    identity = {"layer": "0", "weights": "random (seed 0)"}
    return FeatureGram(ids, "small", "0", x @ x.T, 3, identity, n_components=2, sums=x.sum(1))


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_goes_in_comes_out(gram, tmp_path):
    assert not entry.has_entry(tmp_path, "k", kind="gram")
    store.write_gram(tmp_path, "k", gram)
    assert entry.has_entry(tmp_path, "k", kind="gram")
    back = store.read_gram(tmp_path, "k")
    for field in fields(FeatureGram):  # those that are added as well
        np.testing.assert_array_equal(getattr(back, field.name), getattr(gram, field.name))


def test_sums_that_are_not_known_stay_so(gram, tmp_path):
    store.write_gram(tmp_path, "k", replace(gram, sums=None))
    assert store.read_gram(tmp_path, "k").sums is None


def test_the_same_gram_gives_the_same_bytes_in_format_3(gram, tmp_path):
    for name in ("one", "two"):
        store.write_gram(tmp_path / name, "k", gram)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    told = json.loads((tmp_path / "one" / "k" / store.ARRAY / "zarr.json").read_text())
    assert told["zarr_format"] == 3
    assert told.get("consolidated_metadata") is None


def test_an_absent_entry_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match="no entry abc"):
        store.read_gram(tmp_path, "abc")


@pytest.mark.parametrize("harm", ["flip", "cut", "absent", "attribute", "json", "sums"])
def test_a_damaged_entry_is_found_out_and_replaced(gram, tmp_path, harm):
    place = store.write_gram(tmp_path, "k", gram)
    meta = place / store.ARRAY / "zarr.json"
    chunk = next(p for p in place.rglob("gram.zarr/c/**/*") if p.is_file())
    raw = chunk.read_bytes()
    if harm == "flip":
        chunk.write_bytes(raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:])
    elif harm == "cut":
        chunk.write_bytes(raw[: len(raw) // 2])
    elif harm == "absent":
        chunk.unlink()
    elif harm == "sums":
        shutil.rmtree(place / "sums.zarr")
    elif harm == "attribute":
        meta.write_text(meta.read_text().replace("c.png", "x.png"))
    else:
        meta.write_text(meta.read_text()[:100])
    with pytest.raises(UnreadableError, match="damaged"):
        store.read_gram(tmp_path, "k")
    store.write_gram(tmp_path, "k", gram)
    np.testing.assert_array_equal(store.read_gram(tmp_path, "k").gram, gram.gram)


def test_a_whole_entry_stays(gram, tmp_path):
    place = store.write_gram(tmp_path, "k", gram)
    before = (place / store.ARRAY / "zarr.json").stat().st_mtime_ns
    store.write_gram(tmp_path, "k", gram)
    assert (place / store.ARRAY / "zarr.json").stat().st_mtime_ns == before
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


def test_what_was_found_while_it_was_made_alters_no_key():
    identity = {"layer": "0", "batch_size": "found by itself"}
    told = identity | {"batch_size_used": "64", "device_name": "NVIDIA X"}
    assert set(told) - set(identity) == store.RECORDED
    assert store.key(told) == store.key(identity)
    assert store.key(identity | {"batch_size": "64"}) != store.key(identity)


# --- features


def test_features_come_out_as_they_went_in(rng, tmp_path):
    values = rng.normal(size=(7, 30)).astype("f4")
    ids = [f"{i}.png" for i in range(7)]
    store.write_features(tmp_path, "k", ids, values, {"layer": "0"})
    assert entry.has_entry(tmp_path, "k", kind="features")
    assert not entry.has_entry(tmp_path, "k", kind="gram")
    back = store.read_features(tmp_path, "k")
    assert back.stimuli == tuple(ids)
    assert back.values.dtype == np.float32
    np.testing.assert_array_equal(back.values, values)
    assert back.identity == {"layer": "0"}


def test_features_of_many_chunks_come_from_a_memory_map(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(entry, "CHUNK_BYTES", 64)
    values = np.memmap(tmp_path / "x", dtype="f4", mode="w+", shape=(9, 20))
    values[:] = rng.normal(size=values.shape)
    store.write_features(tmp_path / "cache", "k", list("abcdefghi"), values, {})
    chunks = [p for p in (tmp_path / "cache").rglob("c/*/*") if p.is_file()]
    assert len(chunks) == 9 * 2  # 16 numbers fit
    np.testing.assert_array_equal(store.read_features(tmp_path / "cache", "k").values, values)


def test_products_and_features_have_one_key(gram, rng, tmp_path):
    values = rng.normal(size=(5, 3)).astype("f4")
    store.write_gram(tmp_path, "k", gram)
    store.write_features(tmp_path, "k", gram.stimuli, values, gram.identity)
    np.testing.assert_array_equal(store.read_gram(tmp_path, "k").gram, gram.gram)
    np.testing.assert_array_equal(store.read_features(tmp_path, "k").values, values)
    assert {(one.key, one.kind) for one in store.entries(tmp_path)} == {
        *(("k", "gram"), ("k", "features"))
    }
    entry.remove(tmp_path, "k", kind="gram")
    assert [one.kind for one in store.entries(tmp_path)] == ["features"]


def test_features_without_an_id_for_each_row_are_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"\(3, 2\).*2 stimuli"):
        store.write_features(tmp_path, "k", ["a", "b"], np.zeros((3, 2), "f4"), {})


def test_damaged_features_are_found_out(rng, tmp_path):
    place = store.write_features(tmp_path, "k", ["a"], rng.normal(size=(1, 4)).astype("f4"), {})
    next(p for p in place.rglob("c/*/*") if p.is_file()).write_bytes(bytes(16))
    with pytest.raises(UnreadableError, match="checksum"):
        store.read_features(tmp_path, "k")


# --- a full disk


def test_a_full_disk_is_told(gram, tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(zarr, "create_array", full)
    with pytest.raises(OutputError, match="No space left"):
        store.write_gram(tmp_path, "k", gram)
    assert not list(tmp_path.iterdir())


FILL = """
import resource, sys
from pathlib import Path
import numpy as np
from bids_dnn.errors import OutputError
from bids_dnn.features import store
from bids_dnn.features.claims import claimed
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
x = np.random.default_rng(0).normal(size=(200, 3000)).astype("f4")
ids = [str(i) for i in range(200)]
store.write_features(folder, "whole", ids[:9], x[:9], {"layer": "whole"})
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with claimed(folder, ("torn",), kind="features"):
        store.write_features(folder, "torn", ids, x, {})
except OutputError as err:
    print(err.what)
except OSError as err:
    print(type(err).__name__)
print(sorted(p.name for p in folder.iterdir()), [e.key for e in store.entries(folder)])
print(store.read_features(folder, "whole").values.shape)
"""
SOUND = ["['whole-features'] ['whole']", "(9, 3000)"]
TOP = Path(__file__).parents[2]


def test_a_file_that_may_grow_no_more_leaves_the_cache_sound(tmp_path):
    args = [sys.executable, "-c", FILL, str(tmp_path), "1000000"]
    done = subprocess.run(args, capture_output=True, text=True, check=True, cwd=TOP)
    assert done.stdout.splitlines() == ["OSError", *SOUND]


def test_a_disk_that_fills_leaves_the_cache_sound(tmp_path):
    mount = f"mount -t tmpfs -o size=1m none {tmp_path}"
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*inside, mount], check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    script = f"{mount} && exec {shlex.join([sys.executable, '-c', FILL, str(tmp_path), '0'])}"
    done = subprocess.run([*inside, script], capture_output=True, text=True, check=True, cwd=TOP)
    first, *rest = done.stdout.splitlines()
    assert "torn-features cannot be written: No space left on device." in first
    assert rest == SOUND


# --- from the cache, from another, or newly made


def made_by(gram, calls):
    def make(layers):
        calls.append(layers)
        return [replace(gram, layer=layer, identity={"layer": layer}) for layer in layers]

    return make


def identities(*layers):
    return {layer: {"layer": layer} for layer in layers}


def test_only_what_is_not_there_is_made(gram, tmp_path):
    calls = []
    store.obtain(tmp_path, identities("b"), made_by(gram, calls))
    found = store.obtain(tmp_path, identities("c", "b", "a"), made_by(gram, calls))
    assert calls == [("b",), ("c", "a")]
    assert [(name, one.layer) for name, one in found.items()] == [
        *(("c", "c"), ("b", "b"), ("a", "a"))
    ]
    np.testing.assert_array_equal(found["b"].gram, gram.gram)
    store.obtain(tmp_path, identities("a", "b", "c"), made_by(gram, calls))
    assert len(calls) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        store.key({"layer": layer}) for layer in "abc"
    )


def test_a_layer_has_the_name_that_was_asked_for(gram, tmp_path):
    store.obtain(tmp_path, {"conv1": {"layer": "0"}}, made_by(gram, []))
    found = store.obtain(tmp_path, {"features.0": {"layer": "0"}}, made_by(gram, []))
    assert found["features.0"].layer == "features.0"


def test_what_is_damaged_is_made_again(gram, tmp_path):
    calls = []
    store.obtain(tmp_path, identities("a", "b"), made_by(gram, calls))
    place = tmp_path / store.key({"layer": "a"})
    next(p for p in place.rglob("gram.zarr/c/*/*") if p.is_file()).write_bytes(b"")
    found = store.obtain(tmp_path, identities("a", "b"), made_by(gram, calls))
    assert calls == [("a", "b"), ("a",)]
    np.testing.assert_array_equal(found["a"].gram, gram.gram)
    assert store.problem(tmp_path, store.entries(tmp_path)[0]) == ""


OBTAIN = """
import sys, time
from pathlib import Path
import numpy as np
from bids_dnn.containers.features import FeatureGram
from bids_dnn.features import store
folder, *layers = Path(sys.argv[1]), *sys.argv[2:]
def make(wanted):
    time.sleep(0.3)
    print("made", *wanted, flush=True)
    for one in wanted:
        yield FeatureGram(("s",), "n", one, np.ones((1, 1)), 1, {"layer": one})
found = store.obtain(folder, {one: {"layer": one} for one in layers}, make)
print("found", *found)
"""


def test_processes_share_what_each_makes(tmp_path):
    orders = ["abc", "cb", "bd"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", OBTAIN, str(tmp_path), *order],
            stdout=subprocess.PIPE,
            text=True,
            cwd=TOP,
        )
        for order in orders
    ]
    said = [worker.communicate(timeout=60)[0].splitlines() for worker in workers]
    assert [lines[-1] for lines in said] == ["found " + " ".join(order) for order in orders]
    made = [one for lines in said for line in lines[:-1] for one in line.split()[1:]]
    assert sorted(made) == ["a", "b", "c", "d"]


# --- what there is, and room in it


@pytest.fixture
def cache(gram, tmp_path):
    """Make entries a, b, c: a was used longest ago."""
    now = time.time()
    for age, layer in enumerate("cba"):
        made = replace(gram, layer=layer, identity={"layer": layer, "transforms": "grey()"})
        place = store.write_gram(tmp_path, store.key(made.identity), made)
        os.utime(place / entry.USED, (now - 3600 * (age + 1),) * 2)
    return tmp_path


def layers_in(found):
    return [one.facts["layer"] for one in found]


def test_entries_tell_what_they_are(cache):
    found = store.entries(cache)
    assert layers_in(found) == ["c", "b", "a"]
    first = found[0]
    assert first.kind == "gram"
    assert first.facts["network"] == "small"
    assert first.facts["n_stimuli"] == "5"
    assert first.facts["n_features"] == "3"
    assert first.identity == {"layer": "c", "transforms": "grey()"}
    assert first.n_bytes == sum(len(raw) for raw in files_of(cache / first.key).values())
    assert [store.problem(cache, one) for one in found] == ["", "", ""]


def test_reading_is_use(cache):
    last = store.entries(cache)[-1]
    store.read_gram(cache, last.key)
    assert store.entries(cache)[0].key == last.key


def test_an_entry_that_tells_nothing_is_listed_still(cache):
    one = store.entries(cache)[1]
    (cache / one.key / store.ARRAY / "zarr.json").write_text("{")
    found = store.entries(cache)
    assert [bool(each.identity) for each in found] == [True, False, True]
    assert "damaged" in store.problem(cache, found[1])


def test_an_entry_under_another_name_is_told(cache):
    one = store.entries(cache)[0]
    (cache / one.key).rename(cache / ("0" * 64))
    assert [bool(store.problem(cache, each)) for each in store.entries(cache)] == [
        *(True, False, False)
    ]


@pytest.mark.parametrize(("stay", "gone"), [(3, ""), (2, "a"), (1, "ab"), (0, "abc")])
def test_what_was_not_used_for_longest_goes_first(cache, stay, gone):
    size = max(one.n_bytes for one in store.entries(cache))
    removed = store.prune(cache, max_bytes=stay * size)
    assert "".join(layers_in(removed)) == gone
    assert len(store.entries(cache)) == stay
    assert len(list(cache.iterdir())) == stay


def test_what_is_old_goes_whatever_the_size(cache):
    assert layers_in(store.prune(cache, unused_for_s=2.5 * 3600)) == ["a"]
    assert store.prune(cache) == []


def test_what_is_in_use_stays(cache):
    keys = {one.facts["layer"]: one.key for one in store.entries(cache)}
    store.read_gram(cache, keys["a"])
    with leases(cache, (keys["b"],), is_made=lambda _: False):
        assert layers_in(store.prune(cache, max_bytes=0)) == ["c"]
    assert layers_in(store.prune(cache, max_bytes=0)) == ["b"]


def test_what_killed_processes_left_goes_after_a_day(cache):
    old, fresh = cache / "k.1.tmp", cache / "k.2.tmp"
    for one in (old, fresh):
        one.mkdir()
    os.utime(old, (time.time() - 2 * store.ABANDONED_S,) * 2)
    store.prune(cache)
    assert not old.exists()
    assert fresh.exists()
    assert len(store.entries(cache)) == 3


def test_a_folder_that_is_not_there_is_named(tmp_path):
    for ask in (store.entries, store.prune):
        with pytest.raises(MissingInputError, match=r"no folder .*absent.*--cache-dir"):
            ask(tmp_path / "absent")
