"""workflows.steps.captions: what a network says of stimuli."""

import numpy as np
import pytest

from bids_dnn.errors import UnreadableError
from bids_dnn.stimuli.load import read_rgb
from bids_dnn.workflows.steps.captions import caption_stimuli
from tests.factories.stimuli import stimuli_folder


class Colors:
    """A captioner that names the mean color of a picture, and remembers what it was shown."""

    def __init__(self):
        self.seen = []

    def captions(self, pictures, *, progress, **_):
        made = {}
        for name, picture in pictures:
            self.seen.append(name)
            made[name] = color(picture)
            if progress is not None:
                progress(len(made))
        return made


def color(picture):
    return str(picture.mean(axis=(0, 1)).round().astype(int))


@pytest.fixture
def folder(tmp_path):
    return stimuli_folder(tmp_path / "stimuli", ["a.png", "b.png"])


def test_items_are_described_once_and_joined_in_their_order(folder):
    one, other = folder / "a.png", folder / "b.png"
    by, told = Colors(), []
    files = {"both": (other, one), "alone": (one,), "twice": (one, one)}
    said = caption_stimuli(by, files, max_pixels=64, progress=lambda *n: told.append(n))
    a, b = (color(np.asarray(read_rgb(path, max_pixels=64))) for path in (one, other))
    assert a != b
    assert said == {"both": f"{b}; {a}", "alone": a, "twice": f"{a}; {a}"}
    assert sorted(by.seen) == [str(one), str(other)]
    assert told == [(1, 2), (2, 2)]


def test_the_order_of_stimuli_alters_no_caption(folder):
    files = {"a": (folder / "a.png",), "b": (folder / "b.png",)}
    backward = dict(reversed(files.items()))
    said = caption_stimuli(Colors(), files, max_pixels=64)
    assert caption_stimuli(Colors(), backward, max_pixels=64) == said
    assert list(said) == ["a", "b"]


def test_a_picture_that_is_too_large_is_refused(folder):
    with pytest.raises(UnreadableError, match="63"):
        caption_stimuli(Colors(), {"a": (folder / "a.png",)}, max_pixels=63)
