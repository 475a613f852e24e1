"""bids_dnn_tools samediff: options reach the analysis, errors are two sentences."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from bids_dnn.cli.tools import main
from tests.factories.samediff import OWN, write_exemplars
from tests.factories.stimuli import stimuli_folder


@pytest.fixture
def call(tmp_path, undrawn):
    (tmp_path / "own.py").write_text(OWN)
    write_exemplars(tmp_path / "stimuli")
    network = f"{tmp_path / 'own.py'}:build"

    def run(*options):
        words = [tmp_path / "stimuli", tmp_path / "out", "--network", network, *options]
        return CliRunner().invoke(main, ["samediff", *map(str, words)])

    return run


def test_options_reach_the_analysis(call, tmp_path):
    done = call(
        *("--variant", "contrastive", "--variant", "frozen", "--orientation", "inverted"),
        *("--augment", "flip", "--epochs", 2, "--batch_size", 6, "--rate", 0.02, "--seed", 4),
        *("--validation-share", 0, "--test-share", 0.4, "--category", "face", "--layer", "conv"),
    )
    assert done.exit_code == 0, done.output
    table = tmp_path / "out" / "desc-samediff_scores.tsv"
    assert f"Wrote {table} and" in done.output
    scores = pd.read_csv(table, sep="\t")
    assert scores[["variant", "orientation", "category"]].to_numpy().tolist() == [
        ["contrastive", "inverted", "face"],
        ["frozen", "inverted", "face"],
    ]
    told = json.loads(table.with_suffix(".json").read_text())["Analysis"]
    assert told["seed"] == 4
    assert told["copies"] == ["plain", "plain+flip"]
    assert told["variants"]["frozen"]["rate"] == 0.02
    assert told["variants"]["frozen"]["batch_size"] == 6
    assert told["variants"]["contrastive"]["layer"] == "conv"
    assert told["n_exemplars"] == {"test": 4, "train": 6}


def test_auto_has_rate_and_batch_size_searched(call, tmp_path):
    done = call("--epochs", 2, "--batch-size", "auto", "--rate", "auto")
    assert done.exit_code == 0, done.output
    shown = ("batch size 8: learning rate", "batch size 8: training", "learning rate", "training")
    lines = done.output.splitlines()
    assert all(f"frozen: {what}" in lines for what in shown), done.output
    sizes = pd.read_csv(tmp_path / "out" / "desc-samediffBatchSizes_scores.tsv", sep="\t")
    assert sizes["is_chosen"].sum() == 1
    assert (tmp_path / "out" / "desc-samediffRates_scores.tsv").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rate", "0"), "'0' is neither auto nor a number above 0"),
        (("--batch-size", "some"), "'some' is neither auto"),
        (("--rate", "nan"), "'nan' is neither auto"),
        (("--augment", "bluring"), "Did you mean 'blur'?"),
        (("--pairs", "none.tsv"), "There is no table none.tsv."),
        (("--size-deg", "9"), "degrees"),
        (("--margin", "-1"), "margin is -1.0; a number above 0 was expected"),
    ],
)
def test_wrong_options_cost_two_sentences(call, tmp_path, options, said):
    done = call(*options)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_a_category_with_one_exemplar_costs_two_sentences(call, tmp_path):
    stimuli_folder(tmp_path / "stimuli" / "tree", ["00.png"])
    done = call()
    assert done.exit_code == 2
    assert "The category 'tree' has 1 exemplars" in done.output
    assert "leave the category out" in done.output
