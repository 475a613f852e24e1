"""features.identity: whatever alters a number alters the key, and nothing else does."""

import inspect
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.network import Card, Network
from bids_dnn.errors import ConfigError, MissingInputError
from bids_dnn.features import identity, store
from bids_dnn.features.extract import extract_features, passes_of
from bids_dnn.features.identity import identities_of, identity_of, size_px_of
from bids_dnn.features.inputs import Options, Read, Shown
from bids_dnn.features.models import load_network
from bids_dnn.features.models.weights import hash_of
from bids_dnn.features.probe import probe
from bids_dnn.features.reduce import Reduction
from tests.factories.networks import small_network

SHA256 = {"a.png": "1", "b.png": "2", "c.png": "3"}
SHOWN = Shown(SHA256, lambda _: np.zeros((12, 12, 3), np.uint8), ("grey()", "noise(snr=1)"))


def key_of(network=None, layer="2", inputs=SHOWN, **options):
    """Return the key of one layer; options of the extraction, the reduction and the scale."""
    network = small_network() if network is None else network
    (probed,) = probe(network, [layer])
    more = {name: options.pop(name) for name in ("reduction", "scale") if name in options}
    return store.key(identity_of(network, probed, inputs, options=Options(**options), **more))


def with_card(**changes):
    made = small_network()
    return replace(made, card=replace(made.card, **changes))


def with_weight(change=1e-7):
    """Change one weight by the smallest step there is."""
    made = small_network()
    bias = made.module[0].bias
    bias[0] = torch.nextafter(bias[0], torch.tensor(9.0))
    return replace(made, weights_sha256=hash_of(made.module))


def with_module(number, module):
    made = small_network()
    made.module[number] = module
    return made


PICTURES = {
    "pixel": replace(SHOWN, sha256=SHA256 | {"b.png": "other bytes"}),
    "fewer": replace(SHOWN, sha256={"a.png": "1", "b.png": "2"}),
    "order": replace(SHOWN, sha256=dict(reversed(SHA256.items()))),
    "name": replace(SHOWN, sha256={"a.png": "1", "b.png": "2", "d.png": "3"}),
    "exchanged": replace(SHOWN, sha256=SHA256 | {"a.png": "2", "b.png": "1"}),
    "transform": replace(SHOWN, transforms=("grey()", "noise(snr=2)")),
    "order of transforms": replace(SHOWN, transforms=("noise(snr=1)", "grey()")),
    "no transform": replace(SHOWN, transforms=()),
}
SETTINGS = {
    "device": {"device": "cuda"},
    "precision": {"precision": "bf16"},
    "precision of a GPU": {"device": "cuda", "precision": "tf32"},
    "batch size that was asked for": {"batch_size": 32},
    "pca": {"reduction": Reduction("pca", n_components=2)},
    "components": {"reduction": Reduction("pca", n_components=3)},
    "srp": {"reduction": Reduction("srp", eps=0.1)},
    "eps": {"reduction": Reduction("srp", eps=0.2)},
    "number": {"reduction": Reduction("srp", n_components=2)},
    "seed": {"reduction": Reduction("srp", eps=0.1, seed=1)},
    "scale": {"scale": ["a.png", "b.png"]},
    "other scale": {"scale": ["a.png", "c.png"]},
}
LAYERS = [
    "0",
    "2:relu",
    "2:mean",
    "2:at(0,1)",
    "2:at(1,0)",
    "2:at(0,1;1,0)",
    "2:pool(2)",
    "2:pool(3)",
    "3",
]
NETWORKS = {
    "weights": lambda: small_network(seed=1),
    "one weight": with_weight,
    "size": lambda: small_network(size_px=16),
    "mean": lambda: with_card(mean=(0.5, 0.456, 0.406)),
    "sd": lambda: with_card(sd=(0.5, 0.224, 0.225)),
    "resize": lambda: with_card(resize="pad"),
    "interpolation": lambda: with_card(interpolation="bicubic"),
    "dilation": lambda: with_module(2, torch.nn.Conv2d(4, 6, 3, padding=1, dilation=2)),
    "nonlinearity": lambda: with_module(1, torch.nn.GELU()),
    "form of a nonlinearity": lambda: with_module(1, torch.nn.GELU(approximate="tanh")),
}


