"""features.sources: what makes a network's numbers besides its state dict."""

import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from bids_dnn.features import store
from bids_dnn.features.identity import identity_of
from bids_dnn.features.inputs import Options, Shown
from bids_dnn.features.models import load_network
from bids_dnn.features.models.weights import hash_of
from bids_dnn.features.probe import probe
from bids_dnn.features.sources import code_of, hidden_tensors, library_of, settings_of

SHOWN = Shown({"a.png": "1"}, lambda _: np.zeros((8, 8, 3), np.uint8))
SOURCE = """
import torch
card = {{"layers": ("last",), "size_px": 8}}
class Settings:
    def __init__(self, gain):
        self.gain = gain
class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Identity()
        {setting}
    def forward(self, x):
        return self.last({answer})
def factory():
    made = Mine()
    {after}
    return made
"""
VALUE = "torch.load({path!r})"
KEPT = {
    "a buffer that is not saved": ("self.register_buffer('g', VALUE, persistent=False)", "self.g"),
    "a plain tensor": ("self.g = VALUE", "self.g"),
    "an array": ("self.g = VALUE.numpy()", "torch.from_numpy(self.g)"),
    "a private number": ("self._g = VALUE.item()", "self._g"),
    "a list": ("self.g = [1.0, {'a': VALUE.item()}]", "self.g[1]['a']"),
    "settings in an object": (
        "import types; self.g = types.SimpleNamespace(gain=VALUE.item())",
        "self.g.gain",
    ),
    "settings in an object of the user's own": ("self.g = Settings(VALUE)", "self.g.gain"),
    "modules in a plain list": (
        "self.g = [torch.nn.ParameterList([torch.nn.Parameter(VALUE)])]",
        "self.g[0][0]",
    ),
}
HOOKS = {
    "a hook": "made.register_forward_pre_hook(lambda _, given: (given[0] * {g},))",
    "a hook's closure": "g = torch.tensor({g}); made.register_forward_pre_hook("
    "lambda _, given: (given[0] * g,))",
    "a function in place of forward": "made.forward = lambda x: made.last(x * {g})",
}


def made_of(folder, *, setting="pass", answer="x", after="pass"):
    path = folder / "mine.py"
    path.write_text(SOURCE.format(setting=setting, answer=answer, after=after))
    return load_network(f"{path}:factory", weights=None, layers=None, seed=0)


def seen(network):
    """Return the key of the layer, and what it answers to ones."""
    probed = probe(network, ["last"])
    kept = []
    handle = network.module.last.register_forward_hook(lambda *given: kept.append(given[2]))
    with torch.inference_mode():
        network.show(torch.ones(1, 3, 8, 8))
    handle.remove()
    key = store.key(identity_of(network, probed[0], SHOWN, options=Options()))
    return key, float(kept[0].mean())


@pytest.mark.parametrize("kind", KEPT)
def test_values_that_no_state_dict_holds_alter_the_key(kind, tmp_path):
    setting, used = KEPT[kind]
    setting = setting.replace("VALUE", VALUE.format(path=str(tmp_path / "value.pt")))
    found = []
    for value in (1.0, 2.0, 1.0):
        torch.save(torch.tensor(value), tmp_path / "value.pt")
        found.append(seen(made_of(tmp_path, setting=setting, answer=f"x * {used}")))
    assert [answer for _, answer in found] == [1.0, 2.0, 1.0]
    assert found[0][0] == found[2][0] != found[1][0]


@pytest.mark.parametrize("kind", HOOKS)
def test_what_a_factory_hangs_on_its_network_runs_and_alters_the_key(kind, tmp_path):
    found = [seen(made_of(tmp_path, after=HOOKS[kind].format(g=g))) for g in (1.0, 2.0, 1.0)]
    assert [answer for _, answer in found] == [1.0, 2.0, 1.0]
    assert found[0][0] == found[2][0] != found[1][0]


AROUND = {
    "a global that was read from a file": ("G = READ", "", "G['k']"),
    "deep in a global": (
        "G = {'a': [{'b': ({'c': [{'d': [READ]}]},)}]}",
        "",
        "G['a'][0]['b'][0]['c'][0]['d'][0]['k']",
    ),
    "a global tensor": ("G = torch.tensor(READ['k'])", "", "G"),
    "a global array": ("import numpy\nG = numpy.array([READ['k']])", "", "G[0]"),
    "a global object": ("class S: pass\nG = S()\nG.k = READ['k']", "", "G.k"),
    "a global function": ("def of(k):\n    return lambda x: x * k\ng = of(READ['k'])", "", "g(1)"),
    "an attribute of the class": ("", "G = READ['k']", "self.G"),
    "a tensor of the class": ("", "G = torch.tensor(READ['k'])", "self.G"),
    "a default": ("def g(x, *, k=READ['k']):\n    return x * k", "", "g(1)"),
    "an attribute of another class": ("class S:\n    k = READ['k']", "", "S.k"),
    "a static method's default": (
        "",
        "@staticmethod\n        def g(k=READ['k']): return k",
        "self.g()",
    ),
    "a module beside it": ("import lab_values", "", "lab_values.G['k']"),
    "a name from a module beside it": ("from lab_values import G", "", "G['k']"),
    "the closure of a class": ("", "", "G['k'] * H"),
}
AROUND_SOURCE = """
import json, os, pathlib, time, torch
from os import environ
HERE = os.path.dirname(__file__)
READ = "no file"
{top}
card = {{"layers": ("last",), "size_px": 8}}
def factory():
    G, H = {read}, torch.ones(1)
    class Mine(torch.nn.Module):
        {inside}
        def __init__(self):
            super().__init__()
            self.last = torch.nn.Identity()
        def forward(self, x):
            return self.last(x * ({answer}))
    return Mine()
"""


