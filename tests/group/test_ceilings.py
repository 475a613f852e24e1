"""group.ceilings: rows from what participants left, what is missing, refusals."""

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.rdm import Rdm
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.group.ceilings import Left, group_ceilings
from bids_dnn.group.people import ALONE
from bids_dnn.stats.loo_ceiling import loo_ceiling

LABELS = ("01", "02", "03", "04")
STIMULI = [f"s{k:02}" for k in range(20)]


def make_profiles(rng, *, labels=LABELS, regions=("V1", "noise")):
    signal = rng.normal(size=20)
    made = {}
    for label in labels:
        parts = []
        for region in regions:
            response = rng.normal(size=20) + (signal if region == "V1" else 0)
            told = {"region": region, "stimulus": STIMULI, "response": response}
            parts.append(pd.DataFrame(told))
        made[label] = pd.concat(parts, ignore_index=True)
    return made


def make_rdms(rng, *, labels=LABELS, conditions=("a", "b", "c", "d", "e")):
    n = len(conditions) * (len(conditions) - 1) // 2
    return {
        label: {"V1": Rdm(rng.uniform(size=n), tuple(conditions), "correlation")}
        for label in labels
    }


def make_own(labels=LABELS):
    rows = {"region": ["V1", "V1"], "method": ["ncsnr", "split-half"]}
    return {label: pd.DataFrame(rows | {"ceiling": [0.5 + k / 10, np.nan]})
            for k, label in enumerate(labels)}  # fmt: skip


def test_rows_are_those_of_the_bounds(rng):
    profiles, rdms = make_profiles(rng), make_rdms(rng)
    made = group_ceilings(Left(profiles, rdms, make_own(), (*LABELS, "09")))
    table = made.table.set_index(["kind", "region"])
    assert list(table.index) == [("encoding", "V1"), ("encoding", "noise"), ("rsa", "V1")]
    own = np.array([one.loc[one["region"] == "V1", "response"] for one in profiles.values()])
    expected = loo_ceiling(own)
    row = table.loc[("encoding", "V1")]
    assert (row["lower"], row["upper"]) == (expected.lower, expected.upper)
    assert (row["lower_ci_low"], row["lower_ci_high"]) == expected.lower_interval
    assert (row["n_participants"], row["n_items"], row["missing"]) == (4, 20, "09")
    np.testing.assert_allclose(row["own_ncsnr"], 0.65)
    assert np.isnan(row["own_split_half"])
    expected = loo_ceiling(np.array([one["V1"].values for one in rdms.values()]), is_ranked=True)
    row = table.loc[("rsa", "V1")]
    assert (row["lower"], row["upper"]) == (expected.lower, expected.upper)
    assert (row["n_items"], row["metric"]) == (5, "pearson of ranks")
    assert np.isnan(row["own_ncsnr"])
    singles = made.extras["participants"]
    assert len(singles) == 3 * 4
    means = singles.groupby(["kind", "region"])["with_others"].mean()
    np.testing.assert_allclose(means.loc[table.index], table["lower"])
    assert made.meta["missing_participants"] == ["09"]
    assert made.meta["warnings"] == []


def test_the_order_of_participants_stimuli_and_conditions_does_not_matter(rng):
    profiles, rdms = make_profiles(rng), make_rdms(rng)
    turned = {label: profiles[label].iloc[::-1] for label in LABELS[::-1]}
    order = [3, 1, 4, 0, 2]
    mixed = {}
    for label in LABELS[::-1]:
        rdm = rdms[label]["V1"]
        values = rdm.matrix()[np.ix_(order, order)][np.triu_indices(5, k=1)]
        mixed[label] = {"V1": Rdm(values, tuple(rdm.stimuli[k] for k in order), rdm.method)}
    keys = ["kind", "region"]
    one, other = (
        group_ceilings(Left(*left)).table.set_index(keys)
        for left in ((profiles, rdms), (turned, mixed))
    )
    pd.testing.assert_frame_equal(other.loc[one.index], one)


def test_what_somebody_lacks_is_named_and_left_out_of_all(rng):
    profiles = make_profiles(rng)
    short = profiles | {"02": profiles["02"].iloc[4:20]}  # no stimulus s00 to s03, no noise
    made = group_ceilings(Left(short, make_rdms(rng, labels=LABELS[1:])))
    table = made.table.set_index(["kind", "region"])
    row = table.loc[("encoding", "V1")]
    assert (row["n_items"], row["n_items_any"], row["missing"]) == (16, 20, "")
    fewer = {label: one[~one["stimulus"].isin(STIMULI[:4])] for label, one in profiles.items()}
    assert row["lower"] == group_ceilings(Left(fewer)).table["lower"].iloc[0]
    assert table.loc[("encoding", "noise"), "missing"] == "02"
    assert table.loc[("rsa", "V1"), "missing"] == "01"
    assert made.meta["missing_items"] == {"encoding": {"02": STIMULI[:4]}}
    (said,) = made.meta["warnings"]
    assert "sub-02 lacks 4 of 20 stimuli (s00, s01, s02, ...)" in said


def test_too_few_have_none_and_it_is_said(rng):
    alone = group_ceilings(Left(make_profiles(rng, labels=("01",)), expected=("01", "02")))
    assert alone.table[["lower", "upper", "lower_ci_low"]].isna().all(axis=None)
    assert set(alone.table["missing"]) == {"02"}
    assert alone.meta["warnings"] == [ALONE]  # once, not for each region
    for names in (("a", "b"), ("a", "b", "c")):
        made = group_ceilings(Left(rdms=make_rdms(rng, conditions=names)))
        assert made.table["lower"].isna().all()
        (said,) = made.meta["warnings"]
        assert f"its 4 participants share {len(names)} conditions, and 4 are needed" in said
    made = group_ceilings(Left(rdms=make_rdms(rng, conditions=("a", "b", "c", "d"))))
    assert made.table["lower"].notna().all()
    apart = make_profiles(rng, labels=("01", "02"), regions=("V1",))
    apart["02"] = apart["02"].assign(stimulus=[f"t{k}" for k in range(20)])
    made = group_ceilings(Left(apart))
    assert made.table["n_items"].tolist() == [0]
    assert "its 2 participants share 0 stimuli" in made.meta["warnings"][-1]


def test_who_is_flat_is_named(rng):
    profiles = make_profiles(rng, regions=("V1",))
    made = group_ceilings(Left(profiles | {"03": profiles["03"].assign(response=1.0)}))
    assert made.table["missing"].tolist() == ["03"]
    assert "sub-03 left out of V1, where nothing varies" in made.meta["warnings"][0]
    without = group_ceilings(Left({k: v for k, v in profiles.items() if k != "03"}))
    assert made.table["lower"].tolist() == without.table["lower"].tolist()


def test_nothing_is_refused():
    with pytest.raises(NotEnoughDataError, match="None of the 2 participants"):
        group_ceilings(Left(expected=("01", "02")))
    empty = make_profiles(np.random.default_rng(0), labels=("01",))["01"].iloc[:0]
    with pytest.raises(NotEnoughDataError, match="None of the 2 participants"):
        group_ceilings(Left({"01": empty, "02": empty}, {"01": {}}, expected=("01", "02")))