def test_each_change_gives_another_key():
    keys = {"base": key_of()}
    keys |= {name: key_of(inputs=inputs) for name, inputs in PICTURES.items()}
    keys |= {name: key_of(**options) for name, options in SETTINGS.items()}
    keys |= {layer: key_of(layer=layer) for layer in LAYERS}
    for name, make in NETWORKS.items():  # of a layer that all of them have in one shape
        keys[name] = key_of(make(), layer="2")
    assert len(set(keys.values())) == len(keys)


def test_what_alters_no_number_alters_no_key():
    base = key_of()
    assert key_of() == base
    assert key_of(small_network(layers=("0",))) == base
    assert key_of(n_workers=3) == base
    assert key_of(reduction=Reduction()) == base
    assert key_of(inputs=replace(SHOWN, load=lambda _: None)) == base
    for same in ("2:all", "2:visit(0)"):
        assert key_of(layer=same) == base
    named = with_card(aliases={"conv2": "2"}, doi="10.1/x", license="MIT")
    assert key_of(named, layer="conv2") == base
    assert key_of(scale=["b.png", "a.png"]) == key_of(scale=["a.png", "b.png"])


def test_the_size_of_what_was_seen_is_told():
    network = small_network(size_px=16)
    (probed,) = probe(network, ["2"])
    assert size_px_of(identity_of(network, probed, SHOWN, options=Options())) == 16
    assert size_px_of({"preprocessing": "tokens, sha256 ab"}) == 0


@pytest.mark.parametrize("name", ["torch", "numpy", "PIL"])
def test_another_version_of_a_library_gives_another_key(name, monkeypatch):
    base = key_of()
    library = {"torch": torch, "numpy": np, "PIL": identity.PIL}[name]
    monkeypatch.setattr(library, "__version__", "99.0")
    assert key_of() != base


def test_another_way_of_extraction_gives_another_key(monkeypatch):
    base = key_of()
    monkeypatch.setattr(identity, "EXTRACTION", "0")
    assert key_of() != base


def test_all_layers_share_one_look():
    network = small_network()
    probed = probe(network, ["5", "0:mean", "2"])
    found = identities_of(network, probed, SHOWN, options=Options())
    assert list(found) == ["5", "0:mean", "2"]
    for one in probed:
        assert found[one.layer.name] == identity_of(network, one, SHOWN, options=Options())


def test_a_scale_of_other_stimuli_is_refused():
    with pytest.raises(MissingInputError, match=r"'d\.png', which is not among the 3 stimuli"):
        key_of(scale=["a.png", "d.png"])


# --- the user's own network

SOURCE = """
import torch
class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 3)
        self.last = torch.nn.Identity()
    def forward(self, x):
        return self.last({forward})
def factory():
    torch.manual_seed(0)
    return Mine()
card = {{"layers": ("last",), "size_px": 8}}
"""


def key_of_file(path, forward):
    path.write_text(SOURCE.format(forward=forward))
    network = load_network(f"{path}:factory", weights=None, layers=None, seed=0)
    return network, key_of(network, layer="last")


def test_another_forward_pass_of_the_users_file_gives_another_key(tmp_path):
    first, base = key_of_file(tmp_path / "mine.py", "self.conv(x)")
    second, other = key_of_file(tmp_path / "mine.py", "self.conv(x) * 2")
    assert first.weights_sha256 == second.weights_sha256
    assert str(first.module) == str(second.module)
    assert base != other


def test_a_library_that_is_not_installed_is_known_by_its_source(tmp_path, monkeypatch):
    """The user may work on it: its version says little."""
    (tmp_path / "lab.py").write_text("")
    lab = ModuleType("lab")
    lab.__version__, lab.__file__ = "1.0", str(tmp_path / "lab.py")
    monkeypatch.setitem(sys.modules, "lab", lab)
    kind = type("Layer", (torch.nn.Identity,), {"__module__": "lab"})
    monkeypatch.setattr(inspect, "getsourcefile", lambda _: str(tmp_path / "lab.py"))
    base = key_of(with_module(1, kind()))
    (tmp_path / "lab.py").write_text("# changed")
    assert key_of(with_module(1, kind())) != base


def test_a_class_without_a_file_has_an_identity():
    kind = type("Layer", (torch.nn.Identity,), {"__module__": "nowhere"})
    assert key_of(with_module(1, kind())) != key_of()


