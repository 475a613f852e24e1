"""analyses.rsa.laid: crossnobis distances of spheres are those of regions; what is said."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from bids_dnn.analyses.rsa.crossnobis import crossnobis_rdm
from bids_dnn.analyses.rsa.laid import items_of, lay_out_items, ranked_pairs
from bids_dnn.analyses.rsa.spheres import RsaChoices, compare_spheres
from bids_dnn.containers.space import Grid
from bids_dnn.errors import NotEnoughDataError
from bids_dnn.stats.neighbours import neighbours
from bids_dnn.stats.regions import region_units
from tests.factories.responses import make_gram, make_responses

SPACE = Grid("T1w", (5, 4, 3), np.diag([3.0, 3, 3, 1]), np.arange(60))
ASKED = RsaChoices(items="condition", distance="crossnobis", n_maps=19, seed=1)


def shown(rng, *, n_runs=4, n_each=3, n_conditions=5):
    """Responses to conditions, each of which shows two stimuli in turn."""
    conditions = np.tile(np.repeat([f"c{k}" for k in range(n_conditions)], n_each), n_runs)
    turn = np.arange(len(conditions)) % 2
    stimuli = [f"{one}-{k}" for one, k in zip(conditions, turn, strict=True)]
    runs = np.repeat(np.arange(n_runs), n_each * n_conditions)
    values = rng.normal(size=(len(conditions), 60)) * np.linspace(0.5, 2, 60) + 3
    made = make_responses(values, stimuli=stimuli, conditions=conditions, runs=runs)
    return replace(made, space=SPACE)


def compare(responses, grams, choices=ASKED, **how):
    (centers,) = region_units(responses, [])
    around = neighbours(SPACE, 4.0, centers=centers.units)
    return compare_spheres(responses, centers, around, grams, choices=choices, **how), around


@pytest.mark.parametrize("n_each", [1, 3])
def test_spheres_have_the_distances_of_regions(rng, n_each):
    responses = shown(rng, n_each=n_each)
    responses.values[2, 7] = np.nan  # no center, and part of no sphere
    gram = make_gram(rng.normal(size=(10, 20)), sorted(set(responses.samples["stimulus"])))
    result, around = compare(responses, [gram])
    features = np.linalg.cholesky(gram.gram + 1e-9 * np.eye(10)).reshape(5, 2, 10).mean(axis=1)
    apart = ((features[:, None] - features) ** 2).sum(axis=2)[~np.tri(5, dtype=bool)]
    items, runs = (responses.samples[name].tolist() for name in ("condition", "run"))
    for place in (0, 20, 58):
        own = [u for u in around.of(place) if u != 7]
        expected = crossnobis_rdm(responses.values[:, own].astype(np.float64), items, runs)
        rho = spearmanr(expected.values, apart).statistic
        assert result.maps[0].values[place] == pytest.approx(rho, abs=1e-5)
    assert result.meta["distance"] == "squared distance across runs, noise normalized"
    told = [text for text in result.meta["warnings"] if "noise is not known" in text]
    assert len(told) == (n_each == 1)


def test_what_all_items_share_in_a_run_goes_out_of_distances(rng):
    responses = shown(rng)
    shared = rng.normal(size=(4, 60))[responses.samples["run"].astype(int)]
    gram = make_gram(rng.normal(size=(10, 20)), sorted(set(responses.samples["stimulus"])))
    moved = replace(responses, values=(responses.values + 20 * shared).astype(np.float32))
    (one, _), (other, _) = compare(responses, [gram]), compare(moved, [gram])
    np.testing.assert_allclose(one.maps[0].values, other.maps[0].values, atol=0.02)


def test_runs_without_all_items_are_left_out_and_told(rng):
    responses = shown(rng)
    keep = ~((responses.samples["condition"] == "c2") & (responses.samples["run"] == "3"))
    gram = make_gram(rng.normal(size=(10, 20)), sorted(set(responses.samples["stimulus"])))
    result, _ = compare(responses.select(keep.to_numpy()), [gram])
    whole, _ = compare(responses.select((responses.samples["run"] != "3").to_numpy()), [gram])
    np.testing.assert_allclose(result.maps[0].values, whole.maps[0].values)
    assert result.meta["warnings"][-1].startswith("1 of 4 runs do not show all items")
    one_run = responses.select((responses.samples["run"] == "0").to_numpy())
    with pytest.raises(NotEnoughDataError, match="1 of 1 runs show all of 5 items"):
        compare(one_run, [gram])


def test_labels_need_no_features_and_conditions_no_stimulus(rng):
    responses = shown(rng)
    samples = responses.samples.assign(stimulus="")
    responses = replace(responses, samples=samples)
    labels = {"kind": {f"c{k}": "abbab"[k] for k in range(5)}}
    result, around = compare(responses, [], labels=labels)
    assert result.table["comparison"].tolist() == ["kind"]
    assert result.maps[0].model == "kind"
    own = crossnobis_rdm(
        responses.values[:, around.of(20)].astype(np.float64),
        samples["condition"].tolist(),
        samples["run"].tolist(),
    )
    apart = np.array([x != y for k, x in enumerate("abbab") for y in "abbab"[k + 1 :]])
    rho = spearmanr(own.values, apart).statistic
    assert result.maps[0].values[20] == pytest.approx(rho, abs=1e-5)
    with pytest.raises(NotEnoughDataError, match="There is no model"):
        compare(responses, [])
    with pytest.raises(NotEnoughDataError, match="1 of 5 items have no label of 'kind'"):
        compare(responses, [], labels={"kind": labels["kind"] | {"c3": ""}})
    others = {"hue": labels["kind"] | {"c3": ""}, "one": dict.fromkeys(labels["kind"], "a")}
    part, _ = compare(responses, [], labels=others | labels)
    np.testing.assert_array_equal(part.maps[0].values, result.maps[0].values)
    assert part.table["comparison"].tolist() == ["kind"]
    first, second = (text for text in part.meta["warnings"] if "left out:" in text)
    assert "1 of 5 items have no label of 'hue', such as 'c3'." in first
    assert "5 items have 1 label(s) of 'one'" in second


def test_the_floor_of_p_counts_exchanges_that_leave_a_model_as_it_is(rng):
    responses = shown(rng, n_conditions=6)
    labels = {"half": {f"c{k}": "aabbab"[k] for k in range(6)}}
    gram = make_gram(rng.normal(size=(12, 20)), sorted(set(responses.samples["stimulus"])))
    choices = replace(ASKED, n_maps=999)  # all 720 orders of six items
    result, _ = compare(responses, [gram], choices=choices, labels=labels)
    layer, half = result.table["p_floor"]
    assert layer == pytest.approx(1 / 720)
    assert half == pytest.approx(2 * 6 * 6 / 720)  # within halves, and these exchanged
    told = [text for text in result.meta["warnings"] if "are no other model" in text]
    assert len(told) == 1
    assert told[0].startswith("Of 'half', 10.0%")


def test_ranks_are_of_mean_zero_and_length_one(rng):
    matrices = rng.normal(size=(3, 4, 4))
    matrices[2] = 1.0
    made = ranked_pairs(matrices)
    expected = rankdata(matrices[0][~np.tri(4, dtype=bool)])
    assert np.corrcoef(made[0], expected)[0, 1] == pytest.approx(1)
    np.testing.assert_allclose(
        [made[:2].sum(axis=1), (made[:2] ** 2).sum(axis=1) - 1], 0, atol=1e-12
    )
    assert np.isnan(made[2]).all()


def test_what_all_units_answer_alike_has_no_ranks(rng):
    responses = shown(rng)
    flat = replace(responses, values=np.ones_like(responses.values))
    items = items_of(flat, [], "condition")
    around = neighbours(SPACE, 4.0)
    ranks, n_units = lay_out_items(flat, items, around, "crossnobis").spheres(0, 4)
    assert np.isnan(ranks).all()
    assert n_units.tolist() == around.sizes[:4].tolist()
