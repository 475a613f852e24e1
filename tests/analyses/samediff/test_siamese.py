"""analyses.samediff.siamese: foveal pictures without leaks, and what the streams learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bids_dnn.analyses.samediff.augment import parse_copies
from bids_dnn.analyses.samediff.choices import FOVEAL, Choices
from bids_dnn.analyses.samediff.fit import same_different
from bids_dnn.analyses.samediff.siamese import (
    GREY,
    Crops,
    contrastive_problem,
    foveal_picture,
    map_of,
    siamese_problem,
)
from bids_dnn.errors import ConfigError, NotEnoughDataError
from bids_dnn.features.models import load_whole
from tests.factories.samediff import ITEM, SIZE, maps, material


def whole(result):
    return result.table.iloc[0]


def number_of(made, picture):
    return int(np.flatnonzero((made.pictures == picture).all(axis=(1, 2, 3)))[0])


@pytest.mark.parametrize("kind", ["same-category", "other-category"])
def test_a_foveal_exemplar_is_of_the_same_part_and_not_of_the_pair(kind):
    made = material()
    part = {}
    for side in ("first", "second"):
        part |= dict(zip(made.pairs[side], made.pairs["split"], strict=True))
    for row, pair in made.pairs.iterrows():
        shown = foveal_picture(made, row, Choices(foveal=kind))
        name = made.exemplars[number_of(made, shown)]
        assert part[name] == pair["split"]
        assert name not in (pair["first"], pair["second"])
        assert (name.partition("/")[0] == pair["category"]) == (kind == "same-category")


def test_noise_is_salt_and_pepper_and_differs_between_pairs():
    made = material()
    noise = [foveal_picture(made, row, Choices(foveal="noise")) for row in (0, 0, 1)]
    assert set(np.unique(noise[0])) <= {0.0, np.float32(GREY), 1.0}
    np.testing.assert_array_equal(noise[0], noise[1])
    assert not np.array_equal(noise[0], noise[2])
    assert (noise[0][..., 0] == noise[0][..., 2]).all()
    assert (foveal_picture(made, 0, Choices(foveal="grey")) == np.float32(GREY)).all()


def test_a_foveal_exemplar_that_is_not_there_is_refused():
    made = material()
    one = made.pairs["category"] == "bike"
    alone = replace(made, pairs=made.pairs[one].reset_index(drop=True))
    with pytest.raises(NotEnoughDataError, match="no exemplar of other category beside"):
        foveal_picture(alone, 0, Choices(foveal="other-category"))


def test_crops_are_resized_to_the_input_and_both_orientations_look_alike():
    made = material(orientations=("normal", "inverted"))
    net = maps()
    crops = Crops(made, net, parse_copies([]), Choices(), has_fovea=True)
    first, second, fovea = crops(np.array([[0, 0], [1, 0]]), epoch=0)
    assert first.shape == second.shape == fovea.shape == (2, 3, SIZE, SIZE)
    assert ITEM < SIZE
    assert made.pairs["pair"][0] == made.pairs["pair"][1]
    assert made.pairs["orientation"][0] != made.pairs["orientation"][1]
    torch.testing.assert_close(first[0], first[1], rtol=0, atol=0)


def test_the_distance_learns_sameness_of_other_exemplars():
    asked = Choices(variants=("contrastive",), n_epochs=15, rate=0.01)
    result = same_different(material(), maps(), asked)
    assert whole(result)["accuracy"] > 0.8
    assert whole(result)["p"] < 0.001
    told = result.meta["variants"]["contrastive"]
    assert told["margin"] == 2.0
    trunk = 3 * 6 * 9 + 6 + 6 * 6 * 9 + 6
    assert told["n_learnt"] == trunk + 2 * 12 + 12 * 128 + 128
    assert told["n_frozen"] == 0


def test_the_siamese_classifier_learns_sameness_of_other_exemplars():
    made = material(3, n=60, validation=0.1, test=0.2, n_same=60, n_different=60)
    asked = Choices(variants=("siamese",), n_epochs=30, rate=0.01, foveal="none", batch_size=24)
    result = same_different(made, maps(), asked)
    assert whole(result)["accuracy"] > whole(result)["chance"]
    assert whole(result)["p"] < 0.01


def test_variants_stand_side_by_side_and_follow_the_seed():
    asked = Choices(variants=("siamese", "contrastive", "frozen"), n_epochs=2, rate=0.01,
                    foveal="noise", augment=("noise",), redraws=True)  # fmt: skip
    first, second = (same_different(material(), maps(), asked) for _ in range(2))
    assert first.table["variant"].unique().tolist() == list(asked.variants)
    for name, table in {"table": first.table, **first.extras}.items():
        other = second.table if name == "table" else second.extras[name]
        pd.testing.assert_frame_equal(table, other, check_exact=True)


def test_a_frozen_trunk_learns_the_head_alone():
    made, net = material(), maps()
    asked = Choices(variants=("siamese",), n_epochs=1, rate=0.01, trains_trunk=False)
    told = same_different(made, net, asked).meta["variants"]["siamese"]
    trunk = 3 * 6 * 9 + 6 + 6 * 6 * 9 + 6
    assert told["n_frozen"] == 2 * trunk
    head = 2 * 36 + 36 * 512 + 512 + 2 * 512 + 2 * 512 + 2
    assert told["n_learnt"] == head + 3 * 12 * 9 + 3


@pytest.mark.parametrize("foveal", FOVEAL)
def test_each_foveal_picture_can_be_shown(foveal):
    made, net = material(), maps()
    problem, facts = siamese_problem(made, net, Choices(foveal=foveal), parse_copies([]))
    module = problem.make()
    assert (module.foveal is None) == (foveal == "none")
    assert facts["feedback"] == (foveal != "none")
    assert module(*problem.supply(problem.train[:4], epoch=0)).shape == (4, 2)


def test_cornet_z_in_two_streams():
    net = load_whole("cornet:z", weights="random", seed=0, offline=True)
    made = material(n=10)
    problem, facts = siamese_problem(made, net, Choices(trains_trunk=False), parse_copies([]))
    assert facts["layer"] == "IT"
    assert facts["n_frozen"] == 2 * 1_558_656
    with torch.no_grad():
        logits = problem.make().eval()(*problem.supply(problem.train[:2], epoch=0))
    assert logits.shape == (2, 2)
    distance, told = contrastive_problem(made, net, Choices(layer="V2"), parse_copies([]))
    assert told["layer"] == "V2"
    assert distance.make().head[0].num_features == 2 * 128


def test_wrong_layers_are_refused():
    with pytest.raises(ConfigError, match=r"no layer 'conv3'.*'conv1'"):
        map_of(maps(), "conv3")
    with pytest.raises(ConfigError, match="'head' of small puts out 5;"):
        map_of(maps(), "head")
