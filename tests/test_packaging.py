"""What is shipped beside the code: metadata, containers, README and workflows say what is so."""

from __future__ import annotations

import configparser
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import yaml

import bids_dnn
from bids_dnn.cli.app import main
from bids_dnn.cli.tools import main as tools
from bids_dnn.config.load import load

TOP = Path(__file__).parents[1]
PAGES = ["README.md", "docs/start.md", "docs/interface.md"]


@pytest.fixture(scope="module")
def metadata():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(TOP / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def targets():
    text = (TOP / "Makefile").read_text()
    return set(re.findall(r"^([.\w-]+):", text, flags=re.MULTILINE))


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


def blocks(name, language=""):
    """Return the fenced blocks of a page that are in one language."""
    found = re.findall(r"^```(\S*)[^\n]*\n(.*?)^```$", read(name), flags=re.M | re.S)
    return [text for kind, text in found if kind == language]


def calls(name):
    """Return the calls of the App on a page, as words after the program's name."""
    text = "".join(blocks(name)).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if re.match(r"bids_dnn |singularity run ", line)]
    plain = [re.sub(r" \[[A-Z].*\]", "", line) for line in lines]  # [OPTIONS] is no option
    words = [shlex.split(line, comments=True) for line in plain]
    programs = ("bids_dnn", "bids_dnn.sif")
    return [w[next(i for i, one in enumerate(w) if one in programs) + 1 :] for w in words]


# --- Metadata


def test_entry_points_resolve(metadata):
    lines = metadata["options.entry_points"]["console_scripts"].strip().splitlines()
    scripts = dict(re.split(r"\s*=\s*", line) for line in lines)
    assert set(scripts) == {"bids_dnn", "bids_dnn_tools"}
    for target in scripts.values():
        module, _, name = target.partition(":")
        assert isinstance(getattr(importlib.import_module(module), name), click.Command)


def test_pyproject_holds_the_build_system_alone():
    assert set(tomllib.loads(read("pyproject.toml"))) == {"build-system"}


