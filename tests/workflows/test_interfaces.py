"""workflows.interfaces: a typed step is a nipype interface, in a worker too."""

import pickle
from pathlib import Path

import pytest
from nipype import Node
from nipype.pipeline.engine.nodes import NodeExecutionError

from bids_dnn.files import read_json
from bids_dnn.workflows import interfaces
from tests.factories import steps


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_text("a")
    return path


def test_a_step_runs_as_a_node(source, tmp_path):
    node = Node(steps.Copy(source=source, times=3), name="copy", base_dir=str(tmp_path))
    assert Path(node.run().outputs.out_file).read_text() == "aaa"


def test_a_list_of_paths(source, tmp_path):
    node = Node(steps.Join(sources=[source, source]), name="join", base_dir=str(tmp_path))
    assert Path(node.run().outputs.out_file).read_text() == "aa"


def test_a_step_gets_its_threads(tmp_path):
    node = Node(steps.Threads(n_threads=1), name="threads", base_dir=str(tmp_path))
    assert Path(node.run().outputs.out_file).read_text() == "1"


def test_an_error_that_can_be_mended_is_left_in_words(source, tmp_path):
    node = Node(steps.Refuse(source=source), name="refuse", base_dir=str(tmp_path))
    with pytest.raises(NodeExecutionError, match=r"source\.txt ends early"):
        node.run()
    said = read_json(Path(node.output_dir()) / interfaces.ERROR_FILE)
    assert said == {"what": "source.txt ends early.", "mend": "Copy it again."}


@pytest.mark.parametrize("name", ["ReadResponses", "Decode", "Encode", "Report", "TestGroup"])
def test_every_interface_is_found_by_name(name):
    kind = getattr(interfaces, name)
    assert pickle.loads(pickle.dumps(kind)) is kind
    assert type(pickle.loads(pickle.dumps(kind().inputs))) is kind.input_spec


def test_code_is_part_of_the_hash_and_threads_are_not(source):
    def digest(**more):
        return steps.Copy(source=source, **more).inputs.get_hashval(hash_method="content")[1]

    assert digest(code="a") == digest(code="a", n_threads=4) != digest(code="b")


def test_a_parameter_without_a_trait_is_refused():
    def step(values: dict[str, int]) -> Path:
        return Path(str(values))

    step.__annotations__ = {"values": dict[str, int], "return": Path}
    with pytest.raises(TypeError, match=r"step\(values\): no trait"):
        interfaces.wrap(step, "Step", module=__name__)