def test_numbers_that_weights_and_names_do_not_show_count():
    """Heads of attention are neither in the weights nor in what torch prints."""

    def attention(heads):
        module = torch.nn.MultiheadAttention(8, heads)
        return Network(module.eval(), Card("attention", ()), "random", "same")

    assert str(attention(2).module) == str(attention(4).module)
    assert identity._architecture(attention(2)) != identity._architecture(attention(4))
    assert identity._architecture(attention(2)) == identity._architecture(attention(2))


# --- texts


class Reader(torch.nn.Module):
    """A text tower of one table."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.EmbeddingBag(100, 3, mode="mean")

    def forward(self, pictures):
        return pictures.flatten(1)

    def encode_text(self, codes):
        return self.table(codes)


def reader(shift=0):
    """Return a network that reads; `shift`: of the letters, another tokenizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Reader().eval().requires_grad_(requires_grad=False)

    def tokenize(texts):
        codes = [[(ord(x) + shift) % 100 for x in text.ljust(9)[:9]] for text in texts]
        return {"codes": torch.tensor(codes)}

    card = Card("reader", ("table",), size_px=4, methods={"text": "encode_text"})
    return Network(module, card, "random (seed 0)", hash_of(module), tokenize)


CAPTIONS = {"a.png": ("a cat", "one cat"), "b.png": ("a dog",)}
READ = Read({"a.png": "1", "b.png": "2"}, CAPTIONS)


def test_each_change_of_a_text_gives_another_key():
    changed = {
        "caption": CAPTIONS | {"b.png": ("a Dog",)},
        "beyond what is read": CAPTIONS | {"b.png": ("a dog     that barks",)},
        "order": CAPTIONS | {"a.png": ("one cat", "a cat")},
        "one less": CAPTIONS | {"a.png": ("a cat",)},
        "joined": CAPTIONS | {"a.png": ("a cat\0one cat",)},
        "moved": {"a.png": ("a cat",), "b.png": ("one cat", "a dog")},
    }
    keys = {"base": key_of(reader(), "table", READ), "tokens": key_of(reader(1), "table", READ)}
    keys |= {
        name: key_of(reader(), "table", replace(READ, captions=texts))
        for name, texts in changed.items()
    }
    keys["bytes"] = key_of(reader(), "table", replace(READ, sha256={"a.png": "1", "b.png": "3"}))
    assert len(set(keys.values())) == len(keys)
    assert key_of(reader(), "table", READ) == keys["base"]


def test_captions_for_a_network_that_does_not_read_are_refused():
    with pytest.raises(ConfigError, match="small reads no texts"):
        key_of(inputs=READ)


# --- never a stale feature


@pytest.mark.parametrize("change", ["pixel", "weight", "transform", "precision", "layer"])
def test_a_change_never_returns_an_old_feature(change, rng, tmp_path):
    """The same call, before and after, through the cache: what comes back is what is so now."""
    pictures = {name: rng.integers(0, 256, (12, 12, 3), dtype=np.uint8) for name in SHA256}

    def products(network, layer, precision="float32", transforms=()):
        dark = 0.5 if transforms else 1.0
        sha256 = {name: str(hash(one.tobytes())) for name, one in pictures.items()}
        inputs = Shown(sha256, lambda name: (pictures[name] / 255 * dark).astype("f4"), transforms)
        probed = probe(network, [layer])
        options = Options(precision=precision)
        names = identities_of(network, probed, inputs, options=options)

        def make(layers):
            (x,) = extract_features(passes_of(network, inputs, probed, options=options)).values()
            x = x.astype("f8")
            told = (*SHA256,), "small", layers[0], x @ x.T, x.shape[1], names[layers[0]]
            return [FeatureGram(*told)]

        return store.obtain(tmp_path, names, make)[layer].gram

    network = small_network()
    before = products(network, "2")
    assert np.array_equal(products(network, "2"), before)
    assert len(store.entries(tmp_path)) == 1
    if change == "pixel":
        pictures["b.png"][6, 6, 0] ^= 255
        after = products(network, "2")
    elif change == "weight":
        after = products(small_network(seed=1), "2")
    elif change == "transform":
        after = products(network, "2", transforms=("contrast(0.5)",))
    elif change == "precision":
        after = products(network, "2", precision="bf16")
    else:
        after = products(network, "2:relu")
    assert not np.array_equal(after, before)
    assert len(store.entries(tmp_path)) == 2
