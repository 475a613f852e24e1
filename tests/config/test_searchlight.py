"""config.searchlight: names and bounds of [searchlight]."""

import pytest

from bids_dnn.config.load import load
from bids_dnn.errors import ConfigError


def test_settings_are_read(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[searchlight]\nradius_mm = 6\nwithin = ["VT"]\n')
    made = load(path, {}).searchlight
    assert (made.radius_mm, made.within, made.comparisons, made.n_maps) == (
        6,
        ("VT",),
        ("all",),
        100,
    )


def test_categories_alone_are_something(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[searchlight]\ncomparisons = []\ncategories = ["animate"]\n')
    assert load(path, {}).searchlight.categories == ("animate",)


@pytest.mark.parametrize("line", ["radius_mm = 0", "n_maps = 0", "comparisons = []", "radius = 3"])
def test_what_cannot_be_is_refused(tmp_path, line):
    path = tmp_path / "own.toml"
    path.write_text(f"[searchlight]\n{line}\n")
    with pytest.raises(ConfigError, match=line.split(" ", maxsplit=1)[0]):
        load(path, {})
