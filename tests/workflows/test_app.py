"""A whole run: from a BIDS tree with known truth to tables, maps, pages and group results."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bids_dnn.analyses.encode.fit import encode
from bids_dnn.containers.features import FeatureGram
from bids_dnn.derivatives.read import read_result
from bids_dnn.workflows.steps.artifacts import load_responses, load_rois
from bids_dnn.workflows.steps.encode import choices_of
from tests.workflows.conftest import N_PERMUTATIONS, STEM, bytes_of, files_of, invoke, table

pytestmark = pytest.mark.whole
KEPT_LIST = Path(__file__).with_name("expected_files.txt")
SIGNAL = {"early": "features.0", "middle": "features.10", "late": "classifier.6"}


def test_the_run_leaves_just_the_files_that_it_should(whole):
    made = [name for name in files_of(whole.out) if not name.startswith("logs/")]
    expected = KEPT_LIST.read_text().splitlines()
    assert made == expected


def test_each_run_leaves_its_settings_and_how_it_went(whole):
    logs = sorted((whole.out / "logs").iterdir())
    first = next(log for log in logs if (log / "CITATION.bib").is_file())
    names = {path.name for path in first.iterdir()}
    assert names >= {"command.txt", "config.toml", "inputs.tsv", "log.jsonl", "versions.txt"}
    lines = [json.loads(line) for line in (first / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["event"] == "end"
    assert lines[-1]["failed"] == []


@pytest.mark.parametrize("participant", ["01", "02"])
@pytest.mark.parametrize("region", SIGNAL)
def test_the_planted_layer_is_the_best_one(whole, participant, region):
    found = table(whole.out, "encode", participant)
    best = found[(found["region"] == region) & found["best"]]
    assert list(best["layer"]) == [SIGNAL[region]]
    assert best["p_corrected"].item() < 0.05


@pytest.mark.parametrize("participant", ["01", "02"])
def test_conditions_are_decoded_where_there_is_signal_and_not_where_there_is_none(
    whole, participant
):
    found = table(whole.out, "decode", participant)
    assert (found["n_permutations"] == N_PERMUTATIONS).all()
    assert (found.loc[found["region"].isin(SIGNAL), "p"] < 0.05).all()
    assert (found.loc[found["region"] == "noise", "p_corrected"] > 0.05).all()
    assert (found.loc[found["comparison"] == "all", "chance"] == 0.25).all()


def test_noise_is_encoded_by_no_layer(whole):
    found = table(whole.out, "encode")
    assert (found.loc[found["region"] == "noise", "p_corrected"] > 0.05).all()


def test_scores_are_near_those_of_the_true_components(whole):
    node = whole.work / "analyses" / "sub_01_objects_T1w"
    responses, _ = load_responses(node / "responses" / "responses.npz")
    rois = {roi.name: roi for roi in load_rois(node / "regions" / "regions.npz")[0]}
    settings = json.loads(
        (whole.work / "manifests" / "sub_01_objects_T1w_encode.json").read_text()
    )
    told = settings["settings"]
    found = table(whole.out, "encode")
    for region, layer in SIGNAL.items():
        truth = pd.read_csv(
            whole.bids / "derivatives" / "truth" / f"components_{region}.tsv", sep="\t"
        ).set_index("stimulus")
        gram = FeatureGram(
            tuple(truth.index), "truth", layer, truth.values @ truth.values.T, truth.shape[1], {}
        )
        choices = choices_of(told, seed=settings["seed"], split=None)
        choices = replace(choices, n_permutations=1)
        scores = encode(responses, [rois[region]], [gram], choices=choices).table
        oracle = scores.loc[scores["target"] == "units", "score"].item()
        mine = found[(found["region"] == region) & (found["layer"] == layer)]["score"].item()
        assert abs(mine - oracle) < 0.05, (region, mine, oracle)


def test_ceilings_are_near_the_planted_ones(whole):
    truth = pd.read_csv(whole.bids / "derivatives" / "truth" / "truth.tsv", sep="\t")
    found = table(whole.out, "encode").drop_duplicates("region").set_index("region")
    planted = truth.drop_duplicates("region").set_index("region")["ceiling"]
    for region in SIGNAL:
        assert abs(found.loc[region, "ceiling"] - planted[region]) < 0.1


def test_sidecars_say_from_what_and_how(whole):
    told = json.loads((whole.out / STEM.format("encode").replace(".tsv", ".json")).read_text())
    assert any(uri.startswith("bids:fmriprep:sub-01/") for uri in told["Sources"])
    assert told["SpatialReference"].startswith("bids:fmriprep:sub-01/anat/")
    assert "random (seed 0)" in json.dumps(told)
    decoded = json.loads((whole.out / STEM.format("decode").replace(".tsv", ".json")).read_text())
    for word in ("ChanceLevel", "Fingerprint", "RandomSeed"):
        assert word in decoded
    for path in (whole.out / "sub-01" / "func").glob("*.json"):
        told = json.loads(path.read_text())
        assert {"Sources", "SpatialReference", "RandomSeed"} <= set(told), path
        assert ("FoldScheme" in told) == ("desc-decode" in path.name or "encode" in path.name)
        if "encode" in path.name:
            assert "random (seed 0)" in json.dumps(told["Networks"]), path
    for path in (whole.out / "sub-01" / "anat").glob("*_mask.json"):
        (source,) = json.loads(path.read_text())["Sources"]
        region = path.name.partition("label-")[2].partition("_")[0]
        assert f"label-{region}_mask" in source


def test_the_group_names_who_and_tests_over_them(whole):
    path = whole.out / "group" / "task-objects_space-T1w_desc-decode_scores.tsv"
    result = read_result(path)
    assert result.meta["participants"] == ["01", "02"]
    assert (result.table["p_floor"] == 0.25).all()
    assert (result.table["p_corrected"] >= 0.25).all()
    pages = [(whole.out / name).read_text() for name in ("group.html", "sub-01.html")]
    assert "random" in pages[1]
    assert all(len(page) < 15e6 for page in pages)
    assert not any("http://" in part.split('"')[0] for p in pages for part in p.split('src="')[1:])


@pytest.mark.validator
def test_the_validator_finds_nothing(whole):
    command = Path(sys.executable).with_name("bids-validator-deno")
    said = subprocess.run(
        [command, "--json", whole.out], capture_output=True, text=True, check=False
    )
    issues = json.loads(said.stdout)["issues"]["issues"]
    assert issues == []


def test_a_finished_run_is_not_run_again(whole):
    before = bytes_of(whole.out)
    began = time.monotonic()
    said = invoke(*whole.options())
    took = time.monotonic() - began
    assert said.exit_code == 0
    assert "all was there already" in said.output
    assert bytes_of(whole.out) == before
    assert took < 10


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the results that may be altered; the work directory is shared, read-mostly."""
    shutil.copytree(whole.out, tmp_path / "out")
    return tmp_path / "out"


