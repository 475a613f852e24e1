"""Portraits of networks that never were."""

from __future__ import annotations

import numpy as np

from bids_dnn.containers.portrait import LayerFacts, Maps, NetworkFacts, Portrait

TRANSFORMS = ("grey()", "retinawarp(density=10.0, fixation=(0, 0), fill=0.0, mode=exact)")


def make_facts(name: str = "alexnet", n_layers: int = 3, **changes) -> NetworkFacts:
    facts = {
        "network": "torchvision:alexnet",
        "weights": "alexnet-owt-7be5be79.pth",
        "weights_sha256": "0123456789abcdef" * 4,
        "size_px": 224,
        "resize": "squash",
        "interpolation": "bilinear",
        "mean": (0.485, 0.456, 0.406),
        "sd": (0.229, 0.224, 0.225),
        "license": "BSD-3-Clause",
        "reference": "Krizhevsky (2014), One weird trick for parallelizing.",
        "doi": "10.48550/arXiv.1404.5997",
        "layers": tuple(
            LayerFacts(f"features.{i}", "Conv2d", (8, 12, 12), 1152, "before")
            for i in range(n_layers)
        ),
        "transforms": TRANSFORMS,
        "precision": "float32 without TF32, Gram in float64",
        "device": "cpu",
        "batch_size": 32,
    }
    return NetworkFacts(name, **(facts | changes))


def make_portrait(name: str = "alexnet", n_stimuli: int = 12, n_layers: int = 3, **changes):
    """A network with all that a page can show; `changes` replace parts of it."""
    rng = np.random.default_rng(5)
    ids = tuple(f"p{i:04}.png" for i in range(n_stimuli))
    order = ids[:100] if n_stimuli > 2 else ids
    layers = [f"features.{i}" for i in range(n_layers)]
    ranks = rng.random((len(order), len(order)), dtype=np.float32)
    parts = {
        "filters": rng.normal(size=(20, 5, 5, 3)).astype(np.float32),
        "n_filters": 64,
        "labels": {one: (f"label {i % 5}", 0.1 + (i % 9) / 10) for i, one in enumerate(ids)},
        "example": ids[0],
        "activations": {
            layer: Maps(rng.normal(size=(8, 12, 12)).astype(np.float32), tuple(range(8)), 64)
            for layer in layers
        },
        "dimensionality": {layer: 2.0 + i for i, layer in enumerate(layers)},
        "order": order,
        "categories": tuple(("face", "house")[i * 2 // len(order)] for i in range(len(order))),
        "rdms": dict.fromkeys(layers, ranks) if n_stimuli > 2 else {},
        "examples": {
            text: rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            for text in ("picture", *TRANSFORMS)
        },
        "identities": {layer: {"weights_sha256": "ab", "layer": layer} for layer in layers},
    }
    facts = changes.pop("facts", make_facts(name, n_layers))
    return Portrait(facts, n_stimuli, **(parts | changes))


def make_reader(name: str = "words", n_stimuli: int = 12) -> Portrait:
    """A network that reads."""
    card = {"modality": "text", "size_px": 0, "resize": "", "interpolation": "", "mean": (),
            "sd": (), "transforms": ()}  # fmt: skip
    return make_portrait(
        name,
        n_stimuli,
        facts=make_facts(name, **card),
        filters=None,
        n_filters=0,
        labels={},
        activations={},
        examples={},
        caption="a dog on a lawn",
    )
