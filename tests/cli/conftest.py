"""How tests call the App on responses of any source."""

from __future__ import annotations

import pandas as pd
import pytest
from click.testing import CliRunner

from bids_dnn.cli.app import main
from tests.factories.pictures import write_pictures
from tests.factories.sources import MAKE, write_raw, write_settings


@pytest.fixture
def app(tmp_path, undrawn):
    """Run the App in this process, figures blank; returns what it said, or tables.

    `more` is TOML; with `analysis` None all that the data allow are run. With `expect` 1 all
    participants fail but those in `made`, with 2 nothing runs; None = it ends well, and what was
    said is returned.
    """

    def run(bids_dir, *options, analysis, nuisance=(), more="", expect=0, made=(), dry=False):
        folder = tmp_path / "settings"
        folder.mkdir(exist_ok=True)
        args = [
            *(str(bids_dir), str(tmp_path / "out"), "participant"),
            *("--config", str(write_settings(folder, nuisance, more))),
            *(["--analysis", analysis] if analysis else []),
            *("--work-dir", str(tmp_path / "work"), "--use-plugin", str(folder / "plugin.yml")),
            *map(str, options),
            *(["--dry-run"] if dry else []),
        ]
        said = CliRunner().invoke(main, args)
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        assert said.exit_code == (expect or 0), said.output
        if dry or expect:
            written = [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()]
            tables = [name for name in written if name.endswith("_scores.tsv")]
            assert {name.partition("_")[0] for name in tables} == {f"sub-{who}" for who in made}
            assert not (written and (dry or expect == 2)), written
            assert "Traceback" not in said.output
            return said.output
        if analysis is None or expect is None:
            return said.output
        return {
            path.name.partition("_")[0].removeprefix("sub-"): pd.read_csv(path, sep="\t")
            for path in sorted((tmp_path / "out").rglob(f"sub-*_desc-{analysis}_scores.tsv"))
        }

    return run


@pytest.fixture
def tree(tmp_path, rng):
    """Write responses of ready-made kind `table` to pictures of two categories."""
    return write_pictures(tmp_path, rng)


@pytest.fixture
def raw(tmp_path, rng):
    """Write a data set without pictures."""
    return write_raw(tmp_path / "raw", rng)


@pytest.fixture
def make(tmp_path, rng):
    """Write a data set of a kind of ready-made responses; returns its folder."""

    def written(kind):
        MAKE[kind](tmp_path / kind, rng)
        return tmp_path / kind

    return written


@pytest.fixture
def told(app, raw):
    """Return what is said of ready-made responses that cannot be read."""

    def said(kind, home, *, expect):
        given = ("--responses", f"{kind}={home}")
        return " ".join(app(raw, *given, analysis="ceiling", expect=expect).split())

    return said
