"""Tiny networks, saved as the libraries themselves save them, and a cache of the hub."""

from __future__ import annotations

import json

import open_clip
import torch
import transformers
from open_clip import pretrained
from tokenizers import Tokenizer, models, pre_tokenizers, processors

SIDE = 32
WORDS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", "a", "dog", "cat", "tree", "on", "the", "of", "house")
TOWER = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}
VISION = {**TOWER, "image_size": SIDE, "patch_size": 8}
TEXT = {
    **TOWER,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 8,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
TINY_CLIP = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": SIDE, "layers": 3, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 2},
}


def snapshot(home, repository):
    """Make an empty repository in the cache of the hub and return its folder."""
    place = home / "hub" / f"models--{repository.replace('/', '--')}"
    folder = place / "snapshots" / ("0123456789" * 4)
    folder.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(folder.name)
    return folder


def save_tokenizer(folder):
    """Save a tokenizer that knows `WORDS`."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 2), ("[EOS]", 3)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        **dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), WORDS, strict=False)),
        model_max_length=8,
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)
    return fast


def save_feeding(folder, **changes):
    told = {
        "do_center_crop": True,
        "do_resize": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "size": {"shortest_edge": SIDE},
        "resample": 3,
        "image_mean": [0.1, 0.2, 0.3],
        "image_std": [0.4, 0.5, 0.6],
        "image_processor_type": "CLIPImageProcessor",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps({**told, **changes}))


def _seeded(make, seed=3):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _save(folder, kind, config):
    module = _seeded(lambda: kind(config)).eval()
    module.save_pretrained(folder)
    return module


def save_clip(folder, **vision):
    config = transformers.CLIPConfig(
        text_config=TEXT, vision_config={**VISION, **vision}, projection_dim=12
    )
    save_tokenizer(folder)
    save_feeding(folder)
    return _save(folder, transformers.CLIPModel, config)


def save_dinov2(folder):
    config = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=SIDE,
        patch_size=8,
    )
    save_feeding(folder, resample=2)
    return _save(folder, transformers.Dinov2Model, config)


def save_vit(folder, names=("cat", "dog", "tree", "house", "car"), **changes):
    config = transformers.ViTConfig(
        **VISION, id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)}
    )
    config.update(changes)
    return _save(folder, transformers.ViTForImageClassification, config)


def save_git(folder, *, loudness=1.0):
    """Save a captioner; where it is loud, what it says depends on what it sees."""
    config = transformers.GitConfig(**TEXT | {"max_position_embeddings": 64}, vision_config=VISION)
    tokenizer = save_tokenizer(folder)
    save_feeding(folder)
    images = transformers.AutoImageProcessor.from_pretrained(folder)
    transformers.GitProcessor(images, tokenizer).save_pretrained(folder)
    module = _seeded(lambda: transformers.GitForCausalLM(config)).eval()
    with torch.no_grad():
        for value in module.parameters():
            if value.ndim > 1:
                value.mul_(loudness)
    module.save_pretrained(folder)
    return module


def add_tiny_clip(monkeypatch, name="tiny", **changes):
    """Tell open_clip of a tiny architecture, and of weights of it called ``made``."""
    config = {**TINY_CLIP, **changes}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, config)
    told = pretrained._pcfg(hf_hub=f"someone/{name}/")
    monkeypatch.setitem(pretrained._PRETRAINED, name, {"made": told})
    return name


def plain_clip(seed=3, **changes):
    """Return the tiny towers as open_clip itself makes them."""
    return _seeded(lambda: open_clip.CLIP(**{**TINY_CLIP, **changes}), seed).eval()