def test_files_beside_the_code_are_shipped(metadata):
    patterns = metadata["options.package_data"]["bids_dnn"].split()
    package = TOP / "bids_dnn"
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    beside = {
        path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert beside - shipped == set()


def test_licence_is_the_one_that_is_declared(metadata):
    assert metadata["metadata"]["license"] == "Apache-2.0"
    text = read("LICENSE")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_citation_names_this_version(metadata):
    cited = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert str(cited["version"]) == bids_dnn.__version__
    assert cited["license"] == metadata["metadata"]["license"]


def test_changelog_keeps_its_form():
    headings = re.findall(r"^## (.*)$", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    kinds = re.findall(r"^### (.*)$", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


# --- Containers


def copied():
    """Return what the Dockerfile copies, without the last word of each COPY."""
    lines = re.findall(r"^COPY (.*)$", read("Dockerfile"), flags=re.MULTILINE)
    return [word for line in lines for word in line.split()[:-1]]


def section(name):
    """Return the lines of one section of Singularity.def."""
    found = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", read("Singularity.def"), re.M | re.S)
    return [line.strip() for line in found[1].splitlines() if line.strip()]


def test_dockerfile_copies_what_is_there_and_not_ignored():
    kept = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert copied()
    for name in copied():
        assert (TOP / name).exists()
        assert name.partition("/")[0] in kept


def test_singularity_takes_what_is_there():
    sources = [line.split()[0] for line in section("files")]
    assert set(sources) == {name.partition("/")[0] for name in copied()}
    assert all((TOP / name).exists() for name in sources)


def test_both_recipes_run_the_app_on_one_base(metadata):
    docker = read("Dockerfile")
    base = re.search(r"^FROM (\S+)$", docker, flags=re.MULTILINE)[1]
    assert f"From: {base}\n" in read("Singularity.def")
    oldest = metadata["options"]["python_requires"].removeprefix(">=").strip()
    assert base == f"python:{oldest}-slim"
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", docker, re.M)[1]) == ["bids_dnn"]
    assert section("runscript") == ['exec bids_dnn "$@"']


@pytest.mark.parametrize("variable", ["TORCH_HOME", "TEMPLATEFLOW_HOME"])
def test_weights_and_templates_are_looked_for_in_one_place(variable):
    inside = re.search(rf"{variable}=(\S+)", read("Dockerfile"))[1]
    assert any(f"export {variable}=" in line and inside in line for line in section("environment"))
    assert inside in read("README.md")


# --- What the pages say can be typed


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_on_a_page_exist(page, targets):
    named = set(re.findall(r"`?make ([.\w-]+)", "".join(blocks(page))))
    named |= set(re.findall(r"`make ([.\w-]+)", read(page)))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES)
def test_options_on_a_page_exist(page):
    known = {name for option in main.params for name in option.opts}
    known |= {name for c in tools.commands.values() for o in c.params for name in o.opts}
    known |= {"--help", "-h", "--version", "--rm", "--user", "--tag", "--gpus", "--nv"}
    known |= {"--level"}  # fMRIPrep's
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", read(page)))
    assert named <= known


@pytest.mark.parametrize("page", PAGES)
def test_calls_on_a_page_are_understood(page):
    assert calls(page)
    for words in calls(page):
        with main.make_context("bids_dnn", list(words)) as context:
            assert context.params["analysis_level"] in ("participant", "group")


@pytest.mark.parametrize("page", PAGES)
def test_settings_on_a_page_are_understood(page, tmp_path):
    for number, text in enumerate(blocks(page, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        assert load(path, {}).networks


def test_readme_has_its_two_commands_and_both_gpu_calls():
    text = read("README.md")
    for words in ("make demo", "make test", "docker run --rm --gpus all", "singularity run --nv"):
        assert words in text


@pytest.mark.parametrize("page", ["README.md", *PAGES[1:]])
def test_files_that_a_page_links_exist(page):
    links = re.findall(r"\]\(([^)#:]+)\)", read(page))
    for link in links:
        assert (TOP / page).parent.joinpath(link).is_file(), link


# --- Automation


@pytest.mark.parametrize("path", sorted((TOP / ".github/workflows").glob("*.yml")), ids=str)
def test_workflows_call_targets_that_exist(path, targets):
    jobs = yaml.safe_load(path.read_text())["jobs"]
    for job in jobs.values():
        assert "timeout-minutes" in job
        for step in job["steps"]:
            for target in re.findall(r"make ([.\w-]+)", step.get("run", "")):
                assert target in targets


def test_ci_is_a_program():
    script = TOP / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text()


# --- Make


@pytest.fixture
def bare(tmp_path):
    """Give a checkout's folder with nothing but what makes the environment."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(TOP / name, tmp_path)
    return tmp_path


def make(folder, *words):
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")  # of `make test`
    env = {name: value for name, value in os.environ.items() if name not in outer}
    return subprocess.run(
        ["make", "-C", folder, *words], capture_output=True, text=True, check=False, env=env
    )


def test_make_alone_lists_its_targets(bare, targets):
    done = make(bare)
    assert done.returncode == 0
    assert {"test", "demo", "check", "bench", "docs"} <= set(done.stdout.split()) & targets
    assert not (bare / ".venv").exists()


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ("version_info", "was not found or is older than 3.11"),
        ("import venv", "lacks the module venv"),
        ("import ensurepip", "lacks the module ensurepip"),
    ],
)
def test_make_says_what_python_lacks(bare, lacks, says):
    python = bare / "a-python"
    python.write_text(f'#!/bin/sh\ncase "$2" in *"{lacks}"*) exit 1;; esac\n')
    python.chmod(0o755)
    done = make(bare, ".venv", f"PYTHON={python}")
    assert done.returncode == 2
    assert says in done.stdout
    assert "make PYTHON=" in done.stdout
    assert not (bare / ".venv" / ".installed").exists()


def test_make_says_the_size_before_installing(bare):
    python = bare / "a-python"
    python.write_text('#!/bin/sh\ncase "$*" in *"-m venv"*) exit 1;; esac\n')
    python.chmod(0o755)
    done = make(bare, ".venv", f"PYTHON={python}")
    assert done.returncode == 2
    assert "about 6.3 GB" in done.stdout
    assert not (bare / ".venv" / ".installed").exists()


@pytest.mark.parametrize("target", ["demo", "docs", "check", "bench"])
def test_what_a_target_of_make_needs_is_there(target):
    done = make(TOP, "--dry-run", "--always-make", target)
    assert done.returncode == 0, done.stderr
