"""bids_dnn_tools cache: what is listed, removed and found damaged."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from bids_dnn.cli.tool_cache import COLUMNS
from bids_dnn.cli.tools import main
from bids_dnn.containers.features import FeatureGram
from bids_dnn.features import entry, store


@pytest.fixture
def cache(tmp_path):
    """Make a cache of two Gram matrices and features; conv1 was used longest ago."""
    folder = tmp_path / "cache"
    shared = {"network": "alexnet", "transforms": "grey()"}
    gram = FeatureGram(("a", "b"), "alexnet", "conv1", np.eye(2), 64, shared | {"layer": "conv1"})
    second = replace(gram, layer="fc6:mean", identity=shared | {"layer": "fc6:mean"})
    for one in (gram, second):
        store.write_gram(folder, store.key(one.identity), one)
    plain = {"network": "cornet:z", "layer": "IT", "transforms": ""}
    store.write_features(folder, store.key(plain), ["a"], np.ones((1, 500_000), "f4"), plain)
    keys = [f"{store.key(plain)}-features", store.key(second.identity), store.key(gram.identity)]
    for age, key in enumerate(keys, start=1):
        os.utime(folder / key / entry.USED, (time.time() - 86_400 * age,) * 2)
    return folder


def tell(*args, code=0):
    said = CliRunner().invoke(main, ["cache", *map(str, args)])
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    assert said.exit_code == code, said.output
    return said.output.splitlines()


def test_entries_are_listed_with_a_total(cache):
    head, *lines, total = tell("list", cache)
    assert head.split() == " ".join(COLUMNS).split()
    assert [line.split()[:4] for line in lines] == [
        ["cornet:z", "IT", "features", "1"],
        ["alexnet", "fc6:mean", "gram", "2"],
        ["alexnet", "conv1", "gram", "2"],
    ]
    assert "  2.0 MB  " in lines[0]
    assert "  -  " in lines[0]
    assert "  grey()  " in lines[1]
    assert time.strftime("%Y-%m-%d", time.localtime(time.time() - 86_400)) in lines[0]
    assert total == "3 entries, 2.0 MB, in the cache."


def test_an_empty_cache_has_no_table(tmp_path):
    assert tell("list", tmp_path) == ["0 entries, 0 B, in the cache."]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "There is no folder" in tell("list", tmp_path / "absent", code=2)[0]


def test_room_is_made(cache):
    lines = tell("prune", cache, "--max-size", "2.0025M")
    assert [line.split(", ")[0] for line in lines[:-2]] == ["Removed alexnet conv1"]
    assert lines[-2].startswith("1 entry, ")
    assert lines[-1].startswith("2 entries, 2.0 MB, left in")
    assert tell("prune", cache, "--max_size=1G")[0] == "0 entries, 0 B, removed from the cache."


def test_the_old_go(cache):
    lines = tell("prune", cache, "--older-than", "1.5")
    assert [line.split(", ")[0] for line in lines[:-2]] == [
        *("Removed alexnet conv1", "Removed alexnet fc6:mean")
    ]


@pytest.mark.parametrize("text", ['{"keys": ["a', "", "[]", '{"keys": 1}', "\x00"])
def test_a_damaged_index_is_named_and_removed(cache, text):
    whole, bad = cache / f"{'a' * 64}-cpu.json", cache / f"{'b' * 64}-cuda.json"
    whole.write_text('{"keys": ["k"], "layers": ["conv1"], "warnings": []}')
    bad.write_text(text)
    lines = tell("check", cache, code=1)
    assert lines[:2] == [f"The index {bad} is damaged.", "3 of 3 entries are whole."]
    assert tell("check", cache, "--remove")[0].endswith("Removed.")
    assert tell("check", cache) == ["3 of 3 entries are whole."]
    assert whole.is_file()


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ((), "Neither --max-size nor --older-than"),
        (("--max-size", "20"), "--max-size '20' is not"),
        (("--max-size", "-1G"), "--max-size '-1G' is not"),
    ],
)
def test_what_cannot_be_meant_is_refused(cache, args, what):
    assert what in tell("prune", cache, *args, code=2)[0]
    assert len(store.entries(cache)) == 3


def test_damage_is_named_and_removed(cache):
    assert tell("check", cache) == ["3 of 3 entries are whole."]
    one = next(each for each in store.entries(cache) if each.facts["layer"] == "conv1")
    chunk = next(p for p in (cache / one.key).rglob("c/*/*") if p.is_file())
    chunk.write_bytes(bytes(chunk.stat().st_size))

    lines = tell("check", cache, code=1)
    assert f"{one.key} is damaged: its checksum is another" in lines[0]
    assert "alexnet conv1, gram" in lines[0]
    assert lines[1] == "2 of 3 entries are whole."
    assert "--remove" in lines[2]

    lines = tell("check", cache, "--remove")
    assert lines[0].endswith("Removed.")
    assert tell("check", cache) == ["2 of 2 entries are whole."]
