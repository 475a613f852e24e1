"""features.text: captions made by a network, and captions that are too long."""

import json

import numpy as np
import pytest
import torch
import transformers

from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.features.text import captioner, check_captioner, length_warnings, write_captions
from tests.factories import hub as made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("git")
    made.save_git(folder, loudness=10.0)
    return folder


@pytest.fixture
def pictures(rng):
    return [(f"p{i}.png", rng.integers(0, 256, (40, 50 + i, 3), dtype=np.uint8)) for i in range(7)]


def test_captions_are_what_transformers_itself_says(folder, pictures):
    model = transformers.GitForCausalLM.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    expected = {}
    for name, picture in pictures:
        shown = processor(images=[picture], return_tensors="pt")
        words = model.generate(pixel_values=shown["pixel_values"], max_new_tokens=50)
        expected[name] = processor.batch_decode(words, skip_special_tokens=True)[0]
    by = captioner(f"transformers:{folder}", offline=True)
    assert by.captions(pictures) == expected
    assert len(set(expected.values())) > 1


def test_captions_do_not_depend_on_batches_or_order(folder, pictures):
    by = captioner(f"transformers:{folder}", offline=True)
    whole = by.captions(iter(pictures), batch_size=3)
    assert list(whole) == [name for name, _ in pictures]
    assert by.captions(pictures[::-1], batch_size=1) == whole
    assert captioner(f"transformers:{folder}", offline=True).captions(pictures) == whole


def test_progress_counts_pictures(folder, pictures):
    seen = []
    captioner(f"transformers:{folder}", offline=True).captions(
        pictures, batch_size=3, progress=seen.append
    )
    assert seen == [3, 6, 7]


def test_what_is_written_says_how_it_was_made(folder, tmp_path):
    by = captioner(f"transformers:{folder}", offline=True)
    path = write_captions(tmp_path / "captions.tsv", {"a/b.png": "a dog"}, by=by)
    assert path.read_text() == "stimulus\tcaption\na/b.png\ta dog\n"
    told = json.loads(path.with_suffix(".json").read_text())
    assert (told["Captioner"], told["WeightsSHA256"]) == (by.name, by.weights_sha256)
    assert len(by.weights_sha256) == 64
    assert set(told["Libraries"]) == {"tokenizers", "torch", "transformers"}


def test_what_is_no_picture_is_refused(folder):
    by = captioner(f"transformers:{folder}", offline=True)
    with pytest.raises(ShapeError, match=r"'grey' has shape \(4, 4\) of uint8"):
        by.captions([("grey", np.zeros((4, 4), np.uint8))])
    with pytest.raises(ShapeError, match=r"'real' has shape \(4, 4, 3\) of float64"):
        by.captions([("real", np.zeros((4, 4, 3)))])


def test_a_captioner_that_is_not_there_is_told_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    with pytest.raises(MissingInputError) as caught:
        captioner("transformers:microsoft/git-base-coco", offline=True)
    with pytest.raises(MissingInputError) as planned:
        check_captioner("transformers:microsoft/git-base-coco", offline=True)
    assert "hf download microsoft/git-base-coco" in str(planned.value)
    check_captioner("transformers:microsoft/git-base-coco", offline=False)  # it may be fetched
    told = str(caught.value)
    assert str(tmp_path / "hub") in told
    assert "hf download microsoft/git-base-coco" in told
    assert told.count(". ") <= 2


@pytest.mark.parametrize("name", ["open_clip:ViT-B-32", "git-base-coco", "transformers:"])
def test_captioners_are_of_transformers(name):
    with pytest.raises(ConfigError, match=r"write transformers:|Write transformers:REPOSITORY"):
        captioner(name, offline=True)
    with pytest.raises(ConfigError, match="Write transformers:REPOSITORY"):
        check_captioner(name, offline=False)


def test_a_folder_without_weights_is_no_captioner_whatever_may_be_fetched(tmp_path):
    made.save_git(tmp_path)
    check_captioner(f"transformers:{tmp_path}", offline=True)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(MissingInputError, match=r"does not hold .*model\.safetensors"):
        check_captioner(f"transformers:{tmp_path}", offline=False)


def test_networks_that_say_nothing_are_refused(tmp_path):
    made.save_clip(tmp_path)
    with pytest.raises(ConfigError, match="'clip', which makes no captions"):
        captioner(f"transformers:{tmp_path}", offline=True)


def test_damaged_and_other_weights_are_refused(tmp_path):
    made.save_git(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    with pytest.raises(ShapeError, match=r"lack 'git\.encoder\.layer\.3"):
        captioner(f"transformers:{tmp_path}", offline=True)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UnreadableError, match="cannot be read by transformers"):
        captioner(f"transformers:{tmp_path}", offline=True)


def test_without_a_text_tower_no_caption_is_too_long():
    network = Network(torch.nn.Identity(), Card("mine", ()), "", "")
    assert length_warnings(network, {"a": ("a dog " * 500,)}) == []
