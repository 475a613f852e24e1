"""rois.grammar: rules are read, written and named; wrong ones are pointed at."""

import re
from pathlib import Path

import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.rois.grammar import (
    Join,
    Term,
    columns,
    fill,
    from_json,
    is_path,
    name_of,
    parse,
    split_space,
    terms,
    to_json,
)
from bids_dnn.rois.rule import KINDS

A, B, C = (Term("mask", letter) for letter in "abc")
ARGUMENTS = {
    "mask": ["V1", "left V1", "a-b", "x - y", "G&S"],
    "benson": ["V1@0-2deg", "V1-V3@4-8deg", "V1@(-4.95,4.95)r1deg"],
    "file": [
        "/rois/V1.nii.gz@T1w",
        "rois/my, own (2).nii",
        "{hemi}.V1.label",
        "(a).nii",
        "mask:/a.nii",
    ],
    "sphere": ["(40,-50,-20)r6mm"],
    "atlas": ["parcels:FFA", "Glasser:L_V1_ROI+L_V2_ROI"],
    "localizer": ["faces>objects+scenes", "/loc/spmT_0001.nii@T1w"],
    "aparc.a2009s": ["G_oc-temp_lat-fusifor"],
}


def random_rule(rng, depth):
    if depth and rng.random() < 0.6:
        operator = ["|", "&", "-"][rng.integers(3)]
        return Join(operator, random_rule(rng, depth - 1), random_rule(rng, depth - 1))
    kind = list(ARGUMENTS)[rng.integers(len(ARGUMENTS))]
    options = {"hemi": "LR"[rng.integers(2)]} if rng.random() < 0.4 else {}
    if kind == "localizer":
        options |= {"top": "200", "task": "loc"}
        if depth and rng.random() < 0.5:
            options["within"] = str(random_rule(rng, depth - 1))
    return Term(kind, ARGUMENTS[kind][rng.integers(len(ARGUMENTS[kind]))], options)


def test_what_is_written_is_read_to_the_same(rng):
    for _ in range(400):
        rule = random_rule(rng, 3)
        assert parse(str(rule)) == rule
        assert from_json(to_json(rule)) == rule


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mask:a", A),
        ("  ((mask:a)) ", A),
        ("mask:a | mask:b & mask:c", Join("|", A, Join("&", B, C))),
        ("mask:a & mask:b | mask:c", Join("|", Join("&", A, B), C)),
        ("mask:a - mask:b - mask:c", Join("-", Join("-", A, B), C)),
        ("mask:a - (mask:b - mask:c)", Join("-", A, Join("-", B, C))),
        ("(mask:a | mask:b) & mask:c", Join("&", Join("|", A, B), C)),
        ("mask:a\n| mask:b", Join("|", A, B)),
        ("/x/sub-01_V1.nii.gz@T1w", Term("file", "/x/sub-01_V1.nii.gz@T1w")),
        ("benson:V1@(4.95,4.95)r1deg", Term("benson", "V1@(4.95,4.95)r1deg")),
        ('"/x/a - b, c.nii", hemi=L', Term("file", "/x/a - b, c.nii", {"hemi": "L"})),
        (
            "localizer:faces>objects, task=loc, within=atlas:parcels:FFA, top=200",
            Term(
                "localizer",
                "faces>objects",
                {"task": "loc", "within": "atlas:parcels:FFA", "top": "200"},
            ),
        ),
    ],
)
def test_rules_are_read(text, expected):
    assert parse(text) == expected


