"""features.models.open_clip: two towers, rows, weights, tokens, refusals."""

import json
import logging

import open_clip
import pytest
import torch
import transformers
from safetensors.torch import save_file

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.features.extract import Options, Read, extract_features, passes_of
from bids_dnn.features.models import card_of, find_file, load_network
from bids_dnn.features.models import open_clip as open_clip_family
from bids_dnn.features.probe import probe
from bids_dnn.features.text import length_warnings
from tests.factories.hub import TEXT, add_tiny_clip, plain_clip, save_tokenizer, snapshot
from tests.factories.rows import check_rows, shown

TEXTS = ["a dog", "two cats on a mat", "a house by the sea, at night", "nothing", "a dog, a dog"]
WORDS_SAID = ["a dog", "the cat on the tree", "a house of a dog", "tree tree", "on"]
BLOCKS = [f"visual.transformer.resblocks.{i}" for i in range(3)]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


@pytest.fixture
def tiny(monkeypatch):
    return f"open_clip:{add_tiny_clip(monkeypatch)}"


def random(name, layers=None):
    return load_network(name, weights="random", layers=layers, seed=0)


def in_order(module, first):
    """Let a tower work with the batch as its first axis, or as its second."""
    module.transformer.batch_first = first
    for block in module.transformer.resblocks:
        block.attn.batch_first = first


def test_a_card_says_what_the_published_weights_ask_for():
    card = card_of("open_clip:ViT-B-32/laion2b_s34b_b79k")
    told = open_clip.get_pretrained_cfg("ViT-B-32", "laion2b_s34b_b79k")
    assert (card.mean, card.sd) == (told["mean"], told["std"])
    assert (card.size_px, card.resize, card.interpolation) == (224, "center-crop", "bicubic")
    assert card.layers[0] == "visual.transformer.resblocks.0"
    assert card.layers[-1] == "visual"
    assert card.methods == {"image": "encode_image", "text": "encode_text"}
    assert (card.doi, card.license) == ("10.1109/CVPR52729.2023.00276", "mit")


@pytest.mark.parametrize(
    ("name", "size_px", "first", "doi"),
    [
        ("RN50", 224, "visual.layer1", "2103.00020"),
        ("ViT-B-32", 224, "visual.transformer.resblocks.0", "2103.00020"),
        ("ViT-B-16-SigLIP-384/webli", 384, "visual.trunk.blocks.0", "ICCV51070.2023.01100"),
        ("convnext_base", 224, "visual.trunk.stages.0", "CVPR52729.2023.00276"),
    ],
)
def test_each_kind_of_image_tower_has_layers(name, size_px, first, doi):
    card = card_of(f"open_clip:{name}")
    assert (card.size_px, card.layers[0]) == (size_px, first)
    assert card.doi.endswith(doi)


def test_each_published_tower_is_cited():
    named = [f"{arch}/{tag}" for arch, tag in open_clip.list_pretrained() if "timm" not in arch]
    told = {name: open_clip_family._paper(*name.split("/")).doi for name in named}
    papers = {
        "ViT-L-14/dfn2b": "2309.17425",
        "ViT-B-16-SigLIP2/webli": "2502.14786",
        "MobileCLIP-B/datacompdr": "2311.17049",
        "ViT-L-14-CLIPA/datacomp1b": "2305.07017",
    }
    known = papers.keys() & told.keys()  # old releases of open_clip lack some
    assert {"ViT-L-14/dfn2b", "ViT-L-14-CLIPA/datacomp1b"} <= known
    assert all(told[name].endswith(papers[name]) for name in known)
    assert sum(not doi for doi in told.values()) < len(told) / 5


def test_rows_of_the_image_tower_are_stimuli(tiny):
    network = random(tiny)
    names = [*BLOCKS, f"{BLOCKS[1]}:class", f"{BLOCKS[2]}:mean", "visual", "visual.conv1:mean"]
    probed, made = check_rows(network, shown(network), names)
    assert probed[BLOCKS[0]].shape == (17, 16)
    tokens = made[BLOCKS[1]].reshape(5, 17, 16)
    torch.testing.assert_close(made[f"{BLOCKS[1]}:class"], tokens[:, 0])
    torch.testing.assert_close(
        made[f"{BLOCKS[2]}:mean"], made[BLOCKS[2]].reshape(5, 17, 16)[:, 1:].mean(1)
    )


