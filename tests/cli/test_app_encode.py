"""The App encodes: estimators beside each other, a given split, what is refused, what is left."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.readout import READOUTS
from bids_dnn.workflows.steps import anew
from tests.factories.pictures import PICTURES, write_pictures
from tests.factories.sources import check

pytestmark = pytest.mark.whole
EVERY = ("ridge", "pls", "banded", "bashivan", "cadena", "factorized")


@pytest.fixture
def tree(tmp_path, rng):
    return write_pictures(tmp_path, rng)


def write_split(raw, *, n_train=8):
    split = ["train"] * n_train + ["test"] * (len(PICTURES) - n_train)
    order = [name for pair in zip(PICTURES[:8], PICTURES[8:], strict=True) for name in pair]
    pd.DataFrame({"stimulus_id": order, "split": split}).to_csv(
        raw / "stimuli" / "stimuli.tsv", sep="\t", index=False
    )


def settings(tmp_path, text):
    """Write an analysis.toml of its own beside the tiny network that `app` writes."""
    folder = tmp_path / "settings"
    folder.mkdir(exist_ok=True)
    path = folder / "own.toml"
    path.write_text(
        '[networks.tiny]\nnetwork = "tiny.py:build"\nlayers = ["0", "1"]\n'
        f"[encode]\npermutations = 9\n{text}\n"
    )
    return ("--config", path)


def test_all_estimators_stand_beside_each_other(app, tree, tmp_path):
    raw, given = tree
    estimators = [part for name in EVERY for part in ("--estimator", name)]
    more = '[networks.gabor]\nnetwork = "lowlevel:gabor"\nlayers = ["energy8"]\n'
    (table,) = app(raw, *given, *estimators, analysis="encode", more=more).values()
    assert set(table["estimator"]) == set(EVERY)
    assert set(table["target"]) == {"units", "mean"}
    ridge = table[table["estimator"] == "ridge"]
    assert "chosen layer" in set(ridge["layer"])
    out = tmp_path / "out" / "sub-01"
    names = {path.name for path in (out / "func").iterdir()}
    for extra in (
        "Alphas", "Assignment", "Components", "Spaces", "Identification", "Fieldsbashivan",
        "Fieldscadena", "Fieldsfactorized", "Settingsbashivan", "Settingscadena",
        "Settingsfactorized",
    ):  # fmt: skip
        assert any(f"desc-encode{extra}_scores.tsv" in name for name in names), extra
    (path,) = (out / "func").glob("*desc-encodeSettingscadena_scores.tsv")
    settings = pd.read_csv(path, sep="\t")
    assert (settings[["setting", "sparse", "loss"]] >= 0).all(axis=None)
    described = json.loads(path.with_suffix(".json").read_text())
    assert "(L1)" in described["sparse"]["Description"]
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(
        page,
        "by partial least squares",
        "Which layer each",
        "The part of the variance",
        "what-where readouts",
        "Identification of images",
        "Penalties that ridge regression chose",
        "Components of partial least squares that inner folds chose",
        "Settings that readouts chose",
        "The smallest or largest penalty that was offered was chosen for",
        "10.1016/0169-7439(93)85002-X",
    )
    again = app(raw, *given, *estimators, analysis="encode", more=more)
    pd.testing.assert_frame_equal(again["01"], table)


def test_a_given_split_is_trained_and_tested_on(app, tree, tmp_path):
    raw, given = tree
    write_split(raw)
    own = settings(tmp_path, "folds = { split = true }")
    (table,) = app(raw, *given, *own, analysis="encode").values()
    assert (table["n_folds"] == 1).all()
    assert (table["n_stimuli"] == 8).all()
    (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
    assert json.loads(sidecar.read_text())["FoldScheme"] == "split given"
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "of the test images of the split that was given", "bootstrap intervals")


def test_units_of_patterns_are_chosen_on_training_pictures(app, tree, tmp_path):
    raw, given = tree
    own = settings(tmp_path, "units = { top = 3 }\nfolds = { stimulus = 2, inner = 2 }")
    app(raw, *given, *own, analysis="encode")
    (path,) = (tmp_path / "out").rglob("*desc-encodeIdentification_scores.tsv")
    table = pd.read_csv(path, sep="\t")
    assert (table["n_units"] == 3).all()
    (path,) = (tmp_path / "out").rglob("*desc-encode_units.tsv")
    assert pd.read_csv(path, sep="\t")["chosen"].between(0, 1).all()


def scores_of(table, network):
    rows = table[table["network"] == network]
    return rows.set_index(["target", "layer"])["score"].to_numpy()


def test_partial_least_squares_scales_features_of_every_kind(app, tree, tmp_path):
    raw, given = tree
    pls = 'estimator = "pls"\nfolds = { stimulus = 2, inner = 2 }\n'
    kept = "[networks.again]\nnetwork = 'tiny.py:build'\nlayers = ['0']\n"
    own = settings(tmp_path, f"{pls}{kept}keep_features = true")
    (plain,) = app(raw, *given, *own, analysis="encode").values()
    cache = tmp_path / "work" / "features"
    assert len(list(cache.glob("*-features"))) == 1
    shutil.copytree(tmp_path / "out" / "stimuli", tmp_path / "mine")
    mine = tmp_path / "mine" / "network-again_layer-0_features.npy"
    more = (
        "[networks.fewer]\nnetwork = 'tiny.py:build'\nlayers = ['0', '1:mean']\n"
        f"reduce = 'srp(n=4)'\n[networks.ready]\nnetwork = 'features:{mine}'"
    )
    own = settings(tmp_path, f"{pls}pls_scale = true\n{kept}{more}")
    (scaled,) = app(raw, *given, *own, analysis="encode").values()
    assert len(list(cache.glob("*-features"))) == 5
    np.testing.assert_array_equal(scores_of(scaled, "again"), scores_of(scaled, "ready"))
    assert (scores_of(scaled, "tiny") != scores_of(plain, "tiny")).all()
    assert np.isfinite(scores_of(scaled, "fewer")).all()
    (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
    assert json.loads(sidecar.read_text())["Facts"]["pls_scale"] is True
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "divided by their standard deviation over the training stimuli")
    for one in cache.glob("*-features"):
        shutil.rmtree(one)
    shutil.rmtree(tmp_path / "out")
    (again,) = app(raw, *given, *own, analysis="encode").values()
    pd.testing.assert_frame_equal(again, scaled)


def test_another_split_makes_another_result(app, tree, tmp_path):
    raw, given = tree
    own = settings(tmp_path, "folds = { split = true }")
    scores = []
    for n_train in (8, 10):
        write_split(raw, n_train=n_train)
        (table,) = app(raw, *given, *own, analysis="encode").values()
        scores.append(table["n_stimuli"].iloc[0])
    assert scores == [8, 6]


def test_one_picture_under_two_names_cannot_train_and_test(app, tree, tmp_path):
    raw, given = tree
    first, second = (raw / "stimuli" / name for name in (PICTURES[0], PICTURES[15]))
    second.write_bytes(first.read_bytes())
    write_split(raw)
    own = settings(tmp_path, "folds = { split = true }")
    said = " ".join(app(raw, *given, *own, analysis="encode", expect=2).split())
    check(said, f"{PICTURES[15]} is in test", f"same picture as {PICTURES[0]}", "the same split")
    assert not (tmp_path / "work" / "features").exists()


def test_a_split_that_nobody_gave_is_refused(app, tree, tmp_path):
    raw, given = tree
    own = settings(tmp_path, "folds = { split = true }")
    said = app(raw, *given, *own, analysis="encode", expect=1)
    check(" ".join(said.split()), "stimuli.tsv has none", "Add a column split")


def test_penalties_of_the_spectrum_are_told_with_their_edges(app, tree, tmp_path):
    raw, given = tree
    own = settings(tmp_path, 'folds = { stimulus = 2, inner = 2 }\nselect = "loo"')
    app(raw, *given, *own, analysis="encode")
    (path,) = (tmp_path / "out").rglob("*desc-encodeAlphas_scores.tsv")
    table = pd.read_csv(path, sep="\t")
    steps = 2 * np.log10(table["alpha"])
    np.testing.assert_allclose(steps, steps.round(), atol=1e-4)
    assert (table["n_smallest"] + table["n_largest"] <= table["count"]).all()
    assert table["n_largest"].sum() > 0  # of noise
    (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
    assert json.loads(sidecar.read_text())["Facts"]["select"] == "loo"
    described = json.loads(path.with_suffix(".json").read_text())
    assert "mean diagonal" in described["alpha"]["Description"]


def test_penalties_at_an_end_of_those_that_were_given_are_counted_and_told(app, tree, tmp_path):
    raw, given = tree  # of noise, which asks for the largest penalty
    text = "folds = { stimulus = 2, inner = 2 }\nalphas = [1e-3, 1e-2, 1e3]"
    app(raw, *given, *settings(tmp_path, text), analysis="encode")
    (path,) = (tmp_path / "out").rglob("*desc-encodeAlphas_scores.tsv")
    table = pd.read_csv(path, sep="\t")
    ends = {0.001: "n_smallest", 1000: "n_largest"}
    for name in ("n_smallest", "n_largest"):
        at = np.array([ends.get(float(f"{one:.6g}")) == name for one in table["alpha"]])
        np.testing.assert_array_equal(table[name], np.where(at, table["count"], 0))
    assert table["n_largest"].sum() > 0.1 * table["count"].sum()
    (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
    told = " ".join(json.loads(sidecar.read_text())["Warnings"])
    check(told, "The largest penalty of encode.alphas was chosen for")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('estimator = "rigde"', ("rigde", "ridge")),
        ('select = "gvc"', ("gvc", "gcv")),
        ("alphas = [1.0, -2.0]\nfolds = { stimulus = 2, inner = 2 }", ("-2.0", "above zero")),
        ("floor = 1.5", ("floor", "1.5")),
        ('pls_scale = "yes please"', ('encode.pls_scale is "yes please"', "pls_scale = false")),
        ("units = { top = 5, above = 0.1 }", ("units = { top = 500 }",)),
    ],
)
def test_wrong_settings_are_refused(app, tree, tmp_path, text, words):
    raw, given = tree
    own = settings(tmp_path, text)
    said = app(raw, *given, *own, analysis="encode", expect=2)
    check(" ".join(said.split()), *words)


def test_maps_made_anew_of_pictures_give_what_kept_ones_give(app, tree, tmp_path, monkeypatch):
    raw, given = tree  # pictures have the size that the network takes, and so stay as they are
    monkeypatch.setattr(anew, "free_disk", lambda _: 0)
    found = {}
    for mode in ("cache", "auto"):
        text = f'estimator = {list(READOUTS)}\nreadout_features = "{mode}"\nsettings = 2\n'
        own = settings(tmp_path, text + "folds.stimulus = 2")
        (table,) = app(raw, *given, *own, analysis="encode").values()
        func = tmp_path / "out" / "sub-01" / "func"
        tables = [pd.read_csv(one, sep="\t") for one in sorted(func.glob("*Fields*_scores.tsv"))]
        assert len(tables) == len(READOUTS)
        sidecar = json.loads(next(func.glob("*desc-encode_scores.json")).read_text())
        came = {"cache": "cache", "auto": "images"}[mode]
        assert sidecar["Facts"]["readout_features"] == {"tiny": came}
        found[mode] = [table, *tables]
        kept = list((tmp_path / "work" / "features").glob("*-features"))
        assert len(kept) == (2 if mode == "cache" else 0)
        for folder in ("out", "work"):
            shutil.rmtree(tmp_path / folder)
    for kept, made in zip(*found.values(), strict=True):
        pd.testing.assert_frame_equal(kept, made, rtol=1e-3, atol=1e-4)
    said = app(raw, *given, *settings(tmp_path, text), analysis="encode", dry=True)
    assert "more than half of the free disk) are made anew for each batch" in said


def test_response_triggered_averages_are_written_and_drawn(app, tree, tmp_path):
    raw, given = tree
    own = settings(tmp_path, "triggered = true\nfolds = { stimulus = 2 }")
    app(raw, *given, *own, analysis="encode")
    (path,) = (tmp_path / "out" / "sub-01" / "func").glob("*_desc-encodeTriggered_arrays.npz")
    with np.load(path, allow_pickle=False) as kept:
        assert {name: kept[name].shape for name in kept.files} == {
            "average": (5, 8, 8), "z": (5, 8, 8)
        }  # fmt: skip
    table = pd.read_csv(next(path.parent.glob("*_desc-encodeTriggered_scores.tsv")), sep="\t")
    assert table["unit"].tolist() == [0, 1, 2, 3, 4]
    assert (table["n_images"] == len(PICTURES)).all()
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "as tiny sees it, in gray, 8 x 8 pixels", "10.1080/713663221")
    assert (tmp_path / "out" / ".bidsignore").read_text().count("_arrays") == 1
