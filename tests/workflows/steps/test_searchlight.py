"""workflows.steps.searchlight: maps and maps by chance as derivatives; surfaces; refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_dnn import imaging
from bids_dnn.config.schema import Config
from bids_dnn.containers.features import FeatureGram
from bids_dnn.containers.space import Grid, Surface
from bids_dnn.derivatives import names
from bids_dnn.derivatives.nulls import read_null_maps
from bids_dnn.derivatives.read import read_result
from bids_dnn.errors import ConfigError, MissingInputError, NotEnoughDataError
from bids_dnn.features import store
from bids_dnn.features.index import Index
from bids_dnn.files import read_json, write_json
from bids_dnn.workflows.categories import labels_of
from bids_dnn.workflows.steps.artifacts import save_responses, save_rois
from bids_dnn.workflows.steps.searchlight import searchlight_step
from tests.factories.responses import make_patterns, make_roi
from tests.factories.surfaces import icosphere

SHAPE = (6, 5, 4)
ENTITIES = {"participant": "01", "task": "objects", "space": "T1w"}


def volume(rng, **how):
    made = make_patterns(rng, n_units=120, effect=3.0, **how)
    made.values[:, 60:] = rng.normal(size=made.values[:, 60:].shape)  # no signal there
    return replace(made, space=Grid("T1w", SHAPE, np.diag([3.0, 3, 3, 1]), np.arange(120)))


def run(tmp_path, responses, *, told=None, meshes=None, rois=(), features=None, **decode):
    config = Config.model_validate(
        {
            "searchlight": {
                "radius_mm": 4.0,
                "n_maps": 19,
                "comparisons": ["a vs b"],
                **(told or {}),
            },
            "decode": {"classifier": "ridge", **(decode or {})},
        }
    ).model_dump(mode="json")
    manifest = {
        "output_dir": str(tmp_path / "out"),
        "entities": ENTITIES | {"space": responses.space.name},
        "settings": config["searchlight"],
        "decode": config["decode"],
        "meshes": meshes or {},
        "seed": 3,
        "run_seed": 0,
        "n_threads": 1,
        "progress": str(tmp_path / "progress.json"),
        "is_asked": True,
        "sidecar": {"Fingerprint": "f"},
    }
    return searchlight_step(
        write_json(tmp_path / "manifest.json", manifest),
        save_responses(tmp_path / "responses.npz", responses, {"scale": "zscore"}),
        save_rois(tmp_path / "regions.npz", list(rois), ["Of the region."]),
        features,
    )


def layer(tmp_path, rng, stimuli):
    """A network of one layer in a cache, and the index of its features."""
    x = rng.normal(size=(len(stimuli), 9))
    gram = FeatureGram(
        tuple(stimuli), "net", "conv1", x @ x.T, 9, {"layer": "conv1"}, sums=x.sum(axis=1)
    )
    cache = tmp_path / "cache"
    key = store.key(gram.identity)
    store.write_gram(cache, key, gram)
    told = {"cache": str(cache), "name": "net", "scaled_on": [], "n_components": 0}
    return write_json(tmp_path / "net.json", Index(("conv1",), (key,)).to_json() | told)


def result_beside(sidecar):
    return read_result(sidecar.with_name(sidecar.name.replace(".json", ".tsv")))


def test_maps_lie_where_the_signal_is_and_come_back(tmp_path, rng):
    sidecar = run(tmp_path, volume(rng))
    assert sidecar.name == "sub-01_task-objects_space-T1w_desc-searchlight_scores.json"
    result = result_beside(sidecar)
    score, p = result.maps
    assert (score.stat, p.stat, score.model) == ("accuracy", "p", "avsb")
    slab = np.unravel_index(result.space.index, SHAPE)[0]  # x runs slowest: 0 to 2 hold signal
    assert score.values[slab < 2].mean() > 0.9
    assert abs(score.values[slab > 3].mean() - 0.5) < 0.15
    assert p.values[slab < 2].max() == pytest.approx(0.05)  # 19 maps and this one
    (row,) = result.table.to_dict("records")
    assert row["highest"] == pytest.approx(score.values.max())
    assert row["p_corrected"] == row["p_floor"] == pytest.approx(0.05)
    assert result.meta["radius_mm"] == 4.0
    assert result.meta["classifier"] == "ridge classification"
    assert "Of the region." in result.meta["warnings"]
    assert not (tmp_path / "progress.json").exists()


def test_maps_by_chance_give_the_p_that_is_mapped(tmp_path, rng):
    sidecar = run(tmp_path, volume(rng))
    result = result_beside(sidecar)
    null = read_null_maps(names.null_of(sidecar.with_name(sidecar.name.replace(".json", ".tsv"))))
    assert list(null) == ["avsb"]
    under = null["avsb"].values * null["avsb"].share
    assert under.shape == (19, 120)
    higher = (under >= result.maps[0].values - 1e-6).sum(axis=0)
    np.testing.assert_allclose(result.maps[1].values, (1 + higher) / 20, rtol=1e-6)


def test_dissimilarities_of_layers_are_mapped_beside_what_is_told_apart(tmp_path, rng):
    responses = volume(rng)
    stimuli = [f"s{k % 10}" for k in range(len(responses.samples))]
    responses.samples["stimulus"] = stimuli
    index = layer(tmp_path, rng, sorted(set(stimuli)))
    both = run(tmp_path, responses, told={"models": ["net"]}, features=[index])
    result = result_beside(both)
    assert result.table["metric"].tolist() == ["accuracy", "spearman"]
    assert result.table["comparison"].tolist() == ["a vs b", "net conv1"]
    assert [one.stat for one in result.maps] == ["accuracy", "p", "spearman", "p"]
    assert list(result.meta["networks"]) == ["net"]
    null = read_null_maps(names.null_of(both.with_name(both.name.replace(".json", ".tsv"))))
    assert list(null) == ["avsb", "net+conv1"]
    told = {"models": ["net"], "comparisons": [], "within": []}
    alone = result_beside(run(tmp_path, responses, told=told, features=[index]))
    np.testing.assert_array_equal(alone.maps[0].values, result.maps[2].values)


def test_categories_are_models_without_features(tmp_path, rng):
    responses = volume(rng, conditions=("car", "cat", "dog", "house"))
    alive = responses.samples["condition"].isin(["cat", "dog"])
    responses.samples["alive"] = np.where(alive, "yes", "no")
    asked = {
        "categories": ["alive:cat+dog vs other:car+house", "alive"],
        "items": "condition",
        "distance": "crossnobis",
        "comparisons": [],
        "n_maps": 30,
    }
    result = result_beside(run(tmp_path, responses, told=asked))
    assert result.table["comparison"].tolist() == ["alive vs other", "alive"]
    assert [one.model for one in result.maps[::2]] == ["alivevsother", "alive"]
    np.testing.assert_array_equal(result.maps[0].values, result.maps[2].values)
    assert result.table["n_maps"].tolist() == [23, 23]  # all orders of four, less one
    assert "networks" not in result.meta  # a page would take it for what all analyses used


def test_items_without_a_label_lose_their_model_alone(tmp_path, rng):
    responses = volume(rng, conditions=("a", "b", "c", "d"))
    responses.samples["half"] = responses.samples["condition"].map({"a": "x", "b": "y"})
    responses.samples["whole"] = responses.samples["condition"].isin(["a", "b"]).map(str)
    asked = {"categories": ["half", "whole"], "items": "condition"}
    result = result_beside(run(tmp_path, responses, told=asked))
    assert result.table["comparison"].tolist() == ["a vs b", "whole"]
    words = "2 of 4 items have no label of 'half', such as 'c', 'd'"
    assert sum(words in text for text in result.meta["warnings"]) == 1
    alone = result_beside(run(tmp_path, responses, told=asked | {"categories": ["half"]}))
    assert alone.table["comparison"].tolist() == ["a vs b"]
    assert sum(words in text for text in alone.meta["warnings"]) == 1
    with pytest.raises(NotEnoughDataError, match=words):
        run(tmp_path, responses, told=asked | {"categories": ["half"], "comparisons": []})


def test_categories_of_stimuli_go_by_their_condition_or_a_column():
    samples = pd.DataFrame(
        {"stimulus": ["s1", "s2", "s3"], "condition": ["cat", "car", "tree"], "hue": [1, 2, 1]}
    )
    told = {"items": "stimulus", "categories": ["x:cat vs y:car", "hue"], "models": []}
    hues = {"s1": "1", "s2": "2", "s3": "1"}
    assert labels_of(told, samples) == ({"x vs y": {"s1": "x", "s2": "y"}, "hue": hues}, [])
    twice = pd.concat([samples.assign(size="big"), samples.assign(size="small")])
    made, (why,) = labels_of(told | {"categories": ["size", "hue"]}, twice)
    assert made == {"hue": hues}
    assert why.startswith("The model 'size' is left out: 3 of 3 items have several labels")
    with pytest.raises(NotEnoughDataError, match="several labels in the column 'size'"):
        labels_of(told | {"categories": ["size"]}, twice)
    some, (why,) = labels_of(told | {"categories": ["cat vs bus", "hue"]}, samples)
    assert some == {"hue": hues}  # of some conditions, a participant may have shown none
    assert "'cat vs bus' is left out" in why
    assert "names the condition 'bus'" in why
    for text, words in (
        ("cat vs bus", "names the condition 'bus'"),
        ("cat vs car @ hue=1", "says of which samples"),
        ("hues", "'hues', which is no column"),
    ):
        with pytest.raises(ConfigError, match=words):
            labels_of(told | {"categories": [text]}, samples)


def test_units_of_regions_are_centers_and_all_units_make_patterns(tmp_path, rng):
    responses = volume(rng)
    responses.values[3, 7] = np.nan  # no center, and part of no sphere
    roi = make_roi("V1", responses, range(4, 40))
    whole = result_beside(run(tmp_path, responses))
    part = result_beside(run(tmp_path, responses, rois=[roi], told={"within": ["V1"]}))
    assert len(whole.space) == 119
    assert part.space.index.tolist() == [k for k in range(4, 40) if k != 7]
    inside = np.isin(whole.space.index, part.space.index)
    np.testing.assert_array_equal(part.maps[0].values, whole.maps[0].values[inside])


def test_maps_by_chance_lie_as_the_maps_where_units_come_in_another_order(tmp_path, rng):
    responses = volume(rng)
    order = rng.permutation(120)
    turned = replace(
        responses, values=responses.values[:, order], space=responses.space.select(order)
    )
    plain, other = (run(tmp_path / name, one) for name, one in (("a", responses), ("b", turned)))
    one, two = result_beside(plain), result_beside(other)
    for a, b in zip(one.maps, two.maps, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    assert one.table["highest_unit"].tolist() == two.table["highest_unit"].tolist()
    kept = [
        read_null_maps(names.null_of(path.with_name(path.name.replace(".json", ".tsv"))))
        for path in (plain, other)
    ]
    np.testing.assert_array_equal(kept[0]["avsb"].values, kept[1]["avsb"].values)


def test_too_few_items_cost_no_decoding(tmp_path, rng):
    """As where a participant was not shown one of four conditions."""
    responses = volume(rng)
    responses.samples["stimulus"] = "s0"
    index = layer(tmp_path, rng, ["s0"])
    result = result_beside(run(tmp_path, responses, told={"models": ["net"]}, features=[index]))
    assert result.table["comparison"].tolist() == ["a vs b"]
    (said,) = [text for text in result.meta["warnings"] if "dissimilarities" in text]
    assert said.startswith("No dissimilarities are compared: There are 1 stimuli")
    with pytest.raises(NotEnoughDataError, match="There are 1 stimuli"):
        run(tmp_path, responses, told={"models": ["net"], "comparisons": []}, features=[index])


def test_too_many_items_are_refused_before_anything_is_decoded(tmp_path, rng, monkeypatch):
    monkeypatch.setattr("bids_dnn.analyses.rsa.laid.MOST", 9)
    monkeypatch.setattr("bids_dnn.workflows.steps.searchlight.map_spheres", None)
    responses = volume(rng)
    responses.samples["stimulus"] = [f"s{k % 10}" for k in range(len(responses.samples))]
    index = layer(tmp_path, rng, [f"s{k}" for k in range(10)])
    with pytest.raises(ConfigError, match="There are 10 stimuli"):
        run(tmp_path, responses, told={"models": ["net"]}, features=[index])


def test_disks_follow_the_surface(tmp_path, rng):
    mesh = icosphere(2)
    n = len(mesh.vertices)
    paths = {}
    for side in "LR":
        paths[side] = str(imaging.write_mesh(tmp_path / f"hemi-{side}.surf.gii", mesh, side))
    made = make_patterns(rng, n_units=2 * n, effect=3.0)
    made.values[:, n:] = rng.normal(size=made.values[:, n:].shape)
    responses = replace(made, space=Surface("fsnative", (n, n), np.arange(2 * n)))
    told = {"radius_mm": 30.0}
    score = result_beside(run(tmp_path, responses, told=told, meshes=paths)).maps[0].values
    assert score[:n].mean() > 0.9
    assert abs(score[n:].mean() - 0.5) < 0.15
    with pytest.raises(MissingInputError, match="no mesh"):
        run(tmp_path, responses, told=told)


def test_the_same_settings_give_the_same_bytes(tmp_path, rng):
    responses = volume(rng)
    first, second = (run(tmp_path / name, responses) for name in "ab")
    one, two = (sorted(path.parent.iterdir()) for path in (first, second))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"told": {"within": ["V2"]}}, ConfigError, "'V2', which is not there"),
        ({"told": {"radius_mm": 2.0}}, ConfigError, "radius is 2 mm, but voxels are 3"),
        ({"told": {"comparisons": ["a vs d"]}}, ConfigError, "'d'"),
        ({"whiten": True}, ConfigError, "whiten"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, rng, how, error, words):
    with pytest.raises(error, match=words):
        run(tmp_path, volume(rng), **how)


def test_one_run_is_not_enough(tmp_path, rng):
    with pytest.raises(NotEnoughDataError, match="run"):
        run(tmp_path, volume(rng, n_runs=1))


def test_the_sidecar_of_maps_by_chance_says_what_they_are(tmp_path, rng):
    sidecar = run(tmp_path, volume(rng))
    told = read_json(sidecar.with_name(sidecar.name.replace("_scores", "_null")))
    assert told["Arrays"]["avsb"]["Shape"] == [19, 120]
    assert "times avsb_share" in told["Arrays"]["avsb"]["Description"]