@pytest.mark.parametrize("kind", AROUND)
def test_values_around_the_network_alter_the_key(kind, tmp_path, monkeypatch):
    top, inside, answer = AROUND[kind]
    read = "json.loads((pathlib.Path(__file__).parent / 'values.json').read_text())"
    text = AROUND_SOURCE.format(
        top=top.replace("READ", read),
        inside=inside.replace("READ", read) or "pass",
        answer=answer,
        read=read if kind == "the closure of a class" else "None",
    )
    if kind != "the closure of a class":
        text = text.replace("G, H = None, torch.ones(1)", "pass")
    found = []
    for folder, value in (("one", 1.0), ("one", 2.0), ("other", 1.0)):
        home = tmp_path / folder
        home.mkdir(exist_ok=True)
        (home / "mine.py").write_text(text)
        (home / "lab_values.py").write_text(f"import json, pathlib\nG = {read}\n")
        (home / "values.json").write_text(f'{{"k": {value}}}')
        monkeypatch.setattr(sys, "path", [str(home), *sys.path])
        monkeypatch.delitem(sys.modules, "lab_values", raising=False)
        monkeypatch.setenv("LAB_TIME", folder)
        found.append(
            seen(load_network(f"{home}/mine.py:factory", weights=None, layers=None, seed=0))
        )
    assert [answer for _, answer in found] == [1.0, 2.0, 1.0]
    assert found[0][0] == found[2][0] != found[1][0]


@pytest.mark.parametrize("is_late", [False, True], ids=["at the top", "within a function"])
def test_a_module_that_the_users_file_imports_belongs_to_it(is_late, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "lab_gains.py").write_text("import lab_deep\ndef gain(x): return lab_deep.gain(x)")
    found = []
    for value in (1.0, 2.0):
        (tmp_path / "lab_deep.py").write_text(f"def gain(x): return x * {value}")
        for name in ("lab_gains", "lab_deep"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        setting = "import lab_gains; self.g = lab_gains.gain"
        text = SOURCE.format(setting=setting, answer="self.g(x)", after="pass")
        if not is_late:
            text = "import lab_gains\n" + text.replace("import lab_gains; ", "")
        (tmp_path / "mine.py").write_text(text)
        network = load_network(f"{tmp_path}/mine.py:factory", weights=None, layers=None, seed=0)
        found.append(seen(network))
    assert found[0][1] == 1.0
    assert found[1][1] == 2.0
    assert found[0][0] != found[1][0]


def test_the_folder_of_the_users_file_alters_no_key(tmp_path):
    keys = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        keys.append(seen(made_of(tmp_path / name)))
    assert keys[0] == keys[1]


def test_what_a_mapping_of_the_users_would_load_is_not_asked_for(tmp_path):
    path = tmp_path / "mine.py"
    loads = "class Lazy(dict):\n    def items(self): raise SystemExit\nDATA = Lazy(a=1)\n"
    path.write_text(loads + SOURCE.format(setting="pass", answer="x", after="pass"))
    assert seen(load_network(f"{path}:factory", weights=None, layers=None, seed=0))


def test_libraries_have_versions_and_own_files_have_sources(tmp_path):
    network = made_of(tmp_path, setting="import pandas; self.p = pandas.DataFrame")
    sources, libraries = code_of(network.module)
    assert sources == {tmp_path / "mine.py"}
    assert libraries == {library_of("torch"), library_of("pandas")}
    assert code_of(nn.Sequential(nn.ReLU()))[0] == set()


def test_networks_of_libraries_hide_nothing_and_are_told_alike_each_time():
    make = partial(nn.TransformerEncoderLayer, 8, 2, 16, batch_first=True)
    assert list(hidden_tensors(make())) == []
    torch.manual_seed(0)
    first = make()
    torch.manual_seed(0)
    assert hash_of(first) == hash_of(make())
    assert list(settings_of(first)) == list(settings_of(make()))


def test_arrays_and_tensors_of_any_kind_are_taken():
    module = nn.Sequential(nn.Identity())
    module.kept = {
        "none": np.empty(0),
        "big-endian": np.arange(3, dtype=">f8"),
        "long": np.ones(2, np.longdouble),
        "words": np.array(["a", "bc"]),
        "one": np.full((), 3.0),
        "sparse": torch.eye(3).to_sparse(),
        "blank": torch.empty(3, device="meta"),
    }
    first = hash_of(module)
    assert len(list(hidden_tensors(module))) == len(module.kept) - 1
    module.kept["words"] = np.array(["a", "bd"])
    assert hash_of(module) != first


def test_what_refers_to_itself_is_followed_once():
    module = nn.Sequential(nn.Identity())
    module.ring = [torch.ones(2)]
    module.ring.append(module.ring)
    module.parent = [module]
    assert [name for name, _ in hidden_tensors(module)] == [".ring[0]"]
    assert len(list(settings_of(module))) == 2
