"""workflows.steps.group: searchlights of participants' derivatives -> maps of the group."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices as Asked
from bids_dnn.analyses.decode.classifiers.choice import Classifier
from bids_dnn.analyses.decode.spheres import map_spheres
from bids_dnn.config.schema import Config
from bids_dnn.containers.roi import Roi
from bids_dnn.containers.space import Grid
from bids_dnn.derivatives import names
from bids_dnn.derivatives.nulls import write_null_maps
from bids_dnn.derivatives.read import read_result
from bids_dnn.derivatives.write import write_region, write_result
from bids_dnn.errors import MissingInputError
from bids_dnn.group.choices import Choices
from bids_dnn.group.searchlight import average_searchlights as run
from bids_dnn.group.tests import About
from bids_dnn.group.twin import group_twin
from bids_dnn.stats.neighbours import neighbours
from bids_dnn.stats.regions import RegionUnits
from bids_dnn.workflows.over_group import plan_group
from bids_dnn.workflows.progress import Tickers, read_tick
from bids_dnn.workflows.steps.group import group_step
from tests.factories.responses import make_patterns
from tests.factories.searchlights import AFFINE, NAME, SHAPE, make_grid, make_group
from tests.factories.trees import write_image
from tests.factories.twins import make_people

QUICK = {"p_unit": 0.01, "n_maps": 199}


def leave(out, results, chance, space, *, analysis="searchlight"):
    """Write what the participant level of an analysis writes."""
    for label, result in results.items():
        entities = {"participant": label, "task": "obj", "space": space}
        paths = write_result(result, out, entities=entities, sidecar={"Sources": []})
        table = names.path_of(out, "scores", **entities, analysis=analysis)
        assert names.sidecar_of(table) == paths[-1]
        if label in chance:
            write_null_maps(names.null_of(table), chance[label], sidecar={})


def run_plan(out, work, config):
    plan = plan_group(out, config)
    (job,) = plan.jobs
    (work / "job.json").write_text(json.dumps(job.manifest))
    group_step(work / "job.json")
    return plan, read_result(job.table())


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_what_is_written_is_what_was_tested(out, tmp_path):
    results, chance = make_group(4)
    leave(out, results, chance, next(iter(results.values())).space.name)
    config = Config.model_validate({"group": QUICK})
    plan, made = run_plan(out, tmp_path, config)
    seed = plan.jobs[0].manifest["seed"]
    expected = run(
        results, chance, choices=Choices(**QUICK, seed=seed), about=About(expected=[*results])
    )
    assert [(m.stat, m.model) for m in made.maps] == [(m.stat, m.model) for m in expected.maps]
    for one, two in zip(made.maps, expected.maps, strict=True):
        np.testing.assert_allclose(one.values, two.values, atol=1e-6)
    np.testing.assert_array_equal(made.space.index, expected.space.index)
    found = made.extras["clusters"]
    assert found["p_fwe"].tolist() == pytest.approx(expected.extras["clusters"]["p_fwe"].tolist())
    assert made.table["n_significant"].tolist() == expected.table["n_significant"].tolist()
    assert not plan_group(out, config).waiting()
    assert plan_group(out, Config.model_validate({"group": QUICK | {"n_maps": 99}})).waiting()
    names_written = {path.name for path in (out / "group").iterdir()}
    assert f"task-obj_space-{made.space.name}_desc-searchlightClusters_scores.tsv" in names_written


def test_a_step_tells_its_bar_how_far_it_is(out, tmp_path, monkeypatch):
    leave(out, *make_group(3), NAME)
    (job,) = plan_group(out, Config.model_validate({"group": QUICK})).jobs
    path, nouns = tmp_path / "ticks" / "group.json", []
    close = Tickers.close

    def closed(ticks):
        nouns.append(read_tick(path).noun)
        close(ticks)

    monkeypatch.setattr(Tickers, "close", closed)
    (tmp_path / "job.json").write_text(json.dumps(job.manifest | {"progress": str(path)}))
    group_step(tmp_path / "job.json")
    assert nouns == ["units of bodyvstool under flips"]
    assert not path.exists()


def test_contrasts_of_maps_are_written_and_read(out, tmp_path):
    results, chance = make_group(5)
    leave(out, results, chance, NAME)
    rows = [f"sub-{x}\t{'old' if x < '03' else 'young'}" for x in results]
    (out / "participants.tsv").write_text("\n".join(["participant_id\tgroup", *rows]) + "\n")
    asked = ["comparison: face vs house > body vs tool", "group: old != young", "region: V1 > V2"]
    config = Config.model_validate({"group": QUICK | {"contrasts": asked, "correct": "tfce"}})
    _, made = run_plan(out, tmp_path, config)
    table = made.extras["contrasts"]
    assert table["contrast"].tolist() == [asked[0], asked[1], asked[1]]
    stem = f"task-obj_space-{NAME}_model-{table['map'][2]}"
    found = {path.name for path in (out / "group").iterdir() if path.name.startswith(stem)}
    assert found == {
        f"{stem}_stat-{stat}_desc-searchlight_statmap.{end}"
        for stat in ("difference", "ptfce", "nparticipants", "cluster")
        for end in ("nii.gz", "json")
    }
    told = json.loads(
        (out / "group" / f"{stem}_stat-ptfce_desc-searchlight_statmap.json").read_text()
    )
    assert "Two-sided p of exchanged labels of groups" in told["Description"]
    (one,) = [m for m in made.maps if (m.stat, m.model) == ("difference", table["map"][2])]
    assert one.values[table["highest_unit"][2]] == pytest.approx(table["highest"][2], rel=1e-5)
    sidecar = f"task-obj_space-{NAME}_desc-searchlightContrasts_scores.json"
    assert "n_significant" in json.loads((out / "group" / sidecar).read_text())
    assert len(made.extras["contrastClusters"]) == table["n_clusters"].sum() > 0
    more = QUICK | {"contrasts": asked, "correct": "tfce", "n_flips": 99}
    assert plan_group(out, Config.model_validate({"group": more})).waiting()
    assert not plan_group(out, config).waiting()


def test_exchanged_maps_that_come_later_are_taken(out, tmp_path):
    results, chance = make_group(3)
    space = next(iter(results.values())).space.name
    leave(out, results, {}, space)
    config = Config.model_validate({"group": QUICK})
    _, bare = run_plan(out, tmp_path, config)
    assert "left no maps under exchanged labels" in bare.meta["warnings"][0]
    leave(out, results, chance, space)
    assert plan_group(out, config).waiting()
    _, made = run_plan(out, tmp_path, config)
    assert (made.table["n_clusters"] >= 0).all()


def test_clusters_are_named_by_an_atlas_or_by_regions(out, tmp_path):
    results, chance = make_group(3)
    leave(out, results, chance, NAME)
    roi = Roi("slab", make_grid(radius=50), "mask", 1)
    write_region(roi, out, entities={"participant": "02"}, sidecar={})
    plan, made = run_plan(out, tmp_path, Config.model_validate({"group": QUICK}))
    line = "  clusters: exchanged maps of 3 of 3 participants, named by "
    assert f"{line}regions of participants (1)" in plan.lines()
    clusters = made.extras["clusters"]
    assert set(clusters["label"]) == {"slab"}
    assert clusters["labels"].iloc[0] == "slab 100 %"
    path = write_image(tmp_path / "atlas-All_dseg.nii.gz", np.ones(SHAPE, np.int16), AFFINE)
    (tmp_path / "atlas-All_dseg.tsv").write_text("index\tname\n1\tbrain\n")
    config = Config.model_validate({"group": QUICK | {"atlas": str(path)}})
    assert plan_group(out, config).waiting()
    assert f"{line}the atlas All" in plan_group(out, config).lines()
    _, made = run_plan(out, tmp_path, config)
    assert set(made.extras["clusters"]["label"]) == {"brain"}
    config = Config.model_validate({"group": QUICK | {"atlas": str(tmp_path / "gone.nii.gz")}})
    with pytest.raises(MissingInputError, match=r"gone\.nii"):
        plan_group(out, config)


def test_only_settings_that_searchlights_take_make_them_run_again(out, tmp_path):
    results, chance = make_group(3)
    leave(out, results, chance, NAME)
    run_plan(out, tmp_path, Config.model_validate({"group": QUICK}))
    for other in ({"across_patterns": "zscore"}, {"n_flips": 77}, {"across": ["tasks"]}):
        assert not plan_group(out, Config.model_validate({"group": QUICK | other})).waiting()
    for other in ({"p_unit": 0.02}, {"correct": "tfce"}, {"tests": ["sign-flip"]}):
        assert plan_group(out, Config.model_validate({"group": QUICK | other})).waiting()


def test_an_atlas_is_known_by_its_name_and_content(out, tmp_path):
    leave(out, *make_group(2), NAME)
    seen = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = write_image(
            tmp_path / folder / "atlas-All_dseg.nii.gz", np.ones(SHAPE, np.int16), AFFINE
        )
        path.with_name("atlas-All_dseg.tsv").write_text("index\tname\n1\tbrain\n")
        config = Config.model_validate({"group": QUICK | {"atlas": str(path)}})
        (job,) = plan_group(out, config).jobs
        sidecar = job.manifest["sidecar"]
        assert str(tmp_path) not in json.dumps(sidecar["Settings"])
        atlas = sidecar["Settings"]["group"]["atlas"]
        assert atlas["file"] == path.name
        assert list(atlas["sha256"]) == [path.name, "atlas-All_dseg.tsv"]
        files = (path, path.with_name("atlas-All_dseg.tsv"))
        assert {one.as_uri() for one in files} <= set(sidecar["Sources"])
        seen.append(sidecar["Fingerprint"])
    assert seen[0] == seen[1]
    path.with_name("atlas-All_dseg.tsv").write_text("index\tname\n1\thead\n")
    assert plan_group(out, config).jobs[0].manifest["sidecar"]["Fingerprint"] != seen[0]


def test_participants_with_other_settings_are_named_in_the_result(out, tmp_path):
    results, chance = make_group(3)
    leave(out, results, chance, NAME)
    path = names.sidecar_of(
        names.path_of(
            out, "scores", participant="02", task="obj", space=NAME, analysis="searchlight"
        )
    )
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"Settings": {"searchlight": {"radius_mm": 12.0}}}))
    plan, made = run_plan(out, tmp_path, Config.model_validate({"group": QUICK}))
    said = [text for text in made.meta["warnings"] if "participants differ in" in text]
    assert said == [text for text in plan.warnings if "differ" in text]
    assert "searchlight.radius_mm (not told: sub-01, sub-03; 12.0: sub-02)" in said[0]


def test_spaces_of_their_own_are_not_averaged(out, tmp_path):
    results, chance = make_group(3, space=make_grid(name="T1w"))
    leave(out, results, chance, "T1w")
    _, made = run_plan(out, tmp_path, Config.model_validate({"group": QUICK}))
    assert made.maps == ()
    assert made.table.empty
    assert "in a space that all share" in made.meta["warnings"][0]


def decoded(seed, space, n_informed):
    """Decode around each voxel of a grid whose first voxels alone tell two conditions apart."""
    rng = np.random.default_rng(seed)
    plain, lifted = (
        make_patterns(rng, conditions=("a", "b"), n_units=len(space), effect=effect)
        for effect in (0.0, 0.6)
    )
    values = plain.values.copy()
    values[:, :n_informed] = lifted.values[:, :n_informed]
    responses = replace(plain, values=values, space=space)
    asked = Asked(comparisons=("a vs b",), n_permutations=60, seed=seed,
                  classifier=Classifier(kind="ridge"))  # fmt: skip
    centers = RegionUnits("", np.arange(len(space)), 0)
    return map_spheres(responses, centers, neighbours(space, 4.3), choices=asked)


def test_what_searchlights_leave_is_what_the_group_takes(out, tmp_path):
    shape = (10, 6, 5)
    space = Grid(NAME, shape, np.diag([3.0, 3, 3, 1]), np.arange(300))
    n_informed = 90  # of the first three slices along x
    results = {f"0{k}": decoded(k, space, n_informed) for k in range(4)}
    leave(out, results, {}, NAME)
    config = Config.model_validate(
        {"group": {"p_unit": 0.01, "n_maps": 499, "tests": ["sign-flip", "prevalence"]}}
    )
    _, made = run_plan(out, tmp_path, config)
    first = made.extras["clusters"].iloc[0]
    assert first["comparison"] == "a vs b"
    assert first["p_fwe"] < 0.05
    assert first["peak_x_mm"] <= 9.0
    found = {one.stat: one.values for one in made.maps}
    inside = found["cluster"] == 1
    assert inside[:60].mean() > 0.8  # whose spheres are informed throughout
    assert inside[150:].mean() < 0.05
    assert found["overlap"][:60].mean() > 2 > 0.6 > found["overlap"][150:].mean()
    assert (found["prevalencebound"][:60] > 0).mean() > 0.5
    assert (found["prevalencebound"][150:] == 0).mean() > 0.95


def test_the_twin_is_written_and_read_with_levels_as_numbers(out, tmp_path):
    rng = np.random.default_rng(0)
    nets = {("conv1", np.inf): rng.uniform(size=6), ("conv2", 0.5): rng.uniform(size=6)}
    people = make_people({"V1": rng.uniform(size=(4, 6))}, nets)
    leave(out, people, {}, NAME, analysis="twin")
    asked = {"contrasts": ["snr: inf > 0.5", "layer: conv1 > conv2"], "tests": ["sign-flip", "t"]}
    plan, made = run_plan(out, tmp_path, Config.model_validate({"group": asked}))
    seed = plan.jobs[0].manifest["seed"]
    choices = Choices(**{key: tuple(value) for key, value in asked.items()}, seed=seed)
    expected = group_twin(people, choices=choices, about=About(expected=[*people]))
    assert made.table["snr"].tolist() == [np.inf, 0.5]
    for name in ("rho", "p", "p_conditions", "lower", "upper"):
        np.testing.assert_allclose(made.table[name], expected.table[name], rtol=1e-8)
    assert set(made.extras) == {"participants", "regions", "network"}
    assert made.meta["warnings"][1:] == [  # in which levels and layers go along
        f"The contrast {text!r} has no two rows that differ in it alone."
        for text in asked["contrasts"]
    ]
    assert made.meta["networks"] == {"net": {"weights": "random"}}
    assert made.table["is_named"].dtype == bool
    assert not plan_group(out, Config.model_validate({"group": asked})).waiting()
