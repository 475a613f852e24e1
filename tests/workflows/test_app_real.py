"""Real data through the same code as a user's run; the right answers stand beside the data."""

import pandas as pd
import pytest

from tests.factories.haxby import haxby_tree
from tests.workflows.conftest import invoke

pytestmark = [pytest.mark.real, pytest.mark.whole]


@pytest.mark.parametrize(
    ("onsets", "responses", "lowest", "highest"),
    [
        ("labels", 'model = "volumes"\nstandardize = "rest"\ndelay_s = 0.0', 0.551, 0.591),
        ("labels", 'model = "block"\nstandardize = "rest"\ndelay_s = 0.0', 0.709, 0.749),
        ("hrf", 'model = "lsa"', 0.70, 0.78),
        ("hrf", 'model = "lsa"\nstandardize = "run"', 0.78, 0.85),
    ],
)
def test_haxby_is_decoded_as_it_should(real_data, tmp_path, onsets, responses, lowest, highest):
    bids = haxby_tree(real_data, tmp_path / "haxby", onsets=onsets)
    toml = tmp_path / "analysis.toml"
    toml.write_text(
        f'[responses]\nconfounds = "none"\n{responses}\n[decode]\ncomparisons = ["all"]\n'
    )
    said = invoke(
        *(bids, tmp_path / "out", "participant", "--work-dir", tmp_path / "work"),
        *("--analysis", "decode", "--config", toml, "--n-permutations", "1", "--nprocs", "1"),
    )
    assert said.exit_code == 0, said.output
    (path,) = (tmp_path / "out").rglob("*_desc-decode_scores.tsv")
    (row,) = pd.read_csv(path, sep="\t").to_dict("records")
    assert (row["n_classes"], row["chance"], row["n_units"]) == (8, 0.125, 530)
    assert lowest <= row["score"] <= highest
