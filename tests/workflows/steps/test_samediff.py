"""workflows.steps.samediff: from a folder of pictures to pairs, with what was left out told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bids_dnn.containers.network import Card
from bids_dnn.errors import (
    ConfigError,
    LeakageError,
    MissingInputError,
    NotEnoughDataError,
    UnreadableError,
)
from bids_dnn.workflows.steps.samediff import Task, drawer, prepare
from tests.factories.samediff import draw as paste
from tests.factories.samediff import write_exemplars
from tests.factories.stimuli import stimuli_folder, write_tsv

CARD = Card("small", (), size_px=24)
QUARTER = Card("large", (), size_px=32)


@pytest.fixture
def task(tmp_path):
    return Task(write_exemplars(tmp_path / "stimuli"))


def table(path, **columns):
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)
    return path


def test_exemplars_stand_where_the_seed_project_has_them(rng):
    draw = drawer(Task(".", size_deg=3.3, field_deg=9.9, eccentricity_deg=3.3 * 2**0.5), CARD)
    first, second = rng.random((2, 8, 8, 3), dtype=np.float32)
    for way in ("normal", "inverted"):
        np.testing.assert_allclose(draw(first, second, way), paste(first, second, way), atol=1e-6)


def test_by_default_an_exemplar_is_a_quarter_of_the_canvas(task):
    made = prepare(task, QUARTER)
    assert made.item_px == 8
    assert made.material.pictures.shape == (20, 8, 8, 3)
    canvas = made.material.draw(*made.material.pictures[:2], "normal")
    assert canvas.shape == (32, 32, 3)
    np.testing.assert_allclose(canvas[:4, 28:], made.material.pictures[0][:4, 4:], atol=1e-6)
    assert canvas[16, 16, 0] == pytest.approx(125 / 255)


def test_pairs_are_drawn_within_parts_and_follow_the_seed(task):
    made = prepare(task, QUARTER)
    pairs = made.material.pairs
    assert set(pairs["split"]) == {"train", "validation", "test"}
    assert not len(made.left_out)
    assert made.notes == ()
    assert len(made.sha256) == 20
    pd.testing.assert_frame_equal(pairs, prepare(task, QUARTER).material.pairs)
    other = prepare(replace(task, seed=1), QUARTER).material.pairs
    assert not pairs.equals(other)


def test_a_split_of_stimuli_tsv_is_kept_and_validation_comes_from_training(task):
    names = sorted(str(path.relative_to(task.stimuli_dir)) for path in
                   task.stimuli_dir.rglob("*.png"))  # fmt: skip
    split = ["test" if int(name[-6:-4]) < 3 else "train" for name in names]
    table(task.stimuli_dir / "stimuli.tsv", stimulus_id=names, split=split)
    pairs = prepare(task, QUARTER).material.pairs
    tested = pairs[pairs["split"] == "test"]
    assert {*tested["first"], *tested["second"]} == {
        name for name, part in zip(names, split, strict=True) if part == "test"
    }
    assert set(pairs["split"]) == {"train", "validation", "test"}
    without = prepare(replace(task, validation=0.0), QUARTER).material.pairs
    assert set(without["split"]) == {"train", "test"}


def test_one_picture_under_two_names_is_one_exemplar(task):
    folder = task.stimuli_dir / "bike"
    (folder / "99.png").write_bytes((folder / "00.png").read_bytes())
    made = prepare(task, QUARTER)
    assert "bike/99.png" not in made.material.exemplars
    assert "'bike/00.png' = 'bike/99.png'" in made.notes[0]


def test_a_picture_that_a_table_gives_to_two_parts_is_refused(task):
    folder = task.stimuli_dir / "bike"
    (folder / "99.png").write_bytes((folder / "00.png").read_bytes())
    names = sorted(
        str(path.relative_to(task.stimuli_dir)) for path in task.stimuli_dir.rglob("*.png")
    )
    split = ["test" if int(name[-6:-4]) < 3 else "train" for name in names]
    table(task.stimuli_dir / "stimuli.tsv", stimulus_id=names, split=split)
    with pytest.raises(LeakageError, match=r"'bike/00.png' \(test\), 'bike/99.png' \(train\)"):
        prepare(task, QUARTER)


def test_a_given_table_is_split_by_exemplar_and_what_is_cut_is_told(task, tmp_path):
    names = [f"bike/{k:02}.png" for k in range(10)]
    ring = names[1:] + names[:1]
    path = table(tmp_path / "pairs.tsv", first=names * 2, second=names + ring)
    made = prepare(replace(task, pairs=path, orientations=("normal",)), QUARTER)
    assert len(made.material.pairs) + len(made.left_out) == 20
    assert len(made.left_out) > 0
    assert f"{len(made.left_out)} of 20 pairs" in made.notes[0]
    assert "One label has more of " in made.notes[-1]
    both = prepare(replace(task, pairs=path), QUARTER)
    assert len(both.material.pairs) == 2 * len(made.material.pairs)
    assert len(both.material.exemplars) == 10


def test_copies_of_a_pair_across_a_given_split_are_refused(task, tmp_path):
    path = table(
        tmp_path / "pairs.tsv",
        first=["bike/00.png", "bike/00.png", "bike/01.png"],
        second=["bike/00.png", "bike/00.png", "bike/01.png"],
        augmentation=["plain", "noise", "plain"],
        split=["train", "test", "train"],
    )
    with pytest.raises(LeakageError, match=r"1 pairs \(their copies\): bike/00.png ~ bike/00.png"):
        prepare(replace(task, pairs=path), QUARTER)


def test_tables_that_cannot_be_meant_are_refused(task, tmp_path):
    def asked(**columns):
        path = table(tmp_path / "pairs.tsv", **columns)
        return replace(task, pairs=path)

    with pytest.raises(MissingInputError, match=r"'bike/0.png', which is no exemplar.*bike/09"):
        prepare(asked(first=["bike/0.png"], second=["bike/00.png"]), QUARTER)
    with pytest.raises(ConfigError, match=r"1 pairs of two categories.*bike/00.png.*face/00.png"):
        prepare(asked(first=["bike/00.png"], second=["face/00.png"]), QUARTER)
    with pytest.raises(MissingInputError, match="without first"):
        prepare(asked(one=["bike/00.png"], second=["bike/00.png"]), QUARTER)
    with pytest.raises(NotEnoughDataError, match="holds no pair"):
        prepare(asked(first=[], second=[]), QUARTER)
    with pytest.raises(MissingInputError, match="no table"):
        prepare(replace(task, pairs=tmp_path / "none.tsv"), QUARTER)
    (tmp_path / "bad.tsv").write_bytes(b"first\tsecond\n\xff\xfe\t\x80\n")
    with pytest.raises(UnreadableError, match=r"bad.tsv cannot be read"):
        prepare(replace(task, pairs=tmp_path / "bad.tsv"), QUARTER)


def test_categories_are_chosen_and_must_be_there(task, tmp_path):
    made = prepare(replace(task, categories=("face",)), QUARTER)
    assert set(made.material.pairs["category"]) == {"face"}
    with pytest.raises(ConfigError, match=r"'faces'.*'face'"):
        prepare(replace(task, categories=("faces",)), QUARTER)
    flat = stimuli_folder(tmp_path / "flat", ["a.png", "b.png"])
    with pytest.raises(MissingInputError, match="2 pictures, and nothing says of which category"):
        prepare(Task(flat), QUARTER)


def test_a_category_with_one_exemplar_is_refused(task):
    stimuli_folder(task.stimuli_dir / "tree", ["00.png"])
    with pytest.raises(NotEnoughDataError, match=r"'tree' has 1 exemplars .tree/00.png.*expected"):
        prepare(task, QUARTER)
    assert prepare(replace(task, categories=("bike", "face")), QUARTER)


def test_what_is_no_exemplar_is_told(task):
    write_tsv(
        task.stimuli_dir / "stimuli.tsv",
        "stimulus_id|stim_file|category",
        *(f"{c}{k}|{c}/{k:02}.png|{c}" for c in ("bike", "face") for k in range(9)),
        "loose|bike/09.png|",
        "both|bike/08.png;face/09.png|bike",
    )
    made = prepare(replace(task, validation=0.0), QUARTER)
    said = " ".join(made.notes)
    assert "1 composed stimuli are no exemplars, such as both" in said
    assert "2 stimuli have no category, such as bike/09.png" in said
    assert not {"both", "loose"} & set(made.material.exemplars)


def test_exemplars_of_no_size_are_refused(task):
    with pytest.raises(ConfigError, match="2 pixels wide on a canvas of 50 degrees and 32 pixels"):
        prepare(replace(task, field_deg=50.0), QUARTER)
