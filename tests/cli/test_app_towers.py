"""The App on what must be fetched: towers that read, a captioner, a head that names classes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from bids_dnn.features.models import load_network
from bids_dnn.features.ready import read_ready
from bids_dnn.features.text import captioner
from bids_dnn.features.transfer import normalized, stacked
from bids_dnn.stimuli.load import Loader, read_rgb
from tests.factories import hub
from tests.factories.pictures import PICTURES
from tests.factories.sources import check

pytestmark = pytest.mark.whole
MORE = """
[networks.clip]
network = "transformers:someone/clip"
layers = ["image_embeds", "text_embeds"]
captions = "transformers:someone/git"
keep_features = true

[networks.vit]
network = "transformers:someone/vit"
"""
SAVE = {
    "someone/clip": hub.save_clip,
    "someone/git": lambda folder: hub.save_git(folder, loudness=10.0),
    "someone/vit": lambda folder: (hub.save_vit(folder), hub.save_feeding(folder)),
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache of the hub; returns its folder and the repositories that were asked for."""
    import huggingface_hub

    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    asked = []

    def snapshot_download(repository, **_):
        asked.append(repository)
        SAVE[repository](hub.snapshot(tmp_path / "hf", repository))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return tmp_path / "hf", asked


def loaded(name):
    return load_network(name, weights=None, layers=None, seed=0, offline=True)


def place(home, repository):
    (folder,) = (home / "hub" / f"models--{repository.replace('/', '--')}" / "snapshots").iterdir()
    return folder


def test_what_was_fetched_is_enough_without_a_network(app, tree, home, tmp_path):
    raw, given = tree
    hf, asked = home
    said = app(raw, *given, "--download-only", analysis="encode", more=MORE, expect=None)
    check(" ".join(said.split()), "clip: captioner transformers:someone/git is there", "nothing")
    assert sorted(asked) == sorted(SAVE)
    assert not list((tmp_path / "out").rglob("*_scores.tsv"))

    (found,) = app(raw, *given, "--offline", analysis="encode", more=MORE).values()
    assert sorted(asked) == sorted(SAVE)
    single = found[(found["target"] == "units") & (found["network"] == "clip")]
    assert {"image_embeds", "text_embeds"} <= set(single["layer"])
    assert np.isfinite(single["score"]).all()
    stimuli = tmp_path / "out" / "stimuli"
    assert (stimuli / "network-clipText_portrait.npz").is_file()
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "transformers:someone/git")

    clip = transformers.CLIPModel.from_pretrained(place(hf, "someone/clip")).eval()
    network = loaded("transformers:someone/clip")
    pictures = [(n, np.asarray(read_rgb(raw / "stimuli" / n))) for n in PICTURES]
    texts = captioner("transformers:someone/git", offline=True).captions(pictures)
    assert len(set(texts.values())) > 1
    kept = stimuli / "network-clip_layer-textEmbeds_features.npy"
    (read,) = read_ready(kept).values()
    with torch.no_grad():
        seen = network.tokenize([texts[name] for name in read.ids])
        told = clip.get_text_features(**seen)
    expected = getattr(told, "pooler_output", told).numpy()
    np.testing.assert_allclose(read.values, expected, atol=1e-5)
    check_labels(app, tree, hf, stimuli, tmp_path)


def check_labels(app, tree, hf, stimuli, tmp_path):
    """Compare the classes named with what the network itself says, also once they were lost."""
    raw, given = tree
    table = stimuli / "network-vit_predictions.tsv"
    vit = transformers.ViTForImageClassification.from_pretrained(place(hf, "someone/vit")).eval()
    network = loaded("transformers:someone/vit")
    card = network.card
    files = {name: (raw / "stimuli" / name,) for name in PICTURES}
    loader = Loader(files, card.size_px, card.resize, card.interpolation)
    with torch.no_grad():
        logits = vit(normalized(stacked([loader(name) for name in PICTURES]), card)).logits
    made = pd.read_csv(table, sep="\t").set_index("stimulus").loc[list(PICTURES)]
    assert [card.labels[k] for k in logits.argmax(1)] == list(made["label"])
    np.testing.assert_allclose(made["probability"], logits.softmax(1).amax(1), atol=1e-4)
    sidecar = json.loads(table.with_suffix(".json").read_text())
    assert sidecar["WeightsSHA256"] == network.weights_sha256
    before = table.read_text()
    shutil.rmtree(tmp_path / "out")
    for kept in (tmp_path / "work" / "features").glob("*-features"):
        shutil.rmtree(kept)
    app(raw, *given, "--offline", analysis="encode", more=MORE)
    assert table.read_text() == before
