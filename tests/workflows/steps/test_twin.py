"""workflows.steps.twin: features from the cache, regions decoded as by decoding itself."""

import numpy as np
import pytest

from bids_dnn.config.schema import Config
from bids_dnn.derivatives import names
from bids_dnn.derivatives.read import read_result
from bids_dnn.errors import LeakageError, NotEnoughDataError
from bids_dnn.features import store
from bids_dnn.features.index import Index
from bids_dnn.files import read_json, write_json
from bids_dnn.workflows.steps.artifacts import save_responses, save_rois
from bids_dnn.workflows.steps.decode import decode_step
from bids_dnn.workflows.steps.twin import check_scaling, choices_of, twin_step
from tests.factories.responses import make_responses, make_roi
from tests.factories.twins import make_layer, make_means, make_stimuli

TWIN = {"snr": ["inf", 1.0], "draws": 2, "null_draws": 1, "permutations": 9, "n_folds": 3}
DECODE = {"classifier": "ridge", "permutations": 9, "n_folds": 3, "folds": "stimulus"}
ENTITIES = {"participant": "01", "task": "objects", "space": "T1w"}


@pytest.fixture
def tree(tmp_path, rng):
    """Two networks of one layer in a cache, and a region that measures the first one's."""
    stimuli = make_stimuli("abcd", 5)
    cache, features = tmp_path / "cache", []
    for name in ("net", "other"):
        means = make_means(rng, "abcd", n_features=12)
        values, gram = make_layer(rng, stimuli, means, network=name)
        key = store.key(gram.identity | {"name": name})
        store.write_gram(cache, key, gram)
        told = {"cache": str(cache), "name": name, "scaled_on": [], "n_components": 0}
        made = Index(("conv1",), (key,)).to_json() | told
        features.append(write_json(tmp_path / f"{name}.json", made))
        if name == "net":
            seen = np.tile(values, (2, 1)) + rng.normal(size=(40, 12))
    responses = make_responses(
        seen,
        stimuli=list(stimuli) * 2,
        conditions=list(stimuli.values()) * 2,
        runs=np.repeat([1, 2], 20),
    )
    rois = [make_roi("V1", responses, range(12))]
    return {
        "out": tmp_path / "out",
        "responses": save_responses(tmp_path / "responses.npz", responses, {}),
        "regions": save_rois(tmp_path / "regions.npz", rois, ["Of the region."]),
        "features": features,
    }


def manifest(tree, analysis, *, twin=TWIN, decode=DECODE):
    config = Config.model_validate({"twin": twin, "decode": decode}).model_dump(mode="json")
    told = {
        "output_dir": str(tree["out"]),
        "entities": ENTITIES,
        "settings": config[analysis],
        "seed": 3 if analysis == "twin" else 5,
        "sidecar": {"Fingerprint": "f"},
        "is_asked": True,
        "left_out": "",
        "device": "cpu",
        "decode": config["decode"],
        "decode_seed": 5,
    }
    return write_json(tree["out"].parent / f"{analysis}.json", told)


def test_scores_of_regions_are_those_of_decoding(tree):
    given = (tree["responses"], tree["regions"])
    decoded = decode_step(manifest(tree, "decode"), *given)
    made = twin_step(manifest(tree, "twin"), *given, tree["features"])
    table = names.path_of(tree["out"], "scores", **ENTITIES, analysis="twin")
    assert made == names.sidecar_of(table)
    result = read_result(table)
    expected = read_result(decoded.with_suffix(".tsv")).table
    found = result.extras["regions"]
    assert found["comparison"].tolist() == expected["comparison"].tolist()
    np.testing.assert_allclose(found["score"], expected["score"])
    assert set(result.table["network"]) == {"net", "other"}
    assert np.isinf(result.table["snr"]).sum() == 2
    assert result.table["best"].sum() == 1
    assert set(result.meta["networks"]) == {"net", "other"}
    assert result.meta["warnings"] == ["Of the region."]
    assert (result.extras["network"]["n_permutations"] == 9).all()


def test_the_same_inputs_give_the_same_bytes(tree):
    given = (manifest(tree, "twin"), tree["responses"], tree["regions"], tree["features"])
    once = [path.read_bytes() for path in sorted(twin_step(*given).parent.iterdir())]
    again = [path.read_bytes() for path in sorted(twin_step(*given).parent.iterdir())]
    assert once == again


def test_networks_and_comparisons_of_the_twin_count(tree):
    twin = TWIN | {"networks": ["other"], "comparisons": ["a vs b", "c vs d"]}
    told = manifest(tree, "twin", twin=twin)
    made = twin_step(told, tree["responses"], tree["regions"], tree["features"])
    result = read_result(made.with_suffix(".tsv"))
    assert set(result.table["network"]) == {"other"}
    assert result.extras["regions"]["comparison"].tolist() == ["a vs b", "c vs d"]
    assert result.table["rho"].isna().all()
    assert any("2 comparison(s) in common" in text for text in result.meta["warnings"])


def test_cross_decoding_is_of_regions_only(tree):
    crossed = "a vs b -> c vs d"
    names_ = ["pairs", crossed]
    told = manifest(tree, "twin", twin=TWIN | {"comparisons": names_})
    made = twin_step(told, tree["responses"], tree["regions"], tree["features"])
    result = read_result(made.with_suffix(".tsv"))
    assert crossed in set(result.extras["regions"]["comparison"])
    assert crossed not in set(result.extras["network"]["comparison"])
    assert (result.table["n_comparisons"] == 6).all()
    assert any(f"regions only, such as {crossed!r}" in text for text in result.meta["warnings"])
    told = manifest(tree, "twin", twin=TWIN | {"comparisons": [crossed]})
    with pytest.raises(NotEnoughDataError, match="All of the 1 comparisons"):
        twin_step(told, tree["responses"], tree["regions"], tree["features"])


def test_what_cannot_be_done_is_said(tree):
    told = manifest(tree, "twin", twin=TWIN | {"comparisons": ["a vs b"], "n_folds": 3})
    few = read_json(tree["features"][0])
    write_json(tree["features"][0], few | {"scaled_on": ["a00.png"]})
    with pytest.raises(LeakageError, match=r"1 of them are decoded here, such as 'a00\.png'"):
        twin_step(told, tree["responses"], tree["regions"], tree["features"])
    check_scaling(["a"], ["b"])


def test_few_stimuli_are_refused_where_the_twin_was_asked_for(tree, rng):
    responses = make_responses(
        rng.normal(size=(8, 3)),
        stimuli=["a00.png", "b00.png", "a01.png", "b00.png"] * 2,
        conditions=["a", "b"] * 4,
        runs=[1] * 4 + [2] * 4,
    )
    save_responses(tree["responses"], responses, {})
    rois = save_rois(tree["regions"], [], [])
    told = manifest(tree, "twin", decode=DECODE | {"folds": "run", "n_folds": None})
    with pytest.raises(NotEnoughDataError, match="'b' has 1 stimulus"):
        twin_step(told, tree["responses"], rois, tree["features"])


def test_settings_go_under_their_names():
    config = Config.model_validate({"decode": {"classifier": "lda", "interval": "bootstrap"}})
    told = config.model_dump(mode="json")
    made = choices_of(told["twin"] | {"components": "all"}, told["decode"], seed=4)
    assert (made.comparisons, made.seed) == (("pairs", "all"), 4)
    assert (made.classifier.kind, made.interval, made.n_components) == ("lda", "bootstrap", None)
    assert made.snr == (np.inf, 4.0, 2.0, 1.0, 0.5)
