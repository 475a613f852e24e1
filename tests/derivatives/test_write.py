"""derivatives.write: same bytes, the sidecar last, nothing left over, and a silent validator."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bids_dnn import imaging
from bids_dnn.containers.roi import Roi
from bids_dnn.derivatives import provenance, write
from bids_dnn.derivatives.tables import table_text
from bids_dnn.errors import OutputError
from tests.factories.results import make_decode, make_encode, make_space

ENTITIES = {"participant": "01", "task": "objects", "space": "T1w"}
SIDECAR = {"Sources": ["bids:fmriprep:sub-01/func/a.nii.gz"], "Fingerprint": "f1"}


def bytes_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_write_dataset_says_what_it_is(tmp_path):
    source = tmp_path / "fmriprep"
    source.mkdir()
    described = {
        "DatasetDOI": "doi:10.0/x",
        "GeneratedBy": [{"Name": "fMRIPrep", "Version": "25"}],
    }
    (source / "dataset_description.json").write_text(json.dumps(described))
    out = tmp_path / "out"
    paths = write.write_dataset(
        out,
        version="0.1",
        sources={"fmriprep": source, "raw": tmp_path},
        environ={"BIDS_DNN_SINGULARITY_URL": "docker://x"},
    )
    said = json.loads(paths[0].read_text())
    assert said["DatasetType"] == "derivative"
    assert said["GeneratedBy"][0]["Container"] == {"Type": "singularity", "URI": "docker://x"}
    assert said["DatasetLinks"] == {"fmriprep": source.as_uri(), "raw": tmp_path.as_uri()}
    assert said["SourceDatasets"][0] == {
        "URL": source.as_uri(), "DOI": "doi:10.0/x", "Version": "25",
    }  # fmt: skip
    before = {p: p.stat().st_mtime_ns for p in paths}
    write.write_dataset(
        out,
        version="0.1",
        sources={"fmriprep": source, "raw": tmp_path},
        environ={"BIDS_DNN_SINGULARITY_URL": "docker://x"},
    )
    assert before == {p: p.stat().st_mtime_ns for p in paths}


def test_write_participants_without_a_table_in_the_input(tmp_path):
    paths = write.write_participants(
        tmp_path / "out", bids_dir=tmp_path, participants=["02", "01"]
    )
    assert paths[0].read_text() == "participant_id\nsub-01\nsub-02\n"


def test_write_result_writes_the_same_bytes_twice(tmp_path):
    for name in ("a", "b"):
        result = make_encode(np.random.default_rng(0))
        write.write_result(result, tmp_path / name, entities=ENTITIES, sidecar=SIDECAR)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_write_result_lists_all_and_writes_the_sidecar_last(tmp_path, rng):
    paths = write.write_result(make_decode(rng), tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    said = json.loads(paths[-1].read_text())
    assert paths[-1].name == "sub-01_task-objects_space-T1w_desc-decode_scores.json"
    assert set(said["Outputs"]) == {p.name for p in paths[:-1]}
    assert said["ChanceLevel"] == {"pairs": 0.5, "all": 0.25}
    assert said["NumberOfPermutations"] == 1000
    assert said["score"] == {"Description": "Mean accuracy.", "Format": "number"}
    assert provenance.is_done(paths[-1], "f1")


def test_maps_say_where_they_lie(tmp_path, rng):
    paths = write.write_result(make_encode(rng), tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    maps = [p for p in paths if p.name.endswith("statmap.json")]
    assert len(maps) == 6
    assert all("SpatialReference" in json.loads(p.read_text()) for p in maps)
    assert maps[0].name == (
        "sub-01_task-objects_space-T1w_model-alexnet+features0_stat-pearson_desc-encode_statmap.json"
    )


def test_an_older_result_leaves_nothing_behind(tmp_path, rng):
    full = make_encode(rng)
    made = write.write_result(full, tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    made[-1].unlink()  # as if the next run had been killed on its way
    made[0].with_name(f".0123456789ab.{made[0].name}").write_text("half")
    fewer = dataclasses.replace(full, maps=full.maps[:1])
    paths = write.write_result(fewer, tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    assert set(bytes_of(tmp_path)) == {p.relative_to(tmp_path) for p in paths}


def test_files_of_others_stay(tmp_path, rng):
    others = [
        ENTITIES | {"participant": "02"}, ENTITIES | {"task": "loc"}, {"space": "T1w", "task": ""}
    ]  # fmt: skip
    for given in others:
        write.write_result(make_decode(rng), tmp_path, entities=given, sidecar=SIDECAR)
    write.write_result(make_encode(rng), tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    before = bytes_of(tmp_path)
    write.write_result(make_decode(rng), tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    after = bytes_of(tmp_path)
    assert {name: after[name] for name in before} == before


def test_a_write_that_breaks_leaves_no_sidecar(tmp_path, rng, monkeypatch):
    paths = write.write_result(make_encode(rng), tmp_path, entities=ENTITIES, sidecar=SIDECAR)

    def full_disk(*_args, **_kwargs):
        raise OutputError("No space.", mend="Free some.")

    monkeypatch.setattr(imaging, "write_map", full_disk)
    with pytest.raises(OutputError, match="No space"):
        write.write_result(make_encode(rng), tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    assert not paths[-1].exists()


def test_table_text_is_bids():
    table = pd.DataFrame(
        {"region": ["V1", ""], "p": [1 / 3, np.nan], "n": [1, 2], "best": [True, False]}
    )
    assert table_text(table) == (
        "region\tp\tn\tbest\nV1\t0.333333333\t1\ttrue\nn/a\tn/a\t2\tfalse\n"
    )


@pytest.mark.validator
def test_the_validator_finds_nothing(tmp_path, rng):
    beside = Path(sys.executable).with_name("bids-validator-deno")
    validator = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("no bids-validator-deno (pip install bids_dnn[test])")
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "dataset_description.json").write_text('{"Authors": ["A. One", "B. Two"]}')
    (raw / "participants.tsv").write_text("participant_id\tage\nsub-01\t30\n")
    tmp_path = tmp_path / "out"
    write.write_dataset(tmp_path, version="0.1", sources={"raw": raw}, environ={})
    write.write_participants(tmp_path, bids_dir=raw, participants=["01"])
    for result in (make_decode(rng), make_encode(rng)):
        write.write_result(result, tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    group = {"task": "objects", "space": "T1w"}
    write.write_result(make_decode(rng), tmp_path, entities=group, sidecar={})
    roi = Roi("FFA", make_space(), "made up", 50)
    write.write_region(roi, tmp_path, entities=ENTITIES, sidecar=SIDECAR)
    (tmp_path / "sub-01.html").write_text("<p>")
    (tmp_path / "sub-01/figures").mkdir()
    (tmp_path / "sub-01/figures/a.png").write_bytes(b"")
    (tmp_path / "logs/1").mkdir(parents=True)
    (tmp_path / "logs/1/config.toml").write_text("")

    ran = subprocess.run(
        [validator, "--format", "json", str(tmp_path)], capture_output=True, check=False
    )
    found = json.loads(ran.stdout)["issues"]["issues"]
    assert found == [], json.dumps(found, indent=1)


def test_participants_that_the_input_does_not_list_are_added(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "participants.tsv").write_text("participant_id\tage\nsub-01\t30\n")
    write.write_participants(tmp_path / "out", bids_dir=raw, participants=["monkeyF", "01"])
    text = (tmp_path / "out" / "participants.tsv").read_text()
    assert text == "participant_id\tage\nsub-01\t30\nsub-monkeyF\tn/a\n"