@pytest.mark.parametrize("n", [2, 5, 17])
def test_a_tower_that_has_the_batch_second_gives_the_same_rows(tiny, n):
    network = random(tiny)
    inputs = shown(network, n=n)  # 17 = as many as there are tokens
    names = [BLOCKS[0], f"{BLOCKS[1]}:class", f"{BLOCKS[2]}:mean"]
    _, expected = check_rows(network, inputs, names)
    in_order(network.module.visual, first=False)
    probed, made = check_rows(network, inputs, names)
    assert {one.batch_axis for one in probed.values()} == {1}
    for name in names:
        torch.testing.assert_close(made[name], expected[name], atol=1e-5, rtol=1e-5)


def test_rows_of_the_text_tower_are_texts(tiny):
    network = random(tiny)
    tokens = dict(network.tokenize(TEXTS))
    names = ["text", "text.transformer.resblocks.0", "text.ln_final"]
    probed, made = check_rows(network, tokens, names)
    assert probed["text"].modality == "text"
    assert probed["text.ln_final"].shape == (77, 8)
    expected = network.module.encode_text(tokens["text"])
    torch.testing.assert_close(made["text"], expected, atol=1e-5, rtol=1e-5)
    in_order(network.module.text, first=False)
    _, other = check_rows(network, tokens, names)
    torch.testing.assert_close(other["text"], made["text"], atol=1e-5, rtol=1e-5)


def test_features_of_several_captions_are_averaged(tiny):
    network = random(tiny)
    captions = {"a.png": tuple(TEXTS[:2]), "b.png": (TEXTS[2],)}
    inputs = Read({name: name for name in captions}, captions)
    passes = passes_of(network, inputs, probe(network, ["text"]), options=Options())
    made = torch.from_numpy(extract_features(passes)["text"])
    alone = network.module.encode_text(network.tokenize(TEXTS[:3])["text"])
    expected = torch.stack([alone[:2].mean(0), alone[2]])
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)


def test_image_is_another_name_of_what_the_image_tower_returns(tiny):
    network = random(tiny)
    _, made = check_rows(network, shown(network), ["image"])
    expected = network.module.encode_image(shown(network))
    torch.testing.assert_close(made["image"], expected, atol=1e-5, rtol=1e-5)


