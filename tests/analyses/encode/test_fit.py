"""analyses.encode.fit: planted layers, noise, invariances, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_dnn.analyses.encode.choices import Choices
from bids_dnn.analyses.encode.fit import encode
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.stats.inference import fdr
from tests.factories.responses import make_gram, make_responses, make_roi

ALPHAS = np.logspace(-4, 4, 9)
SETTINGS = {
    "n_folds": 5,
    "n_inner": 4,
    "alphas": tuple(ALPHAS),
    "select": "inner",
    "ceiling": "ncsnr",
    "floor": 0.0,
    "n_permutations": 99,
    "seed": 0,
}
N_REPEATS = 4
PARTS = {"all": range(30), "signal": range(20), "noise": range(20, 30)}


def run(responses, rois, grams, *, progress=None, **other):
    choices = Choices(**(SETTINGS | other))
    return encode(responses, rois, grams, choices=choices, progress=progress)


def of_units(result):
    table = result.table
    of_layers = (table["target"] == "units") & (table["network"] != "*")
    return table[of_layers].reset_index(drop=True)


def make(rng, *, n=100, n_units=30, n_repeats=N_REPEATS, noise=1.0):
    """Plant ten components of the second of three layers; the last third is noise alone."""
    stimuli = [f"s{k:03}.png" for k in range(n)]
    features = [rng.normal(size=(n, p)) for p in (20, 10, 50)]
    signal = features[1] @ rng.normal(size=(10, n_units))
    signal /= signal.std(axis=0)
    signal[:, 2 * n_units // 3 :] = 0
    values = np.tile(signal, (n_repeats, 1))
    values = values + noise * rng.normal(size=values.shape)
    runs = np.repeat(np.arange(n_repeats), n)
    responses = make_responses(values, stimuli=stimuli * n_repeats, runs=runs)
    grams = [make_gram(x, stimuli, layer=f"conv.{k}") for k, x in enumerate(features)]
    third = n_units // 3
    rois = [
        make_roi("one", responses, range(2 * third)),
        make_roi("half", responses, range(third)),  # its voxels are in two regions
        make_roi("noise", responses, range(2 * third, n_units)),
    ]
    return responses, rois, grams


def test_the_planted_layer_is_found(rng):
    result = run(*make(rng))
    table = of_units(result).set_index(["region", "layer"])
    assert table["best"].xs("conv.1", level="layer")[["one", "half"]].all()
    assert table.groupby("region")["best"].sum().tolist() == [1, 1, 1]
    ceiling = np.sqrt(1 / (1 + 1 / N_REPEATS))
    row = table.loc[("one", "conv.1")]
    assert abs(row["ceiling"] - ceiling) < 0.03
    assert ceiling - 0.07 < row["score"] < ceiling + 0.02  # ten weights from eighty images
    np.testing.assert_allclose(row["normalized"], row["score"] / row["ceiling"])
    assert row["ci_low"] < row["score"] < row["ci_high"]
    assert row["p_corrected"] == row["p"] == row["p_floor"] == 0.01
    assert (table.loc["noise", "p_corrected"] > 0.05).all()


def test_maps_cover_the_regions_together(rng):
    responses, rois, grams = make(rng)
    result = run(responses, rois[1:], grams)
    np.testing.assert_array_equal(result.space.index, [*range(10), *range(20, 30)])
    made = {(one.stat, one.model): one.values for one in result.maps}
    assert len(made) == 3 * 6 + 7 + 1  # of layers, of those that units chose, of the ceiling
    score = made["pearson", "net+conv1"]
    row = of_units(result).set_index(["region", "layer"]).loc[("half", "conv.1")]
    np.testing.assert_allclose(np.tanh(np.arctanh(score[:10]).mean()), row["score"], rtol=1e-6)
    np.testing.assert_allclose(np.median(score[:10]), row["median"], rtol=1e-6)
    np.testing.assert_allclose(made["rsquared", "net+conv1"][:10].mean(), row["r2"], rtol=1e-6)
    np.testing.assert_allclose(
        made["normalized", "net+conv1"], score / made["noiseceiling", ""], rtol=1e-5
    )
    explained = made["fevexplained", "net+conv1"][:10]
    np.testing.assert_allclose(explained.mean(), row["fev_explained"], rtol=1e-6)
    q = made["q", "net+conv1"]
    np.testing.assert_allclose(q, fdr(made["p", "net+conv1"].astype(np.float64)), rtol=1e-6)
    np.testing.assert_allclose((q[:10] <= 0.05).mean(), row["above_chance"])


def test_noise_has_no_score_and_uniform_p(rng):
    scores, p, inside = [], [], []
    for seed in range(120):
        features = rng.normal(size=(30, 8))
        stimuli = [f"s{k:02}" for k in range(30)]
        shared = rng.normal(size=(30, 1))
        responses = make_responses(shared + rng.normal(size=(30, 4)), stimuli=stimuli)
        grams = [make_gram(features, stimuli)]
        row = of_units(run(responses, [], grams, seed=seed)).iloc[0]
        scores.append(row["score"])
        p.append(row["p"])
        inside.append(row["ci_low"] <= 0 <= row["ci_high"])
    assert abs(np.mean(scores)) < 3 * np.std(scores) / np.sqrt(len(scores))
    error = np.sqrt(0.9 * 0.1 / len(inside))
    assert np.mean(inside) >= 0.9 - error  # at least 90 % of what is named 95 %
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert abs(np.mean(np.array(p) <= level + 1e-9) - level) < 3 * error


def test_the_scale_of_features_does_not_matter(rng):
    responses, rois, grams = make(rng, n=40)
    scaled = [replace(one, gram=1e6 * one.gram) for one in grams]
    once, again = run(responses, rois, grams).table, run(responses, rois, scaled).table
    pd.testing.assert_frame_equal(once, again, rtol=1e-4)


def test_the_order_of_samples_does_not_matter(rng):
    responses, rois, grams = make(rng, n=40)
    order = rng.permutation(len(responses.samples))
    once = run(responses, rois, grams).table
    pd.testing.assert_frame_equal(once, run(responses.select(order), rois, grams).table, rtol=1e-4)


def test_other_regions_and_layers_do_not_change_a_score(rng):
    responses, rois, grams = make(rng, n=40)
    columns = ["score", "ceiling", "r2", "ci_low", "ci_high", "p"]
    whole = of_units(run(responses, rois, grams)).set_index(["region", "layer"])
    alone = of_units(run(responses, rois[:1], grams[1:2])).iloc[0]
    np.testing.assert_allclose(
        whole.loc[("one", "conv.1"), columns].astype(float), alone[columns].astype(float)
    )


def test_the_same_seed_gives_the_same_bytes(rng):
    given = make(rng, n=40)
    once = run(*given, ceiling="split-half")
    again = run(*given, ceiling="split-half")
    pd.testing.assert_frame_equal(once.table, again.table)
    for one, two in zip(once.maps, again.maps, strict=True):
        assert one.values.tobytes() == two.values.tobytes()


@pytest.mark.parametrize("ceiling", ["ncsnr", "split-half"])
def test_without_repeats_there_is_no_ceiling(rng, ceiling):
    result = run(*make(rng, n=40, n_repeats=1), ceiling=ceiling)
    assert result.table[["ceiling", "normalized"]].isna().all(axis=None)
    assert (result.table["n_units_ceiling"] == 0).all()
    assert "half has no noise ceiling" in " ".join(result.meta["warnings"])


def test_units_below_the_floor_have_no_normalized_score(rng):
    responses, _, grams = make(rng)  # the last ten units are noise
    rois = [make_roi(name, responses, own) for name, own in PARTS.items()]
    free, result = (run(responses, rois, grams, floor=floor) for floor in (0.0, 0.5))
    made = {(one.stat, one.model): one.values.astype(float) for one in result.maps}
    top, score = made["noiseceiling", ""], made["pearson", "net+conv1"]
    kept = top**2 >= 0.5
    np.testing.assert_array_equal(kept, [True] * 20 + [False] * 10)
    expected = np.where(kept, score / top, np.nan)
    np.testing.assert_allclose(made["normalized", "net+conv1"], expected, rtol=1e-5)
    row, before = (of_units(one).set_index(["region", "layer"]) for one in (result, free))
    r = np.tanh(np.arctanh(score[:20]).mean())
    np.testing.assert_allclose(
        row.loc[("all", "conv.1"), "normalized"], r / np.sqrt((top[:20] ** 2).mean()), rtol=1e-5
    )
    assert row.loc[("all", "conv.1"), "n_units_ceiling"] == 20
    assert np.isnan(row.loc[("noise", "conv.1"), "normalized"])
    columns = ["score", "ceiling", "median", "n_units"]  # of all units, whatever the floor
    pd.testing.assert_frame_equal(row[columns], before[columns])
    one = before.loc[("all", "conv.1")]
    np.testing.assert_allclose(one["normalized"], one["score"] / one["ceiling"])
    means = result.table[result.table["target"] == "mean"].set_index(["region", "layer"])
    assert np.isnan(means.loc[("noise", "conv.1"), "normalized"])
    one = means.loc[("signal", "conv.1")]
    np.testing.assert_allclose(one["normalized"], one["score"] / one["ceiling"])


def test_repeats_need_not_be_of_one_number(rng):
    responses, rois, grams = make(rng)
    keep = np.arange(len(responses.samples)) < 250  # 3 or 2 repeats
    row = of_units(run(responses.select(keep), rois, grams)).set_index(["region", "layer"])
    assert (
        abs(row.loc[("one", "conv.1"), "ceiling"] - np.sqrt(1 / (1 + (1 / 3 + 1 / 2) / 2))) < 0.03
    )


def test_what_has_no_partner_is_left_out_and_counted(rng):
    responses, rois, grams = make(rng, n=40)
    samples = responses.samples.copy()
    samples.loc[:1, "stimulus"] = ""
    samples.loc[2, "stimulus"] = "unknown.png"
    values = responses.values.copy()
    values[5, 3] = np.nan
    result = run(replace(responses, samples=samples, values=values), rois, grams)
    assert result.meta["left_out"] == {
        "samples_without_stimulus": 2,
        "samples_without_features": 1,
        "stimuli_without_features": ["unknown.png"],
        "stimuli_without_samples": 0,
        "units": {"one": 1, "half": 1, "noise": 0},
    }
    assert "'unknown.png'" in result.meta["warnings"][0]
    assert of_units(result)["n_units"].tolist() == [19] * 3 + [9] * 3 + [10] * 3


def test_what_made_the_features_is_kept(rng):
    responses, rois, grams = make(rng, n=40)
    assert run(responses, rois, grams).meta["networks"] == {
        "net": {
            "weights": "random",
            "weights_sha256": "0" * 64,
            "layers": "conv.0, conv.1, conv.2",
        }
    }


def test_penalties_are_counted(rng):
    result = run(*make(rng, n=40))
    counts = result.extras["alphas"].groupby(["region", "layer"])["count"].sum()
    assert set(counts["one"]) == {20 * 5}
    found = result.extras["alphas"]["alpha"].to_numpy()
    assert np.isclose(found[:, None], ALPHAS).any(axis=1).all()


def test_progress_names_each_layer(rng):
    told = []
    run(*make(rng, n=40), progress=told.append)
    assert told[0] == "encode net conv.0 (1 of 3)"
    assert len(told) == 3


def test_few_images_are_refused(rng):
    responses, rois, grams = make(rng, n=19)
    with pytest.raises(NotEnoughDataError, match=r"19 images .* 5 folds need 20"):
        run(responses, rois, grams)


def test_images_without_features_are_named_where_too_few_are_left(rng):
    responses, rois, grams = make(rng, n=40)
    samples = responses.samples.assign(stimulus="other.png")
    with pytest.raises(NotEnoughDataError, match=r"0 images .* such as 'other.png'"):
        run(replace(responses, samples=samples), rois, grams)


def test_another_ceiling_is_refused(rng):
    with pytest.raises(ConfigError, match=r"'splithalf'.*Did you mean 'split-half'"):
        run(*make(rng, n=40), ceiling="splithalf")


@pytest.mark.parametrize("other", [{"alphas": ()}, {"alphas": (0.0,)}, {"n_permutations": 0}])
def test_settings_that_are_not_above_zero_are_refused(rng, other):
    with pytest.raises(ConfigError, match="must be above zero"):
        run(*make(rng, n=40), **other)


@pytest.mark.parametrize("which", [[], [0, 0]])
def test_no_layer_or_one_twice_is_refused(rng, which):
    responses, rois, grams = make(rng, n=40)
    with pytest.raises(ConfigError, match="encoding needs one, and each once"):
        run(responses, rois, [grams[k] for k in which])


def test_nuisance_is_regressed_out_within_folds(rng):
    responses, rois, grams = make(rng, noise=0.5)
    nuisance = rng.normal(size=len(responses.samples))
    values = responses.values + 3 * np.outer(nuisance, rng.normal(size=30)).astype(np.float32)
    samples = responses.samples.assign(motion=nuisance)
    disturbed = replace(responses, values=values, samples=samples)

    def score(data, **other):
        table = of_units(run(data, rois[:1], grams, **other)).set_index("layer")
        return table.loc["conv.1", "score"]

    clean = score(responses)
    assert score(disturbed) < clean - 0.1
    assert abs(score(disturbed, nuisance=("motion",)) - clean) < 0.02
    with pytest.raises(ConfigError, match="motoin"):
        run(disturbed, rois[:1], grams, nuisance=("motoin",))


def test_p_is_uniform_where_the_nuisance_is_a_feature(rng):
    stimuli = [f"s{k:03}.png" for k in range(40)]
    p = []
    for seed in range(24):
        features = rng.normal(size=(40, 2))
        nuisance = np.tile(features[:, 0], 2) + 0.3 * rng.normal(size=80)
        values = np.tile(rng.normal(size=(40, 3)), (2, 1)) + rng.normal(size=(80, 3))
        responses = make_responses(values + 2 * nuisance[:, None], stimuli=stimuli * 2)
        samples = responses.samples.assign(light=nuisance)
        made = run(
            replace(responses, samples=samples),
            [],
            [make_gram(features, stimuli, layer="conv")],
            nuisance=("light",),
            n_permutations=19,
            seed=seed,
        )
        p.append(made.table["p"][0])
    assert abs(np.mean(p) - 0.525) < 3 * 0.29 / np.sqrt(24)


def test_ceilings_of_denoised_repeats_are_warned_of(rng):
    responses, rois, grams = make(rng)
    made = run(replace(responses, independence="none"), rois[:1], grams)
    assert "Repeats are not independent" in made.meta["warnings"][0]
    assert made.meta["independence"] == "none"


def test_noise_shared_within_runs_is_warned_of(rng):
    responses, rois, grams = make(rng)  # a run for each showing of all images
    told = run(replace(responses, independence="run"), rois[:1], grams).meta["warnings"]
    assert [text for text in told if "folds share runs" in text]
    assert not [text for text in told if "repeat within a run" in text]
    assert not [t for t in run(responses, rois[:1], grams).meta["warnings"] if "runs" in t]


def test_estimates_of_a_run_are_not_split_where_runs_share_no_image(rng):
    responses, rois, grams = make(rng, n_repeats=2)
    stimuli = responses.samples["stimulus"].to_numpy()
    number = np.array([int(name[1:4]) for name in stimuli])
    apart = responses.samples.assign(run=(number // 10).astype(str))  # ten images a run
    made = run(replace(responses, samples=apart, independence="run"), rois[:1], grams)
    assert made.meta["folds"] == "by stimulus, whole runs together"
    assert not any("share runs" in text for text in made.meta["warnings"])
    mixed = run(replace(responses, independence="run"), rois[:1], grams)
    assert mixed.meta["folds"] == "by stimulus"
    assert any("share runs" in text for text in mixed.meta["warnings"])
    plain = run(responses, rois[:1], grams)
    pd.testing.assert_frame_equal(plain.table, mixed.table)


def test_a_layer_that_answers_all_images_alike_is_named(rng):
    responses, rois, grams = make(rng)
    flat = make_gram(np.full((100, 3), 0.7), [f"s{k:03}.png" for k in range(100)], layer="dead")
    result = run(responses, rois, [*grams, flat])
    assert of_units(result).set_index("layer")["score"]["dead"].isna().all()
    (told,) = [one for one in result.meta["warnings"] if "alike" in one]
    assert "+dead answers all images alike" in told
