"""The App decodes from units that layers predict on the pictures of training runs."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.factories.pictures import PICTURES, write_pictures
from tests.factories.ready_features import write_ids
from tests.factories.sources import check

pytestmark = pytest.mark.whole
N_UNITS, N_SIGNAL, N_RUNS = 12, 4, 3


@pytest.fixture
def tree(tmp_path, rng):
    """Responses to pictures of two categories; four of twelve units follow given features."""
    raw, given = write_pictures(tmp_path, rng)
    features = rng.normal(size=(len(PICTURES), 3)).astype(np.float32)
    features[:, 0] = [1.0 if name.startswith("face") else -1.0 for name in PICTURES]
    np.save(tmp_path / "mine.npy", features)
    write_ids(tmp_path / "mine.tsv", PICTURES)
    values = rng.normal(size=(N_RUNS * len(PICTURES), N_UNITS))
    weights = np.abs(rng.normal(size=(3, N_SIGNAL))) + 0.5
    values[:, :N_SIGNAL] = 0.3 * values[:, :N_SIGNAL] + np.tile(features, (N_RUNS, 1)) @ weights
    home = tmp_path / "responses" / "sub-01"
    np.save(home / "responses.npy", values.astype(np.float32))
    samples = pd.DataFrame(
        {
            "stimulus": list(PICTURES) * N_RUNS,
            "sample": [f"s{k}" for k in range(len(values))],
            "condition": [name.partition("/")[0] for name in PICTURES] * N_RUNS,
            "run": np.repeat(np.arange(1, N_RUNS + 1), len(PICTURES)),
        }
    )
    samples.to_csv(home / "samples.tsv", sep="\t", index=False)
    names = pd.DataFrame({"name": [f"e{k}" for k in range(N_UNITS)]})
    names.to_csv(home / "units.tsv", sep="\t", index=False)
    return raw, given


@pytest.fixture
def settings(tmp_path):
    """Write settings of [decode] and [encode]; returns the option that names them."""

    def written(decode, *, encode="folds = { inner = 4 }", network="mine.npy"):
        folder = tmp_path / "settings"
        folder.mkdir(exist_ok=True)
        (folder / "own.toml").write_text(
            f'[decode]\ncomparisons = ["all"]\npermutations = 9\n{decode}\n[encode]\n{encode}\n'
            f'[networks.mine]\nnetwork = "features:{tmp_path / network}"\n'
        )
        return ("--config", folder / "own.toml")

    return written


def sidecar(tmp_path):
    (path,) = (tmp_path / "out").rglob("*_desc-decode_scores.json")
    return json.loads(path.read_text())


def test_units_are_chosen_and_told(app, tree, settings, tmp_path):
    raw, given = tree
    (found,) = app(raw, *given, *settings("units = { top = 4 }"), analysis="decode").values()
    assert found["n_units"].tolist() == [N_SIGNAL]
    assert found["score"].item() == 1
    (path,) = (tmp_path / "out").rglob("*_desc-decode_units.tsv")
    chosen = pd.read_csv(path, sep="\t")["chosen"]
    assert chosen.tolist() == [1] * N_SIGNAL + [0] * (N_UNITS - N_SIGNAL)
    (path,) = (tmp_path / "out").rglob("*_desc-decodeChoice_scores.tsv")
    choice = pd.read_csv(path, sep="\t")
    assert choice["n_chosen"].tolist() == [N_SIGNAL] * N_RUNS
    told = sidecar(tmp_path)
    assert set(told["Networks"]) == {"mine"}
    assert told["Settings"]["decode"]["units"] == {"top": 4, "above": None, "percent": None}
    assert told["Facts"]["units"]["n_inner"] == 4
    page = (tmp_path / "out" / "sub-01.html").read_text()
    text = "the 4 channels of a region that a layer predicts best on training stimuli"
    assert page.count(text) == 2  # in the section, and in the methods
    check(page, "was chosen on training images", "Units that the runs but one chose")
    check(page, "Identifying natural images from human brain activity")


def test_another_network_or_other_settings_are_noticed_and_encoding_is_not_run(
    app, tree, settings, tmp_path, rng
):
    raw, given = tree
    np.save(tmp_path / "other.npy", rng.normal(size=(len(PICTURES), 3)))
    write_ids(tmp_path / "other.tsv", PICTURES)
    chosen, inner = "units = { top = 4 }", "folds = { inner = 4 }"
    for decode in (chosen, ""):
        said = app(raw, *given, *settings(decode), analysis="decode", dry=True)
        assert ("features of mine" in said) == bool(decode)
    prints = []
    for decode, other in (
        (chosen, {}),
        (chosen, {"network": "other.npy"}),
        (chosen, {"encode": f'{inner}\nselect = "loo"'}),
        (chosen, {"encode": f"{inner}\npermutations = 7"}),
        ("", {}),
    ):
        app(raw, *given, *settings(decode, **other), analysis="decode")
        prints.append(sidecar(tmp_path)["Fingerprint"])
    assert len(set(prints)) == 4
    assert prints[3] == prints[0]  # permutations of [encode] do not score units
    assert not list((tmp_path / "out").rglob("*_desc-encode_scores.tsv"))
    assert not list((tmp_path / "out").rglob("*decodeChoice*"))  # none are chosen in the end


def test_where_no_unit_is_chosen_the_row_says_so(app, tree, settings, tmp_path):
    raw, given = tree
    (found,) = app(
        raw, *given, *settings("units = { above = 0.9999 }"), analysis="decode"
    ).values()
    assert found["n_units"].tolist() == [0]
    assert found[["score", "p", "p_corrected", "ci_low"]].isna().all(axis=None)
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "decode.units chose none of 12 units", "No score could be computed")


def test_where_there_is_no_picture_units_cannot_be_chosen(app, tree, settings):
    raw, given = tree
    for path in (raw / "stimuli").rglob("*.png"):
        path.unlink()
    said = app(raw, *given, *settings("units = { top = 4 }"), analysis="decode", expect=2)
    check(
        " ".join(said.split()),
        "no picture in the stimuli/ folder",
        "leave units, and networks of nuisance and baseline, out of",
    )


def test_too_few_pictures_for_the_inner_folds_are_counted(app, tree, settings):
    raw, given = tree
    own = settings("units = { top = 4 }", encode="folds = { inner = 5 }")
    said = app(raw, *given, *own, analysis="decode", expect=1)
    check(" ".join(said.split()), "16 images", "5 inner folds need 20", "folds = { inner = 3 }")


def test_features_scaled_by_pictures_of_one_run_are_refused(app, tree, settings, tmp_path):
    raw, given = tree
    samples = tmp_path / "responses" / "sub-01" / "samples.tsv"
    table = pd.read_csv(samples, sep="\t")
    table.loc[table["run"] > 1, "stimulus"] = table["stimulus"].replace(PICTURES[0], PICTURES[2])
    table.to_csv(samples, sep="\t", index=False)
    split = {"stimulus_id": PICTURES, "split": ["train"] * 8 + ["test"] * 8}
    pd.DataFrame(split).to_csv(raw / "stimuli" / "stimuli.tsv", sep="\t", index=False)
    own = settings("units = { top = 4 }")
    text = own[1].read_text().partition("[networks")[0]
    own[1].write_text(f'{text}[networks.px]\nnetwork = "lowlevel:pixels"\nscale = "train"\n')
    said = app(raw, *given, *own, analysis="decode", expect=1)
    check(" ".join(said.split()), "1 of them are shown in one run only", PICTURES[0])
