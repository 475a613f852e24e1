"""derivatives.study: tables of an analysis without participants, each with its sidecar."""

import json

import pandas as pd
import pytest

from bids_dnn.containers.result import Result
from bids_dnn.derivatives.study import write_study


@pytest.fixture
def result():
    return Result(
        "samediff",
        pd.DataFrame({"variant": ["frozen"], "accuracy": [0.75]}),
        {"variant": "How.", "accuracy": "Share of right answers."},
        extras={"top_losses": pd.DataFrame({"loss": [1.5, 0.25]})},
        extra_columns={"top_losses": {"loss": "Of the pair."}, "rates": {"loss": "Of a batch."}},
        meta={"seed": 3},
    )


def test_each_table_has_a_sidecar_that_describes_it(tmp_path, result):
    written = write_study(result, tmp_path, sidecar={"Version": "1"})
    assert sorted(path.name for path in written) == [
        "desc-samediffTopLosses_scores.json", "desc-samediffTopLosses_scores.tsv",
        "desc-samediff_scores.json", "desc-samediff_scores.tsv",
    ]  # fmt: skip
    assert (tmp_path / "desc-samediff_scores.tsv").read_text() == (
        "variant\taccuracy\nfrozen\t0.75\n"
    )
    assert written[-1].name == "desc-samediff_scores.json"
    told = json.loads(written[-1].read_text())
    assert told["accuracy"] == {"Description": "Share of right answers.", "Format": "number"}
    assert told["Analysis"] == {"seed": 3}
    assert told["Version"] == "1"
    assert told["Tables"] == {"topLosses": "desc-samediffTopLosses_scores.tsv"}
    extra = json.loads((tmp_path / "desc-samediffTopLosses_scores.json").read_text())
    assert extra["loss"]["Description"] == "Of the pair."


def test_the_same_result_gives_the_same_bytes_and_older_tables_go(tmp_path, result):
    first = {path: path.read_bytes() for path in write_study(result, tmp_path, sidecar={})}
    older = tmp_path / "desc-samediffRates_scores.tsv"
    older.write_text("rate\n")
    second = {path: path.read_bytes() for path in write_study(result, tmp_path, sidecar={})}
    assert first == second
    assert not older.exists()
