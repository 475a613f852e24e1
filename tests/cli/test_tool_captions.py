"""bids_dnn_tools captions: a table of captions from a folder of pictures."""

import json

import pytest
from click.testing import CliRunner

from bids_dnn.cli.tools import main
from bids_dnn.stimuli.captions import find_captions
from tests.factories.hub import save_git
from tests.factories.stimuli import stimuli_folder, write_tsv


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    save_git(folder)
    return f"transformers:{folder}"


def run(*words):
    return CliRunner().invoke(main, ["captions", *map(str, words)])


def test_the_table_can_be_read_as_captions(tmp_path, network):
    stimuli = stimuli_folder(tmp_path / "stimuli", ["a.png", "b/c.png", "d.png"])
    out = tmp_path / "made" / "captions.tsv"
    done = run(stimuli, "--network", network, "--out", out, "--offline", "--batch-size", 2)
    assert done.exit_code == 0, done.output
    assert f"Wrote {out}" in done.output
    found = find_captions(out, ["a.png", "b/c.png", "d.png"]).texts
    assert set(found) == {"a.png", "b/c.png", "d.png"}
    assert all(len(texts) == 1 and texts[0] for texts in found.values())
    assert json.loads(out.with_suffix(".json").read_text())["Captioner"] == network
    before = out.read_bytes()
    assert run(stimuli, "--network", network, "--out", out).exit_code == 0
    assert out.read_bytes() == before


def test_items_of_a_composed_picture_are_looked_at_one_by_one(tmp_path, network):
    stimuli = stimuli_folder(tmp_path / "stimuli", ["a.png", "b.png"])
    write_tsv(stimuli / "stimuli.tsv", "stimulus_id\tstim_file", "both\ta.png;b.png")
    out = tmp_path / "captions.tsv"
    assert run(stimuli, "--network", network, "--out", out).exit_code == 0
    rows = dict(line.split("\t") for line in out.read_text().splitlines())
    assert rows["both"] == f"{rows['a.png']}; {rows['b.png']}"


def test_a_captioner_that_is_not_there_costs_two_sentences(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    stimuli = stimuli_folder(tmp_path / "stimuli", ["a.png"])
    done = run(stimuli, "--out", tmp_path / "captions.tsv", "--offline")
    assert done.exit_code == 2
    assert "hf download microsoft/git-base-coco" in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "captions.tsv").exists()


@pytest.mark.parametrize("lacking", ["model.safetensors", "tokenizer.json"])
def test_no_option_is_advised_that_the_command_has_not(tmp_path, lacking):
    save_git(tmp_path / "git")
    (tmp_path / "git" / lacking).unlink()
    stimuli = stimuli_folder(tmp_path / "stimuli", ["a.png"])
    network = f"transformers:{tmp_path / 'git'}"
    done = run(stimuli, "--network", network, "--out", tmp_path / "captions.tsv", "--offline")
    assert done.exit_code == 2
    assert lacking in done.output
    assert "save_pretrained." in done.output
    assert "--weights" not in done.output


def test_the_option_that_a_large_picture_asks_for_is_there(tmp_path, network):
    stimuli = stimuli_folder(tmp_path / "stimuli", ["a.png"])  # 8 x 8
    given = (stimuli, "--network", network, "--out", tmp_path / "captions.tsv")
    done = run(*given, "--max-pixels", 63)
    assert done.exit_code == 2
    assert "Type --max-pixels 64" in done.output
    assert run(*given, "--max-pixels", 64).exit_code == 0
