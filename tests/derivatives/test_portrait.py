"""derivatives.portrait: what is written is read back, byte for byte the same, or refused."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from bids_dnn.derivatives import names
from bids_dnn.derivatives.portrait import portrait_path, read_portrait, write_portrait
from bids_dnn.derivatives.provenance import FINGERPRINT, is_done
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.files import read_json
from tests.factories.portraits import make_portrait, make_reader


def same(one, two):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, dict):
            assert list(a) == list(b), field.name  # with its order
        if field.name == "activations":
            a = {k: (v.values, v.channels, v.n_all) for k, v in a.items()}
            b = {k: (v.values, v.channels, v.n_all) for k, v in b.items()}
        np.testing.assert_equal(b, a, field.name)


@pytest.mark.parametrize(
    "portrait",
    [
        make_portrait(),
        make_reader(),
        make_portrait("two", 2, 1),
        replace(make_portrait(), dimensionality={"z": math.nan, "a": 2.0}),
    ],
    ids=["pictures", "captions", "two stimuli", "no variance"],
)
def test_a_portrait_is_read_as_it_was_written(tmp_path, portrait):
    write_portrait(portrait, tmp_path)
    same(portrait, read_portrait(portrait_path(tmp_path, portrait.facts.name)))


def test_the_same_portrait_gives_the_same_bytes(tmp_path):
    one, two = (write_portrait(make_portrait(), tmp_path / x) for x in "ab")
    assert [path.name for path in one] == [
        "network-alexnet_portrait.npz",
        "network-alexnet_predictions.tsv",
        "network-alexnet_predictions.json",
        "network-alexnet_portrait.json",
    ]
    assert [path.parent.name for path in one] == ["stimuli"] * 4
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_the_sidecar_tells_what_it_was_made_from(tmp_path):
    *_, labels, last = write_portrait(make_portrait(), tmp_path, sidecar={FINGERPRINT: "abc"})
    said = read_json(last)
    assert said["WeightsSHA256"] == read_json(labels)["WeightsSHA256"] == "0123456789abcdef" * 4
    assert said["Features"]["features.1"] == {"weights_sha256": "ab", "layer": "features.1"}
    assert said["EffectiveDimensionality"] == {f"features.{i}": 2.0 + i for i in range(3)}
    assert said["Network"]["license"] == "BSD-3-Clause"
    assert is_done(last, "abc")
    assert not is_done(last, "efg")


def test_labels_of_a_network_without_a_head_any_more_are_removed(tmp_path):
    write_portrait(make_portrait(), tmp_path)
    table = names.path_of(tmp_path, "predictions", network="alexnet")
    assert table.read_text().splitlines()[1] == "p0000.png\tlabel 0\t0.1"
    write_portrait(replace(make_portrait(), labels={}), tmp_path)
    assert not table.exists()
    assert not names.sidecar_of(table).exists()


def test_a_missing_portrait_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"network-a_portrait\.npz with its JSON"):
        read_portrait(portrait_path(tmp_path, "a"))


@pytest.mark.parametrize("damage", ["cut", "other", "sidecar", "listless"])
def test_a_damaged_portrait_is_refused(tmp_path, damage):
    path, *_, sidecar = write_portrait(make_portrait(), tmp_path)
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[:500])
    elif damage == "other":
        path.write_bytes(whole[:400] + bytes([whole[400] ^ 1]) + whole[401:])
    else:
        sidecar.write_text("{" if damage == "sidecar" else "[]")
    with pytest.raises(UnreadableError, match=r"network-alexnet_portrait\.npz is damaged"):
        read_portrait(path)
