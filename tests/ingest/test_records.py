"""ingest.records: plain values and their JSON."""

import json
from pathlib import Path

import pytest

from bids_dnn.ingest.records import Inventory, MaskFile, Run, Subject

RUN = Run("a", "ax01", Path("b.nii.gz"), None, Path("e.tsv"), None, 2.0, 1.0, 100, "half of TR")


@pytest.mark.parametrize(
    "subject",
    [
        Subject("01", "fmriprep", "x", "T1w", (RUN,), None, (MaskFile("V1", Path("m"), "T1w"),)),
        Subject("02", "spm", "x", "SPM", spm=Path("glm/SPM.mat"), anat=Path("t1.nii")),
    ],
)
def test_json_and_back(subject):
    assert Subject.from_json(json.loads(json.dumps(subject.to_json()))) == subject


def test_inputs_are_sorted_and_unique():
    subject = Subject("01", "fmriprep", "x", "T1w", (RUN, RUN))
    assert subject.inputs() == (Path("b.nii.gz"), Path("e.tsv"))


def test_masks_alone_do_not_count_as_inputs():
    mask = MaskFile("V1", Path("m.nii"), "T1w")
    assert Subject("01", "fmriprep", "x", "T1w", masks=(mask,)).inputs() == ()


def test_lines_name_masks_of_other_spaces():
    masks = (MaskFile("V1", Path("a"), "T1w"), MaskFile("V2", Path("b"), "MNI"))
    subject = Subject("01", "fmriprep", "x", "T1w", (RUN,), masks=masks)
    lines = Inventory(Path("d"), {"fmriprep": Path("p")}, (subject,), ("A note.",)).describe()
    assert lines == [
        "BIDS data set: d",
        "derivatives fmriprep: p",
        "sub-01 task-x: fMRIPrep, 1 sessions, 1 runs, 100 volumes, events for 1 runs; "
        "1 masks in T1w: V1 (further masks in MNI)",
        "note: A note.",
    ]
