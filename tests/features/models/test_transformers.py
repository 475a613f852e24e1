"""features.models.transformers: cards, rows, weights, refusals."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bids_dnn.errors import ConfigError, MissingInputError, ShapeError, UnreadableError
from bids_dnn.features.models import card_of, load_network
from bids_dnn.features.models.feeding import KNOWN
from tests.factories import hub as made
from tests.factories.rows import check_rows, shown

pytestmark = pytest.mark.whole

TEXTS = ["a dog", "the cat on the tree", "a house of a dog", "tree tree", "on"]
BLOCKS = [f"vision_model.encoder.layers.{i}" for i in range(3)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "net").mkdir()
    return tmp_path / "net"


def load(place, layers=None, **options):
    return load_network(
        f"transformers:{place}",
        **{"weights": None, "layers": layers, "seed": 0, "offline": True, **options},
    )


def close(one, other):
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def pooled(output):
    return getattr(output, "pooler_output", output)  # transformers 4 returns it alone


def test_clip_gives_what_transformers_gives(folder):
    source = made.save_clip(folder)
    network = load(folder)
    pictures = shown(network)
    names = [*BLOCKS, f"{BLOCKS[1]}:class", f"{BLOCKS[2]}:mean", "pooler_output", "image_embeds"]
    probed, rows = check_rows(network, pictures, names)
    assert probed[BLOCKS[0]].shape == (17, 16)
    vision = source.vision_model(pictures)
    close(rows["pooler_output"], vision.pooler_output)
    close(rows["image_embeds"], pooled(source.get_image_features(pictures)))
    tokens = vision.last_hidden_state
    close(rows[BLOCKS[2]], tokens.flatten(1))
    close(rows[f"{BLOCKS[2]}:mean"], tokens[:, 1:].mean(1))
    close(rows[f"{BLOCKS[1]}:class"], rows[BLOCKS[1]].reshape(5, 17, 16)[:, 0])


def test_texts_go_through_the_other_tower(folder):
    source = made.save_clip(folder)
    network = load(folder)
    tokens = dict(network.tokenize(TEXTS))
    names = ["text_pooler_output", "text_embeds", "text_model.encoder.layers.0"]
    probed, rows = check_rows(network, tokens, names)
    assert {one.modality for one in probed.values()} == {"text"}
    assert probed["text_model.encoder.layers.0"].shape == (8, 16)
    close(rows["text_pooler_output"], source.text_model(**tokens).pooler_output)
    close(rows["text_embeds"], pooled(source.get_text_features(**tokens)))


def test_tokens_are_those_of_the_folder_and_long_texts_are_cut(folder):
    made.save_clip(folder)
    tokens = load(folder).tokenize
    told = tokens(["a dog", "a zebra " * 9])
    assert told["input_ids"].tolist() == [[2, 4, 5, 3, 0, 0, 0, 0], [2, 4, 1, 4, 1, 4, 1, 3]]
    assert told["attention_mask"].sum(1).tolist() == [4, 8]
    assert tokens.too_long(["a dog", "a zebra " * 9, "a " * 6]) == ("a zebra " * 9,)


def test_the_card_of_a_folder_rests_on_its_files(folder):
    made.save_clip(folder)
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\nlicense: none\n")
    card = card_of(f"transformers:{folder}")
    assert (card.mean, card.sd) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (card.size_px, card.resize, card.interpolation) == (32, "center-crop", "bicubic")
    assert card.layers == (*BLOCKS, "visual_projection")
    assert card.reference.startswith("net, of the kind of Radford et al. (2021)")
    assert (card.license, card.doi) == ("mit", "10.48550/arXiv.2103.00020")
    made.save_feeding(folder, do_center_crop=False, size={"height": 32, "width": 32}, resample=2)
    card = card_of(f"transformers:{folder}")
    assert (card.size_px, card.resize, card.interpolation) == (32, "squash", "bilinear")


def test_dinov2_in_the_cache_of_the_hub(home):
    source = made.save_dinov2(made.snapshot(home, "facebook/dinov2-tiny"))
    network = load("facebook/dinov2-tiny")
    assert (network.weights, network.tokenize) == ("facebook/dinov2-tiny", None)
    pictures = shown(network)
    names = ["encoder.layer.0", "encoder.layer.2:mean", "layernorm:class", ".last_hidden_state"]
    _, rows = check_rows(network, pictures, names)
    expected = source(pictures)
    close(rows["layernorm:class"], expected.pooler_output)
    close(rows[".last_hidden_state"], expected.last_hidden_state.flatten(1))
    _, rows = check_rows(network, pictures, ["pooler_output"])
    close(rows["pooler_output"], expected.pooler_output)


def test_a_classifier_has_a_head_and_names_of_classes(folder):
    source = made.save_vit(folder)
    network = load(folder)
    assert network.card.labels == ("cat", "dog", "tree", "house", "car")
    assert (len(network.card.layers), network.card.layers[-1]) == (4, "classifier")
    pictures = shown(network)
    _, rows = check_rows(network, pictures, ["classifier", f"{network.card.layers[1]}:class"])
    close(rows[network.card.head], source(pictures).logits)


def test_a_head_without_names_of_classes_is_told_apart(folder):
    made.save_vit(folder, names=[f"LABEL_{i}" for i in range(5)])
    card = card_of(f"transformers:{folder}")
    assert (card.head, card.labels, card.layers[-1]) == ("", (), "classifier")


def test_the_eye_of_a_captioner_is_a_network(folder):
    source = made.save_git(folder)
    network = load(folder)
    pictures = shown(network)
    _, rows = check_rows(network, pictures, [".last_hidden_state", f"{BLOCKS[0]}:class"])
    expected = source.git.image_encoder(pictures).last_hidden_state
    close(rows[".last_hidden_state"], expected.flatten(1))


def test_the_file_of_a_captioner_fits_its_eye(folder):
    made.save_git(folder)
    given = load(folder, weights=folder / "model.safetensors", layers=[".last_hidden_state"])
    assert given.weights_sha256 == load(folder).weights_sha256


def test_a_network_of_texts_alone(folder):
    config = transformers.BertConfig(**made.TEXT)
    source = transformers.BertModel(config).eval()
    source.save_pretrained(folder)
    made.save_tokenizer(folder)
    network = load(folder)
    tokens = dict(network.tokenize(TEXTS))
    _, rows = check_rows(network, tokens, ["pooler_output", "encoder.layer.1"])
    close(rows["pooler_output"], source(**tokens).pooler_output)


def test_a_pooler_that_was_never_trained_is_left_out(folder):
    config = transformers.ViTConfig(**made.VISION)
    source = transformers.ViTModel(config, add_pooling_layer=False).eval()
    source.save_pretrained(folder)
    network = load(folder)
    assert network.module.pooler is None
    given = load(folder, weights=folder / "model.safetensors")
    assert (given.module.pooler, given.weights_sha256) == (None, network.weights_sha256)
    assert load(folder).weights_sha256 == network.weights_sha256
    _, rows = check_rows(network, shown(network), ["layernorm"])
    close(rows["layernorm"], source(shown(network)).last_hidden_state.flatten(1))


@pytest.mark.parametrize("form", ["pytorch_model.bin", "shards", "half"])
def test_weights_in_every_form_are_the_same(folder, form):
    source = made.save_dinov2(folder)
    whole = folder / "model.safetensors"
    state = load_file(whole)
    if form == "half":
        state = {key: value.half() for key, value in state.items()}
        source = source.half().float()
        save_file(state, whole)
    elif form == "shards":
        whole.unlink()
        source.save_pretrained(folder, max_shard_size="5KB")
        assert not whole.exists()
    else:
        whole.unlink()
        torch.save(state, folder / form)
    network = load(folder)
    assert {one.dtype for one in network.module.parameters()} == {torch.float32}
    pictures = shown(network)
    close(network.show(pictures).pooler_output, source(pictures).pooler_output)


def test_a_shard_that_is_not_there_is_named(folder):
    source = made.save_dinov2(folder)
    (folder / "model.safetensors").unlink()
    source.save_pretrained(folder, max_shard_size="5KB")
    gone = sorted(folder.glob("model-*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(MissingInputError, match=gone.name):
        load(folder)


def test_a_file_of_weights_goes_in_under_older_names(folder, tmp_path):
    source = made.save_vit(folder)
    state = load_file(folder / "model.safetensors")  # written under the names of transformers 4
    save_file(state, tmp_path / "w.safetensors")
    network = load(folder, weights=tmp_path / "w.safetensors")
    close(network.show(shown(network)).logits, source(shown(network)).logits)


def test_well_known_networks_can_be_random_without_any_file():
    network = load("facebook/dinov2-small", weights="random")
    assert network.card.size_px == 224
    probed, _ = check_rows(network, shown(network, n=3), ["encoder.layer.0:class"])
    assert probed["encoder.layer.0:class"].shape == (257, 384)


@pytest.mark.parametrize("name", KNOWN)
def test_well_known_networks_have_cards_without_any_file(name):
    card = card_of(f"transformers:{name}")
    assert len(card.layers) >= 12
    assert card.license


def test_random_weights_follow_the_seed(folder):
    made.save_dinov2(folder)
    hashes = {load(folder, weights="random", seed=seed).weights_sha256 for seed in (0, 0, 1)}
    assert len(hashes) == 2


def test_weights_of_another_network_are_refused(folder):
    made.save_dinov2(folder)
    config = json.loads((folder / "config.json").read_text())
    for change, error, told in [
        ({"num_hidden_layers": 4}, ShapeError, r"lack 'encoder\.layer\.3\."),
        ({"hidden_size": 32}, ShapeError, r"has shape \(.*16.*\) in place of \(.*32"),
    ]:
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(error, match=told):
            load(folder)


def test_quantized_weights_are_refused(folder):
    made.save_dinov2(folder)
    state = load_file(folder / "model.safetensors")
    save_file({**state, "layernorm.bias": torch.zeros(16, dtype=torch.int8)}, folder / "w.sft")
    (folder / "w.sft").replace(folder / "model.safetensors")
    with pytest.raises(ShapeError, match=r"has 'layernorm\.bias' as int8, .*quantized"):
        load(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read by transformers"),
        ('{"model_type": "nope"}', "cannot be read by transformers.*nope"),
        ('{"model_type": "a", "auto_map": {"AutoConfig": "x.Y"}}', "code of its own is not run"),
    ],
)
def test_a_description_that_is_none_or_holds_code_is_refused(folder, text, told):
    (folder / "config.json").write_text(text)
    with pytest.raises(UnreadableError, match=told):
        card_of(f"transformers:{folder}")


def test_damaged_files_are_refused(folder):
    made.save_clip(folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableError, match=r"model\.safetensors"):
        load(folder)
    (folder / "model.safetensors").write_bytes(whole)
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(UnreadableError, match=r"preprocessor_config\.json is not JSON"):
        load(folder)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('this ran')",)


def test_a_pickle_with_code_is_not_run(folder):
    made.save_dinov2(folder)
    (folder / "model.safetensors").unlink()
    torch.save({"layernorm.bias": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises(UnreadableError, match=r"pytorch_model\.bin"):
        load(folder)


def test_encoders_that_need_a_decoder_are_refused(folder):
    transformers.T5Config(d_model=16, num_layers=1, d_ff=16, num_heads=2).save_pretrained(folder)
    with pytest.raises(ConfigError, match=r"T5Model.*'input_ids' first"):
        card_of(f"transformers:{folder}")


def test_networks_that_hide_parts_at_random_are_refused(folder):
    transformers.ViTMAEConfig(**made.VISION).save_pretrained(folder)
    with pytest.raises(ConfigError, match=r"'vit_mae' hide a random part.*timm:.*mae"):
        card_of(f"transformers:{folder}")


def test_stages_that_put_out_several_tensors_are_layers_by_their_first(folder):
    config = transformers.SwinConfig(
        image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
    )
    config.save_pretrained(folder)
    network = load(folder, weights="random")
    assert network.card.layers == ("encoder.layers.0:field(0)", "encoder.layers.1:field(0)")
    probed, _ = check_rows(network, shown(network), network.card.layers)
    assert [one.shape for one in probed.values()] == [(16, 32), (16, 32)]


def test_absent_files_are_told_with_folder_and_command(folder, home, tmp_path):
    with pytest.raises(MissingInputError) as caught:
        load("facebook/dinov2-base")
    told = str(caught.value)
    for part in ("model.safetensors", str(home / "hub"), "hf download facebook/dinov2-base"):
        assert part in told
    with pytest.raises(MissingInputError, match=r"config\.json of someone/unknown"):
        load("someone/unknown")
    with pytest.raises(MissingInputError, match="Did you mean 'facebook/dinov2-base'"):
        load("facebook/dinov2-bse")
    made.save_dinov2(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingInputError, match=r"The folder .*net.* does not hold"):
        load(folder)
    with pytest.raises(ConfigError, match="names no folder that is there"):
        load(tmp_path / "nowhere")


def test_what_is_needed_is_fetched_before_the_card(home, monkeypatch):
    asked = []

    def download(repository, **options):
        asked.append(options["allow_patterns"])
        if len(asked) == 1:
            made.save_dinov2(made.snapshot(home, repository))

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert load("someone/new", offline=False).card.name == "transformers:someone/new"
    assert len(asked) == 1


def test_nothing_is_said_on_the_screen(folder, capfd):
    made.save_clip(folder)
    capfd.readouterr()
    load(folder)
    assert capfd.readouterr() == ("", "")