def on(whole, out, *more):
    args = whole.options()
    args[1] = str(out)
    return [*args, *more]


def test_only_what_changed_runs_again(whole, copied):
    before = bytes_of(copied)
    one = ["--participant-label", "02", "--analysis", "decode"]
    args = on(whole, copied, *one)
    args[args.index("--n-permutations") + 1] = "3"
    said = invoke(*args)
    assert said.exit_code == 0, said.output
    assert "Made: decode of sub-02 (task objects, space T1w)." in said.output
    after = bytes_of(copied)
    changed = {name for name in after if after[name] != before.get(name)}
    assert any("sub-02" in name and "desc-decode_scores.tsv" in name for name in changed)
    assert not any("encode" in name or "sub-01" in name for name in changed)


def test_an_analysis_alone_keeps_the_other_on_the_page(whole, copied):
    (copied / "sub-01.html").unlink()
    said = invoke(*on(whole, copied, "--analysis", "encode", "--participant-label", "01"))
    assert said.exit_code == 0, said.output
    page = (copied / "sub-01.html").read_text()
    assert "Decoding</h2>" in page
    assert "Encoding</h2>" in page


def test_other_means_make_nothing_anew(whole, copied):
    before = bytes_of(copied)
    args = on(whole, copied, "--participant-label", "02", "--mem", "8G")
    args[args.index("--nprocs") + 1] = "1"
    said = invoke(*args)
    assert "all was there already" in said.output
    assert bytes_of(copied) == before


