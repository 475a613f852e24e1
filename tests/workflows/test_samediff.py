"""workflows.samediff: the whole way, from pictures to a page; the same bytes twice."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from bids_dnn.analyses.samediff.choices import Choices
from bids_dnn.errors import ConfigError
from bids_dnn.workflows.samediff import Asked, run
from bids_dnn.workflows.steps.samediff import Task
from tests.factories.samediff import OWN, write_exemplars


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    task = Task(write_exemplars(tmp_path / "stimuli", n=20))
    choices = Choices(n_epochs=10, rate=0.05, augment=("invert",))
    return Asked(task, choices, tmp_path / "out", network=f"{tmp_path / 'own.py'}:build")


@pytest.mark.usefixtures("undrawn")
def test_tables_sidecars_figures_and_a_page_are_written(asked):
    said, ticks = [], []
    table, page = run(asked, say=said.append, progress=lambda *n: ticks.append(n))
    assert said == ["40 exemplars make 80 pairs: 48 to train, 16 to validate, 16 to test."]
    what, done, n_all = ticks[-1]
    assert (what, done) == ("frozen: training", n_all)
    assert ticks[0] == ("frozen: reading pictures", 0, 1)
    scores = pd.read_csv(table, sep="\t")
    whole = scores.iloc[0]
    assert (whole["orientation"], whole["category"]) == ("both", "all")
    assert whole["accuracy"] > 0.85
    assert whole["p"] < 0.01
    written = {path.relative_to(asked.out_dir).as_posix() for path in asked.out_dir.rglob("*.*")}
    tables = {f"desc-samediff{name}_scores" for name in
              ("", "Curves", "Confusion", "TopLosses", "Pairs")}  # fmt: skip
    figures = {f"figures/{name}.png" for name in
               ("scores", "confusion", "curves", "batch", "top_frozen")}  # fmt: skip
    expected = {f"{name}.{end}" for name in tables for end in ("tsv", "json")}
    assert written == expected | figures | {"samediff.html"}
    text = page.read_text()
    for words in ("Same or different", "Loshchilov", "no exemplar that was tested"):
        assert words in text
    assert 'href="desc-samediff_scores.tsv"' in text
    told = json.loads(table.with_suffix(".json").read_text())
    assert told["Settings"]["choices"]["n_epochs"] == 10
    assert len(told["StimuliSHA256"]) == 40
    assert told["Analysis"]["variants"]["frozen"]["n_learnt"] == 8
    assert str(asked.out_dir.parent) not in json.dumps(told)


@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_gives_the_same_bytes(asked):
    run(asked)
    first = {path: path.read_bytes() for path in asked.out_dir.rglob("*.*")}
    run(asked)
    assert {path: path.read_bytes() for path in asked.out_dir.rglob("*.*")} == first
    run(replace(asked, task=replace(asked.task, seed=1)))
    curves = asked.out_dir / "desc-samediffCurves_scores.tsv"
    assert curves.read_bytes() != first[curves]


@pytest.mark.whole
def test_all_variants_are_drawn(asked):
    variants = ("frozen", "siamese", "contrastive")
    choices = Choices(variants=variants, n_epochs=1, rate=0.01, foveal="other-category", n_top=3)
    table, page = run(replace(asked, choices=choices))
    scores = pd.read_csv(table, sep="\t")
    assert scores["variant"].unique().tolist() == list(variants)
    names = {path.name for path in (asked.out_dir / "figures").iterdir()}
    assert {"top_frozen.png", "top_siamese.png", "top_contrastive.png"} <= names
    assert "Hadsell" in page.read_text()


@pytest.mark.usefixtures("undrawn")
def test_what_was_searched_is_on_the_page(asked):
    choices = Choices(n_epochs=2, rate=0, batch_size=0)
    _, page = run(replace(asked, choices=choices))
    text = page.read_text()
    assert "range test" in text
    assert "batch size that was tried" in text
    assert (asked.out_dir / "figures" / "rates.png").is_file()


def test_a_gpu_that_is_not_there_is_refused(asked, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="'cuda' is asked for, but torch finds no GPU"):
        run(replace(asked, choices=replace(asked.choices, device="cuda")))
