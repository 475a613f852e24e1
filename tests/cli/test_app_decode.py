"""The App decodes with what [decode] can be asked for, and says beforehand what it rests on."""

import json

import pandas as pd
import pytest

from tests.factories.trees import tiny_tree

pytestmark = pytest.mark.whole


@pytest.fixture
def tree(tmp_path, rng):
    """One participant, three runs of six trials of two conditions, with a side and a time."""
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), n_runs=3, n_volumes=60)
    for path in (tree / "sub-01").rglob("*_events.tsv"):
        events = pd.read_csv(path, sep="\t")
        events["side"] = ["left", "left", "right", "right", "left", "left"]
        events["rt"] = rng.normal(size=len(events)).round(3)
        events.to_csv(path, sep="\t", index=False)
    return tree


@pytest.fixture
def own(tmp_path):
    """Write an analysis.toml with these settings of [decode]."""

    def written(text, more=""):
        path = tmp_path / "own.toml"
        path.write_text(f"{more}\n[decode]\npermutations = 9\n{text}\n")
        return ("--config", path)

    return written


def sidecar(tmp_path):
    (path,) = (tmp_path / "out").rglob("*_desc-decode_scores.json")
    return json.loads(path.read_text())


def test_the_dry_run_says_what_decoding_rests_on(app, tree):
    said = app(tree, analysis="decode", dry=True)
    assert "decode: 18 samples of 2 conditions in 3 runs, 3 of each in a run" in said
    assert "random labelings" in said or "distinct labelings" in said
    assert "noise ceiling is not known yet" in said
    few = app(
        tree, "--n-permutations", "1000", analysis="decode", dry=True,
        more='[responses]\nmodel = "conditions"\n',
    )  # fmt: skip
    assert "6 samples of 2 conditions in 3 runs, 1 of each in a run" in few
    assert "p cannot fall below 0.25 (4 distinct labelings, all of them)" in few


def test_the_dry_run_names_what_cannot_be(app, tree, own):
    said = app(tree, *own('folds = "position"'), analysis="decode", dry=True, expect=2)
    assert "decode.folds names 'position', which is no column of the samples" in said


def test_each_setting_comes_through(app, tree, own, tmp_path):
    given = own(
        'standardize = "train"\npca = 3\nsearch = { shrinkage = [0.1, 0.9] }\n'
        'metric = "auc"\ninterval = "bootstrap"\npatterns = true\nbaseline = ["rt"]'
    )
    crossed = "face vs house @ side=left -> @ side=left"
    options = ("--classifier", "lda", "--comparison", "all", "--comparison", crossed)
    (table,) = app(tree, *given, *options, analysis="decode").values()
    assert set(table["metric"]) == {"auc"}
    assert table["baseline"].notna().all()
    assert set(table["comparison"]) == {"all", crossed}
    facts = sidecar(tmp_path)["Facts"]
    assert facts["parameters"]["kind"] == "lda"
    assert facts["preparation"]["pca"] == 3
    out = tmp_path / "out" / "sub-01" / "func"
    assert list(out.glob("*stat-pattern*"))
    for extra in ("Metrics", "Parameters", "Confusion"):
        assert list(out.glob(f"*desc-decode{extra}_scores.tsv")), extra
    page = " ".join((tmp_path / "out" / "sub-01.html").read_text().split())
    assert "linear discriminant analysis" in page
    assert "area under the ROC curve" in page
    assert "bootstrap intervals over what folds left out" in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('classifier = "svm"', "svm-rbf"),
        ("search = { gamma = [1.0] }", "search names 'gamma'"),
        ('classifier = "ridge"\nbalance = "weights"', "cannot weight classes"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(app, tree, own, text, words):
    said = " ".join(app(tree, *own(text), analysis="decode", expect=2).split())
    assert words in said