def test_terms_come_from_left_to_right_with_those_within():
    rule = parse("mask:a - localizer:x>y, within=(mask:b | mask:c), top=5 | mask:d")
    assert [t.argument for t in terms(rule)] == ["a", "x>y", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", 0, "a term was expected"),
        ("mask:a |", 8, "a term was expected"),
        ("mask:a | | mask:b", 9, "a term was expected"),
        ("()", 1, "a term was expected"),
        ("mask:", 5, "nothing follows mask:"),
        ('mask:""', 7, "nothing follows mask:"),
        ("V1", 0, r"'V1' has no kind. Write mask:V1"),
        ("mask:a | bensn:V1", 9, r"'bensn' is no kind. Did you mean 'benson'"),
        ("mask:a|mask:b", 6, "an operator with blanks"),
        ("mask:a mask:b", 6, "an operator with blanks"),
        ("(mask:a) mask:b", 9, "an operator was expected"),
        ("(mask:a | (mask:b)", 0, "a parenthesis is not closed"),
        ("mask:a)", 6, "a closing parenthesis has no opening one"),
        ('mask:"a', 0, "a quotation mark is not closed"),
        ("mask:a, hemi=X", 8, "hemi has the value 'X'. Give L or R"),
        ("mask:a, top=5", 8, "'top' is no option of mask. There are: hemi"),
        ("localizer:a>b, tsk=loc", 15, "'tsk' is no option of localizer. Did you mean 'task'"),
        ("localizer:a>b, top=0", 15, "top has the value '0'. Give a number of units"),
        ("localizer:a>b, fdr=5", 15, "fdr has the value '5'. Give a rate between 0 and 1"),
        ("localizer:a>b, within=foo:a", 22, "within cannot be read"),
        ("mask:a, 3", 8, "an option KEY=VALUE was expected"),
        ("mask:a, hemi=L, hemi=R", 16, "the option 'hemi' stands twice"),
    ],
)
def test_wrong_rules_are_pointed_at(text, place, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parse(text)
    _, shown, caret = caught.value.what.splitlines()
    assert (shown[2:], caret.index("^") - 2) == (text, place)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("benson:V1", "V1"),
        ("benson:V1@0-2deg", "V1at0to2deg"),
        ("benson:V1-V3@4-8deg", "V1toV3at4to8deg"),
        ("benson:V1@(4.95,4.95)r1deg", "V1at4p95x4p95r1deg"),
        ("benson:V1@(-4.95,-4.95)r1.5deg", "V1atm4p95xm4p95r1p5deg"),
        ("sphere:(40,-50,-20)r6mm", "sphere40xm50xm20r6mm"),
        ("aparc:fusiform, hemi=L", "Lfusiform"),
        ("atlas:parcels:FFA+OFA", "FFAOFA"),
        ("annot:PALS:Visual-V1", "VisualV1"),
        ("localizer:faces>objects+scenes, top=200", "facesvsobjectsscenestop200"),
        ("localizer:/a/spmT_0001.nii@T1w, z=3.1", "spmT0001z3p1"),
        ("/a/sub-01_hemi-L_space-T1w_label-FFA_mask.nii.gz", "LFFA"),
        ("/a/lh.V1.label", "V1"),
        ("{hemi}.V1_exvivo.label", "V1exvivo"),
        ("benson:V1 | benson:V2 - mask:x", "V1orV2notx"),
    ],
)
def test_automatic_names_hold_letters_and_digits(text, name):
    assert name_of(text) == name
    assert name.isalnum()


def test_a_rule_without_letters_must_be_named():
    with pytest.raises(ConfigError, match=r"'mask:___' has no letter.*--roi NAME=mask:___"):
        name_of("mask:___")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a/b.nii@T1w", ("/a/b.nii", "T1w")),
        ("/me@home/b.nii", ("/me@home/b.nii", "")),
        ("b.nii", ("b.nii", "")),
    ],
)
def test_spaces_are_split_off_at_the_last_sign(text, expected):
    assert split_space(text) == expected


@pytest.mark.parametrize(
    ("text", "is_one"), [("a/b", True), ("b.nii.gz@T1w", True), ("faces>objects", False)]
)
def test_paths_are_told_from_words(text, is_one):
    assert is_path(text) is is_one


def test_columns_of_participants_are_filled_in():
    rule = parse("benson:V1@({x},{y})r1deg | {hemi}.{roi}.label & benson:V2@({x},{y})r1deg")
    assert columns(rule) == ("x", "y", "roi")
    row = {"participant_id": "sub-01", "x": "-4.95", "y": "4.95", "roi": "FFA"}
    assert str(fill(rule, row)) == (
        "benson:V1@(-4.95,4.95)r1deg | {hemi}.FFA.label & benson:V2@(-4.95,4.95)r1deg"
    )
    with pytest.raises(ConfigError, match=r"takes \{y\} from participants.tsv.*no value there"):
        fill(rule, row | {"y": "n/a"})
    with pytest.raises(ConfigError, match=r"'roi' is no column.*'rois'"):
        fill(rule, {"x": "1", "y": "2", "rois": "FFA"})


def documented():
    text = (Path(__file__).parents[2] / "docs" / "regions.md").read_text(encoding="utf-8")
    rows = [line.replace("\\|", "\0").split("|") for line in text.splitlines() if line[:1] == "|"]
    # the example stands behind the kind of term, the option, or the operator
    examples = [
        row[3] if row[2].strip() in ("all", "`localizer`", "`atlas`") else row[2] for row in rows
    ]
    return [one.replace("\0", "|") for cell in examples for one in re.findall("`([^`]+)`", cell)]


def test_the_documented_table_is_the_grammar():
    rules = [parse(text) for text in documented()]
    kinds = {term.kind for rule in rules for term in terms(rule)}
    options = {(t.kind, key) for rule in rules for t in terms(rule) for key in t.options}
    assert kinds == set(KINDS)
    assert len(rules) > 25
    assert {key for _, key in options} >= set(KINDS["localizer"]) | {"desc"}