def test_the_same_data_in_another_place_are_the_same(whole, copied, tmp_path):
    (tmp_path / "moved").symlink_to(whole.bids)
    args = on(whole, copied, "--dry-run")
    args[0] = str(tmp_path / "moved")
    said = invoke(*args)
    assert said.exit_code == 0, said.output
    assert said.output.count("nodes none; done decode, encode") == 2


def test_a_mask_that_was_removed_comes_back(whole, copied):
    mask = copied / "sub-01" / "anat" / "sub-01_space-T1w_label-early_mask.nii.gz"
    mask.unlink()
    said = invoke(*on(whole, copied, "--dry-run"))
    assert "sub_01_objects_T1w: nodes responses, regions" in said.output


def test_reports_only(whole, copied):
    (copied / "sub-01.html").unlink()
    (copied / STEM.format("decode")).with_suffix(".json").unlink()
    before = bytes_of(copied)
    said = invoke(*on(whole, copied, "--reports-only"))
    assert said.exit_code == 0, said.output
    page = (copied / "sub-01.html").read_text()
    assert "Encoding" in page
    assert "decode has no result" in page
    after = bytes_of(copied)
    changed = {name for name in after if after[name] != before.get(name)}
    assert {Path(name).suffix for name in changed} <= {".html", ".png"}


def test_a_missing_participant_is_named_by_the_group(whole, copied):
    shutil.rmtree(copied / "sub-02")
    args = whole.options("group")
    args[1] = str(copied)
    said = invoke(*args)
    assert said.exit_code == 0, said.output
    assert "no finished table of sub-02" in said.output


def test_a_group_without_tables_is_refused(whole, tmp_path):
    said = invoke(whole.bids, tmp_path / "empty", "group", "--work-dir", tmp_path / "work")
    assert said.exit_code == 2
    assert "Run the participant level first" in said.output


def test_a_truncated_image_fails_its_participant_only(whole, tmp_path):
    bids = tmp_path / "bids"
    shutil.copytree(whole.bids, bids)
    bold = next((bids / "derivatives" / "fmriprep" / "sub-02").rglob("*T1w*preproc_bold.nii.gz"))
    bold.write_bytes(bold.read_bytes()[:2000])
    said = invoke(
        *(bids, tmp_path / "out", "participant", "--work-dir", tmp_path / "work"),
        *("--analysis", "decode", "--n-permutations", "9", "--roi", "early"),
    )
    assert said.exit_code == 1, said.output
    assert bold.name in said.output
    assert "failed: sub-02" in said.output
    assert (tmp_path / "out" / STEM.format("decode")).is_file()
    assert (tmp_path / "out" / "sub-01.html").is_file()


