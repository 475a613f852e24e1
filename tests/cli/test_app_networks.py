"""The App on networks of all kinds: layers, transforms, captions, ready features, the cache."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bids_dnn.features import store
from bids_dnn.features.ready import read_ready
from bids_dnn.files import size_text
from bids_dnn.workflows.steps import extraction
from tests.factories.pictures import PICTURES, add_training_pictures, write_pictures
from tests.factories.sources import check

pytestmark = pytest.mark.whole


def rows(tables):
    """Return what single layers say of the units of regions."""
    (table,) = tables.values()
    of_layers = (table["target"] == "units") & (table["network"] != "*")
    return table[of_layers].reset_index(drop=True)


def test_layers_with_options_have_rows_of_their_own(app, tree):
    raw, given = tree
    more = '[networks.own]\nnetwork = "tiny.py:build"\nlayers = ["0", "0:mean", "1:at(0,0;3,3)"]\n'
    found = rows(app(raw, *given, analysis="encode", more=more))
    own = found[found["network"] == "own"]
    assert set(own["layer"]) == {"0", "0:mean", "1:at(0,0;3,3)"}
    assert np.isfinite(own["score"]).all()


def test_a_transform_changes_the_features_and_is_told(app, tree, tmp_path):
    raw, given = tree
    more = (
        '[networks.warped]\nnetwork = "tiny.py:build"\n'
        'transform = ["retinawarp(density=4)", "grey()"]\n'
    )
    found = rows(app(raw, *given, analysis="encode", more=more)).set_index("network")
    assert found.loc["warped", "score"] != found.loc["tiny", "score"]
    (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
    told = json.loads(sidecar.read_text())["Networks"]["warped"]
    assert "retinawarp(density=4" in told["transforms"]
    assert len(told["weights_sha256"]) == 64
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "retinawarp(density=4", "grey(")


def test_controls_need_no_weights_and_are_cited(app, tree, tmp_path):
    raw, given = tree
    controls = ("--network", "lowlevel:pixels", "--network", "lowlevel:gabor@energy,energy8:mean")
    planned = app(raw, *given, *controls, "--offline", analysis="encode", dry=True)
    check(planned, "lowlevel:gabor, weights its own", "layer energy: 10920 features")
    found = rows(app(raw, *given, *controls, "--offline", analysis="encode"))
    made = {(one.network, one.layer) for one in found.itertuples() if "lowlevel" in one.network}
    assert {layer for _, layer in made} == {"rgb", "luminance", "energy", "energy8:mean"}
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "10.1038/nature06713", "10.1364/JOSAA.2.000284", "as made by formula")


def test_a_changed_pixel_gives_other_features(app, tree, tmp_path):
    raw, given = tree
    before = rows(app(raw, *given, analysis="encode"))
    cached = set((tmp_path / "work" / "features").iterdir())
    picture = raw / "stimuli" / PICTURES[3]
    pixels = np.array(Image.open(picture))
    pixels[4, 4] ^= 255
    Image.fromarray(pixels).save(picture)
    after = rows(app(raw, *given, analysis="encode"))
    assert after["score"].item() != before["score"].item()
    assert set((tmp_path / "work" / "features").iterdir()) > cached


def test_other_weights_that_a_factory_reads_give_other_results(app, tree, tmp_path):
    """Neither the file of the network nor any option changes."""
    raw, given = tree
    mine, scores = tmp_path / "mine.py", []
    mine.write_text(
        "import numpy as np, torch\ndef build():\n"
        "    made = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU())\n"
        f"    numbers = np.random.default_rng(int(np.load({str(tmp_path / 'w.npy')!r})))\n"
        "    for one in made.parameters():\n"
        "        one.data = torch.tensor(numbers.normal(size=tuple(one.shape))).float()\n"
        "    return made\ncard = {'size_px': 8, 'layers': ('1',)}\n"
    )
    more = f'[networks.mine]\nnetwork = "{mine}:build"\n'
    for seed in (0, 1, 0):
        np.save(tmp_path / "w.npy", np.int64(seed))
        found = rows(app(raw, *given, analysis="encode", more=more)).set_index("network")
        scores.append(found.loc["mine", "score"])
    assert scores[0] == scores[2] != scores[1]


def test_the_folder_of_the_users_network_does_not_matter(app, tree, tmp_path):
    raw, given = tree
    found = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        (folder / "mine.py").write_text(
            "from torch import nn\ndef build():\n    return nn.Sequential(nn.Conv2d(3, 2, 3))\n"
            "card = {'size_px': 8, 'layers': ('0',)}\n"
        )
        more = f'[networks.mine]\nnetwork = "{folder / "mine.py"}:build"\n'
        app(raw, *given, analysis="encode", more=more)
        (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
        found.append(json.loads(sidecar.read_text())["Fingerprint"])
    assert found[0] == found[1]


def test_features_are_kept_where_asked_for_also_when_their_products_are_there(app, tree, tmp_path):
    raw, given = tree
    app(raw, *given, analysis="encode")
    cache = tmp_path / "work" / "features"
    assert not list(cache.glob("*-features"))
    more = (
        '[networks.kept]\nnetwork = "tiny.py:build"\nlayers = ["0", "1"]\nkeep_features = true\n'
    )
    app(raw, *given, analysis="encode", more=more)
    kept = [store.read_features(cache, path.name[:64]) for path in cache.glob("*-features")]
    assert sorted(one.identity["layer"].partition(":")[0] for one in kept) == ["0", "1"]
    assert {one.values.shape[0] for one in kept} == {len(PICTURES)}
    written = tmp_path / "out" / "stimuli" / "network-kept_layer-1_features.npy"
    (again,) = read_ready(written).values()
    assert again.ids == PICTURES
    told = json.loads(written.with_suffix(".json").read_text())
    assert told["Identity"]["weights_sha256"] == kept[0].identity["weights_sha256"]
    assert told["Shape"] == list(again.values.shape)


def test_a_tested_picture_under_another_name_scales_nothing(app, tree):
    raw, given = tree
    add_training_pictures(raw)
    more = '[networks.scaled]\nnetwork = "tiny.py:build"\nlayers = ["1"]\nscale = "train"\n'
    shutil.copy(raw / "stimuli" / PICTURES[0], raw / "stimuli" / "other" / "1.png")
    said = app(raw, *given, analysis="encode", more=more, expect=1)
    check(" ".join(said.split()), "1 of them are tested here", PICTURES[0])


def test_kept_features_are_not_called_scaled(app, tree, tmp_path):
    raw, given = tree
    add_training_pictures(raw)
    more = (
        '[networks.kept]\nnetwork = "tiny.py:build"\nlayers = ["1"]\nkeep_features = true\n'
        'scale = "train"\n'
    )
    app(raw, *given, analysis="encode", more=more)
    cache = tmp_path / "work" / "features"
    (kept,) = (store.read_features(cache, path.name[:64]) for path in cache.glob("*-features"))
    assert kept.identity["scale"] == "none"


def test_a_cache_may_lie_elsewhere_and_serves_another_output(app, tree, tmp_path):
    raw, given = tree
    shared = ("--cache-dir", tmp_path / "cache")
    before = rows(app(raw, *given, *shared, analysis="encode"))
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(tmp_path / "work")
    after = rows(app(raw, *given, *shared, analysis="encode"))
    pd.testing.assert_frame_equal(after, before)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == set(made)
    assert list((tmp_path / "out" / "stimuli").glob("network-tiny_portrait.*"))


def test_components_and_projections_are_told(app, tree, tmp_path):
    raw, given = tree
    more = (
        '[networks.parts]\nnetwork = "tiny.py:build"\nreduce = "pca(n=3)"\n'
        '[networks.random]\nnetwork = "tiny.py:build"\nreduce = "srp(n=20)"\n'
    )
    found = rows(app(raw, *given, analysis="encode", more=more))
    assert found.groupby("network")["score"].first().nunique() == 3
    (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
    told = json.loads(sidecar.read_text())["Networks"]
    assert "pca" in told["parts"]["reduction"]
    assert "srp" in told["random"]["reduction"]
    page = (tmp_path / "out" / "sub-01.html").read_text()
    check(page, "learnt on the training stimuli of each fold: pca(n=3).", "kept: srp(n=20).")


@pytest.mark.parametrize("dry", [True, False])
def test_more_projections_than_features_are_refused_before_anything_runs(app, tree, dry):
    raw, given = tree
    more = '[networks.wide]\nnetwork = "tiny.py:build"\nreduce = "srp(n=145)"\n'
    said = app(raw, *given, analysis="encode", more=more, expect=2, dry=dry)
    check(" ".join(said.split()), "has 144 features, fewer than the 145 projections")


@pytest.mark.parametrize("n", [0, 12])
def test_stimuli_without_a_caption_are_told_before_anything_runs(app, tree, tmp_path, n):
    from tests.factories.hub import save_clip

    raw, given = tree
    save_clip(tmp_path)
    lines = [f"{name}\ta dog on the tree" for name in (*PICTURES[:n], "horse.png")]
    (tmp_path / "captions.tsv").write_text("stimulus\tcaption\n" + "\n".join(lines) + "\n")
    more = f'[networks.text]\nnetwork = "transformers:{tmp_path}"\nlayers = ["text_embeds"]\n'
    more += f'captions = "{tmp_path}/captions.tsv"\n' if n else ""
    said = app(raw, *given, analysis="encode", more=more, dry=True, expect=0 if n else 2)
    told = "4 of 16 stimuli have no caption for text" if n else "no stimulus has one"
    check(" ".join(said.split()), told)
    if n:
        check(" ".join(said.split()), "1 of 13 names in captions.tsv are no stimulus, such as 'ho")


def test_features_that_were_made_elsewhere(app, tree, tmp_path, rng):
    raw, given = tree
    np.save(tmp_path / "mine.npy", rng.normal(size=(len(PICTURES), 7)).astype(np.float32))
    pd.DataFrame({"stimulus": [name[:-4] for name in PICTURES]}).to_csv(
        tmp_path / "mine.tsv", sep="\t", index=False
    )
    found = rows(
        app(raw, *given, "--network", f"features:{tmp_path / 'mine.npy'}", analysis="encode")
    )
    assert list(found["network"]) == ["mine"]
    assert np.isfinite(found["score"]).all()


def test_features_of_other_stimuli_are_refused(app, tree, tmp_path, rng):
    raw, given = tree
    np.save(tmp_path / "mine.npy", rng.normal(size=(3, 7)).astype(np.float32))
    (tmp_path / "mine.tsv").write_text("stimulus\nx\ny\nz\n")
    network = ("--network", f"features:{tmp_path / 'mine.npy'}")
    said = app(raw, *given, *network, analysis="encode", expect=1)
    check(" ".join(said.split()), "mine.npy", "stimuli")


def test_one_picture_under_two_names_is_one_stimulus(app, tree, tmp_path):
    raw, given = tree
    shutil.copy(raw / "stimuli" / PICTURES[0], raw / "stimuli" / PICTURES[1])
    said = app(raw, *given, analysis="encode", dry=True)
    assert "stands under several names" in " ".join(said.split())
    assert app(raw, *given, analysis="encode")
    (sidecar,) = (tmp_path / "out").rglob("*desc-encode_scores.json")
    facts = json.loads(sidecar.read_text())["Facts"]
    assert facts["ingest"]["n_stimuli"] == len(PICTURES) - 1


def test_the_plan_says_how_products_are_made(app, tree):
    raw, given = tree
    more = '[networks.again]\nnetwork = "tiny.py:build"\ngram = "disk"\n'
    said = app(raw, *given, analysis="encode", more=more, dry=True)
    check(said, "layer 0: 144 features", "1 pass over 16 stimuli", "products: disk")
    check(" ".join(said.split()), f"{size_text(4 * 16 * 144)} of scratch files")


def test_recomputed_products_are_those_of_the_disk(app, tree):
    raw, given = tree
    more = '[networks.again]\nnetwork = "tiny.py:build"\ngram = "recompute"\nbatch_size = 3\n'
    found = rows(app(raw, *given, analysis="encode", more=more)).set_index("network")
    assert found.loc["again", "score"] == pytest.approx(found.loc["tiny", "score"], abs=1e-6)


def test_mem_bounds_what_an_extraction_keeps_in_memory(app, tree, monkeypatch):
    raw, given = tree
    told, plan = [], extraction.plan_grams
    monkeypatch.setattr(
        extraction, "plan_grams", lambda *a, **k: told.append(k["memory"]) or plan(*a, **k)
    )
    app(raw, *given, "--mem", "500M", analysis="encode")
    assert told == [125_000_000]  # a quarter, as the dry run says
    app(raw, *given, "--mem", "1G", analysis="encode")
    assert len(told) == 1  # memory alters no number, so that nothing is made again


def test_scaling_by_stimuli_that_are_tested_is_refused(app, tree):
    raw, given = tree
    lines = [f"{name}\t{'train' if k % 2 else 'test'}" for k, name in enumerate(PICTURES)]
    (raw / "stimuli" / "stimuli.tsv").write_text("stim_file\tsplit\n" + "\n".join(lines) + "\n")
    more = '[networks.scaled]\nnetwork = "tiny.py:build"\nscale = "train"\n'
    said = app(raw, *given, analysis="encode", more=more, expect=1)
    check(" ".join(said.split()), "scaled by the variance over 8 training stimuli", "tested here")


def test_scaling_without_training_stimuli_is_refused(app, tree):
    raw, given = tree
    more = '[networks.scaled]\nnetwork = "tiny.py:build"\nscale = "train"\n'
    said = app(raw, *given, analysis="encode", more=more, expect=2)
    check(" ".join(said.split()), "scale = 'train'", "column split")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('transform = ["retinwarp()"]', ("retinwarp", "'retinawarp'")),
        ('transform = ["noise(snr=-1)"]', ("snr",)),
        ('layers = ["3"]', ("no layer '3'",)),
        ('layers = ["0:class"]', ("class",)),
        ('layers = ["0:at(99,0)"]', ("99",)),
        ('reduce = "pac(n=3)"', ("pac", "pca")),
        ('precision = "fp16"', ("fp16", "bf16")),
    ],
)
def test_wrong_words_are_refused_before_anything_runs(app, tree, line, words):
    raw, given = tree
    more = f'[networks.own]\nnetwork = "tiny.py:build"\n{line}\n'
    check(" ".join(app(raw, *given, analysis="encode", more=more, expect=2).split()), *words)


@pytest.mark.parametrize("dry", [True, False])
def test_a_file_that_is_no_network_is_told_as_what_it_is(app, tree, tmp_path, dry):
    raw, given = tree
    path = tmp_path / "hostname"
    path.write_text("here")
    own = ("--network", f"alexnet={path}")
    said = app(raw, *given, *own, analysis="encode", expect=2, dry=dry)
    check(
        " ".join(said.split()), "hostname' is a file, but not one of Python", "NAME=PATH/file.py:"
    )
    assert "network ''" not in said


@pytest.mark.parametrize("name", ["alexnt", "torchvision:vgg91", "cornet:q", "timmm:resnet18"])
def test_a_network_that_does_not_exist_is_refused(app, tree, name):
    raw, given = tree
    said = app(raw, *given, "--network", name, analysis="encode", expect=2)
    assert name.rpartition(":")[2] in said


def test_what_a_run_needs_is_fetched_and_nothing_runs(app, tree, tmp_path):
    raw, given = tree
    said = app(raw, *given, "--download-only", analysis=None)
    check(said, "tiny: weights random (seed 0)", "nothing was run")
    assert not list((tmp_path / "out").rglob("*_scores.tsv"))


def test_offline_weights_are_not_asked_of_the_network(app, tree, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    raw, given = tree
    said = app(raw, *given, "--network", "alexnet", "--offline", analysis="encode", expect=2)
    check(" ".join(said.split()), "alexnet-owt-7be5be79.pth", "offline")


def test_pictures_of_a_stack(app, tmp_path, rng):
    import h5py

    raw, given = write_pictures(tmp_path, rng)
    shutil.rmtree(raw / "stimuli")
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["images"] = rng.integers(0, 255, size=(20, 9, 9, 3), dtype=np.uint8)
    table = tmp_path / "responses" / "sub-01" / "samples.tsv"
    text = table.read_text()
    for k, name in enumerate(PICTURES):
        text = text.replace(f"{name}\t", f"{k:06d}\t")
    table.write_text(text)
    stack = ("--stimuli-dir", tmp_path / "stack.h5")
    assert np.isfinite(rows(app(raw, *given, *stack, analysis="encode"))["score"]).all()
