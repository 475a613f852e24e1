"""The App averages searchlights over participants, and finds the region where an effect lies."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.ndimage import binary_dilation

from bids_dnn.cli.app import main
from tests.factories.trees import T_R_S, affine_of, tiny_tree, write_image

pytestmark = pytest.mark.whole
SPACE = "MNI152NLin2009cAsym"
SHAPE = (6, 7, 5)
BLOB = (slice(1, 3), slice(2, 5), slice(1, 4))  # answers more to faces than to houses
OWN = """
[searchlight]
radius_mm = 3
comparisons = ["face vs house"]
n_maps = 40
[decode]
classifier = "ridge"
[group]
tests = ["sign-flip", "prevalence"]
contrasts = ["group: old != young"]
p_unit = 0.005
n_maps = 999
atlas = "{}"
"""


def planted(tree, rng):
    """Write a larger brain with an effect in the blob over the images of a tree."""
    for path in sorted(tree.rglob("*_desc-preproc_bold.nii.gz")):
        n_volumes = nib.load(path).shape[-1]
        task = path.name.partition(f"_space-{SPACE}")[0]
        (events,) = tree.glob(f"sub-*/func/{task}_events.tsv")
        told = pd.read_csv(events, sep="\t")
        after = np.arange(n_volumes)[:, None] * T_R_S - told["onset"].to_numpy()
        answer = np.where(told["trial_type"] == "face", 1.0, -1.0)
        course = ((after >= 3) & (after <= 8)) @ answer  # (n_volumes,)
        bold = (100 + rng.normal(size=(*SHAPE, n_volumes))).astype(np.float32)
        bold[BLOB] += course.astype(np.float32)
        write_image(path, bold, affine_of(), t_r_s=T_R_S, code=4)
        mask = path.with_name(path.name.replace("preproc_bold", "brain_mask"))
        write_image(mask, np.ones(SHAPE, dtype=np.uint8), affine_of(), code=4)
    return tree


@pytest.fixture
def atlas(tmp_path):
    """Write an atlas of two regions, of which one is the blob."""
    labels = np.ones(SHAPE, dtype=np.int16)
    labels[BLOB] = 2
    stem = tmp_path / f"tpl-{SPACE}_atlas-Two_dseg"
    stem.with_suffix(".tsv").write_text("index\tname\n1\telsewhere\n2\tplanted\n")
    return write_image(stem.with_suffix(".nii.gz"), labels, affine_of(), code=4)


def test_a_group_of_searchlights_finds_the_planted_region(app, rng, tmp_path, atlas, undrawn):
    people = ("01", "02", "03", "04")
    tree = tiny_tree(
        tmp_path / "data", rng, participants=people, n_runs=3, n_volumes=60, spaces=(SPACE,)
    )
    rows = [f"sub-{name}\t{'old' if name < '03' else 'young'}" for name in people]
    (tree / "participants.tsv").write_text("\n".join(["participant_id\tgroup", *rows]) + "\n")
    own = tmp_path / "own.toml"
    own.write_text(OWN.format(atlas))
    given = ("--config", own, "--space", SPACE)
    tables = app(planted(tree, rng), *given, analysis="searchlight")
    assert sorted(tables) == list(people)

    out = tmp_path / "out"
    options = ("--analysis", "searchlight", "--work-dir", tmp_path / "work")
    args = [tree, out, "group", *given, *options]
    said = CliRunner().invoke(main, [*map(str, args)])
    assert said.exit_code == 0, said.output
    stem = f"task-objects_space-{SPACE}"
    maps = {path.name for path in (out / "group").glob("*_model-facevshouse_*_statmap.nii.gz")}
    stats = ("accuracy", "q", "nparticipants", "overlap", "pchance", "cluster")
    assert maps == {
        f"{stem}_model-facevshouse_stat-{stat}_desc-searchlight_statmap.nii.gz"
        for stat in (*stats, "prevalencebound", "pglobal")
    }

    def volume(stat):
        name = f"{stem}_model-facevshouse_stat-{stat}_desc-searchlight_statmap.nii.gz"
        told = json.loads((out / "group" / name.replace(".nii.gz", ".json")).read_text())
        assert told["Description"]
        return nib.load(out / "group" / name).get_fdata()

    blob = np.zeros(SHAPE, dtype=bool)
    blob[BLOB] = True
    clusters = pd.read_csv(out / "group" / f"{stem}_desc-searchlightClusters_scores.tsv", sep="\t")
    (found,) = clusters[clusters["p_fwe"] < 0.05].to_dict("records")
    inside = volume("cluster") == found["cluster"]
    assert inside.sum() == found["n_units"]
    assert inside[blob].mean() > 0.8
    assert not inside[~binary_dilation(blob)].any()  # spheres reach one voxel
    assert found["label"] == "planted"
    assert volume("accuracy")[blob].mean() > 0.8
    assert (volume("prevalencebound")[blob] > 0.1).mean() > 0.5

    (row,) = pd.read_csv(
        out / "group" / f"{stem}_desc-searchlightContrasts_scores.tsv", sep="\t"
    ).to_dict("records")
    assert (row["n_participants"], row["n_first"], row["n_significant"]) == (4, 2, 0)
    assert row["p_floor"] == pytest.approx(1 / 3)
    assert len([*(out / "group").glob(f"*_model-{row['map']}_*_statmap.nii.gz")]) == 4

    page = (out / "group.html").read_text()
    assert "group: old != young (face vs house): 0 voxels and 0 clusters, no p can" in page
    assert "Where in the brain can conditions be told apart?" in page
    assert "face vs house: 1 cluster" in page
    assert found["labels"] in page
    assert {path.name for path in (out / "group" / "figures").glob("*.png")} >= {
        f"{stem}_searchlight_{name}.png" for name in ("clusters", "maps", "overlap", "prevalence")
    }