@pytest.mark.parametrize(("number", "word"), [(28, "No space left"), (13, "Permission denied")])
def test_a_full_or_closed_disk_costs_no_finished_result(whole, copied, tmp_path, number, word):
    before = bytes_of(copied)
    plugin = tmp_path / "linear.yml"
    plugin.write_text("plugin: Linear\n")
    script = tmp_path / "full.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "from bids_dnn.cli.app import main\n"
        "write = pathlib.Path.write_text\n"
        "def full(path, *args, **more):\n"
        "    if 'desc-decode' in path.name and 'sub-02' in path.name:\n"
        f"        raise OSError({number}, os.strerror({number}), str(path))\n"
        "    return write(path, *args, **more)\n"
        "pathlib.Path.write_text = full\n"
        "main()\n"
    )
    args = on(whole, copied, "--use-plugin", str(plugin), "--analysis", "decode")
    args[args.index("--n-permutations") + 1] = "9"
    said = subprocess.run(
        [sys.executable, script, *args, "--participant-label", "02"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert said.returncode == 1, said.stdout + said.stderr
    assert word in said.stderr
    page = (copied / "sub-02.html").read_text()
    assert "decode failed: " in page
    assert word in page
    after = bytes_of(copied)
    assert {n: f for n, f in after.items() if "decode" not in n and "html" not in n} == {
        n: f for n, f in before.items() if "decode" not in n and "html" not in n
    }


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_same_bytes(whole, tmp_path):
    out, work = tmp_path / "out", tmp_path / "work"
    args = on(whole, out)
    args[args.index("--work-dir") + 1] = str(work)
    command = [sys.executable, "-m", "bids_dnn.cli.app", *args]
    started = subprocess.Popen(command, start_new_session=True)
    until = time.monotonic() + 120
    while not list(out.glob("sub-*/func/*_scores.json")) and time.monotonic() < until:
        time.sleep(0.2)
    os.killpg(started.pid, 9)
    started.wait()
    assert list(out.glob("sub-*/func/*_scores.json"))
    assert invoke(*args).exit_code == 0
    group = whole.options("group")
    group[1], group[-1] = str(out), str(work)
    assert invoke(*group).exit_code == 0
    mine, theirs = bytes_of(out), bytes_of(whole.out)
    pages = {name for name in mine if name.endswith(".html")}  # these print the command
    assert mine.keys() == theirs.keys()
    assert {n: f for n, f in mine.items() if n not in pages} == {
        n: f for n, f in theirs.items() if n not in pages
    }


def test_spm_goes_the_same_way(whole, tmp_path):
    shutil.copytree(whole.work / "features", tmp_path / "work" / "features")
    said = invoke(
        *(whole.bids, tmp_path / "out", "participant", "--work-dir", tmp_path / "work"),
        *("--derivatives", f"spm={whole.bids / 'derivatives' / 'spm'}"),
        *("--derivatives", f"rois={whole.bids / 'derivatives' / 'rois'}"),
        *("--weights", "alexnet=random", "--participant-label", "01", "--n-permutations", "19"),
        *("--roi", "early", "--roi", "noise"),
    )
    assert said.exit_code == 0, said.output
    found = table(tmp_path / "out", "decode")
    assert (found.loc[found["region"] == "early", "p"] <= 0.1).all()
    encoded = table(tmp_path / "out", "encode")
    best = encoded[(encoded["region"] == "early") & encoded["best"]]
    assert best["layer"].item() == SIGNAL["early"]


def test_spm_without_raw_data(whole, tmp_path):
    bids = tmp_path / "bids"
    shutil.copytree(whole.bids / "stimuli", bids / "stimuli")
    for name in ("dataset_description.json", "participants.tsv"):
        shutil.copyfile(whole.bids / name, bids / name)
    masks = next((whole.bids / "derivatives" / "rois").rglob("sub-01*T1w*early*_mask.nii.gz"))
    said = invoke(
        *(bids, tmp_path / "out", "participant", "--work-dir", tmp_path / "work"),
        *("--derivatives", f"spm={whole.bids}/derivatives/spm/sub-{{participant}}"),
        *("--analysis", "decode", "--participant-label", "01", "--n-permutations", "19"),
        *("--space", "T1w", "--roi", f"early={masks}@T1w"),
    )
    assert said.exit_code == 0, said.output
    found = pd.read_csv(next((tmp_path / "out").rglob("*_desc-decode_scores.tsv")), sep="\t")
    assert set(found["region"]) == {"early"}
    assert np.isfinite(found["score"]).all()


NETWORK = """
import torch

card = {"name": "edges", "size_px": 32, "layers": ["0"]}


def factory():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, stride=2), torch.nn.ReLU())
"""


def test_the_users_own_network(whole, tmp_path):
    source, weights = tmp_path / "edges.py", tmp_path / "edges.pt"
    source.write_text(NETWORK)
    space = {}
    exec(compile(NETWORK, str(source), "exec"), space)  # noqa: S102  (the same text)
    torch.manual_seed(0)
    torch.save(space["factory"]().state_dict(), weights)
    said = invoke(
        *(whole.bids, tmp_path / "out", "participant", "--work-dir", tmp_path / "work"),
        *(
            "--analysis",
            "encode",
            "--network",
            f"{source}:factory",
            "--weights",
            f"edges={weights}",
        ),
        *("--participant-label", "01", "--n-permutations", "9", "--roi", "early"),
    )
    assert said.exit_code == 0, said.output
    found = table(tmp_path / "out", "encode")
    assert list(found["layer"].astype(str)) == ["0"]
    assert list(found["network"]) == ["edges"]
    assert found["score"].item() > 0.3
    sidecar = (tmp_path / "out" / STEM.format("encode")).with_suffix(".json")
    assert "edges.pt" in sidecar.read_text()
