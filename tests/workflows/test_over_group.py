"""workflows.over_group and its step: from participants' derivatives to group tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_dnn.config.schema import Config
from bids_dnn.containers.nulls import Nulls
from bids_dnn.containers.space import Surface
from bids_dnn.derivatives import names
from bids_dnn.derivatives.nulls import write_nulls
from bids_dnn.derivatives.read import read_result
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import ConfigError, MissingInputError, UnreadableError
from bids_dnn.workflows.app import Call, execute
from bids_dnn.workflows.meshes import meshes_of
from bids_dnn.workflows.over_group import plan_group
from bids_dnn.workflows.pages import group_pages
from bids_dnn.workflows.record import read_people, refresh_participants
from bids_dnn.workflows.steps.group import group_step
from tests.factories.results import make_decode, make_encode, make_spaces
from tests.factories.twins import make_people

LABELS = ("01", "02", "03", "04", "05", "06")


@pytest.fixture
def out(tmp_path):
    """Derivatives of six participants; 01 to 03 are patients, 06 was never run."""
    for i, label in enumerate(LABELS[:5]):
        for make in (make_decode, make_encode):
            entities = {"participant": label, "task": "obj", "space": "T1w"}
            sidecar = {"Sources": [], "Fingerprint": label}
            write_result(
                make(np.random.default_rng(i)), tmp_path, entities=entities, sidecar=sidecar
            )
    rows = [f"sub-{x}\t{'patient' if x < '04' else 'control'}\t{int(x) * 7 % 5}" for x in LABELS]
    (tmp_path / "participants.tsv").write_text(
        "\n".join(["participant_id\tgroup\tage", *rows]) + "\n"
    )
    return tmp_path


def leave_nulls(out, labels):
    for label in labels:
        path = names.path_of(
            out, "scores", participant=label, task="obj", space="T1w", analysis="decode"
        )
        table = read_result(path).table
        null = np.random.default_rng(0).normal(0.5, 0.02, (len(table), 99))
        nulls = Nulls(
            table["region"].to_numpy(str),
            table["comparison"].to_numpy(str),
            null.astype(np.float32),
            np.zeros(len(table), bool),
        )
        write_nulls(names.null_of(path), nulls, sidecar={})


def config_of(**group):
    return Config.model_validate({"group": group})


def run(out, tmp, config):
    plan = plan_group(out, config)
    made = {}
    for job in plan.jobs:
        manifest = tmp / f"{job.analysis}.json"
        manifest.write_text(json.dumps(job.manifest))
        group_step(manifest)
        made[job.analysis] = read_result(job.table())
    return plan, made


def test_contrasts_and_covariates_come_from_participants_tsv(out, tmp_path_factory):
    config = config_of(
        contrasts=["group: patient > control", "region: V1 > noise"], covariates=["age"]
    )
    plan, made = run(out, tmp_path_factory.mktemp("work"), config)
    assert "no finished table of sub-06" in plan.warnings[0]
    for analysis, result in made.items():
        found = result.extras["contrasts"]
        assert found["contrast"].unique().tolist() == [*config.group.contrasts]
        groups = found[found["contrast"] == config.group.contrasts[0]]
        assert set(groups["missing"].str.split(", ").str[-1]) == {"06"}
        assert set(groups["n_first"]) <= {0, 3}  # 0: a layer that nobody has
        assert (result.table["p_floor"].dropna() == 1 / 32).all(), analysis
        file = names.path_of(
            out, "group_scores", task="obj", space="T1w", analysis=analysis, extra="contrasts"
        )
        told = json.loads(names.sidecar_of(file).read_text())
        assert "Welch" in told["p_t"]["Description"]


def test_a_finished_group_is_done_until_people_or_nulls_change(out, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    config = config_of(tests=["sign-flip", "prevalence"], covariates=["age"])
    run(out, work, config)
    assert not plan_group(out, config).waiting()
    leave_nulls(out, LABELS[:2])
    assert list(plan_group(out, config).waiting()) == ["decode_obj_T1w"]
    assert (
        "  prevalence: scores under exchanged labels of 2 of 5 participants"
        in plan_group(out, config).lines()
    )
    assert not any("prevalence" in line for line in plan_group(out, Config()).lines())
    run(out, work, config)
    table = out / "participants.tsv"
    table.write_text(table.read_text().replace("control\t3", "control\t4"))
    assert len(plan_group(out, config).waiting()) == 2
    assert plan_group(out, config_of(tests=["sign-flip", "prevalence"])).waiting()


def test_sessions_that_participants_left_are_fitted(out, tmp_path_factory):
    for i, label in enumerate(LABELS[:5]):
        made = make_decode(np.random.default_rng(i))
        own = made.table[["region", "comparison", "score"]]
        by_session = [own.assign(session=f"{k}", score=own["score"] + 0.01 * k) for k in (1, 2)]
        made = replace(made, extras=made.extras | {"sessions": pd.concat(by_session)})
        entities = {"participant": label, "task": "obj", "space": "T1w"}
        write_result(made, out, entities=entities, sidecar={"Sources": [], "Fingerprint": "s"})
    _, made = run(out, tmp_path_factory.mktemp("work"), config_of(tests=["t", "mixed"]))
    table = made["decode"].table
    above = table["score"] - table["chance"]
    np.testing.assert_allclose(table["mean_mixed"], above + 0.015, atol=1e-8)
    assert (table["n_sessions"] == 10).all()
    assert "desc-encodeSessions" in made["encode"].meta["warnings"][0]


@pytest.mark.parametrize("kind", ["grid", "left", "grayordinates"])
def test_maps_in_a_common_space_are_written_and_read(tmp_path, kind):
    space = make_spaces()[kind]
    space = replace(space, name="MNI152NLin2009cAsym") if kind == "grid" else space
    for i, label in enumerate(LABELS[:4]):
        entities = {"participant": label, "task": "obj", "space": space.name}
        result = make_encode(np.random.default_rng(i), space=space)
        write_result(result, tmp_path, entities=entities, sidecar={"Sources": []})
    _, made = run(tmp_path, tmp_path, config_of(correct="max"))
    result = made["encode"]
    assert result.space.has_places_of(space)
    means = [one for one in result.maps if one.stat == "pearson"]
    assert len(means) == 5
    assert {one.stat for one in result.maps} == {"pearson", "pmax", "nparticipants"}
    first = [make_encode(np.random.default_rng(i), space=space).maps[0].values for i in range(4)]
    np.testing.assert_allclose(means[0].values, np.mean(first, axis=0), atol=1e-6)
    assert list((tmp_path / "group").glob("task-obj_*stat-pmax_desc-encode_statmap.*"))


def test_meshes_are_found_where_clusters_of_encoding_are_enhanced(tmp_path):
    space = Surface("fsaverage5", (10242, 10242), np.arange(0, 20484, 2))
    for i, label in enumerate(LABELS[:4]):
        entities = {"participant": label, "task": "obj", "space": space.name}
        result = make_encode(np.random.default_rng(i), space=space)
        write_result(result, tmp_path, entities=entities, sidecar={"Sources": []})
    assert plan_group(tmp_path, config_of()).jobs[0].manifest["meshes"] == {}
    plan, made = run(tmp_path, tmp_path, config_of(correct="tfce"))
    assert set(plan.jobs[0].manifest["meshes"]) == {"L", "R"}
    assert {one.stat for one in made["encode"].maps} == {"pearson", "ptfce", "nparticipants"}
    assert made["encode"].meta["warnings"] == []
    sources = plan.jobs[0].manifest["sidecar"]["Sources"]
    assert {path.as_uri() for path in meshes_of(space.name, None).values()} <= set(sources)
    assert plan_group(tmp_path, config_of(correct="tfce", n_flips=77)).waiting()


def test_flips_count_where_maps_are_enhanced_alone(out, tmp_path_factory):
    run(out, tmp_path_factory.mktemp("work"), config_of(correct="tfce"))
    assert not plan_group(out, config_of(correct="tfce", n_flips=77)).waiting()


def test_maps_of_own_spaces_are_not_averaged(out, tmp_path_factory):
    _, made = run(out, tmp_path_factory.mktemp("work"), config_of())
    assert made["encode"].maps == ()
    assert made["encode"].space is None


def test_prevalence_reads_the_nulls_that_are_there(out, tmp_path_factory):
    leave_nulls(out, LABELS[:5])
    config = config_of(tests=["sign-flip", "t", "wilcoxon", "prevalence"], correct="max")
    plan, made = run(out, tmp_path_factory.mktemp("work"), config)
    table = made["decode"].table.set_index("region")
    p1 = 1 / 100
    most = (0.05 ** (1 / 5) - p1) / (1 - p1)
    np.testing.assert_allclose(table.loc["V1", "prevalence_largest"], most, rtol=1e-6)
    assert {"p_wilcoxon", "prevalence", "p_global_corrected"} <= set(table.columns)
    assert "prevalence_bound" not in made["encode"].table
    sources = json.loads(names.sidecar_of(plan.jobs[0].table()).read_text())["Sources"]
    assert sum(uri.endswith("_null.npz") for uri in sources) == 5


@pytest.mark.parametrize(
    ("group", "match"),
    [
        ({"contrasts": ["grou: patient > control"]}, r"'grou'.*'group'"),
        ({"contrasts": ["group: patient > controls"]}, r"'controls'.*'control'"),
        ({"contrasts": ["group patient"]}, r"'group patient'.*Type 'region: FFA > V1'"),
        ({"contrasts": ["region: V1 > FFB"]}, r"region 'FFB'.*'FFA'"),
        ({"contrasts": ["layer: features.0 > features.1"]}, r"layer 'features.1'.*'features.10'"),
        ({"covariates": ["ages"]}, r"'ages'.*'age'"),
        ({"covariates": ["group"]}, r"'patient' for sub-01"),
        ({"tests": ["t"], "correct": "max"}, r"'max'.*'sign-flip' first"),
    ],
)
def test_wrong_settings_are_refused_before_anything_runs(out, group, match):
    with pytest.raises(ConfigError, match=match):
        plan_group(out, config_of(**group))


def test_what_has_no_group_level_costs_no_other_analysis(out):
    asked = Config.model_validate({"run": {"analysis": ["denoise", "decode"]}})
    plan = plan_group(out, asked)
    assert [job.analysis for job in plan.jobs] == ["decode"]
    assert [text for text in plan.warnings if text.startswith("denoise is of")]
    alone = Config.model_validate({"run": {"analysis": ["denoise"]}})
    with pytest.raises(MissingInputError, match="denoise is of single participants"):
        plan_group(out, alone)


def test_the_twin_of_participants_is_tested_with_its_own_settings(tmp_path):
    rng = np.random.default_rng(0)
    nets = {("conv1", np.inf): rng.uniform(size=6), ("conv2", 4.0): rng.uniform(size=6)}
    people = make_people({"V1": rng.uniform(size=(3, 6))}, nets)
    for label, result in people.items():
        entities = {"participant": label, "task": "obj", "space": "T1w"}
        write_result(result, tmp_path, entities=entities, sidecar={"Sources": []})
    (job,) = plan_group(tmp_path, config_of(contrasts=["snr: inf > 4"])).jobs
    assert (job.analysis, list(job.manifest["tables"])) == ("twin", ["01", "02", "03"])
    assert set(job.manifest["settings"]) == {"tests", "correct", "contrasts", "covariates"}
    with pytest.raises(ConfigError, match=r"the snr '2', which no participant has"):
        plan_group(tmp_path, config_of(contrasts=["snr: inf > 2"]))
    asked = config_of(contrasts=["comparison: a > b", "snr: inf > 4"])
    (said,) = plan_group(tmp_path, asked).warnings
    assert said.startswith(
        "The contrast 'comparison: a > b' is left out: no table here (twin) has"
    )


def test_no_table_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match="no finished table"):
        plan_group(tmp_path, Config())


def test_the_participants_of_the_input_count_not_their_copy(out, tmp_path_factory):
    bids, work = tmp_path_factory.mktemp("bids"), tmp_path_factory.mktemp("work")
    config = config_of(covariates=["age"])
    text = (out / "participants.tsv").read_text()
    (bids / "participants.tsv").write_text("\ufeff" + text)
    for job in plan_group(out, config, bids).jobs:
        assert "bids:raw:participants.tsv" in job.manifest["sidecar"]["Sources"]
        (work / "job.json").write_text(json.dumps(job.manifest))
        group_step(work / "job.json")
    assert not plan_group(out, config, bids).waiting()
    other = text.replace("control\t3", "control\t4").replace("\tage", "\tage\tdose")
    (bids / "participants.tsv").write_text(
        "\n".join(line + "\t1" * (i > 0) for i, line in enumerate(other.splitlines())) + "\n"
    )
    plan = plan_group(out, config, bids)
    assert len(plan.waiting()) == 2
    assert plan.jobs[0].manifest["people"]["04"] == {"age": "4"}
    assert plan.inputs()[str(bids / "participants.tsv")]
    dosed = plan_group(out, config_of(covariates=["dose"]), bids)
    assert dosed.jobs[0].manifest["people"]["01"] == {"dose": "1"}
    refresh_participants(out, plan.known)
    assert read_people(out)["04"] == {"group": "control", "age": "4", "dose": "1"}
    assert plan_group(out, config, bids).jobs == plan.jobs
    assert plan_group(out, config).jobs[0].manifest["people"]["04"] == {"age": "4"}


def test_a_table_of_participants_names_them(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tage\nsub-01\t3\n\t4\nsub-\t5\n02\t6\n")
    assert read_people(tmp_path) == {"01": {"age": "3"}, "02": {"age": "6"}}
    table.write_text("subject\tage\nsub-01\t3\n")
    with pytest.raises(UnreadableError, match=r"columns subject, age; participant_id is expected"):
        read_people(tmp_path)
    table.write_text("")
    assert read_people(tmp_path) == {}


def test_the_page_is_told_what_came_out(out, tmp_path_factory):
    config = config_of(tests=["t", "mixed"], contrasts=["group: patient > control"])
    plan, _ = run(out, tmp_path_factory.mktemp("work"), config)
    (told,) = group_pages(plan, config, ["bids_dnn"], anew=True).values()
    made = told["ran"]["group"]["made"]
    assert "mean_mixed" not in made
    assert {"p_t", "difference"} <= set(made)
    assert "made" not in told["config_toml"]


@pytest.mark.parametrize(
    ("group", "match"),
    [
        ({"tests": ["wilcoxon"], "covariates": ["age"]}, r"\['age'\].*'wilcoxon' cannot take"),
        ({"contrasts": ["group patient"]}, r"'group patient'.*Type 'region: FFA > V1'"),
    ],
)
def test_settings_that_no_data_meet_are_refused_before_participants_run(tmp_path, group, match):
    config = config_of(**group)
    for is_dry in (True, False):
        call = Call(
            bids_dir=tmp_path / "absent",
            output_dir=tmp_path / "out",
            level="participant",
            dry_run=is_dry,
            download_only=False,
            reports_only=False,
            verbosity=0,
            command=(),
        )
        with pytest.raises(ConfigError, match=match):
            execute(call, config)
    assert not (tmp_path / "out").exists()
