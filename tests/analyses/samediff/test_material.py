"""analyses.samediff.material: refuses leaks, and shows a pair under an augmentation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.samediff.augment import parse_copies
from bids_dnn.errors import LeakageError, MissingInputError, ShapeError
from tests.factories.samediff import material


def test_entries_are_pairs_of_the_part_with_each_copy():
    made = material()
    entries = made.entries("train", 3)
    assert set(made.pairs["split"].iloc[entries[:, 0]]) == {"train"}
    assert np.bincount(entries[:, 1]).tolist() == [len(entries) // 3] * 3
    plain = made.entries("test")
    assert not plain[:, 1].any()
    assert not set(plain[:, 0]) & set(entries[:, 0])


def test_crops_are_the_pictures_of_both_sides():
    made = material()
    first, second = made.sides()
    copies = parse_copies(["invert"])
    a, b = made.crops(5, copies, 0, seed=0)
    np.testing.assert_array_equal(a, made.pictures[first[5]])
    np.testing.assert_array_equal(b, made.pictures[second[5]])
    a, _ = made.crops(5, copies, 1, seed=0)
    np.testing.assert_array_equal(a, 1 - made.pictures[first[5]])


def test_noise_differs_between_the_sides_of_a_pair_of_the_same():
    made = material()
    copies = parse_copies(["noise"])
    row = int(np.flatnonzero(made.classes("same")[1])[0])
    a, b = made.crops(row, copies, 1, seed=0)
    assert not np.array_equal(a, b)
    again, _ = made.crops(row, copies, 1, seed=0)
    np.testing.assert_array_equal(a, again)
    for options in ({"seed": 1}, {"seed": 0, "epoch": 1}):
        other, _ = made.crops(row, copies, 1, **options)
        assert not np.array_equal(a, other)


def test_a_split_that_leaks_is_refused():
    made = material()
    split = made.pairs["split"].to_numpy().copy()
    split[0] = "test" if split[0] == "train" else "train"
    with pytest.raises(LeakageError, match=r"share 1 exemplars: bike/"):
        replace(made, pairs=made.pairs.assign(split=split))


def test_augmented_copies_on_both_sides_are_refused():
    made = material()
    row = made.pairs.iloc[[0]]
    other = row.assign(split="test" if row["split"].iloc[0] == "train" else "train")
    both = pd.concat([made.pairs, other], ignore_index=True)
    with pytest.raises(LeakageError, match=r"share 1 pairs \(their copies\): bike/"):
        replace(made, pairs=both)


def test_refusals():
    made = material()
    with pytest.raises(MissingInputError, match="lacks split"):
        replace(made, pairs=made.pairs.drop(columns="split"))
    with pytest.raises(ShapeError, match=r"30 exemplars have shape \(29, 8, 8, 3\)"):
        replace(made, pictures=made.pictures[1:])
    with pytest.raises(ShapeError, match=r"to 255; float32 in \[0, 1\]"):
        replace(made, pictures=made.pictures / made.pictures.max() * 255)
    named = (f"{made.exemplars[0]}.old", *made.exemplars[1:])
    with pytest.raises(MissingInputError, match=r"no picture of bike/00.png"):
        replace(made, exemplars=named)
