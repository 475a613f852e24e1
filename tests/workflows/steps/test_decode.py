"""workflows.steps.decode: features that units are chosen by, or that are covariates."""

import pytest

from bids_dnn.errors import ConfigError, LeakageError
from bids_dnn.features import store
from bids_dnn.features.index import Index
from bids_dnn.files import write_json
from bids_dnn.workflows.steps.decode import check_scaling_by_run, spaces_of
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
