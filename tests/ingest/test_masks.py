"""ingest.masks: names and spaces of masks."""

from pathlib import Path

import pytest

from bids_dnn.ingest.masks import find_masks, name_of_mask
from bids_dnn.ingest.match import Found
from bids_dnn.ingest.records import Subject

KIND = {"suffix": "mask", "extension": ".nii.gz"}


def mask(name, **entities):
    return Found(Path(name), {**KIND, **entities})


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        ({"label": "FFA", "desc": "loc"}, "FFA"),
        ({"desc": "brain"}, "brain"),
        ({"label": "V1+V2"}, "V1V2"),
        ({"hemi": "R", "label": "V1"}, "RV1"),
        ({}, ""),
    ],
)
def test_names_hold_letters_and_digits(entities, expected):
    assert name_of_mask(mask("x", **entities)) == expected


def test_one_mask_for_each_name_and_space():
    own = {"subject": "01", "space": "T1w"}
    files = [
        mask("group", label="FFA", space="T1w"),
        mask("anat", label="FFA", datatype="anat", **own),
        mask("other task", label="FFA", task="rest", **own),
        mask("other participant", label="V1", subject="02", space="T1w"),
        mask("run 2", desc="brain", task="x", run="02", **own),
        mask("run 1", desc="brain", task="x", run="01", **own),
        mask("native", desc="brain", task="x", subject="01", datatype="func"),
        mask("tpl-MNI_label-V4_mask.nii.gz", label="V4"),
        mask("no space", label="LOC"),
    ]
    subject, notes = find_masks(Subject("01", "fmriprep", "x", "T1w"), {"d": files}, {})
    assert [(m.name, m.space, str(m.path)) for m in subject.masks] == [
        ("FFA", "T1w", "anat"),
        ("V4", "MNI", "tpl-MNI_label-V4_mask.nii.gz"),
        ("brain", "T1w", "run 1"),
    ]
    assert notes == ["no space of d was left out: its name says no space."]


def test_anatomical_masks_without_space_lie_in_t1w():
    files = [mask("x", label="V1", subject="01", datatype="anat")]
    subject, _ = find_masks(Subject("01", "fmriprep", "x", "T1w"), {"d": files}, {})
    assert subject.masks[0].space == "T1w"


def test_hemispheres_of_a_surface_are_masks_of_their_own():
    group = {"extension": ".label.gii"}
    gifti = {**group, "subject": "01", "datatype": "anat"}
    files = [
        mask("left", hemi="L", label="V1", **gifti),
        mask("right", hemi="R", label="V1", space="fsaverage5", **gifti),
        mask("cortex", hemi="L", desc="cortex", **gifti),
        mask("tpl-fsaverage_hemi-L_label-V2_mask.label.gii", hemi="L", label="V2", **group),
    ]
    subject, notes = find_masks(Subject("01", "fmriprep", "x", "fsnative"), {"d": files}, {})
    assert [(m.name, m.space) for m in subject.masks] == [
        ("LV1", "fsnative"),
        ("LV2", "fsaverage"),
        ("RV1", "fsaverage5"),
    ]
    assert notes == []


def test_masks_of_the_native_space_belong_to_it_alone():
    files = [mask("run 1", desc="brain", task="x", subject="01", datatype="func")]
    native, _ = find_masks(Subject("01", "fmriprep", "x", "native"), {"d": files}, {})
    assert [(m.name, m.space) for m in native.masks] == [("brain", "native")]
    other, _ = find_masks(Subject("01", "fmriprep", "x", "T1w"), {"d": files}, {})
    assert other.masks == ()
