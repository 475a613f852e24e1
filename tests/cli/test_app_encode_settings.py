"""The App encodes: settings that few use reach the tables, the pictures and the page."""

import json

import numpy as np
import pandas as pd
import pytest

from bids_dnn.stats.ceiling import ceiling_of, ncsnr
from tests.factories.pictures import PICTURES, write_pictures
from tests.factories.sources import check

pytestmark = pytest.mark.whole
FLOOR, ABOVE, SIDE_DEG = 0.5, 0.2, 4.0
SIDE_PX = 8  # of the pictures that the tiny network sees
NETWORKS = """
[networks.tiny]
network = "tiny.py:build"
layers = ["0", "1"]
[networks.gabor]
network = "lowlevel:gabor"
layers = ["energy8"]
"""


@pytest.fixture
def tree(tmp_path, rng):
    """Responses of five units, each noisier than the one before, to pictures of any light."""
    raw, given = write_pictures(tmp_path, rng)
    home = tmp_path / "responses" / "sub-01"
    light = rng.normal(size=2 * len(PICTURES))
    values = np.tile(rng.normal(size=(len(PICTURES), 5)), (2, 1))
    values += rng.normal(size=values.shape) * [0.1, 0.3, 0.6, 1.5, 6.0]
    values += np.outer(light, [2.0, -1.0, 1.0, 0.5, 3.0])
    np.save(home / "responses.npy", values.astype(np.float32))
    samples = pd.read_csv(home / "samples.tsv", sep="\t").assign(light=light)
    samples.to_csv(home / "samples.tsv", sep="\t", index=False)
    return raw, given, home


def write_settings(tmp_path, text):
    folder = tmp_path / "settings"
    folder.mkdir(exist_ok=True)
    path = folder / "own.toml"
    path.write_text(
        f"[encode]\npermutations = 9\nfolds = {{ stimulus = 2, inner = 2 }}\n{text}\n{NETWORKS}"
    )
    return ("--config", path)


def read(tmp_path, name):
    (path,) = (tmp_path / "out").rglob(f"*_desc-{name}.tsv")
    return pd.read_csv(path, sep="\t")


def facts(tmp_path):
    (path,) = (tmp_path / "out").rglob("*_desc-encode_scores.json")
    return json.loads(path.read_text())["Facts"]


def test_parts_of_networks_with_a_floor_a_nuisance_and_chosen_units(app, tree, tmp_path):
    raw, given, home = tree
    own = write_settings(
        tmp_path,
        'estimator = ["ridge", "banded"]\nspaces = "network"\npartition = true\n'
        f'candidates = 4\nceiling = "ncsnr"\nfloor = {FLOOR}\nnuisance = ["light"]\n'
        f"units = {{ above = {ABOVE} }}",
    )
    app(raw, *given, *own, analysis="encode")

    spaces, parts = read(tmp_path, "encodeSpaces_scores"), read(tmp_path, "encodePartition_scores")
    assert set(spaces["space"]) == {"tiny", "gabor"}
    assert set(parts["part"]) == {"tiny", "gabor", "tiny&gabor"}
    sums = [table.groupby(["region", "target"])["r2"].sum() for table in (spaces, parts)]
    np.testing.assert_allclose(sums[0], sums[1], atol=1e-4)
    figures = {path.name for path in (tmp_path / "out").rglob("*.png")}
    for name in ("encode_spaces", "encode_partition"):
        assert any(name.replace("_", "") in one.replace("_", "") for one in figures), figures

    samples = pd.read_csv(home / "samples.tsv", sep="\t")
    around = np.column_stack([np.ones(len(samples)), samples["light"]])
    values = np.load(home / "responses.npy").astype(float)
    cleaned = values - around @ np.linalg.lstsq(around, values, rcond=None)[0]
    reliability = ncsnr(cleaned.astype(np.float32), samples["stimulus"].tolist())
    units = read(tmp_path, "encode_units")
    np.testing.assert_allclose(units["noiseceiling"], ceiling_of(reliability), rtol=1e-3)
    is_above = reliability >= FLOOR
    assert 0 < is_above.sum() < 5
    normalized = units.filter(like="normalized")
    assert normalized.shape[1] >= 3
    assert (normalized.notna().to_numpy() == is_above[:, None]).all()
    assert 0 < units["chosen"].mean() < 1

    told = facts(tmp_path)
    assert told["units"] == {"top": None, "above": ABOVE, "percent": None}
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "What feature spaces explain alone", f"with r above {ABOVE}")


def test_fields_of_units_that_count_are_told_in_degrees(app, tree, tmp_path):
    raw, given, home = tree
    values = np.load(home / "responses.npy")
    np.save(home / "responses.npy", np.round(np.exp(np.clip(values, -2, 3))).astype(np.float32))
    text = f'estimator = "factorized"\nsettings = 2\nloss = "poisson"\nstimulus_deg = {SIDE_DEG}'
    app(raw, *given, *write_settings(tmp_path, text), analysis="encode")
    fields = read(tmp_path, "encodeFieldsfactorized_scores")
    assert (fields["measured_in"] == "deg").all()
    known = fields[fields["network"] == "tiny"].dropna(subset=["size"])
    assert len(known)
    np.testing.assert_allclose(known["size"], known["size_px"] * SIDE_DEG / SIDE_PX, rtol=1e-4)
    told = facts(tmp_path)
    assert (told["readout_loss"], told["stimulus_deg"]) == ("poisson", SIDE_DEG)
    page = (tmp_path / "out" / "sub-01.html").read_text()
    loss = "by the log-likelihood of counts under the Poisson distribution"
    assert page.count(loss) == 2  # in the section, and in the methods
