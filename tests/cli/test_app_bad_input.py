"""What users type wrong: what was found, what to do, exit code 2, nothing written."""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bids_dnn.cli.app import main
from bids_dnn.workflows.dry import extraction_of
from tests.factories.trees import SHAPE, affine_of, tiny_tree, write_image, write_json

pytestmark = pytest.mark.whole
PICTURES = ("face/1.png", "face/2.png", "house/1.png", "house/2.png")


def add_pictures(tree, names=PICTURES):
    for number, name in enumerate(names):
        path = tree / "stimuli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 40 * number, dtype=np.uint8)).save(path)
    return tree


@pytest.fixture
def tree(tmp_path, rng):
    return add_pictures(tiny_tree(tmp_path / "data", rng))


@pytest.fixture
def call(tmp_path):
    def run(bids_dir, *options, output=tmp_path / "out"):
        args = [str(bids_dir), str(output), "participant", "--work-dir", str(tmp_path / "work")]
        said = CliRunner().invoke(main, [*args, *options])
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        return said

    return run


def check_refused(said, *words):
    assert said.exit_code == 2, said.output
    assert "Traceback" not in said.output
    for word in words:
        assert word in said.output, said.output


def test_a_plan_is_shown_and_nothing_runs(call, tree, tmp_path):
    said = call(tree, "--dry-run", "--weights", "alexnet=random")
    assert said.exit_code == 0, said.output
    for word in (
        "sub_01_objects_T1w",
        "responses, regions, decode, encode",
        "FFA",
        "GB",
        "c = 1.0",
    ):
        assert word in said.output
    assert not (tmp_path / "out").exists()


def test_the_plan_sizes_the_features_of_the_network_at_hand(call, tree):
    layers = "features.0,classifier.6"
    options = ("--network", f"alexnet@{layers}", "--weights", "alexnet=random")
    said = call(tree, "--analysis", "encode", "--dry-run", *options)
    assert said.exit_code == 0, said.output
    assert f"layer features.0: {64 * 55 * 55} features" in said.output
    assert "layer classifier.6: 1000 features" in said.output


def test_the_plan_says_what_products_take(tmp_path):
    sizes = {"free_disk": 10**12, "memory": 10**9}
    told = {
        **{"network": "alexnet", "layers": ["features.0"], "weights": "random", "offline": True},
        **{"precision": "float32", "gram": "disk", "transform": ["grey()"], "reduce": "none"},
        **{"captioner": "", "stimuli": {str(k): [] for k in range(1000)}},
        **{"keep_maps": False, "keep_columns": False, "keep_features": False},
        "readout_features": "cache",
    }
    made = extraction_of("net", told, **sizes)
    assert made.disk_gb == pytest.approx((4 * 1000 * 64 * 55 * 55 + 8 * 1000**2) / 1e9, rel=0.01)
    assert "  transform grey()" in made.lines
    fewer = extraction_of("net", {**told, "reduce": "srp(n=50)"}, **sizes)
    assert fewer.disk_gb == pytest.approx((4 * 1000 * 50 + 8 * 1000**2) / 1e9, rel=0.01)
    both = {**told, "layers": ["features.0", "classifier.6"]}
    layers = np.array([64 * 55 * 55, 1000])
    bare = extraction_of("net", both, **sizes)
    keeping = {"keep_maps": layers[:1], "keep_columns": layers, "keep_features": layers}
    for keep, counted in keeping.items():
        kept = extraction_of("net", {**both, keep: True}, **sizes)
        assert kept.disk_gb - bare.disk_gb == pytest.approx(4 * 1000 * counted.sum() / 1e9)
        assert f"  kept: features of {len(counted)} layers" in kept.lines
    anew = {**both, "keep_maps": True, "readout_features": "images"}
    made = extraction_of("net", anew, **sizes)
    assert made.disk_gb == bare.disk_gb
    (line,) = [line for line in made.lines if line.startswith("  readouts:")]
    assert "maps of 1 layers (774.4 MB; as asked)" in line
    assert "from 150.5 MB of pictures in memory" in line
    mine = {**told, "network": f"features:{tmp_path / 'a.npy'}"}
    assert extraction_of("mine", mine, **sizes).disk_gb == pytest.approx(8 * 1000**2 / 1e9)
    (tmp_path / "a.npy").write_bytes(bytes(10**6))
    ready = extraction_of("mine", {**mine, "keep_columns": True}, **sizes)
    assert ready.disk_gb == pytest.approx((8 * 1000**2 + 10**6) / 1e9)


