"""workflows.group_ceiling: from participants' derivatives to ceilings over them, and the page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bids_dnn.analyses.ceiling.estimate import estimate_ceilings
from bids_dnn.analyses.decode.choices import Choices
from bids_dnn.analyses.decode.sharing import share_patterns
from bids_dnn.config.schema import Config
from bids_dnn.derivatives import names
from bids_dnn.derivatives.read import read_result
from bids_dnn.derivatives.write import write_result
from bids_dnn.stats.loo_ceiling import loo_ceiling
from bids_dnn.workflows.group_ceiling import shared_patterns
from bids_dnn.workflows.over_group import plan_group
from bids_dnn.workflows.pages import group_pages
from bids_dnn.workflows.steps.group import group_step
from bids_dnn.workflows.steps.report import group_report_step
from tests.factories.responses import make_patterns, make_responses, make_roi
from tests.factories.results import make_decode

LABELS = ("01", "02", "03")
SIGNAL = np.random.default_rng(11).normal(size=30)


def leave(out, label, seed):
    """Write a participant's ceilings; the first stimulus was not shown to 03."""
    rng = np.random.default_rng(seed)
    values = (np.tile(SIGNAL, 2)[:, None] + rng.normal(size=(60, 8))).astype(np.float32)
    stimuli = [f"s{k:02}" for k in range(30)] * 2
    responses = make_responses(values, stimuli=stimuli)
    if label == "03":
        responses = responses.select(np.array([name != "s00" for name in stimuli]))
    made = estimate_ceilings(responses, [make_roi("V1", responses, range(8))], seed=0)
    write(out, label, made)
    return responses


def leave_patterns(out, label, seed):
    rng = np.random.default_rng(seed)
    patterns = make_patterns(rng, n_runs=3, conditions=tuple("abcd"), n_units=8)
    choices = Choices(comparisons=("pairs",), n_permutations=1, seed=0)
    shared = share_patterns(patterns, [make_roi("V1", patterns, range(8))], choices=choices)
    write(out, label, replace(make_decode(rng), shared=shared))


def write(out, label, made):
    entities = {"participant": label, "task": "obj", "space": "T1w"}
    settings = {"decode": Config().decode.model_dump(mode="json"), "responses": {}}
    sidecar = {"Sources": [], "Fingerprint": label, "Settings": settings}
    write_result(made, out, entities=entities, sidecar=sidecar)


@pytest.fixture
def out(tmp_path):
    """Three of four participants have ceilings; none left patterns."""
    for k, label in enumerate(LABELS):
        leave(tmp_path, label, k)
    rows = "".join(f"sub-0{k}\n" for k in range(1, 5))
    (tmp_path / "participants.tsv").write_text(f"participant_id\n{rows}")
    return tmp_path


def run(out, work, analysis="ceiling"):
    config = Config.model_validate({"run": {"analysis": [analysis]}})
    plan = plan_group(out, config)
    (job,) = plan.jobs
    manifest = work / "manifest.json"
    manifest.write_text(json.dumps(job.manifest))
    group_step(manifest)
    return plan_group(out, config), read_result(job.table()), config


def test_ceilings_of_responses_come_from_what_participants_left(out, tmp_path_factory):
    plan, made, _ = run(out, tmp_path_factory.mktemp("work"))
    (row,) = made.table.to_dict("records")
    rows = []
    for k in range(3):
        rng = np.random.default_rng(k)
        values = np.tile(SIGNAL, 2)[:, None] + rng.normal(size=(60, 8))
        rows.append(values.reshape(2, 30, 8).mean(axis=(0, 2))[1:])
    expected = loo_ceiling(np.array(rows))
    np.testing.assert_allclose([row["lower"], row["upper"]], [expected.lower, expected.upper],
                               rtol=1e-5)  # fmt: skip
    assert (row["kind"], row["n_items"], row["n_items_any"]) == ("encoding", 29, 30)
    assert row["missing"] == "04"
    assert 0.5 < row["own_ncsnr"] < 1
    assert made.meta["missing_items"] == {"encoding": {"03": ["s00"]}}
    assert "no finished table of sub-04" in plan.warnings[0]
    assert plan.jobs[0].done
    table = out / "participants.tsv"
    table.write_text(table.read_text().replace("\n", "\t20\n").replace("id\t20", "id\tage"))
    aged = Config.model_validate(
        {"run": {"analysis": ["ceiling"]}, "group": {"covariates": ["age"]}}
    )
    assert plan_group(out, aged).jobs[0].done  # ceilings take no covariate
    assert plan.lines()[1] == "  dissimilarities of conditions: patterns of 0 of 3 participants"


def test_patterns_add_ceilings_of_dissimilarities(out, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    run(out, work)
    for k, label in enumerate(LABELS[:2]):
        leave_patterns(out, label, k)
    config = Config.model_validate({"run": {"analysis": ["ceiling"]}})
    assert not plan_group(out, config).jobs[0].done
    plan, made, _ = run(out, work)
    row = made.table.set_index("kind").loc["rsa"]
    assert (row["n_participants"], row["n_items"], row["missing"]) == (2, 4, "03, 04")
    assert -1 <= row["lower"] < row["upper"] <= 1
    assert np.isnan(row["lower_ci_low"])
    told = json.loads(names.sidecar_of(plan.jobs[0].table()).read_text())
    assert sum(one.endswith("_patterns.npz") for one in told["Sources"]) == 2


def test_the_page_shows_them_and_claims_no_tests(out, tmp_path_factory):
    plan, _, config = run(out, tmp_path_factory.mktemp("work"))
    (told,) = group_pages(plan, config, ["bids_dnn"], anew=True).values()
    assert told["ran"]["loo_ceiling"] == {"kinds": ["encoding"]}
    assert "group" not in told["ran"]
    manifest = out / "page.json"
    manifest.write_text(json.dumps(told))
    page = Path(group_report_step(manifest)).read_text()
    assert "Noise ceilings over participants" in page
    assert "10.1371/journal.pcbi.1003553" in page
    assert "nobody left patterns" in page
    assert (out / "group" / "figures" / "task-obj_space-T1w_ceiling.png").is_file()


def test_other_analyses_take_no_patterns(out):
    leave_patterns(out, "01", 0)
    tables = {
        label: names.path_of(
            out, "scores", participant=label, task="obj", space="T1w", analysis="ceiling"
        )
        for label in LABELS
    }
    assert list(shared_patterns(out, "ceiling", tables)) == ["01"]
    assert shared_patterns(out, "decode", tables) == {}
