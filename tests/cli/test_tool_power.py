"""bids_dnn_tools power: from a pilot or from numbers to curves; what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bids_dnn.cli.tools import main
from bids_dnn.derivatives.tables import table_text
from bids_dnn.files import fingerprint
from bids_dnn.group.stack import stack
from bids_dnn.group.tests import test_group as run
from bids_dnn.stats.power import Effect, simulate_power
from tests.factories.results import make_decode

FAST = ("--n-simulations", 100, "--max-participants", 12)


def tell(*args, code=0):
    said = CliRunner().invoke(main, ["power", *map(str, args)])
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    assert said.exit_code == code, said.output
    return said.output.splitlines() if code == 0 else " ".join(said.output.split())


@pytest.fixture
def pilot(tmp_path):
    """The table of single scores that a group leaves, of six participants."""
    tables = {}
    for i in range(6):
        table = make_decode(np.random.default_rng(i)).table
        tables[f"{i:02d}"] = table.assign(n_runs=8)
    made = run(stack(tables, list(tables))[0], analysis="decode").extras["participants"]
    path = tmp_path / "pilot.tsv"
    path.write_text(table_text(made))
    return path


def test_numbers_give_the_curves_of_the_simulation(tmp_path):
    out = tmp_path / "power.tsv"
    said = tell(
        "--effect", 0.1, "--sd", 0.1, "--run-sd", 0.2, "--runs", 4, 16, "--out", out, *FAST
    )
    table = pd.read_csv(out, sep="\t")
    sizes = range(3, 13)
    expected = simulate_power(
        Effect(0.1, 0.1, 0.2), n_participants=sizes, n_runs=(4, 16), n_simulations=100
    )
    np.testing.assert_allclose(table["power"], expected.power.ravel())
    np.testing.assert_allclose(table["power_high"], expected.high.ravel(), rtol=1e-8)
    assert table["n_runs"].unique().tolist() == [4, 16]
    assert said[0] == "0.1 above chance, SD over participants 0.1, over runs 0.2."
    (found,) = [line for line in said if line.startswith("t, 16 runs")]
    n = expected.smallest("t", 0.8)[1]
    assert found.startswith(f"t, 16 runs: 80% power: {n} participants;")
    assert "more than 12 participants" in "".join(said)
    assert out.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
    assert said[-1].endswith("power.tsv, power.json and power.png")


def test_a_sidecar_says_what_the_table_is(tmp_path, pilot):
    out = tmp_path / "power.tsv"
    tell("--effect", 0.1, "--sd", 0.2, "--seed", 3, "--out", out, *FAST)
    told = json.loads(out.with_suffix(".json").read_text())
    for column in pd.read_csv(out, sep="\t"):
        assert told[column]["Description"]
    assert told["Effect"] == {"mean": 0.1, "between_sd": 0.2, "within_sd": 0.0}
    assert told["Settings"]["alpha"] == 0.05
    assert told["Settings"]["max_participants"] == 12
    assert (told["RandomSeed"], told["GeneratedBy"]["Name"]) == (3, "bids_dnn")
    assert "Pilot" not in told
    tell(pilot, "--where", "region=V1", "--where", "comparison=all", "--out", out, *FAST)
    told = json.loads(out.with_suffix(".json").read_text())
    assert told["Pilot"] == {"Name": "pilot.tsv", "SHA256": fingerprint(pilot)}
    assert told["Settings"]["where"] == ["region=V1", "comparison=all"]
    assert told["Effect"]["within_sd"] > 0


@pytest.mark.parametrize("name", ["power.json", "power.PNG"])
def test_a_table_is_not_written_over_by_what_lies_beside_it(tmp_path, name):
    said = tell("--effect", 0.1, "--sd", 0.2, "--out", tmp_path / name, *FAST, code=2)
    assert f"--out names the table, and {name} is where" in said
    assert "power.tsv; .json and .png lie beside it" in said
    assert not list(tmp_path.iterdir())


def test_the_same_command_gives_the_same_bytes(tmp_path):
    made = []
    for name in "ab":
        out = tmp_path / f"{name}.tsv"
        tell("--effect", 0.1, "--sd", 0.1, "--out", out, *FAST)
        made.append([out.read_bytes(), out.with_suffix(".png").read_bytes()])
    assert made[0] == made[1]


def test_a_pilot_gives_effect_and_variances(tmp_path, pilot):
    out = tmp_path / "power.tsv"
    said = tell(
        pilot, "--where", "region=V1", "--where", "comparison=body vs face", "--out", out, *FAST
    )
    table = pd.read_csv(pilot, sep="\t")
    rows = table[(table["region"] == "V1") & (table["comparison"] == "body vs face")]
    above = (rows["score"] - 0.5).mean()
    assert said[0].startswith(f"Pilot of 6 participants: {above:.3g} above chance")
    assert f"over runs {rows['run_sd'].mean():.3g}" in said[0]
    assert "95 % t interval" in said[1]
    assert pd.read_csv(out, sep="\t")["n_runs"].unique().tolist() == [4, 8, 12]
    said = tell(
        pilot, "--where", "region=V1", "--where", "comparison=all", "--effect", 0.02,
        "--runs", 3, "--out", out, *FAST,
    )  # fmt: skip
    assert said[1].startswith("Asked for: 0.02 above chance")


def test_a_plain_pilot_has_one_line(tmp_path):
    pilot = tmp_path / "mine.tsv"
    pilot.write_text("participant\tscore\n01\t0.1\n02\tn/a\n03\t0.3\n04\t0.15\n")
    said = tell(pilot, "--out", tmp_path / "power.tsv", *FAST)
    assert said[0].startswith("Pilot of 3 participants: 0.183 above chance")
    assert [line.split(":")[0] for line in said[2:4]] == ["sign-flip", "t"]
    assert set(pd.read_csv(tmp_path / "power.tsv", sep="\t")["n_runs"]) == {0}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "neither a pilot --effect 0.1 --sd 0.15"),
        (("--effect", 0.1), "neither a pilot"),
        (("PILOT",), "several rows a participant --where region=VALUE"),
        (("PILOT", "--where", "aregion=V1"), "'aregion' Did you mean 'region'"),
        (("PILOT", "--where", "region=V2"), "region=V2 is in no row V1,"),
        (("PILOT", "--sd", 0.1), "--sd or --run-sd is given as well"),
        (("absent.tsv",), "no file absent.tsv"),
        (("--effect", 0.1, "--sd", 0.1, "--runs", 4), "[4] --run-sd"),
        (("--effect", 0.1, "--sd", 0), "do not vary"),
    ],
)
def test_what_cannot_be_done_says_what_can(tmp_path, pilot, args, words):
    told = [pilot if arg == "PILOT" else arg for arg in args]
    said = tell(*told, "--out", tmp_path / "power.tsv", *FAST, code=2)
    assert all(word in said for word in words.split()), said


def test_a_table_without_scores_is_refused(tmp_path):
    pilot = tmp_path / "mine.tsv"
    pilot.write_text("participant\taccuracy\n01\t0.1\n")
    assert "['score']" in tell(pilot, "--out", tmp_path / "power.tsv", code=2)
