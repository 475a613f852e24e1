"""config.load: precedence, round trip, refusals."""

import re
from pathlib import Path

import pytest

from bids_dnn.config.load import dump, gigabytes, load, named, networks_of
from bids_dnn.config.regions import absolute_rule, regions_of
from bids_dnn.config.schema import Config
from bids_dnn.errors import ConfigError, MissingInputError


def written(folder, text):
    path = folder / "analysis.toml"
    path.write_text(text)
    return path


def test_defaults_are_complete():
    config = load(None, {})
    assert config == Config()
    assert config.networks["alexnet"].network == "alexnet"


def test_dump_and_load_are_inverse(tmp_path):
    config = load(None, {"regions": {"V1": "/a/b_space-T1w_mask.nii.gz"}, "decode": {"c": 0.5}})
    assert load(written(tmp_path, dump(config)), {}) == config


def test_command_line_wins_over_file(tmp_path):
    toml = written(tmp_path, "[decode]\npermutations = 10\nc = 2.0\n[run]\nrandom_seed = 4\n")
    config = load(toml, {"decode": {"permutations": 20}})
    assert (config.decode.permutations, config.decode.c, config.run.random_seed) == (20, 2.0, 4)


def test_networks_of_the_command_line_replace_those_of_the_file(tmp_path):
    toml = written(tmp_path, '[networks.early]\nnetwork = "alexnet"\n')
    assert list(load(toml, {}).networks) == ["early"]
    assert list(load(toml, {"networks": networks_of(["alexnet"])}).networks) == ["alexnet"]


def test_weights_go_to_the_network_by_name_or_by_what_it_is(tmp_path):
    toml = written(tmp_path, '[networks.early]\nnetwork = "alexnet"\n')
    assert load(toml, {}, weights={"early": "random"}).networks["early"].weights == "random"
    assert load(toml, {}, weights={"alexnet": "random"}).networks["early"].weights == "random"
    assert load(None, {}, weights={"alexnet": "random"}).networks["alexnet"].weights == "random"


def test_networks_may_be_given_a_name():
    told = ["a=timm:resnet18@layer1", "b=timm:resnet18", "my_net=my_net.py:build@0:at(0,0)"]
    made = networks_of(told)
    assert {k: v["network"] for k, v in made.items()} == {
        "a": "timm:resnet18",
        "b": "timm:resnet18",
        "mynet": "my_net.py:build",
    }
    config = load(None, {"networks": made}, weights={"my_net": "random"})
    assert config.networks["mynet"].weights == "random"
    assert "x=1" in networks_of(["features:x=1/mine.npy"])["mine"]["network"]


@pytest.mark.parametrize("text", ["mine=", "mine=@conv1", "=", ""])
def test_a_name_without_a_network_is_refused(text):
    with pytest.raises(ConfigError, match=r"names no network\. Type --network \w+=alexnet"):
        networks_of([text])


def test_weights_of_another_network_are_refused():
    with pytest.raises(ConfigError, match=r"'alexnt'.*Did you mean 'alexnet'"):
        load(None, {}, weights={"alexnt": "random"})


def test_paths_of_the_file_count_from_its_folder(tmp_path):
    toml = written(
        tmp_path,
        '[run.derivatives]\nfmriprep = "der"\n[regions]\nFFA = "ffa.nii.gz@T1w"\n'
        '[group]\natlas = "a_dseg.nii.gz"\n'
        '[networks.own]\nnetwork = "net.py:factory"\nweights = "w.pt"\n',
    )
    config = load(toml, {})
    assert config.run.derivatives["fmriprep"] == tmp_path / "der"
    assert config.group.atlas == tmp_path / "a_dseg.nii.gz"
    assert config.regions["FFA"] == f"{tmp_path}/ffa.nii.gz@T1w"
    assert config.networks["own"].network == f"{tmp_path}/net.py:factory"
    assert config.networks["own"].weights == f"{tmp_path}/w.pt"


