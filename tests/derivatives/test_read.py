"""derivatives.read: what was written comes back, what is damaged is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bids_dnn.derivatives import read, write
from bids_dnn.errors import MissingInputError, UnreadableError
from tests.factories.results import make_decode, make_encode

ENTITIES = {"participant": "01", "task": "objects", "space": "T1w"}


@pytest.mark.parametrize("make", [make_decode, make_encode])
def test_read_result_undoes_write_result(tmp_path, rng, make):
    result = make(rng)
    path = write.write_result(result, tmp_path, entities=ENTITIES, sidecar={})[0]
    back = read.read_result(path)
    pd.testing.assert_frame_equal(back.table, result.table, rtol=1e-8, check_dtype=False)
    assert back.columns == result.columns
    assert back.meta == result.meta
    assert set(back.extras) == set(result.extras)
    for name, extra in result.extras.items():
        pd.testing.assert_frame_equal(back.extras[name], extra, check_dtype=False)
    assert len(back.maps) == len(result.maps)
    for made, again in zip(result.maps, back.maps, strict=True):
        assert (made.stat, made.model, made.description) == (
            again.stat, again.model, again.description,
        )  # fmt: skip
        np.testing.assert_array_equal(made.values, again.values)
    if result.space is not None:
        assert back.space.has_places_of(result.space)
        np.testing.assert_array_equal(back.space.index, result.space.index)


def test_columns_of_further_tables_have_words_of_their_own(tmp_path, rng):
    result = make_decode(rng)
    further = pd.DataFrame({"region": ["V1"], "p": [0.5]})
    result = dataclasses.replace(
        result, extras={"more": further}, extra_columns={"more": {"p": "Another p."}}
    )
    path = write.write_result(result, tmp_path, entities=ENTITIES, sidecar={})[0]
    back = read.read_result(path)
    assert back.extra_columns == {"more": {"region": result.columns["region"], "p": "Another p."}}
    assert back.columns["p"] == result.columns["p"]


def test_whole_numbers_of_which_some_are_missing_come_back(tmp_path, rng):
    for kind, told in (("Int64", [0, None, 7]), ("float64", [0.0, np.nan, 7.0])):
        table = pd.DataFrame({"setting": pd.Series(told, dtype=kind)})
        result = dataclasses.replace(make_encode(rng), extras={"settings": table})
        paths = write.write_result(result, tmp_path / kind, entities=ENTITIES, sidecar={})
        found = read.read_result(paths[0]).extras["settings"]["setting"]
        np.testing.assert_array_equal(found.to_numpy(float), [0.0, np.nan, 7.0])


def test_labels_stay_text(tmp_path, rng):
    result = make_decode(rng)
    result.table["region"] = "01"
    path = write.write_result(result, tmp_path, entities=ENTITIES, sidecar={})[0]
    assert set(read.read_result(path).table["region"]) == {"01"}


def test_participants_with_names_finished_tables_only(tmp_path, rng):
    for label in ("02", "01"):
        given = ENTITIES | {"participant": label}
        paths = write.write_result(make_decode(rng), tmp_path, entities=given, sidecar={})
    assert list(read.participants_with(tmp_path, "decode")) == ["01", "02"]
    assert read.participants_with(tmp_path, "encode") == {}
    paths[-1].unlink()
    assert list(read.participants_with(tmp_path, "decode")) == ["02"]


def test_read_result_refuses_what_is_not_whole(tmp_path, rng):
    paths = write.write_result(make_decode(rng), tmp_path, entities=ENTITIES, sidecar={})
    table, sidecar = paths[0], paths[-1]
    with pytest.raises(MissingInputError, match=r"nowhere\.tsv"):
        read.read_result(tmp_path / "nowhere.tsv")

    whole = table.read_bytes()
    table.write_bytes(whole[:-5])
    with pytest.raises(UnreadableError, match="not what was written"):
        read.read_result(table)
    table.write_bytes(whole)
    paths[1].unlink()
    with pytest.raises(UnreadableError, match=r"decodeConfusion.*is not there"):
        read.read_result(table)

    sidecar.write_text("{}")
    with pytest.raises(UnreadableError, match=r"lacks the fields \['Analysis'"):
        read.read_result(table)
    sidecar.write_text("{")
    with pytest.raises(UnreadableError, match="is not JSON"):
        read.read_result(table)
    sidecar.unlink()
    with pytest.raises(UnreadableError, match="has no sidecar"):
        read.read_result(table)
