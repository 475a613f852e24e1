"""derivatives.provenance: what a module rests on, and when an output still holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bids_dnn.derivatives import provenance
from bids_dnn.errors import MissingInputError
from bids_dnn.files import write_json


@pytest.fixture
def package(tmp_path):
    texts = {
        "__init__.py": "",
        "a.py": "from pkg.b import f\n\n\ndef g():\n    import pkg.room.c\n",
        "b.py": "import numpy\n\n\ndef f(): ...\n",
        "room/__init__.py": "from . import d\n",
        "room/c.py": "from ..e import X\n",
        "room/d.py": "",
        "room/templates/page.html": "<p>",
        "e.py": "",
        "alone.py": "",
    }
    for name, text in texts.items():
        path = tmp_path / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "pkg"


def test_code_files_follow_imports_everywhere(package):
    found = {p.relative_to(package).as_posix() for p in provenance.code_files("pkg.a", package)}
    assert found == {
        "__init__.py", "a.py", "b.py", "room/__init__.py", "room/c.py", "room/d.py",
        "room/templates/page.html", "e.py",
    }  # fmt: skip


def test_code_files_of_a_leaf(package):
    found = {p.name for p in provenance.code_files("pkg.alone", package)}
    assert found == {"__init__.py", "alone.py"}


def test_code_fingerprint_is_stable_and_differs_between_modules():
    one = provenance.code_fingerprint("bids_dnn.errors")
    assert one == provenance.code_fingerprint.__wrapped__("bids_dnn.errors")
    assert one != provenance.code_fingerprint("bids_dnn.files")


def test_code_fingerprint_refuses_an_unknown_module():
    with pytest.raises(MissingInputError, match=r"bids_dnn\.nowhere"):
        provenance.code_fingerprint("bids_dnn.nowhere")


def test_sources_are_sorted_and_single():
    roots = {"raw": Path("/d")}
    paths = [Path("/d/b"), Path("/d/a"), Path("/d/b")]
    assert provenance.sources(paths, roots) == ["bids:raw:a", "bids:raw:b"]


def test_is_done_wants_fingerprint_and_outputs(tmp_path):
    (tmp_path / "x.tsv").write_text("abc")
    said = {"Fingerprint": "f1", "Outputs": {"x.tsv": {"SHA256": "", "Size": 3}}}
    sidecar = write_json(tmp_path / "x.json", said)
    assert provenance.is_done(sidecar, "f1")
    assert not provenance.is_done(sidecar, "f2")
    assert not provenance.is_done(tmp_path / "y.json", "f1")
    (tmp_path / "x.tsv").write_text("abcd")
    assert not provenance.is_done(sidecar, "f1")
    sidecar.write_text("{")
    assert not provenance.is_done(sidecar, "f1")