@pytest.mark.parametrize("plan", [(), ("--dry-run",)])
@pytest.mark.parametrize("network", ["alexnet@classifier.6", "alexnet@features.0:mean", "ready"])
def test_readouts_of_what_has_no_maps_are_refused_before_anything_runs(
    call, tree, tmp_path, network, plan
):
    if network == "ready":
        network = f"features:{tmp_path / 'mine.tsv'}"
        (tmp_path / "mine.tsv").write_text("stimulus\ta\nx.png\t1\ny.png\t2\n")
    weights = ("--weights", "alexnet=random") if "alexnet" in network else ()
    given = ("--network", network, *weights, "--estimator", "ridge", "--estimator", "cadena")
    said = call(tree, "--analysis", "encode", *given, *plan)
    check_refused(said, "encode.estimator asks for readouts", "--network alexnet@conv3")
    assert not (tmp_path / "work" / "features").exists()


@pytest.mark.parametrize("plan", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("layers", "text", "words"),
    [
        ("fc8", "", ("there is one: alexnet", "or use ridge")),
        ("conv1,conv2,conv3,fc7,fc8", "partition = true", ("5 feature spaces", "4 can be")),
        ("fc7,fc8", 'select = "gcv"', ("encode.select = 'gcv'", "'inner'")),
    ],
)
def test_feature_spaces_that_cannot_be_joined_are_refused_before_anything_runs(
    call, tree, tmp_path, layers, text, words, plan
):
    reduce = 'reduce = "pca(n=2)"' if "gcv" in text else ""
    names = ", ".join(f'"{one}"' for one in layers.split(","))
    (tmp_path / "own.toml").write_text(
        f'[networks.alexnet]\nnetwork = "alexnet"\nweights = "random"\nlayers = [{names}]\n'
        f'{reduce}\n[encode]\nestimator = "banded"\n{text}\n'
    )
    own = ("--config", str(tmp_path / "own.toml"))
    check_refused(call(tree, "--analysis", "encode", *own, *plan), *words)
    assert not (tmp_path / "work" / "features").exists()


def test_a_network_that_does_not_exist_is_refused_by_the_dry_run_too(call, tree):
    check_refused(
        call(tree, "--analysis", "encode", "--dry-run", "--network", "alexnt"),
        "Did you mean 'alexnet'",
    )


