"""ingest.choose: which BOLD there is, and in which space; on bare entities."""

from pathlib import Path

import pytest

from bids_dnn.errors import ConfigError, MissingInputError
from bids_dnn.ingest.choose import Request, ask, choose_space, describe_spaces, find_bold, space_of
from bids_dnn.ingest.match import Found

ENDS = {"volume": ".nii.gz", "surface": ".func.gii", "cifti": ".dtseries.nii"}


def bold(kind="volume", **entities):
    suffix = {"subject": "01", "task": "x", "suffix": "bold", "extension": ENDS[kind]}
    suffix |= {"desc": "preproc"} if kind == "volume" else {}
    name = "_".join(f"{k}-{v}" for k, v in entities.items())
    return Found(Path(f"{name}_bold{ENDS[kind]}"), {**suffix, **entities})


def request(**more):
    return Request(root=Path("prep"), participants=("01", "02"), explicit=False, **more)


def test_space_of_names_without_one():
    assert space_of(bold()) == "native"
    assert space_of(bold("surface", hemi="L")) == "fsnative"
    assert space_of(bold("cifti")) == "grayordinates"
    assert space_of(bold(space="T1w")) == "T1w"


def test_only_what_is_preprocessed_is_found():
    there = [
        bold(space="T1w"),
        bold("surface", hemi="L", space="fsnative"),
        bold("surface", hemi="L", space="fsaverage5", suffix=""),  # fMRIPrep 1.4
        bold("cifti", space="fsLR"),
    ]
    others = [
        bold(space="T1w", desc="smoothAROMAnonaggr"),
        bold(space="T1w", suffix="boldref"),
        bold(space="T1w", subject="03"),
        bold("surface", hemi="L", space="fsnative", desc="denoised"),
    ]
    found, notes = find_bold(request(), [*there, *others])
    assert found == there
    assert notes == []


def test_filters_may_ask_for_other_files():
    filters = {"bold": {"desc": ("smoothAROMAnonaggr",)}}
    wanted = bold(space="T1w", desc="smoothAROMAnonaggr")
    found, _ = find_bold(request(filters=filters), [wanted, bold(space="T1w"), bold("cifti")])
    assert found == [wanted]
    filters = {"bold": {"desc": ("preproc",), "suffix": ("bold",)}}
    there = [bold(space="T1w"), bold("surface", hemi="L", suffix="")]
    assert find_bold(request(filters=filters), there)[0] == there
    filters = {"bold": {"extension": (".nii.gz",), "desc": ("preproc",)}}
    assert find_bold(request(filters=filters), there)[0] == there[:1]
    filters = {"bold": {"echo": ("2",)}}
    there = [bold(space="T1w"), bold(space="T1w", echo="1"), bold(space="T1w", echo="2")]
    assert find_bold(request(filters=filters), there) == ([there[2]], [])


def test_a_space_that_everyone_has_goes_before_a_preferred_one():
    bolds = [
        bold(space="T1w"),
        bold("surface", space="fsaverage", hemi="L"),
        bold("surface", space="fsaverage", hemi="L", subject="02"),
    ]
    assert choose_space(request(), bolds).space == "fsaverage"
    assert choose_space(request(), bolds[:2]).space == "T1w"


def test_one_space_needs_no_note():
    assert choose_space(request(), [bold(space="T1w")]).note == ""


def test_asked_space_keeps_its_images():
    bolds = [bold(space="T1w", res=res) for res in "12"]
    choice = choose_space(request(space="T1w:res-2"), bolds)
    assert choice.keep([*bolds, bold(space="MNI", res="2")]) == [bolds[1]]


@pytest.mark.parametrize(
    ("space", "error", "expected"),
    [
        ("PNC", MissingInputError, r"in T1w:res-1, T1w:res-2 \(volumes\)\. Use --space T1w"),
        ("T1w:res-3", MissingInputError, r"with res-3; there are: res-1, res-2\. Use .*T1w:res-1"),
        ("T1w:resolution-2", ConfigError, r"'resolution-2' is not one of res-2"),
        ("T1w:res", ConfigError, r"'res' is not one of"),
    ],
)
def test_what_is_not_there_is_refused(space, error, expected):
    bolds = [bold(space="T1w", res=res) for res in "12"]
    with pytest.raises(error, match=expected):
        choose_space(request(space=space), bolds)


def test_runs_are_asked_for_by_number():
    bolds = [bold(space="T1w", run=run) for run in ("01", "02", "10")]
    assert ask(request(runs=("1", "10")), bolds) == [bolds[0], bolds[2]]
    with pytest.raises(MissingInputError, match=r"no run '3'.*01, 02, 10"):
        ask(request(runs=("3",)), bolds)


def test_spaces_are_described_as_they_are_typed():
    bolds = [
        bold("cifti", space="fsLR", den="91k"),
        bold("cifti", space="fsLR", den="170k"),
        bold("surface", space="fsnative", hemi="L"),
        bold(),
        bold(space="MNI152NLin6Asym", res="2"),
    ]
    assert describe_spaces(bolds) == (
        "MNI152NLin6Asym:res-2, native (volumes); fsnative (surfaces); "
        "fsLR:den-170k, fsLR:den-91k (CIFTI)"
    )
