"""analyses.samediff.fit: what can be learnt is learnt on other exemplars, what cannot is not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.samediff.choices import Choices
from bids_dnn.analyses.samediff.fit import same_different
from bids_dnn.analyses.samediff.material import Material
from bids_dnn.analyses.samediff.pairs import draw_pairs
from bids_dnn.analyses.samediff.split import deal_exemplars
from bids_dnn.errors import ConfigError, NotEnoughDataError
from tests.factories.samediff import corners, draw, exemplars, maps, material

QUICK = Choices(n_epochs=20, rate=0.05)


def whole(result):
    return result.table.iloc[0]


@pytest.fixture(scope="module")
def seen():
    made = material(orientations=("normal", "inverted"))
    return made, same_different(made, corners(), QUICK, left_out=made.pairs.iloc[:2])


def test_sameness_is_learnt_where_the_network_sees_it(seen):
    _, result = seen
    rows = result.table.set_index(["orientation", "category"])
    normal = rows.loc[("normal", "all")]
    assert normal["accuracy"] > 0.9
    assert normal["ci_low"] > normal["chance"] == pytest.approx(0.5)
    assert normal["p"] < 0.001
    assert normal["p_floor"] <= normal["p"]
    # The corners that it compares are empty in the other orientation: one answer to all.
    assert rows.loc[("inverted", "all"), "accuracy"] == 0.5
    assert rows.loc[("inverted", "all"), "p"] == pytest.approx(1)


def test_the_table_has_a_row_for_each_orientation_and_category(seen):
    made, result = seen
    table = result.table
    ways = ["both", "normal", "inverted"]
    assert table[["orientation", "category"]].apply(tuple, axis=1).tolist() == [
        (way, category) for way in ways for category in ("all", "bike", "face")
    ]
    test = made.pairs[made.pairs["split"] == "test"]
    assert whole(result)["n_shown"] == len(test)
    assert whole(result)["n_pairs"] == test["pair"].nunique() == len(test) / 2
    assert (table["p_corrected"] >= table["p"]).all()


def test_extras_tell_of_every_pair(seen):
    made, result = seen
    pairs, confusion = result.extras["pairs"], result.extras["confusion"]
    assert len(pairs) == len(made.pairs)
    tested = pairs[pairs["split"] == "test"]
    is_right = tested["guess"] == tested["label"]
    assert is_right.mean() == pytest.approx(whole(result)["accuracy"])
    on_diagonal = confusion[confusion["truth"] == confusion["guess"]]["count"].sum()
    assert on_diagonal / confusion["count"].sum() == pytest.approx(is_right.mean())
    top = result.extras["top_losses"]
    assert top["loss"].tolist() == sorted(tested["loss"], reverse=True)[: len(top)]
    assert len(top) == 15
    curves = result.extras["curves"]
    assert curves["epoch"].max() == QUICK.n_epochs
    assert set(curves["split"]) == {"train", "validation"}
    last = curves[(curves["split"] == "validation") & (curves["epoch"] == QUICK.n_epochs)]
    held = pairs[pairs["split"] == "validation"]
    assert last["loss"].iloc[0] == pytest.approx(held["loss"].mean())
    assert len(result.extras["left_out"]) == result.meta["n_left_out"] == 2


def test_each_column_is_described(seen):
    _, result = seen
    for name, table in result.extras.items():
        known = result.columns | result.extra_columns.get(name, {})
        assert set(table.columns) <= set(known), name


def test_the_sidecar_tells_how(seen):
    _, result = seen
    told = result.meta["variants"]["frozen"]
    assert told["features"] == "input of head"
    assert told["n_learnt"] == 2 * 3 + 2
    assert told["n_frozen"] == 0
    assert told["rate"] == QUICK.rate
    assert result.meta["n_exemplars"] == {"test": 12, "train": 12, "validation": 6}
    assert result.meta["n_pairs"]["test same"] == 12
    assert result.meta["copies"] == ["plain"]


def test_same_seed_same_tables_also_where_noise_is_drawn_anew():
    asked = Choices(n_epochs=3, augment=("noise",), redraws=True, seed=2)
    first, second = (same_different(material(), corners(), asked) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    for name, table in first.extras.items():
        pd.testing.assert_frame_equal(table, second.extras[name], check_exact=True)
    other = same_different(material(), corners(), Choices(n_epochs=3, augment=("noise",), seed=2))
    assert not other.extras["curves"].equals(first.extras["curves"])


def test_a_network_that_knows_colors_only_stays_at_chance():
    few = Choices(n_epochs=5, rate=0.05)
    made = [same_different(material(seed), corners(compares=False), few) for seed in range(60)]
    accuracy = np.array([whole(one)["accuracy"] for one in made])
    error = accuracy.std(ddof=1) / np.sqrt(len(accuracy))
    assert abs(accuracy.mean() - 0.5) < 4 * error
    p = np.array([whole(one)["p"] for one in made])
    assert (p <= 0.05).sum() <= 11  # of 60: Binomial(60, 0.05) exceeds 11 with p 3e-5


def test_a_sum_over_exemplars_cannot_even_learn_balanced_pairs_by_heart():
    # Each exemplar comes first once and second once under both labels, so that the best weights
    # of features that add up are 0, where the loss is log 2.
    made = material(n=20)
    result = same_different(made, corners(compares=False), Choices(n_epochs=40, rate=0.01))
    curves = result.extras["curves"]
    learnt = curves[curves["split"] == "train"]["loss"]
    assert learnt.min() >= np.log(2) - 1e-6
    unbalanced = material(n=20, validation=0, n_different=40)
    other = same_different(unbalanced, corners(compares=False), Choices(n_epochs=40, rate=0.01))
    curves = other.extras["curves"]
    assert curves[curves["split"] == "train"]["loss"].min() < np.log(2) - 0.01


def test_what_is_searched_is_told():
    result = same_different(material(), corners(), Choices(n_epochs=6, batch_size=0))
    sizes = result.extras["batch_sizes"]
    assert sizes["is_chosen"].sum() == 1
    told = result.meta["variants"]["frozen"]
    assert told["batch_size"] == int(sizes.loc[sizes["is_chosen"], "batch_size"].iloc[0])
    assert told["rate"] in result.extras["rates"]["rate"].to_numpy()


def test_one_orientation_and_no_validation():
    made = material(validation=0)
    result = same_different(made, maps(), Choices(n_epochs=2, rate=0.01))
    assert set(result.table["orientation"]) == {"normal"}
    assert set(result.extras["curves"]["split"]) == {"train"}
    assert "rates" not in result.extras
    with pytest.raises(NotEnoughDataError, match="no pair for that"):
        same_different(made, maps(), Choices(batch_size=0))


def test_a_network_that_reads_is_refused():
    net = corners()
    reader = replace(net, card=replace(net.card, methods={"text": "forward"}))
    with pytest.raises(ConfigError, match="small reads text, no pictures"):
        same_different(material(), reader, QUICK)


def colored(seed=0, *, names=("bike", "car", "female", "male")):
    """Pairs of four categories, each of which has a color of its own."""
    ids, pictures, categories = exemplars(np.random.default_rng(seed), 15, names)
    for name, picture in zip(ids, pictures, strict=True):
        picture[:] = 0.4 * picture + 0.5 * np.eye(4, 3)[names.index(categories[name])]
    parts = deal_exemplars(categories, validation=0.2, test=0.4, seed=seed)
    pairs = draw_pairs(categories, parts, orientations=["normal"], seed=seed)
    return Material(pairs, tuple(ids), pictures.astype(np.float32), draw)


def test_the_category_of_pairs_is_learnt_where_the_network_sees_colors():
    asked = replace(QUICK, answer="category", n_epochs=40)
    result = same_different(colored(), corners(compares=False), asked)
    (row,) = result.table.to_dict("records")
    assert (row["orientation"], row["category"]) == ("normal", "all")
    assert row["accuracy"] > 0.9
    assert row["ci_low"] > row["chance"] == pytest.approx(0.25)
    assert row["p"] == row["p_floor"] == 1e-4
    confusion = result.extras["confusion"]
    assert confusion["truth"].unique().tolist() == ["bike", "car", "female", "male"]
    assert len(confusion) == 16
    assert result.meta["classes"] == ["bike", "car", "female", "male"]
    shown = result.extras["pairs"]
    right = (shown["guess"] == shown["category"])[shown["split"] == "test"]
    assert right.mean() == pytest.approx(row["accuracy"])
    top = result.extras["curves"].query("split == 'validation'")["accuracy"]
    assert top.iloc[0] < 0.5 < top.iloc[-1]


def test_the_category_is_not_told_by_a_network_that_sees_sameness_alone():
    """The difference of the two corners is the same for all categories."""
    asked = replace(QUICK, answer="category")
    row = whole(same_different(material(n=30), corners(), asked))
    assert row["p"] > row["p_floor"] == 1e-4


def test_streams_answer_the_category_too():
    asked = replace(QUICK, answer="category", variants=("siamese",), foveal="none", rate=0.01)
    row = whole(same_different(colored(), maps(), asked))
    assert row["accuracy"] > 0.6
    assert row["chance"] == pytest.approx(0.25)


def test_one_category_cannot_be_answered():
    made = material()
    own = made.pairs[made.pairs["category"] == "bike"].reset_index(drop=True)
    alone = Material(own, made.exemplars, made.pictures, draw)
    with pytest.raises(NotEnoughDataError, match="All pairs are of the category 'bike'"):
        same_different(alone, corners(), replace(QUICK, answer="category"))
