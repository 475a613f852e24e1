"""workflows.steps.decode: features that units are chosen by, or that are covariates."""

import numpy as np
import pytest

from bids_dnn.config.covariates import feature_spaces
from bids_dnn.config.schema import Config
from bids_dnn.derivatives.read import read_result
from bids_dnn.errors import ConfigError, LeakageError
from bids_dnn.features import store
from bids_dnn.features.index import Index
from bids_dnn.files import write_json
from bids_dnn.workflows.steps.artifacts import save_responses, save_rois
from bids_dnn.workflows.steps.decode import check_scaling_by_run, decode_step, spaces_of
from tests.factories.responses import make_gram, make_responses


def index_of(tmp_path, rng, *, network, layers):
    """Keep Gram matrices of layers as `features_step` does."""
    for layer in layers:
        gram = make_gram(rng.normal(size=(4, 3)), "abcd", network=network, layer=layer)
        store.write_gram(tmp_path, layer, gram)
    found = Index(tuple(layers), tuple(layers), (), None)
    where = {"cache": str(tmp_path), "name": network, "scaled_on": [], "n_components": 0}
    return write_json(tmp_path / "features.json", found.to_json() | where)


@pytest.fixture
def shown(rng):
    """Two pictures in both runs, one in each alone, and a sample without a picture."""
    stimuli = ["a", "b", "once", "a", "b", "twice", "twice", ""]
    return make_responses(rng.normal(size=(8, 3)), stimuli=stimuli, runs=[1, 1, 1, 2, 2, 2, 2, 2])


@pytest.mark.parametrize("scaled_on", [(), ("a", "b"), ("never shown", "a")])
def test_pictures_that_training_runs_show_may_scale(shown, scaled_on):
    check_scaling_by_run(shown, scaled_on)


@pytest.mark.parametrize("name", ["once", "twice"])
def test_pictures_of_one_run_may_not(shown, name):
    with pytest.raises(LeakageError, match=rf"over 2 training .* 1 of them .* '{name}'"):
        check_scaling_by_run(shown, ("a", name))


def test_layers_of_covariates_are_found_by_name(tmp_path, rng):
    index = index_of(tmp_path, rng, network="pixels", layers=("rgb", "luminance"))
    told = {"feature_spaces": {"lowlevel:pixels": ["pixels", ""], "pixels@rgb": ["pixels", "rgb"]}}
    made = spaces_of(told, [index])
    assert {name: [one.layer for one in own] for name, own in made.items()} == {
        "lowlevel:pixels": ["rgb", "luminance"],
        "pixels@rgb": ["rgb"],
    }
    assert spaces_of({}, [index]) == {}
    with pytest.raises(ConfigError, match=r"'pixels@rbg', but pixels has no layer 'rbg'.*'rgb'"):
        spaces_of({"feature_spaces": {"pixels@rbg": ["pixels", "rbg"]}}, [index])


def test_a_network_is_taken_out_and_decoded_from_beside(tmp_path, rng):
    stimuli = [f"s{k}" for k in range(48)]
    conditions = np.tile(np.repeat(["a", "b"], 6), 4)
    pixels = rng.normal(size=(48, 4)) + 3 * (conditions == "a")[:, None] * [1, 0, 0, 0]
    values = pixels @ rng.normal(size=(4, 20)) + 0.5 * rng.normal(size=(48, 20))
    responses = make_responses(
        values, stimuli=stimuli, conditions=conditions, runs=np.repeat(np.arange(4), 12)
    )
    store.write_gram(tmp_path, "rgb", make_gram(pixels, stimuli, network="pixels", layer="rgb"))
    where = {"cache": str(tmp_path), "name": "pixels", "scaled_on": [], "n_components": 0}
    index = write_json(tmp_path / "features.json", Index(("rgb",), ("rgb",)).to_json() | where)

    def scores(**decode):
        config = Config.model_validate(
            {
                "networks": {"pixels": {"network": "lowlevel:pixels"}},
                "decode": {"comparisons": ["a vs b"], "permutations": 5, **decode},
            }
        )
        manifest = {
            "output_dir": str(tmp_path / "out"),
            "entities": {"participant": "01", "task": "objects", "space": "T1w"},
            "settings": config.decode.model_dump(mode="json"),
            "feature_spaces": {k: list(v) for k, v in feature_spaces(config).items()},
            "seed": 0,
            "is_asked": True,
            "sidecar": {"Fingerprint": "f"},
        }
        sidecar = decode_step(
            write_json(tmp_path / "manifest.json", manifest),
            save_responses(tmp_path / "responses.npz", responses, {"scale": "beta"}),
            save_rois(tmp_path / "regions.npz", [], []),
            [index],
        )
        made = read_result(sidecar.with_name(sidecar.name.replace(".json", ".tsv")))
        return made.table.iloc[0], made.meta

    beside, told = scores(baseline=["lowlevel:pixels"])
    assert min(beside["score"], beside["baseline"]) > 0.8
    assert list(told["networks"]) == ["pixels"]
    assert list(told["feature_spaces"]) == ["lowlevel:pixels"]
    cleaned, _ = scores(nuisance=["pixels@rgb"])
    assert cleaned["score"] < 0.8  # 48 samples: SE 0.07