def test_captioning_towers_put_out_several_things_of_which_the_first_counts(monkeypatch):
    add_tiny_clip(
        monkeypatch,
        "coca_tiny",
        custom_text=True,
        multimodal_cfg={"layers": 1, "width": 8, "heads": 2, "context_length": 76},
        vision_cfg={
            **{"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
            **{"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        },
        text_cfg={
            **{"context_length": 76, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
            **{"embed_cls": True, "output_tokens": True},
        },
    )
    network = random("open_clip:coca_tiny")
    assert network.card.layers[-1] == "visual:field(0)"
    probed, _ = check_rows(network, shown(network), ["image"])
    assert probed["image"].shape == (12,)
    probed, _ = check_rows(network, dict(network.tokenize(TEXTS)), ["text"])
    assert probed["text"].shape == (12,)


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_published_weights_give_what_open_clip_gives(tiny, home, file):
    source = plain_clip()
    folder = snapshot(home, "someone/tiny")
    if file.endswith("safetensors"):
        save_file(source.state_dict(), folder / file)
    else:
        torch.save(source.state_dict(), folder / file)
    network = load_network(f"{tiny}/made", weights=None, layers=None, seed=1, offline=True)
    assert network.weights == f"someone/tiny/{file}"
    assert find_file(tiny, offline=True) == folder / file
    pictures, tokens = shown(network), network.tokenize(TEXTS)
    torch.testing.assert_close(network.show(pictures), source.encode_image(pictures))
    torch.testing.assert_close(network.read(tokens), source.encode_text(tokens["text"]))


def test_checkpoints_of_a_training_go_in(tiny, tmp_path):
    source = plain_clip()
    state = {f"module.{key}": value for key, value in source.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "epoch_3.pt")
    network = load_network(tiny, weights=tmp_path / "epoch_3.pt", layers=None, seed=1)
    pictures = shown(network)
    torch.testing.assert_close(network.show(pictures), source.encode_image(pictures))


def test_the_nonlinearity_is_the_one_of_the_weights(monkeypatch, tiny):
    config = open_clip.get_pretrained_cfg("tiny", "made")
    assert "GELU" in str(random(tiny).module.visual.transformer.resblocks[0].mlp.gelu)
    monkeypatch.setitem(config, "quick_gelu", True)
    assert "QuickGELU" in str(random(tiny).module.visual.transformer.resblocks[0].mlp.gelu)


def test_bad_files_are_refused(tiny, home, tmp_path):
    folder = snapshot(home, "someone/tiny")
    path = folder / "open_clip_model.safetensors"
    save_file(plain_clip(embed_dim=16).state_dict(), path)
    with pytest.raises(ShapeError, match=r"\(16, 16\) in place of \(16, 12\)"):
        load_network(tiny, weights=None, layers=None, seed=0, offline=True)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UnreadableError, match=r"open_clip_model\.safetensors"):
        load_network(tiny, weights=None, layers=None, seed=0, offline=True)


def test_absent_weights_are_told_with_file_folder_and_command(home):
    name = "open_clip:ViT-B-32/laion2b_s34b_b79k"
    with pytest.raises(MissingInputError) as caught:
        load_network(name, weights=None, layers=None, seed=0, offline=True)
    told = str(caught.value)
    for part in ("open_clip_model.safetensors", str(home / "hub"), "hf download laion/CLIP-ViT-B"):
        assert part in told
    assert "HF_HOME" in told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ViT-B-33", "'ViT-B-33'.*'ViT-B-32'"),
        ("ViT-B-32/laion2b_s34b", "'laion2b_s34b' of ViT-B-32.*'laion2b_s34b_b79k'"),
    ],
)
def test_wrong_names_are_met_with_the_nearest(name, told):
    with pytest.raises(ConfigError, match=told):
        card_of(f"open_clip:{name}")


def test_architectures_without_weights_need_a_file(home):
    with pytest.raises(ConfigError, match=r"no weights of ViT-S-32.*=random"):
        load_network("open_clip:ViT-S-32", weights=None, layers=None, seed=0, offline=True)


def test_long_captions_are_cut_and_counted(tiny):
    network = random(tiny)
    long = " ".join(["dog"] * 90)
    assert network.tokenize([long])["text"].shape == (1, 77)
    assert network.tokenize.too_long(["dog " * 75, "dog " * 76]) == ("dog " * 76,)
    told = length_warnings(network, {"a.png": ("a dog", long), "b.png": ("a cat",)})
    assert told == [
        "1 of 3 captions are longer than the 77 tokens that open_clip:tiny takes, and their ends "
        "were cut off (the first one: 'a.png')."
    ]
    assert length_warnings(network, {"a.png": ("a dog",)}) == []


def test_another_tokenizer_comes_from_the_cache_or_texts_are_not_read(monkeypatch, home, caplog):
    text = {"context_length": 8, "vocab_size": 12, "width": 8, "heads": 2, "layers": 1}
    add_tiny_clip(monkeypatch, "told", text_cfg={**text, "hf_tokenizer_name": "someone/words"})
    with caplog.at_level(logging.WARNING):
        network = load_network(
            "open_clip:told", weights="random", layers=None, seed=0, offline=True
        )
    assert network.tokenize is None
    assert "No text can be shown to open_clip:told: tokenizer.json" in caplog.text
    check_rows(network, shown(network), ["visual"])
    save_tokenizer(snapshot(home, "someone/words"))
    network = random("open_clip:told")
    assert network.tokenize(["a dog"])["text"].tolist() == [[2, 4, 5, 3, 0, 0, 0, 0]]
    assert network.tokenize.too_long(["a dog", "a " * 7]) == ("a " * 7,)


def test_a_text_tower_of_another_library_is_described_in_the_cache(monkeypatch, home):
    text = {"hf_model_name": "someone/roberta", "hf_tokenizer_name": "someone/roberta"}
    more = {"hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp", "context_length": 8}
    add_tiny_clip(monkeypatch, "other", text_cfg={**text, **more})
    name = "open_clip:other"
    with pytest.raises(MissingInputError, match=r"config\.json of someone/roberta"):
        load_network(name, weights="random", layers=None, seed=0, offline=True)
    folder = snapshot(home, "someone/roberta")
    transformers.RobertaConfig(**{**TEXT, "max_position_embeddings": 16}).save_pretrained(folder)
    save_tokenizer(folder)
    network = load_network(name, weights="random", layers=None, seed=0, offline=True)
    tokens = dict(network.tokenize(WORDS_SAID))
    _, made = check_rows(network, tokens, ["text"])
    torch.testing.assert_close(made["text"], network.module.encode_text(tokens["text"]))


def test_nothing_is_said_through_the_root_logger(tiny, capsys):
    before = list(logging.getLogger().handlers)
    random(tiny)
    assert logging.getLogger().handlers == before
    assert logging.root.manager.disable == 0
    assert json.dumps(capsys.readouterr()) == '["", ""]'
