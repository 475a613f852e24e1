"""The form of the code: lengths, Raises sections, one word for one thing, a light start."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from bids_dnn.cli.app import main
from bids_dnn.config.schema import Config, RunConfig

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "bids_dnn"
MODULES = sorted(PACKAGE.rglob("*.py")) + sorted((TOP / "benchmarks").rglob("*.py"))
TESTS = sorted((TOP / "tests").rglob("test_*.py"))
MOST_LINES = 400
ABOVE_THE_ROOMS = {"test_form.py", "test_packaging.py"}  # of the project, not of one module
EXTRAS = {"timm", "open_clip", "transformers", "huggingface_hub", "tokenizers"}
HEAVY = {"torch", "torchvision", "nipype", "niworkflows", "nilearn", "bids", "numba"} | EXTRAS
MOST_USER_S = 0.6

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path):
    return str(path.relative_to(TOP))


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name_of)
def test_no_module_is_long(path):
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= MOST_LINES, f"{n_lines} lines: split it by what its parts are about"


# --- Raises sections


def public_functions(tree: ast.Module) -> Iterator[tuple[Function, str]]:
    """Give each public function with the docstring that speaks for it.

    A constructor's errors stand in its class. Click commands have a help text instead.
    """
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            decorators = " ".join(map(ast.unparse, node.decorator_list))
            if "command" not in decorators and "group" not in decorators:
                yield node, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if not isinstance(method, Function):
                    continue
                if method.name in ("__init__", "__post_init__"):
                    yield method, ast.get_docstring(node) or ""
                elif not method.name.startswith("_"):
                    yield method, ast.get_docstring(method) or ""


def raised(function: Function) -> set[str]:
    """Return the names of the exceptions that a function's own statements raise."""
    names = set()
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(exc).rpartition(".")[2]
            if name[:1].isupper():  # a variable or a function that makes one has no fixed name
                names.add(name)
        todo.extend(ast.iter_child_nodes(node))
    return names


def documented(docstring: str) -> set[str]:
    """Return the names that stand in a numpydoc ``Raises`` section."""
    found = re.search(r"^Raises\n-+\n((?:.*\n?)*)", docstring, re.M)
    section = re.split(r"^\S.*\n-{3,}$", found[1], maxsplit=1, flags=re.M)[0] if found else ""
    lines = re.findall(r"^\w.*$", section, re.M)
    return {name.strip().rpartition(".")[2] for line in lines for name in line.split(",")}


def undocumented(source: str) -> list[str]:
    """Name the public functions whose docstrings lack an error that they raise."""
    return [
        f"line {function.lineno}, {function.name}: {', '.join(sorted(missing))}"
        for function, docstring in public_functions(ast.parse(source))
        if (missing := raised(function) - documented(docstring))
    ]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_public_raise_is_in_a_raises_section(path):
    assert undocumented(path.read_text(encoding="utf-8")) == []


def test_a_missing_raises_section_is_found():
    source = '''
def f(x):
    """Do.

    Raises
    ------
    ValueError
        If so.

    Notes
    -----
    KeyError is no part of the section.
    """
    if x:
        raise ValueError("no")
    raise errors.KeyError(x)

def _private():
    raise TypeError
'''
    assert undocumented(source) == ["line 2, f: KeyError"]


# --- Tests mirror the package


def namesake(path: Path) -> Path | None:
    """Return the module, or folder of modules, that a test file is named after.

    ``test_fit_himalaya.py`` may stand beside ``test_fit.py`` where one file would be too long.
    """
    below = path.parent.relative_to(TOP / "tests")
    room = TOP / below if below.parts[:1] == ("benchmarks",) else PACKAGE / below
    words = path.stem.removeprefix("test_").split("_")
    for n_words in range(len(words), 0, -1):
        stem = "_".join(words[:n_words])
        if (room / f"{stem}.py").is_file() or (room / stem / "__init__.py").is_file():
            return room / stem
    return None


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_mirror_the_package(path):
    if path.parent == TOP / "tests" and path.name in ABOVE_THE_ROOMS:
        return
    assert namesake(path), f"{name_of(path)} is named after no module of the package"


# --- One word for one thing


def test_every_key_of_the_run_is_an_option():
    options = {option.name for option in main.params}
    assert set(RunConfig.model_fields) - options == set()


def test_every_option_is_a_setting_or_known_as_a_short_form():
    short_forms = {"network": "networks", "weights": "networks", "roi": "regions"} | {
        "responses": "responses"
    }
    of_the_call = {
        "config",
        "dry_run",
        "download_only",
        "reports_only",
        "verbosity",
        "quiet",
        "version",
    }
    sections = {
        "n_permutations": ("decode", "permutations"),
        "estimator": ("encode", "estimator"),
    }
    for option in main.params:
        if not isinstance(option, click.Option) or option.name in of_the_call:
            continue
        if option.name in sections:
            section, key = sections[option.name]
            assert key in Config.model_fields[section].annotation.model_fields
        else:
            known = set(RunConfig.model_fields) | set(short_forms)
            assert option.name in known, f"--{option.name} is no setting of analysis.toml"


@pytest.mark.parametrize("name", ["analysis", "device"])
def test_an_option_takes_what_its_key_takes(name):
    option = next(o for o in main.params if o.name == name)
    annotation = RunConfig.model_fields[name].annotation
    inner = next((a for a in get_args(annotation) if get_args(a)), annotation)
    assert set(option.type.choices) == set(get_args(inner))


@pytest.mark.parametrize("option", main.params, ids=lambda o: o.name)
def test_an_option_is_spelled_as_its_name(option):
    if isinstance(option, click.Option) and option.name != "verbosity":
        assert f"--{option.name.replace('_', '-')}" in option.opts


# --- A light start

PROBE = """
import json, resource, sys
sys.argv = ["bids_dnn", *{args!r}]
try:
    {statement}
except SystemExit as end:
    if end.code:
        raise
sys.stdout.write("\\n" + json.dumps({{
    "user_s": resource.getrusage(resource.RUSAGE_SELF).ru_utime,
    "modules": sorted(name.partition(".")[0] for name in sys.modules),
}}))
"""


@pytest.mark.parametrize(
    ("statement", "args"),
    [
        ("import bids_dnn", []),
        ("from bids_dnn.cli.app import main; main()", ["--help"]),
        ("from bids_dnn.cli.app import main; main()", ["--version"]),
        ("from bids_dnn.cli.tools import main; main()", ["--help"]),
        ("from bids_dnn.cli.tools import main; main()", ["--version"]),
    ],
    ids=["import", "help", "version", "tools-help", "tools-version"],
)
def test_start_is_light(statement, args):
    code = PROBE.format(statement=statement, args=args)
    seen = []
    for _ in range(3):  # the best of three: others may be using the machine
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TOP
        )
        seen.append(json.loads(done.stdout.splitlines()[-1]))
        if seen[-1]["user_s"] < MOST_USER_S:
            break
    assert HEAVY & set(seen[0]["modules"]) == set()
    assert min(one["user_s"] for one in seen) < MOST_USER_S


@pytest.mark.parametrize("room", ["stats", "analyses", "features"])
def test_numerics_need_no_neuroimaging_and_no_extra(room):
    modules = [
        ".".join(path.relative_to(TOP).with_suffix("").parts)
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path.name != "__init__.py"
    ]
    code = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
    code += "sys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TOP
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & ({"nipype", "nilearn", "bids", "niworkflows"} | EXTRAS) == set()
