"""workflows.across and its step: from participants' patterns to tables, or a reason why not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.sharing import share_patterns
from bids_dnn.config.schema import Config
from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives import names
from bids_dnn.derivatives.read import read_result, read_sidecar
from bids_dnn.derivatives.write import write_result
from bids_dnn.errors import MissingInputError
from bids_dnn.workflows.across import told_of, with_across
from bids_dnn.workflows.over_group import plan_group
from bids_dnn.workflows.pages import group_pages
from bids_dnn.workflows.steps.across import across_step
from tests.factories.responses import make_patterns
from tests.factories.results import make_decode
from tests.workflows.conftest import invoke

MNI = "MNI152NLin2009cAsym"
CHOICES = Choices(comparisons=("pairs",), n_permutations=1, seed=0)


def make_shared(seed, means, space, region=None):
    made = make_patterns(np.random.default_rng(seed), n_runs=2, n_units=8, effect=0)
    code = (made.samples["condition"] == "b").to_numpy(dtype=int)
    values = (made.values + means[code]).astype(np.float32)
    made = replace(made, values=values, space=replace(made.space, name=space))
    rois = [] if region is None else [Roi(region, made.space, "mask", len(made.space))]
    return share_patterns(made, rois, choices=CHOICES)


def leave(out, label, *, task="obj", space=MNI, shared=None, **decode):
    """Write a participant's decoding, with or without patterns."""
    told = Config.model_validate({"decode": {"permutations": 20} | decode})
    made = replace(make_decode(np.random.default_rng(0)), shared=shared)
    entities = {"participant": label, "task": task, "space": space}
    settings = {"decode": told.decode.model_dump(mode="json"), "responses": {}}
    sidecar = {"Sources": [], "Fingerprint": label, "Settings": settings}
    write_result(made, out, entities=entities, sidecar=sidecar)


@pytest.fixture
def means():
    return 4 * np.random.default_rng(7).normal(size=(2, 8))


@pytest.fixture
def out(tmp_path, means):
    """Four participants with one task; 04 left no patterns."""
    for k, label in enumerate(("01", "02", "03", "04")):
        leave(tmp_path, label, shared=make_shared(k, means, MNI) if label < "04" else None)
    rows = "".join(f"sub-0{k}\n" for k in range(1, 5))
    (tmp_path / "participants.tsv").write_text(f"participant_id\n{rows}")
    return tmp_path


def plan_of(out, *across, **run):
    config = Config.model_validate({"group": {"across": across}, "run": run})
    return with_across(plan_group(out, config), config)


def run(job, work):
    manifest = work / "across.json"
    manifest.write_text(json.dumps(job.manifest))
    across_step(manifest)
    return read_result(job.table())


def test_nothing_is_added_where_nothing_is_asked_for(out):
    assert [job.analysis for job in plan_of(out).jobs] == ["decode"]
    assert [job.analysis for job in plan_of(out, "participants").jobs] == ["decode", "across"]


def test_participants_are_decoded_from_what_they_left(out, tmp_path_factory):
    plan = plan_of(out, "participants")
    job = plan.jobs[-1]
    assert "across_obj_MNI152NLin2009cAsym: waits; patterns of sub-01, sub-02, sub-03" in (
        plan.lines()
    )
    assert any("sub-04 left no patterns (decode.share)" in text for text in plan.warnings)
    made = run(job, tmp_path_factory.mktemp("work"))
    assert job.table().name == f"task-obj_space-{MNI}_desc-across_scores.tsv"
    assert made.table[["comparison", "score", "n_participants"]].to_numpy().tolist() == [
        ["a vs b", 1.0, 3]
    ]
    assert made.table["p"][0] == 0.25
    assert made.meta["missing_participants"] == ["04"]
    assert len(made.extras["participants"]) == 3
    sidecar = read_sidecar(job.table())
    assert sidecar["Facts"]["across"] == "participants"
    assert sidecar["Sources"][0].startswith("bids::sub-01/func/sub-01_task-obj_")
    assert made.extra_columns["participants"]["participant"] == "Who was left out"
    done = plan_of(out, "participants")
    assert [name for name in done.waiting() if name.startswith("across")] == []
    again = Config.model_validate(
        {"group": {"across": ["participants"], "across_patterns": "zscore"}}
    )
    assert with_across(plan_group(out, again), again).jobs[-1].done is False


def test_a_setting_that_an_earlier_version_did_not_know_is_as_by_default(out):
    for path in out.rglob("*_desc-decode_scores.json"):
        told = json.loads(path.read_text())
        assert told["Settings"]["decode"].pop("components") == 10
        path.write_text(json.dumps(told))
    assert plan_of(out, "participants").jobs[-1].manifest["decode"]["components"] == 10


