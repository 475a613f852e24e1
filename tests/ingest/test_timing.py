"""ingest.timing: repetition time and start from whichever sidecar tells."""

import pytest

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.ingest.match import Found
from bids_dnn.ingest.timing import count_volumes, read_timing
from tests.factories.generations import grayordinates
from tests.factories.trees import write_json

OWN = {"subject": "01", "task": "x", "run": "1"}
SURFACE = {**OWN, "hemi": "L", "space": "fsnative"}


def sidecar(folder, name, value, **entities):
    path = write_json(folder / f"{name}_bold.json", value)
    return Found(path, {"suffix": "bold", "extension": ".json", **OWN, **entities})


def bold(folder, **entities):
    return Found(
        folder / "x_bold.func.gii", {"suffix": "bold", "extension": ".func.gii", **entities}
    )


def test_what_surfaces_do_not_tell_comes_from_other_spaces(tmp_path):
    made = [
        sidecar(tmp_path, "surface", {"RepetitionTime": 1.5}, hemi="L", space="fsnative"),
        sidecar(tmp_path, "volume", {"RepetitionTime": 9, "StartTime": 0.7}, space="T1w"),
        sidecar(tmp_path, "other", {"StartTime": 0.1}, space="T1w", run="2"),
    ]
    found = read_timing(bold(tmp_path, **SURFACE), raw=[], made=made)
    assert (found.t_r_s, found.start_s, found.start_from) == (1.5, 0.7, "StartTime")


@pytest.mark.parametrize(
    ("made", "raw", "expected"),
    [
        ({"StartTime": 0.2}, {"RepetitionTime": 2.0}, (2.0, 0.2)),
        ({"SliceTimingCorrected": True}, {"RepetitionTime": 2.0}, (2.0, 1.0)),
        (
            {"SliceTimingCorrected": False},
            {"RepetitionTime": 2.0, "SliceTiming": [0, 1]},
            (2.0, 0.0),
        ),
        ({}, {"RepetitionTime": 2.0, "SliceTiming": [0, 1]}, (2.0, 1.0)),  # fMRIPrep 1.4
        ({}, {"RepetitionTime": 2.0}, (2.0, 0.0)),
        ({}, {}, (0.0, 0.0)),
    ],
)
def test_start_and_repetition_time(tmp_path, made, raw, expected):
    own = [sidecar(tmp_path, "made", made, hemi="L", space="fsnative")]
    original = [sidecar(tmp_path, "raw", raw)]
    found = read_timing(bold(tmp_path, **SURFACE), raw=original, made=own)
    assert (found.t_r_s, found.start_s) == expected


def test_cifti_tells_its_repetition_time_itself(tmp_path, rng):
    path = tmp_path / "x_space-fsLR_bold.dtseries.nii"
    imaging.write_cifti_series(path, rng.normal(size=(4, 7)), grayordinates(), t_r_s=0.8)
    found = Found(path, {"suffix": "bold", "extension": ".dtseries.nii", "space": "fsLR"})
    assert read_timing(found, raw=[], made=[]).t_r_s == pytest.approx(0.8)
    assert count_volumes(path) == (4, "")


def test_damaged_and_absent_sidecars_are_named(tmp_path):
    found = sidecar(tmp_path, "own", {})
    found.path.write_text("[1]")
    with pytest.raises(UnreadableError, match=r"own_bold\.json is no JSON object"):
        read_timing(bold(tmp_path, **SURFACE), raw=[], made=[found])
    found.path.unlink()
    found.path.symlink_to("/annex/objects/x")
    with pytest.raises(MissingInputError, match=r"datalad get .*own_bold\.json"):
        read_timing(bold(tmp_path, **SURFACE), raw=[], made=[found])


def test_volumes_are_counted_or_it_is_said_why_not(tmp_path, rng):
    path = tmp_path / "x_bold.func.gii"
    imaging.write_vertex_series(path, rng.normal(size=(6, 5)), "L", t_r_s=2.0)
    assert count_volumes(path) == (6, "")
    path.write_text("no XML")
    n_volumes, why = count_volumes(path)
    assert n_volumes == 0
    assert "x_bold.func.gii cannot be read" in why