def test_the_plan_says_where_weights_are_or_refuses(call, tree, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    args = (tree, "--analysis", "encode", "--dry-run", "--network", "alexnet@fc8")
    said = call(*args)
    assert said.exit_code == 0, said.output
    assert "weights: not here yet: they would be downloaded" in said.output
    check_refused(call(*args, "--offline"), "alexnet-owt-7be5be79.pth", "--weights alexnet=PATH")
    check_refused(call(*args, "--weights", f"alexnet={tmp_path}/no.pt"), "no.pt")


def test_no_such_directory(call, tmp_path):
    check_refused(call(tmp_path / "nowhere"), "nowhere")


def test_not_a_bids_directory(call, tmp_path):
    (tmp_path / "plain").mkdir()
    check_refused(call(tmp_path / "plain"), "not a BIDS data set", "dataset_description.json")


def test_no_derivatives(call, tmp_path):
    write_json(
        tmp_path / "raw" / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0"}
    )
    check_refused(call(tmp_path / "raw"), "derivatives", "fmriprep=")


def test_a_participant_that_does_not_exist(call, tree):
    check_refused(call(tree, "--participant-label", "sub-03"), "'03'", "There are: 01, 02")


def test_a_space_that_does_not_exist(call, tree):
    check_refused(call(tree, "--space", "MNI152NLin2009cAsym"), "MNI152NLin2009cAsym", "T1w")


def test_a_mask_that_does_not_exist(call, tree):
    check_refused(
        call(tree, "--roi", "FFB", "--analysis", "decode"), "'FFB'", "Did you mean 'FFA'"
    )


def test_a_mask_without_a_space(call, tree, tmp_path):
    check_refused(
        call(tree, "--roi", f"V1={tmp_path}/v1.nii.gz", "--analysis", "decode"),
        "space of region 'V1'",
        "@T1w",
    )


def test_derivatives_without_bold(call, tree):
    for path in (tree / "derivatives").rglob("*_desc-preproc_bold.*"):
        path.unlink()
    check_refused(call(tree), "--level")


def test_one_run_only(call, tmp_path, rng):
    tree = add_pictures(tiny_tree(tmp_path / "data", rng, n_runs=1))
    check_refused(call(tree, "--analysis", "decode"), "1 run", "at least two")


def test_events_without_stim_file(call, tmp_path, rng):
    tree = add_pictures(tiny_tree(tmp_path / "data", rng, event_columns=("trial_type",)))
    check_refused(
        call(tree, "--analysis", "encode", "--weights", "alexnet=random"),
        "no stim_file",
        "--analysis decode",
    )


def test_a_stimulus_file_that_is_missing(call, tree):
    (tree / "stimuli" / "face" / "2.png").unlink()
    check_refused(
        call(tree, "--analysis", "encode", "--weights", "alexnet=random"),
        "face/2.png",
        "stimuli/",
    )


def test_no_pictures_at_all(call, tmp_path, rng):
    tree = tiny_tree(tmp_path / "data", rng)
    check_refused(call(tree, "--analysis", "encode", "--weights", "alexnet=random"), "no picture")


def test_weights_that_cannot_be_had(call, tree, monkeypatch, tmp_path):
    def offline(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    said = call(tree, "--analysis", "encode")
    check_refused(said, "alexnet-owt-7be5be79.pth", str(tmp_path / "torch"), "--weights alexnet=")


def test_weights_that_are_not_there(call, tree):
    check_refused(call(tree, "--weights", "alexnet=/nowhere/w.pth"), "/nowhere/w.pth")


def test_a_layer_that_does_not_exist(call, tree):
    options = ("--network", "alexnet@features.00", "--weights", "alexnet=random")
    check_refused(call(tree, "--analysis", "encode", *options), "'features.00'", "features.0")


def test_output_inside_the_input(call, tree):
    check_refused(call(tree, output=tree / "sub-01"), "inside the input", "derivatives")
    check_refused(call(tree, output=tree), "inside the input")


def test_output_that_is_a_file(call, tree, tmp_path):
    (tmp_path / "file").write_text("")
    check_refused(call(tree, "--analysis", "decode", output=tmp_path / "file"), "is a file")


def test_an_unknown_setting(call, tree, tmp_path):
    (tmp_path / "analysis.toml").write_text("[decode]\npermutation = 3\n")
    check_refused(
        call(tree, "--config", str(tmp_path / "analysis.toml")), "Did you mean 'permutations'"
    )


def test_a_comparison_of_unknown_conditions_names_those_there_are(call, tree, tmp_path):
    (tmp_path / "analysis.toml").write_text('[decode]\ncomparisons = ["face vs hose"]\n')
    said = call(tree, "--config", str(tmp_path / "analysis.toml"), "--analysis", "decode")
    assert said.exit_code in (1, 2), said.output
    assert "house" in said.output


def test_a_participant_with_a_problem_does_not_stop_the_dry_run_of_others(call, tree):
    events = tree / "sub-02" / "func"
    for path in events.glob("*_events.tsv"):
        path.write_text(path.read_text().replace("stim_file", "picture"))
    said = call(tree, "--dry-run", "--analysis", "encode", "--weights", "alexnet=random")
    assert said.exit_code == 0
    assert "problem" in said.output
    assert "sub_01_objects_T1w: nodes responses, regions, encode" in said.output


def test_settings_of_the_dry_run_are_a_valid_file(call, tree, tmp_path):
    said = call(tree, "--dry-run", "--weights", "alexnet=random").output
    toml = tmp_path / "analysis.toml"
    toml.write_text(said.partition("# With which settings")[2])
    again = call(tree, "--dry-run", "--config", str(toml)).output
    assert (
        again.partition("# With which settings")[2] == said.partition("# With which settings")[2]
    )


def test_the_memory_file_of_fingerprints_may_be_broken(call, tree, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "fingerprints.json").write_text('{"a": [1, ')
    assert call(tree, "--dry-run", "--analysis", "decode").exit_code == 0


def a_mask(path, values, scale=3.0):
    return write_image(path, values.astype(np.uint8), affine_of(scale))


def test_a_mask_without_a_voxel(call, tree, tmp_path):
    mask = a_mask(tmp_path / "empty.nii.gz", np.zeros(SHAPE))
    said = call(tree, "--roi", f"V1={mask}@T1w", "--analysis", "decode")
    check_refused(said, "empty.nii.gz", "no voxel")


def test_a_mask_in_another_space(call, tree, tmp_path):
    mask = a_mask(tmp_path / "mni.nii.gz", np.ones(SHAPE))
    said = call(tree, "--roi", f"V1={mask}@MNI152NLin2009cAsym", "--analysis", "decode")
    check_refused(said, "MNI152NLin2009cAsym", "from-MNI152NLin2009cAsym_to-T1w")


def test_a_mask_on_another_grid_is_resampled_with_a_warning(call, tree, tmp_path):
    mask = a_mask(tmp_path / "fine.nii.gz", np.ones([2 * n for n in SHAPE]), scale=1.5)
    options = ("--analysis", "decode", "--n-permutations", "3", "--nprocs", "1")
    said = call(tree, "--roi", f"V1={mask}@T1w", "--participant-label", "01", *options)
    assert said.exit_code == 0, said.output
    sidecar = next((tmp_path / "out").rglob("*_desc-decode_scores.json"))
    assert "nearest neighbor" in sidecar.read_text()


def test_a_confound_that_is_lacking_fails_its_participant_in_words(call, tmp_path, rng):
    tree = add_pictures(tiny_tree(tmp_path / "data", rng, drop_confounds=("white_matter",)))
    said = call(tree, "--analysis", "decode", "--n-permutations", "3", "--nprocs", "1")
    assert said.exit_code == 1, said.output
    assert "white_matter" in said.output
    assert "failed: sub-01" in said.output
    assert "nothing new" not in said.output
    assert "Traceback" not in said.output


def test_nan_units_are_left_out_and_counted(call, tmp_path, rng):
    tree = add_pictures(tiny_tree(tmp_path / "data", rng, nan_voxels=2, participants=("01",)))
    said = call(tree, "--analysis", "decode", "--n-permutations", "3", "--nprocs", "1")
    assert said.exit_code == 0, said.output
    told = json.loads(next((tmp_path / "out").rglob("*_desc-decode_scores.json")).read_text())
    assert told["Facts"]["ingest"]["left_out_units"] == 2
    (region,) = told["Facts"]["regions"]
    assert region["n_before"] - region["n_units"] == 2


def test_an_output_that_cannot_be_made(call, tree, tmp_path):
    (tmp_path / "file").write_text("")
    said = call(tree, "--analysis", "decode", output=tmp_path / "file" / "out")
    check_refused(said, str(tmp_path / "file"), "cannot be written")


def test_a_work_directory_that_cannot_be_made(call, tree, tmp_path):
    (tmp_path / "file").write_text("")
    said = call(tree, "--analysis", "decode", "--work-dir", str(tmp_path / "file" / "work"))
    check_refused(said, "cannot be written")


def test_a_session_that_does_not_exist(call, tmp_path, rng):
    tree = add_pictures(tiny_tree(tmp_path / "data", rng, sessions=("a", "b")))
    check_refused(call(tree, "--session-label", "ses-c"), "'c'", "a, b")


def test_a_plugin_file_that_is_no_yaml(call, tree, tmp_path):
    (tmp_path / "plugin.yml").write_text("plugin: [")
    check_refused(
        call(tree, "--use-plugin", str(tmp_path / "plugin.yml")), "neither YAML nor JSON"
    )


def test_memory_without_a_unit(call, tree):
    check_refused(call(tree, "--mem", "16000"), "--mem 16G")


def test_a_network_file_without_its_factory(call, tree):
    check_refused(call(tree, "--network", "net.py"), "net.py:FACTORY")


def test_events_that_are_no_table(call, tree):
    for path in (tree / "sub-01" / "func").glob("*_events.tsv"):
        path.write_text("")
    options = ("--weights", "alexnet=random", "--participant-label", "01")
    check_refused(call(tree, "--analysis", "encode", *options), "_events.tsv")


def test_a_broken_participants_sidecar(call, tree):
    (tree / "participants.json").write_text("{")
    check_refused(call(tree, "--analysis", "decode"), "participants.json", "not JSON")
