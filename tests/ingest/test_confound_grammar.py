"""ingest.confound_grammar: tokens name columns."""

import pytest

from bids_dnn.errors import ConfigError, MissingInputError
from bids_dnn.ingest.confound_grammar import FIXED, TOKENS, columns, listed, needs_json, parse


def test_sizes_are_what_their_names_say():
    for token, names in FIXED.items():
        assert len(names) == int(token.partition("-")[0])
        assert len(set(names)) == len(names)


def test_larger_sizes_hold_the_smaller_ones():
    for family, sizes in {"HMP": (6, 12, 24), "GS": (1, 2, 4), "Phys": (2, 4, 8)}.items():
        first, second, third = (set(FIXED[f"{size}-{family}"]) for size in sizes)
        assert first < second < third


def test_a_token_twice_is_taken_once():
    assert parse("6-HMP_cosine_6-HMP") == ("6-HMP", "cosine")
    there = [*FIXED["24-HMP"], "cosine00"]
    names, notes = columns(("6-HMP", "24-HMP", "cosine"), there, {}, table="t.tsv")
    assert sorted(names) == sorted(there)
    assert notes == ()


def test_every_token_stands_alone_and_beside_others():
    for token in TOKENS:
        assert parse(token) == (token,)
        if token != "Null":  # noqa: S105 a word of the grammar
            assert parse(f"{token}_1-GS")[0] == token


def test_the_description_is_needed_for_components_alone():
    assert needs_json(parse("6-HMP_50-aCompCor"))
    assert not needs_json(parse("24-HMP_8-Phys_SpikeReg_cosine"))


def test_dropped_components_and_other_methods_are_not_taken():
    about = {
        "c_comp_cor_00": {"Method": "aCompCor", "Mask": "CSF", "Retained": True},
        "c_comp_cor_01": {"Method": "aCompCor", "Mask": "CSF", "Retained": False},
        "dropped_7": {"Method": "aCompCor", "Mask": "CSF"},
        "t_comp_cor_00": {"Method": "tCompCor", "Retained": True},
        "a_comp_cor_00": {"Method": "aCompCor", "Mask": "combined", "Retained": True},
        "w_comp_cor_00": {"Method": "aCompCor", "Mask": "WM", "Retained": True},
        "note": "text",
    }
    names, _ = columns(("50-aCompCor",), list(about), about, table="t.tsv")
    assert names == ("c_comp_cor_00", "w_comp_cor_00")


def test_half_of_the_variance_is_half_where_the_table_holds_all_components():
    described = {
        f"{start}_comp_cor_{k:02d}": {
            "Method": "aCompCor",
            "Mask": mask,
            "Retained": True,
            "VarianceExplained": share,
            "CumulativeVarianceExplained": share * (k + 1),
        }
        for start, mask, share in (("c", "CSF", 0.2), ("w", "WM", 0.25))
        for k in range(4)
    }
    names, notes = columns(["50-aCompCor"], list(described), described, table="t.tsv")
    kept = [f"c_comp_cor_{k:02d}" for k in range(3)] + [f"w_comp_cor_{k:02d}" for k in range(2)]
    assert (list(names), notes) == (kept, ())


def test_all_that_is_missing_is_named():
    with pytest.raises(
        MissingInputError, match=r"t\.tsv lacks 4 columns that .* needs: "
    ) as raised:
        columns(("6-HMP", "cosine"), ["trans_x", "trans_y", "trans_z"], {}, table="t.tsv")
    for name in ("rot_x", "rot_y", "rot_z", "cosineXX", "There are: trans_x, trans_y, trans_z."):
        assert name in str(raised.value)


def test_the_nearest_of_all_names_is_offered_for_a_single_word():
    with pytest.raises(ConfigError, match=r"Did you mean 'scrubbing'"):
        parse("scrub", strategies=("simple", "scrubbing"))


def test_columns_that_differ_in_number_are_listed_once():
    assert listed(["cosine00", "cosine01", "csf"]) == "cosineXX, csf"
    assert listed([]) == "none"
    assert listed([f"{i}x" for i in range(50)]).endswith("and 10 more")
