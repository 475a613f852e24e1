"""features.models.hub: the cache of the hub, downloads, libraries that are not there."""

import sys

import pytest

from bids_dnn.errors import MissingInputError
from bids_dnn.features.models import hub
from tests.factories.hub import snapshot

REPOSITORY = "someone/tiny"


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    return tmp_path


def test_the_cache_is_where_the_variables_say(home, monkeypatch):
    assert hub.hub_folder() == home / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "other"))
    assert hub.hub_folder() == home / "other"


def test_a_repository_is_whole_where_each_pattern_has_a_file(home):
    folder = snapshot(home, REPOSITORY)
    (folder / "config.json").touch()
    assert hub.kept(REPOSITORY, ["config.json"]) == folder
    assert hub.kept(REPOSITORY, ["config.json", "a.txt|*.json"]) == folder
    assert hub.kept(REPOSITORY, ["config.json", "a.txt"]) is None
    assert hub.kept("someone/else", ["config.json"]) is None


def test_a_link_to_nothing_is_no_file(home):
    folder = snapshot(home, REPOSITORY)
    (folder / "model.safetensors").symlink_to(home / "blobs" / "gone")
    assert hub.kept(REPOSITORY, ["model.safetensors"]) is None


def test_of_two_snapshots_the_main_one_counts(home):
    folder = snapshot(home, REPOSITORY)
    other = folder.parent / "f00"
    other.mkdir()
    (other / "config.json").touch()
    assert hub.kept(REPOSITORY, ["config.json"]) is None
    (folder.parents[1] / "refs" / "main").write_text("f00\n")
    assert hub.kept(REPOSITORY, ["config.json"]) == other


def test_a_folder_copied_by_hand_counts_without_refs(home):
    folder = snapshot(home, REPOSITORY)
    (folder / "config.json").touch()
    (folder.parents[1] / "refs" / "main").unlink()
    assert hub.kept(REPOSITORY, ["config.json"]) == folder


def test_what_is_there_is_not_asked_for(home, monkeypatch):
    folder = snapshot(home, REPOSITORY)
    (folder / "config.json").touch()
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    assert hub.fetched(REPOSITORY, ["config.json"], offline=False, name="x") == folder


def test_a_download_lands_in_the_cache(home, monkeypatch):
    asked = {}

    def download(repository, **options):
        asked.update(options, repository=repository)
        (snapshot(home, repository) / "b.safetensors").touch()

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    folder = hub.fetched(
        REPOSITORY, ["a.safetensors|b.safetensors"], more=["*.txt"], offline=False, name="x"
    )
    assert (folder / "b.safetensors").is_file()
    assert asked["allow_patterns"] == ["a.safetensors", "b.safetensors", "*.txt"]
    assert asked["cache_dir"] == home / "hub"


def test_a_repository_without_the_file_is_told(home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_a, **_o: None)
    with pytest.raises(
        MissingInputError, match=r"config\.json of someone/tiny, which x needs.*no"
    ):
        hub.fetched(REPOSITORY, ["config.json"], offline=False, name="x")


@pytest.mark.parametrize("variable", [False, True])
def test_offline_nobody_is_asked(home, monkeypatch, variable):
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)
    if variable:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingInputError, match="this run is offline"):
        hub.fetched(REPOSITORY, ["config.json"], offline=not variable, name="x")


def test_only_weights_may_be_given_in_another_way(home):
    with pytest.raises(MissingInputError, match="--weights x=PATH"):
        hub.fetched(REPOSITORY, ["model.safetensors"], offline=True, name="x")
    with pytest.raises(MissingInputError) as caught:
        hub.fetched(REPOSITORY, ["tokenizer.json"], offline=True, name="x")
    assert "--weights" not in str(caught.value)


def test_a_library_that_lacks_another_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        hub.library("half_there")
    monkeypatch.setitem(sys.modules, "half_there", None)
    with pytest.raises(MissingInputError, match=r"pip install 'bids_dnn\[half_there\]'"):
        hub.library("half_there")
