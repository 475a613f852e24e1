"""workflows.check_samples: names that samples do not have, before responses are read."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bids_dnn.config.load import load
from bids_dnn.errors import ConfigError, LeakageError
from bids_dnn.ingest.ready import table
from bids_dnn.ingest.records import Run, Subject
from bids_dnn.workflows.check_samples import why_not_samples
from tests.factories.ready_table import table_folder

TOLD = {"model": "lsa", "rest": ["rest"], "standardize": "none"}
EVENTS = "onset\tduration\ttrial_type\tside\trt\tword\n" + "".join(
    f"{3 * k}\t1\t{'cat' if k % 2 else 'dog'}\tleft\t{0.5 + k / 10}\tx\n" for k in range(4)
)


@pytest.fixture(params=["fmriprep", "table"])
def subject(request, tmp_path, rng):
    if request.param == "table":
        made = table_folder(tmp_path, rng)["samples"]
        kinds = ["cat" if i % 2 else "dog" for i in range(len(made))]
        made = made.assign(condition=kinds, side="left", rt=0.5, word="x", run=made.index // 4 + 1)
        made.to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
        (found,), _ = table.find(tmp_path, participants=(), space=None)
        (tmp_path / "responses.npy").unlink()  # is not read
        return found
    runs = []
    for name in ("01", "02"):
        events = tmp_path / f"run-{name}_events.tsv"
        events.write_text(EVENTS)
        runs.append(Run("", name, Path("bold.nii.gz"), None, events, None, 2.0, 0.0, 9))
    return Subject("01", "fmriprep", "objects", "T1w", runs=tuple(runs))


def why(subject, analysis="decode", **sections):
    return why_not_samples(load(None, sections), analysis, subject, TOLD)


@pytest.mark.parametrize(
    ("decode", "words"),
    [
        ({"nuisance": ["luminance"]}, "The decode.nuisance column 'luminance' is not in the sam"),
        ({"baseline": ["rtt"]}, "The decode.baseline column 'rtt' is not"),
        ({"targets": ["word"]}, "The decode.targets column 'word' holds no number"),
        ({"comparisons": ["cat vs cat"]}, "names the condition 'cat' twice"),
        ({"comparisons": ["cat vs car"]}, "names the condition 'car', which no sample has"),
        ({"comparisons": ["cat vs dog @ sid=left"]}, "names 'sid', which is no column"),
        ({"comparisons": ["cat vs dog @ side=up"]}, "side=up, which no sample has"),
        ({"folds": "block"}, "decode.folds names 'block'"),
    ],
)
def test_what_decoding_names_must_be_there(subject, decode, words):
    said = why(subject, decode=decode)
    assert words in str(said)
    assert said.mend


def test_what_is_there_is_not_refused(subject):
    told = {"nuisance": ["rt"], "baseline": ["rt", "pix"], "targets": ["rt"]}
    told["comparisons"] = ["cat vs dog", "cat vs car", "all"]  # of some, a participant saw none
    told["comparisons"] += ["cat vs dog @ side=up"]  # or was shown none there
    networks = {"pix": {"network": "lowlevel:pixels"}}
    assert why(subject, decode=told, networks=networks) is None
    assert why(subject, "twin", decode=told, networks=networks) is None
    assert why(subject, "ceiling") is None


def test_other_analyses_name_columns_and_conditions_too(subject):
    assert "encode.nuisance" in str(why(subject, "encode", encode={"nuisance": ["lum"]}))
    assert "'car'" in str(why(subject, "searchlight", searchlight={"comparisons": ["car vs cat"]}))
    assert "'car'" in str(why(subject, "twin", twin={"comparisons": ["car vs cat"]}))


@pytest.mark.parametrize(
    ("comparisons", "categories", "words"),
    [
        ([], ["sides"], "categories names 'sides', which is no column of the samples"),
        (["all"], ["cat vs car"], "names the condition 'car', which no sample has"),
        (["all"], ["cat vs dog @ side=left"], "which says of which samples"),
        ([], ["rt"], "several labels in the column 'rt'"),
        (["all"], ["rt"], None),  # is left out with a warning
        ([], ["cat vs dog", "side", "rt"], None),
    ],
)
def test_categories_must_be_there(subject, comparisons, categories, words):
    told = {"comparisons": comparisons, "categories": categories, "items": "condition"}
    if subject.source == "table":  # one time for all
        samples = subject.files[0].parent / "samples.tsv"
        made = pd.read_csv(samples, sep="\t")
        made.assign(rt=made.index / 10).to_csv(samples, sep="\t", index=False)
    said = why(subject, "searchlight", searchlight=told)
    assert (said is None) if words is None else words in str(said)


def test_motion_comes_with_responses_of_runs_only(subject):
    said = why(subject, decode={"baseline": ["motion"]})
    assert (said is None) == (subject.source == "fmriprep")


def test_nothing_is_read_where_nothing_is_named(subject):
    away = replace(subject, files=(), runs=())
    assert why(away) is None


def test_other_ready_made_responses_wait_until_they_are_read():
    other = Subject("01", "glmsingle", "", "T1w", files=(Path("betas.npy"),))
    assert why(other, decode={"nuisance": ["luminance"]}) is None


def test_folds_within_runs_are_refused_where_trials_of_a_run_share_noise(subject):
    said = why(subject, decode={"folds": "rt", "n_folds": 2})
    if subject.source == "table":  # its sidecar alone tells between which samples noise is shared
        assert said is None
    else:
        assert isinstance(said, LeakageError)
        assert 'decode.folds = "rt" splits samples within runs' in str(said)
    assert why(subject, decode={"folds": "run", "n_folds": 2}) is None


def test_the_error_is_one_of_settings(subject):
    assert isinstance(why(subject, decode={"nuisance": ["luminance"]}), ConfigError)
