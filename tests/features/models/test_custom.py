"""features.models.custom: the card and the factory of the user's own file."""

import pytest
from torch import nn

from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError
from bids_dnn.features.models.custom import build, card, is_custom, refuse_path


def written(tmp_path, text):
    path = tmp_path / "net.py"
    path.write_text(text)
    return f"{path}:factory"


def test_names_of_files_are_told_from_names_of_networks():
    assert is_custom("a/b.py:factory")
    assert is_custom("b.py")
    assert not is_custom("alexnet")


def test_the_card_of_the_file_wins_over_the_defaults(tmp_path):
    name = written(tmp_path, "card = dict(name='mine', size_px=64, resize='center-crop')")
    made = card(name)
    assert (made.name, made.size_px, made.resize) == ("mine", 64, "center-crop")
    assert made.mean == (0.0, 0.0, 0.0)


def test_every_field_of_a_card_may_be_given(tmp_path):
    given = {
        "layers": ["conv1", "fc"],
        "interpolation": "bicubic",
        "doi": "10.1/2",
        "license": "MIT",
        "aliases": {"conv1": "0"},
        "head": "fc",
        "labels": ["cat", "dog"],
        "methods": {"image": "look"},
        "reference": "Doe (2020).",
    }
    made = card(written(tmp_path, f"card = {given!r}"))
    assert made.layers == ("conv1", "fc")
    assert made.labels == ("cat", "dog")
    for key in given.keys() - {"layers", "labels"}:
        assert getattr(made, key) == given[key]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("card = {'siz_px': 3}", "'siz_px'.*'size_px'"),
        ("card = {'resize': 'crop'}", "resize = 'crop'"),
        ("card = {'sd': (1, 1, 0)}", r"sd = \(1, 1, 0\)"),
        ("card = {'mean': (1, 1)}", r"mean = \(1, 1\)"),
        ("card = {'mean': ('a', 'b', 'c')}", r"mean = \('a', 'b', 'c'\)"),
        ("card = {'sd': 1}", "sd = 1"),
        ("card = 224", "is a int.*a dictionary"),
        ("card = {'interpolation': 'cubic'}", "interpolation = 'cubic'.*'bicubic'"),
        ("card = {'size_px': '224'}", "size_px = '224'"),
        ("card = {'size_px': 0}", "size_px = 0"),
        ("card = {'layers': 'fc'}", "layers = 'fc', not a row"),
        ("card = {'labels': ('a', 'b')}", "2 labels, but no head"),
        ("card = {'aliases': ('conv1',)}", r"aliases = \('conv1',\), not a dictionary"),
        ("card = {'aliases': {'a': 0}}", r"aliases = \{'a': 0\}, not a dictionary of words"),
        ("card = {'methods': {'images': 'forward'}}", "for 'images'.*'image'"),
    ],
)
def test_a_wrong_card_is_refused(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told):
        card(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def factor():\n    pass", "no function 'factory'.*'factor'"),
        ("def factory():\n    return 7", r"factory\(\) .* returned a int"),
        ("def factory():\n    raise OSError('no /x')", r"OSError \(.*net\.py, line 2\): no /x\."),
        ("def factory():\n    raise SystemExit(3)", r"SystemExit \(.*net\.py, line 2\): 3\."),
        ("a = 1\ndef factory(depth):\n    pass", r"net\.py, line 2, .*'depth'\. Give each"),
        ("a = 1\nb = a / 0", r"net\.py raised ZeroDivisionError \(.*, line 2\): division by"),
        ("import sys\nsys.exit()", r"net\.py raised SystemExit \(.*, line 2\): it says no more"),
    ],
)
def test_a_wrong_factory_is_refused(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told):
        build(written(tmp_path, text))


def test_a_name_without_a_factory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"PATH/file\.py:factory"):
        card(written(tmp_path, "").removesuffix(":factory"))


def test_a_file_that_is_not_python_is_refused(tmp_path):
    with pytest.raises(UnreadableError, match=r"net\.py is not Python: .* line 2"):
        card(written(tmp_path, "a = 1\nb = = 2\n"))


def test_a_file_that_imports_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"net\.py imports .*'no_such_lab'"):
        card(written(tmp_path, "import no_such_lab\n"))


def test_a_factory_that_imports_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"net\.py imports .*'no_such_lab'"):
        build(written(tmp_path, "def factory():\n    import no_such_lab\n"))


def test_a_helper_that_is_not_python_is_named(tmp_path, monkeypatch):
    (tmp_path / "helper_of_net.py").write_text("a = = 1")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnreadableError, match=r"helper_of_net\.py is not Python: .* line 1"):
        card(written(tmp_path, "import helper_of_net"))


def test_dataclasses_in_the_file_work(tmp_path):
    text = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn
@dataclass
class Sizes:
    n: int = 2
def factory():
    return nn.Linear(Sizes().n, 1)
"""
    assert isinstance(build(written(tmp_path, text)), nn.Linear)


@pytest.mark.parametrize(
    ("file", "sign", "told"),
    [
        ("host", "", r"'.*host' is a file, but not one of Python.*alexnet.*NAME=PATH/file\.py:"),
        ("host", ":factory", r"host:factory' is a file, but not one of Python"),
        ("w.pt", "", r"w\.pt' is a file.* --weights NAME=PATH\. Type --network NAME="),
        ("own.toml", "", r"own\.toml' is a file.*--config PATH"),
        ("f.npy", "", r"f\.npy' is a file.*--network features:PATH"),
        ("folder", "", r"folder' is a folder.*transformers:FOLDER"),
        ("gone", "", r"gone' reads as a path, and nothing is there"),
    ],
)
def test_a_path_of_something_else_is_told_what_it_is(tmp_path, file, sign, told):
    if file == "folder":
        (tmp_path / file).mkdir()
    elif file != "gone":
        (tmp_path / file).write_text("x")
    with pytest.raises(ConfigError, match=told) as err:
        refuse_path(f"{tmp_path}/{file}{sign}")
    assert "''" not in str(err.value)


def test_only_paths_are_taken_for_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alexnet").mkdir()
    (tmp_path / "vgg19").write_text("")
    (tmp_path / "notes.txt").write_text("")
    for name in ("alexnet", "vgg19", "resnet50/IMAGENET1K_V1", "open_clip:ViT/my/w.pt", "a.b"):
        refuse_path(name)
    for name in ("notes.txt", "./alexnet", "w.pt"):  # a file that is there, and what reads so
        with pytest.raises(ConfigError, match=rf"'{name}' (is|reads)"):
            refuse_path(name)
