"""ingest.volumes: names of runs, on bare entities."""

from pathlib import Path

import pytest

from bids_dnn.errors import UnreadableError
from bids_dnn.ingest.choose import Request
from bids_dnn.ingest.match import Found
from bids_dnn.ingest.runs import match_runs

KIND = {"subject": "01", "suffix": "bold", "extension": ".nii.gz", "desc": "preproc"}


def bold(folder, **entities):
    name = "_".join(f"{k}-{v}" for k, v in entities.items())
    return Found(folder / f"{name}_bold.nii.gz", {**KIND, "task": "x", "space": "T1w", **entities})


def names(found):
    request = Request(root=Path("prep"), participants=("01",), explicit=True)
    return [run.run for run in match_runs(request, [], found).subjects[0].runs]


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        ([{}], ["01"]),
        ([{"run": "10"}, {"run": "9"}], ["9", "10"]),
        ([{"session": "b"}, {"session": "a"}], ["ax01", "bx01"]),
        ([{"direction": "AP"}, {"direction": "PA"}], ["APx01", "PAx01"]),
        ([{"run": "01"}, {"run": "01", "acquisition": "fast"}], ["01", "fastx01"]),
    ],
)
def test_each_run_has_its_own_name(tmp_path, entities, expected):
    assert sorted(names([bold(tmp_path, **e) for e in entities])) == sorted(expected)


def test_echoes_and_native_volumes_are_left_aside(tmp_path):
    found = [bold(tmp_path), bold(tmp_path, echo="1"), bold(tmp_path, space="")]
    assert names(found) == ["01"]


def test_damaged_sidecar_is_named(tmp_path):
    sidecar = tmp_path / "x_bold.json"
    sidecar.write_text("{")
    found = [bold(tmp_path), Found(sidecar, {"task": "x", "suffix": "bold", "extension": ".json"})]
    with pytest.raises(UnreadableError, match=r"x_bold\.json is no JSON object"):
        names(found)
