"""workflows.regions: which runs a localizer may rest on."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bids_dnn.errors import LeakageError
from bids_dnn.ingest.records import Run, Subject
from bids_dnn.rois.grammar import parse
from bids_dnn.workflows.regions import _Asked, _localizer, regions_manifest


def make_run(label):
    stem = Path("/data", f"sub-01_run-{label}_bold.nii.gz")
    return Run("", label, stem, None, None, None, 2.0, 0.0, 100)


def asked(subject, tasks, text, *, is_allowed=False):
    settings = SimpleNamespace(high_pass_hz=0.01, confounds="none", hrf="spm", rest=("rest",))
    config = SimpleNamespace(run=SimpleNamespace(allow_circular=is_allowed), responses=settings)
    scene = SimpleNamespace(config=config, inventory=SimpleNamespace(all_tasks=tasks))
    return _Asked(scene, subject, "FFA", parse(text))


TASK = Subject("01", "fmriprep", "main", "T1w", runs=(make_run("1"), make_run("2")))
LOC = replace(TASK, task="loc")


def test_betas_of_spm_count_as_all_runs_of_their_task():
    spm = Subject("01", "spm", "main", "T1w", spm=Path("SPM.mat"))
    with pytest.raises(LeakageError, match=r"rests on 1 of the runs .*task-main_run-2"):
        _localizer(asked(spm, (TASK, LOC), "localizer:a>b, run=2, top=5"))
    told = _localizer(asked(spm, (TASK, LOC), "localizer:a>b, run=2, top=5", is_allowed=True))
    assert "Circular" in told["circular"][0]
    other = _localizer(asked(spm, (TASK, LOC), "localizer:a>b, task=loc, top=5"))
    assert (other["circular"], other["unsure"]) == ([], [])


def test_responses_of_an_unknown_task_are_told():
    ready = Subject("01", "glmsingle", "", "T1w", files=(Path("betas.npy"),))
    told = _localizer(asked(ready, (TASK, LOC), "localizer:a>b, task=loc, top=5"))
    assert told["circular"] == []
    assert "of the task loc; whether" in told["unsure"][0]


def test_the_same_run_is_found_by_its_file_whatever_it_is_called():
    runs = (make_run("APx01"), make_run("PAx01"))  # two of one label: called by their whole name
    both = replace(TASK, runs=runs)
    one = replace(TASK, runs=runs[:1])  # alone, it is called 01
    with pytest.raises(LeakageError, match="rests on 1 of the runs"):
        _localizer(asked(one, (both,), "localizer:a>b, top=5"))


def test_a_region_that_ready_made_data_name_comes_without_a_file(tmp_path):
    ready = Subject("01", "table", "", "T1w", files=(Path("responses.npy"),))
    config = SimpleNamespace(regions={"A": "mask:A"})
    scene = SimpleNamespace(
        config=config,
        inventory=SimpleNamespace(bids_dir=tmp_path),
        output_dir=tmp_path,
        inputs=SimpleNamespace(of=lambda files: {str(one): "" for one in files}),
        roots=dict,
    )
    (rule,) = regions_manifest(scene, ready)["rules"]
    assert (rule["source"], rule["uris"]) == ("mask:A", [])