def test_folders_of_transformers_count_from_the_file_and_repositories_stay(tmp_path):
    (tmp_path / "my" / "git").mkdir(parents=True)
    toml = written(
        tmp_path,
        '[networks.a]\nnetwork = "transformers:my/git"\ncaptions = "transformers:./my/git"\n'
        '[networks.b]\nnetwork = "transformers:me/git"\ncaptions = "transformers:me/git"\n',
    )
    own, hub = load(toml, {}).networks.values()
    assert own.network == own.captions == f"transformers:{tmp_path}/my/git"
    assert hub.network == hub.captions == "transformers:me/git"


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"decod": {}}, r"'decod' does not exist.*'decode'"),
        ({"decode": {"permutation": 3}}, r"'decode.permutation'.*'permutations'"),
        ({"networks": {"a": {"network": "x", "layer": 1}}}, r"networks.a.layer.*'layers'"),
        ({"networks": {"a": {}}}, r"networks.a.network.*missing"),
        (
            {"networks": {"a": {"network": "x", "layers": "0"}}},
            r'networks.a.layers is "0"; it must be a list of .*type: layers = \["0"\]',
        ),
        ({"run": {"device": "gpu"}}, r"run.device is 'gpu'.*'cpu'"),
        ({"responses": {"model": "lls"}}, r"responses.model is 'lls'.*'lss'"),
        ({"decode": {"permutations": 0}}, r"decode.permutations is 0"),
        ({"encode": {"networks": ["alexne"]}}, r"'alexne'.*'alexnet'"),
        ({"responses": {"standardize": "rest"}}, r"rest.*lsa.*'block'"),
        ({"responses": {"source": "nsd"}}, r"'nsd', with no responses.path.*--responses nsd=PATH"),
        ({"responses": {"path": "/x", "source": "spm"}}, r"'spm', with the responses.path /x"),
        ({"run": {"mem": "16"}}, r"'16'.*--mem 16G"),
        ({"regions": {"V_1": "x"}}, r"'V_1' in regions.*Call it 'V1'"),
    ],
)
def test_wrong_settings_are_refused_with_a_way_out(told, match):
    with pytest.raises(ConfigError, match=match):
        load(None, told)


def test_a_file_that_is_not_there_or_no_toml(tmp_path):
    with pytest.raises(MissingInputError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigError, match="not TOML"):
        load(written(tmp_path, "[decode\n"), {})


@pytest.mark.parametrize(
    ("text", "size"), [("16G", 16), ("500M", 0.5), ("2TB", 2000), ("1.5 GiB", 1.5), ("3k", 3e-6)]
)
def test_gigabytes(text, size):
    assert gigabytes(text) == pytest.approx(size)


@pytest.mark.parametrize("text", ["", "G", "-1G", "0G", "16X", "sixteen"])
def test_memory_without_its_unit_is_refused(text):
    with pytest.raises(ConfigError, match="--mem 16G"):
        gigabytes(text)


def test_named_options():
    assert named(["a=1", "b=c=d"], "--x") == {"a": "1", "b": "c=d"}
    with pytest.raises(ConfigError, match="--x NAME=/data"):
        named(["/data"], "--x")
    with pytest.raises(ConfigError, match="'a' twice"):
        named(["a=1", "a=2"], "--x")


def test_networks_and_regions_of_options():
    assert networks_of(["alexnet@features.0, features.3"]) == {
        "alexnet": {"network": "alexnet", "layers": ["features.0", "features.3"]}
    }
    assert list(networks_of(["/a/net.py:factory", "/a/net.py:big"])) == ["net", "net+big"]
    texts = ["FFA", "V1=/a.nii.gz@T1w", "localizer:a>b, task=loc"]
    assert regions_of(texts, name_of=lambda _: "made") == {
        "FFA": "mask:FFA",
        "V1": "/a.nii.gz@T1w",
        "made": "localizer:a>b, task=loc",
    }
    with pytest.raises(ConfigError, match="'FFA' twice"):
        regions_of(["FFA", "FFA=x.nii"], name_of=str)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("benson:V1@(4.95,4.95)r1deg - a b.nii.gz", "benson:V1@(4.95,4.95)r1deg - /d/a b.nii.gz"),
        ("(mask:V1 | m/x_space-T1w_mask.nii) & /y.nii", None),
        (
            "localizer:m/t.nii.gz@T1w, top=200, hemi=L",
            "localizer:/d/m/t.nii.gz@T1w, top=200, hemi=L",
        ),
        ("localizer:a>b, within=p.nii@T1w", "localizer:a>b, within=/d/p.nii@T1w"),
        ("atlas:Sim:FFA | aparc:fusiform", "atlas:Sim:FFA | aparc:fusiform"),
    ],
)
def test_paths_in_rules_count_from_a_folder(rule, expected):
    expected = expected or "(mask:V1 | /d/m/x_space-T1w_mask.nii) & /y.nii"
    assert absolute_rule(Path("/d"), rule) == expected
    assert absolute_rule(Path("/d"), expected) == expected


def test_every_setting_has_a_description():
    def walk(model):
        for name, field in model.model_fields.items():
            inner = getattr(field.annotation, "model_fields", None)
            if inner is not None:
                walk(field.annotation)
            elif model is not Config:
                assert re.search(r"\w", field.description or ""), (model, name)

    walk(Config)
