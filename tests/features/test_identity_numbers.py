"""features.identity: numbers of each step from a picture's file to the Gram matrix are kept here.

Where one changes, features in caches are no longer what would be made now: raise
`identity.EXTRACTION`, and keep the new numbers under the new one.
"""

import numpy as np
import pytest
import torch
from PIL import Image

from bids_dnn.containers.network import Card, Network
from bids_dnn.features.extract import extract_features, passes_of
from bids_dnn.features.gram import grams_of, plan_grams
from bids_dnn.features.identity import EXTRACTION
from bids_dnn.features.inputs import Options, Read, Shown
from bids_dnn.features.probe import probe
from bids_dnn.features.reduce import parse_reduction, projected
from bids_dnn.stimuli.load import Loader
from bids_dnn.stimuli.transform_parse import parse_transforms

NUMBERS: dict[str, dict[str, float]] = {
    "3": {
        "squash, bilinear": 110568.038,
        "squash, bicubic": 110596.614,
        "center-crop, bilinear": 109891.031,
        "center-crop, bicubic": 109820.287,
        "pad, bilinear": 110800.286,
        "pad, bicubic": 110851.992,
        "squash()": 110568.038,
        "center-crop(keep=0.8)": 109338.019,
        "pad(fill=9)": 74360.3924,
        "grey()": 437.103428,
        "aperture(edge=0.2)": 431.246701,
        "contrast(factor=0.5)": 434.680411,
        "place(x=1, y=-2, size=4, field=10)": 434.699386,
        "pair(size=3, field=13)": 425.145690,
        "noise(snr=1)": 430.333121,
        "retinawarp(x=0.1)": 387.496346,
        "retinawarp(mode=fitted)": 222.495248,
        "conv": 337.453746,
        "conv:relu": 1583.09668,
        "conv:mean": 4.68067356,
        "conv:at(1,2)": 7.33351635,
        "text": 0.121616418,
        "srp": -81.3081054,
        "gram": 23212.5657,
        "scaled gram": 13461.3197,
        "sums": 492.936986,
    }
}
TOLERANCE = 1e-5  # relative; other machines round otherwise
TRANSFORMS = (
    "squash()",
    "center-crop(keep=0.8)",
    "pad(fill=9)",
    "grey()",
    "aperture(edge=0.2)",
    "contrast(factor=0.5)",
    "place(x=1, y=-2, size=4, field=10)",
    "pair(size=3, field=13)",
    "noise(snr=1)",
    "retinawarp(x=0.1)",
    "retinawarp(mode=fitted)",
)
LAYERS = ["conv", "conv:relu", "conv:mean", "conv:at(1,2)"]


def wave(*shape, step=0.7):
    """Return numbers that every machine makes alike, in (-1, 1)."""
    return np.sin(step * np.arange(np.prod(shape)) ** 1.1).reshape(shape).astype("f4")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.words = torch.nn.Embedding(30, 5)
        with torch.no_grad():
            for one in self.parameters():
                one.copy_(torch.from_numpy(wave(*one.shape)))

    def forward(self, pictures):
        return self.conv(pictures)

    def encode_text(self, codes):
        return self.words(codes).mean(1)


@pytest.fixture(scope="module")
def network():
    card = Card("net", (), size_px=8, methods={"image": "forward", "text": "encode_text"})

    def tokenize(texts):
        return {"codes": torch.tensor([[ord(x) % 30 for x in text[:5]] for text in texts])}

    module = Net().eval().requires_grad_(requires_grad=False)
    return Network(module, card, "waves", "waves", tokenize)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    found = {}
    for i, size in enumerate([(20, 14), (9, 30), (8, 8)]):
        found[f"{i}.png"] = folder / f"{i}.png"
        bright = 127.5 * (1 + wave(*size, 3, step=0.1 + i))
        Image.fromarray(bright.astype(np.uint8)).save(found[f"{i}.png"])
    return found


def number(values):
    """Return one number that depends on every value and its place."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return float(flat @ (1.5 + wave(flat.size, step=0.3)))


def shown(pictures, *transforms, resize="squash", interpolation="bilinear"):
    told = parse_transforms(transforms)
    files = {name: (path,) for name, path in pictures.items()}
    load = Loader(files, 8, resize, interpolation, told)
    return Shown(dict.fromkeys(files, ""), load, tuple(map(str, told)))


def features(network, inputs, layers):
    probed = probe(network, layers)
    return extract_features(passes_of(network, inputs, probed, options=Options()))


def numbers(network, pictures, scratch):
    made = {}
    for resize in ("squash", "center-crop", "pad"):
        for way in ("bilinear", "bicubic"):
            loader = shown(pictures, resize=resize, interpolation=way).load
            made[f"{resize}, {way}"] = number([loader(name) for name in pictures])
    for text in TRANSFORMS:
        loader = shown(pictures, text).load
        made[text] = number([loader(one) for one in pictures])
    for layer, values in features(network, shown(pictures), LAYERS).items():
        made[layer] = number(values)
    texts = Read(dict.fromkeys("ab", ""), {"a": ("one cat", "a dog"), "b": ("house",)})
    made["text"] = number(features(network, texts, ["words"])["words"])

    passes = passes_of(network, shown(pictures), probe(network, ["conv"]), options=Options())
    reduced = projected(passes, parse_reduction("srp(n=7)"))
    made["srp"] = number(extract_features(reduced)["conv"])
    plan = plan_grams(passes.n, passes.widths, free_disk=10**9, memory=10**9)
    train = np.ones(3, dtype=bool)
    for name, rows in (("gram", None), ("scaled gram", train)):
        gram = grams_of(passes, plan=plan, scratch=scratch, train=rows)["conv"]
        made[name] = number(gram.gram)
    made["sums"] = number(gram.sums)
    return made


def test_numbers_are_those_of_this_way_of_extraction(network, pictures, tmp_path):
    kept = NUMBERS[EXTRACTION]
    made = numbers(network, pictures, tmp_path)
    changed = [k for k in made if k not in kept or abs(made[k] / kept[k] - 1) > TOLERANCE]
    assert not changed, f"raise identity.EXTRACTION, and keep {made}"
    assert kept.keys() == made.keys()
