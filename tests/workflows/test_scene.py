"""workflows.scene: pictures of one content are found, whatever is asked for, at little cost."""

from types import SimpleNamespace

import pytest

from bids_dnn.errors import MissingInputError
from bids_dnn.stimuli.table import Stimuli, blank_table
from bids_dnn.workflows.inputs import Inputs
from bids_dnn.workflows.scene import Scene


def scene_of(folder, files, analysis):
    """Return a scene of stimuli: id -> contents of its files."""
    paths = {}
    for name, contents in files.items():
        paths[name] = tuple(folder / f"{name}{k}" for k in range(len(contents)))
        for path, content in zip(paths[name], contents, strict=True):
            path.write_text(content)
    stimuli = Stimuli(paths, blank_table(list(paths)))
    config = SimpleNamespace(run=SimpleNamespace(analysis=analysis))
    inputs = Inputs(folder / "memory.json")
    return Scene(config, None, folder, folder, stimuli, inputs)


@pytest.mark.parametrize("analysis", [("decode",), ("encode",), ()])
def test_one_picture_under_two_names_is_told_and_only_equal_sizes_are_read(tmp_path, analysis):
    contents = {
        "a": ["12"],
        "b": ["34"],
        "c": ["12"],
        "d": ["5"],
        "e": ["1", "2"],
        "f": ["1", "2"],
    }
    scene = scene_of(tmp_path, contents, analysis)
    assert scene.same() == {"c": "a", "f": "e"}
    assert "'a' = 'c'" in scene.same_notes()[0]
    assert [text.partition(":")[0] for text in scene.all_names()] == ["'a' = 'c'", "'e' = 'f'"]
    assert {path.rpartition("/")[2] for path in scene.inputs.used()} == {
        *("a0", "b0", "c0"),
        *("e0", "e1", "f0", "f1"),
    }


def test_a_file_that_is_gone_is_named(tmp_path):
    scene = scene_of(tmp_path, {"a": ["1"]}, ("decode",))
    (tmp_path / "a0").unlink()
    with pytest.raises(MissingInputError, match="a0 is not there"):
        scene.same()
