"""workflows.networks: all that features depend on is in the manifest."""

from types import SimpleNamespace

from bids_dnn.config.schema import NetworkConfig
from bids_dnn.files import fingerprint
from bids_dnn.workflows.networks import _files_identity


def test_another_captioner_in_the_same_folder_is_noticed(tmp_path):
    scene = SimpleNamespace(
        config=SimpleNamespace(run=SimpleNamespace(random_seed=0)),
        inputs=SimpleNamespace(sha256=fingerprint),
    )
    told = NetworkConfig(network="open_clip:ViT-B-32", captions=f"transformers:{tmp_path}")
    found = []
    for text in ("one", "two", "one"):
        (tmp_path / "model.safetensors").write_text(text)
        found.append(_files_identity(scene, told))
    assert found[0] == found[2] != found[1]