@pytest.mark.whole
def test_what_failed_is_not_told_as_made(tmp_path, means):
    for k, label in enumerate(("01", "02")):
        for task, region in (("loc", "V1"), ("obj", "V4")):
            shared = make_shared(10 + k, means, "T1w", region)
            leave(tmp_path / "out", label, task=task, space="T1w", shared=shared)
    settings = tmp_path / "analysis.toml"
    settings.write_text('[group]\nacross = ["tasks"]\n')
    plugin = tmp_path / "plugin.yml"
    plugin.write_text("plugin: Linear\n")
    said = invoke(
        *(tmp_path / "raw", tmp_path / "out", "group", "--config", settings),
        *("--work-dir", tmp_path / "work", "--use-plugin", plugin),
    )
    assert said.exit_code == 1, said.output
    assert "no region with 2 units in common (regions: V1; and V4)" in said.output
    assert "Made: decode_loc_T1w, decode_obj_T1w." in said.output


def test_tasks_have_a_table_and_a_page_of_their_own(out, means, tmp_path_factory):
    for k, label in enumerate(("01", "02")):
        leave(out, label, task="loc", space="T1w", shared=make_shared(10 + k, means, "T1w"))
        leave(out, label, task="obj", space="T1w", shared=make_shared(20 + k, means, "T1w"))
    plan = plan_of(out, "tasks")
    job = plan.jobs[-1]
    assert (job.task, job.space) == ("loc+obj", "T1w")
    assert f"Across tasks, space {MNI}: nobody has patterns of two tasks." in plan.warnings
    made = run(job, tmp_path_factory.mktemp("work"))
    assert made.table["trained_on"].tolist() == ["loc", "obj"]
    assert (made.table["score"] == 1.0).all()
    told = told_of([job])["across"]
    assert (told["across"], told["patterns"]) == ("tasks", "center")
    config = Config.model_validate({"group": {"across": ["tasks"]}})
    page = group_pages(plan, config, ["bids_dnn"], anew=True)["locobjT1w"]
    assert page["page"].endswith("group_task-loc+obj_space-T1w.html")
    assert "decode" not in page["ran"]
    assert "group" not in page["ran"]
    assert 'across = [\n    "tasks",\n]' in page["config_toml"]
    assert "share = " in page["config_toml"]


def test_comparisons_of_all_participants_are_taken(out, means, tmp_path_factory):
    leave(out, "02", shared=make_shared(1, means, MNI), comparisons=["x:a vs y:b", "pairs"])
    job = plan_of(out, "participants").jobs[-1]
    assert job.manifest["decode"]["comparisons"] == ["pairs", "all", "x:a vs y:b"]
    run(job, tmp_path_factory.mktemp("work"))  # the same sides twice are one comparison


def test_what_cannot_be_is_left_out_with_a_warning(tmp_path, means):
    leave(tmp_path, "01", space="T1w", shared=make_shared(0, means, "T1w"))
    leave(tmp_path, "02", space="T1w", shared=make_shared(1, means, "T1w"))
    plan = plan_of(tmp_path, "participants", "tasks")
    assert [job.analysis for job in plan.jobs] == ["decode"]
    own, tasks = plan.warnings[-2:]
    assert "Nothing was decoded across participants. Space T1w is each participant's own" in own
    assert "--space MNI152" in own
    assert "Nothing was decoded across tasks. " in tasks
    assert "nobody has patterns of two tasks" in tasks
    leave(tmp_path, "01", shared=make_shared(0, means, MNI))
    for run in ({}, {"participant_label": ["01"]}):
        plan = plan_of(tmp_path, "participants", **run)
        assert {job.analysis for job in plan.jobs} == {"decode"}
        assert f"obj, space {MNI}: 1 participant has patterns, and 2" in plan.warnings[-1]


def test_no_patterns_at_all_say_how_to_leave_them(tmp_path):
    leave(tmp_path, "01")
    leave(tmp_path, "02")
    with pytest.raises(MissingInputError, match=r"Set share = true under .decode. and run"):
        plan_of(tmp_path, "participants", "tasks")
    stray = names.patterns_of(
        names.path_of(
            tmp_path, "scores", participant="01", task="obj", space=MNI, analysis="decode"
        )
    )
    stray.write_bytes(b"of an older run, which the sidecar does not name")
    with pytest.raises(MissingInputError, match="no participant"):
        plan_of(tmp_path, "participants")


def test_where_decoding_is_not_asked_for_nothing_is_across(out):
    config = Config.model_validate(
        {"group": {"across": ["tasks"]}, "run": {"analysis": ["encode"]}}
    )
    plan = plan_group(out, Config())
    assert with_across(plan, config) is plan
