"""workflows.pages: which page belongs to which task and space."""

import pytest

from tests.factories.ready_statmap import volume_maps
from tests.factories.ready_table import table_folder
from tests.factories.sources import write_raw, write_settings
from tests.workflows.conftest import invoke

pytestmark = pytest.mark.whole


def test_a_page_keeps_its_name_when_others_come(tmp_path, rng):
    raw = write_raw(tmp_path / "raw", rng)
    table_folder(tmp_path / "table" / "sub-01", rng, n_samples=40)
    volume_maps(tmp_path / "maps", rng)
    settings = tmp_path / "settings"
    settings.mkdir()
    toml = write_settings(settings)

    def run(kind, folder):
        said = invoke(
            *(raw, tmp_path / "out", "participant", "--responses", f"{kind}={tmp_path / folder}"),
            *("--config", toml, "--analysis", "ceiling", "--work-dir", tmp_path / "work"),
            *("--use-plugin", settings / "plugin.yml"),
        )
        assert said.exit_code == 0, said.output
        return sorted(path.name for path in (tmp_path / "out").glob("*.html"))

    assert run("table", "table") == ["sub-01.html"]
    first = (tmp_path / "out" / "sub-01.html").read_bytes()
    both = run("statmap", "maps")
    assert len(both) == 2
    assert both[1].startswith("sub-01_task-")
    assert run("table", "table") == both
    assert (tmp_path / "out" / "sub-01.html").read_bytes() == first
