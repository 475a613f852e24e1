"""How tests call the App on responses of any source."""

from __future__ import annotations

import pandas as pd
import pytest
from click.testing import CliRunner

from bids_dnn.cli.app import main
from tests.factories.sources import write_settings


@pytest.fixture
def app(tmp_path):
    """Run the App in this process; returns what it said, or the tables of an analysis.

    `more` is TOML. With `expect` 1 one participant at least fails, with 2 nothing runs.
    """

    def run(bids_dir, *options, analysis, nuisance=(), more="", expect=0, dry=False):
        folder = tmp_path / "settings"
        folder.mkdir(exist_ok=True)
        args = [
            *(str(bids_dir), str(tmp_path / "out"), "participant"),
            *("--config", str(write_settings(folder, nuisance, more)), "--analysis", analysis),
            *("--work-dir", str(tmp_path / "work"), "--use-plugin", str(folder / "plugin.yml")),
            *map(str, options),
            *(["--dry-run"] if dry else []),
        ]
        said = CliRunner().invoke(main, args)
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        assert said.exit_code == expect, said.output
        if dry or expect:
            written = [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()]
            assert not [name for name in written if name.endswith("_scores.tsv")]
            assert not (written and (dry or expect == 2)), written
            assert "Traceback" not in said.output
            return said.output
        return {
            path.name.partition("_")[0].removeprefix("sub-"): pd.read_csv(path, sep="\t")
            for path in sorted((tmp_path / "out").rglob(f"sub-*_desc-{analysis}_scores.tsv"))
        }

    return run
