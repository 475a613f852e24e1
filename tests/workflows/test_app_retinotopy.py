"""Known retinotopy, end to end: which stimulus position is decoded from which region."""

import json

import pandas as pd
import pytest

from bids_dnn.simulate.dataset import simulate
from tests.workflows.conftest import invoke

QUADRANTS = {
    "upperRight": "(4.95,4.95)",
    "upperLeft": "(-4.95,4.95)",
    "lowerRight": "(4.95,-4.95)",
    "lowerLeft": "(-4.95,-4.95)",
}
OPPOSITE = {
    "upperRight": "lowerLeft",
    "lowerLeft": "upperRight",
    "upperLeft": "lowerRight",
    "lowerRight": "upperLeft",
}
N_PERMUTATIONS = 99
# 24 samples a comparison, balanced, binomial: 0.5 and 0.1. Above 0.75 by chance p = 0.007; with
# effects planted, below 0.75 p < 1e-4. Twelve numbers at chance: all under 0.92 (p < 1e-4).
FOUND, MISSED = 0.75, 0.92


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One participant with surfaces, CIFTI and volumes, and known receptive fields."""
    folder = tmp_path_factory.mktemp("retinotopy") / "bids"
    return simulate(folder, n_participants=1, seed=0, retinotopy=True)


@pytest.fixture
def settings(tmp_path, data):
    names = ["fovea", *QUADRANTS]
    comparisons = [f"{name}Face vs {name}House" for name in names]
    rules = {"fovea": "benson:V1@0-2deg"}
    rules |= {name: f"benson:V1@{at}r1deg" for name, at in QUADRANTS.items()}
    lines = ["[regions]", *(f'{name} = "{rule}"' for name, rule in rules.items())]
    lines += ["[decode]", f"comparisons = {json.dumps(comparisons)}"]
    lines += [f"permutations = {N_PERMUTATIONS}", "[run]"]
    lines += [f'retinotopy_template = "{data}/derivatives/retinotopy_template"']
    path = tmp_path / "analysis.toml"
    path.write_text("\n".join(lines) + "\n")
    (tmp_path / "plugin.yml").write_text("plugin: Linear\n")
    return path


def run(tmp_path, data, settings, *options, expect=0, analysis="decode"):
    said = invoke(
        *(data, tmp_path / "out", "participant", "--config", settings, "--analysis", analysis),
        *("--work-dir", tmp_path / "work", "--use-plugin", tmp_path / "plugin.yml", *options),
    )
    assert said.exit_code == expect, said.output
    return said.output


def scores(tmp_path, space):
    (path,) = (tmp_path / "out").rglob(f"*_space-{space}_desc-decode_scores.tsv")
    table = pd.read_csv(path, sep="\t")
    table["shown"] = table["comparison"].str.partition("Face")[0]
    return table.set_index(["region", "shown"])["score"]


@pytest.mark.whole
@pytest.mark.parametrize("space", ["fsnative", "T1w", "fsLR", "fsaverage5"])
def test_each_position_is_decoded_where_it_is_seen(tmp_path, data, settings, space):
    run(tmp_path, data, settings, "--task-id", "positions", "--space", space)
    score = scores(tmp_path, space)
    assert score["fovea", "fovea"] > FOUND
    for name, other in OPPOSITE.items():
        assert score[name, name] >= (FOUND if space != "fsLR" else 0.7), name
        assert score[name, other] < MISSED
        assert score["fovea", name] < MISSED
        assert score[name, "fovea"] < MISSED
    seen = score[[(name, name) for name in OPPOSITE]].mean()
    unseen = score[list(OPPOSITE.items())].mean()
    assert seen - unseen > 0.3  # four of each: SE of the difference under 0.08
    written = {path.name.split("_atlas-")[0] for path in (tmp_path / "out").rglob("*Benson14*")}
    if space != "fsaverage5":
        assert any("hemi-L_space-fsnative" in name for name in written)


@pytest.mark.whole
def test_a_localizer_finds_the_planted_faces_and_circles_are_refused(tmp_path, data, settings):
    rule = "FFA=localizer:face>object, within=atlas:Sim:fusiform, top=40, task=loc"
    options = ("--task-id", "positions", "--space", "T1w", "--roi")
    run(tmp_path, data, settings, *options, rule)
    assert (scores(tmp_path, "T1w").index.get_level_values("region") == "FFA").all()
    (sidecar,) = (tmp_path / "out").rglob("*space-T1w_label-FFA_mask.json")
    assert "localizer:face>object" in json.loads(sidecar.read_text())["Origin"]

    same = "FFA=localizer:upperRightFace>upperRightHouse, top=40"
    said = run(tmp_path, data, settings, *options, same, expect=2)
    assert "positions" in said
    assert "--allow-circular" in said
    run(tmp_path, data, settings, *options, same, "--allow-circular")
    (path,) = (tmp_path / "out").rglob("*_space-T1w_desc-decode_scores.tsv")
    assert pd.read_csv(path, sep="\t")["circular"].all()
    facts = json.loads(path.with_suffix(".json").read_text())
    assert any("analyzed" in text for text in facts["Warnings"])
