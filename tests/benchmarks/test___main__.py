"""python -m benchmarks: lines, verdicts, refusals."""

import pytest
import torch
from click.testing import CliRunner

from benchmarks import Row, decode_permutation, encode_ridge, lss, ridge_split, time_both
from benchmarks.__main__ import NAMES, main, measure
from bids_dnn.errors import ConfigError


@pytest.mark.parametrize(("target", "verdict"), [(2.0, "ok"), (2.1, "short")])
def test_a_row_is_one_line(target, verdict):
    row = Row("x", 0.5, 1.0, target)
    assert row.line() == f"x 0.500 1.000 2.00 {target:.2f} {verdict}"


def test_memory_stands_with_its_unit():
    assert Row("x", 1.5, 4.0, 1.0, unit="GB").line() == "x 1.500GB 4.000GB 2.67 1.00 ok"


def test_both_are_run_in_turns():
    calls = []
    times = time_both(lambda: calls.append("a"), lambda: calls.append("b"), n_repeats=2)
    assert calls == list("abab")
    assert min(times) >= 0


def test_the_command_prints_a_line_for_each_case(monkeypatch):
    monkeypatch.setattr(encode_ridge, "SIZES", {"small": ((30, 10, 5),)})
    monkeypatch.setattr(ridge_split, "SIZES", {"small": (300, 200, 300)})
    monkeypatch.setattr(ridge_split, "LARGE", {"small": (200, 50)})
    small = [("svm", "10-voxels", decode_permutation.make_case(10, 6), 100.0)]
    monkeypatch.setattr(decode_permutation, "cases", lambda _: small)
    monkeypatch.setattr(lss, "SIZES", {"small": ((12, 20, 120, 5, 3),)})
    own = {"encode_ridge", "decode_permutation", "lss"}  # each is run
    for name in NAMES.keys() - own:
        monkeypatch.setattr(f"benchmarks.{name}.run", lambda *_, name=name: [Row(name, 1, 1, 1)])
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    assert [len(line) for line in lines] == [6] * (7 + len(NAMES) - 3)
    assert {line[0].partition("[")[0] for line in lines} == set(NAMES)
    assert {line[-1] for line in lines} <= {"ok", "short"}


def test_another_name_is_refused():
    with pytest.raises(ConfigError, match=r"'encode'.*encode_ridge"):
        measure("encode", size="small", device="cpu")
    done = CliRunner().invoke(main, ["encode"])
    assert done.exit_code == 2
    assert "encode_ridge" in done.output


def test_a_device_that_a_benchmark_does_not_know_is_refused():
    with pytest.raises(ConfigError, match=r"decode_study does not run on cuda, only on cpu"):
        measure("decode_study", size="small", device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="torch finds no GPU"):
        measure("searchlight", size="small", device="cuda")
