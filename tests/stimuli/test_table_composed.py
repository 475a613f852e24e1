"""stimuli.table: pictures that are composed of several files, in tables and in events."""

import pytest

from bids_dnn.stimuli.catalog import resolve
from bids_dnn.stimuli.table import add_composed, ids_of, read_stimuli
from tests.factories.stimuli import stimuli_folder, write_tsv


def test_composed_pictures_keep_the_order_of_their_items(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png", "b.png", "c.png"])
    write_tsv(
        folder / "stimuli.tsv",
        "stimulus_id|stim_file|category",
        "same|a.png;a.png|same",
        "other|stimuli/b.png; ./a.png|different",
    )
    found = read_stimuli(folder)
    a, b = folder / "a.png", folder / "b.png"
    assert {name: found.files[name] for name in ("other", "same")} == {
        "other": (b, a),
        "same": (a, a),
    }
    names = ["b.png;a.png", "b.png ; a.png", "other", "a.png;b.png"]
    assert ids_of(names, found) == dict.fromkeys(names[:3], "other")


def test_composed_pictures_without_ids_are_called_by_their_files(tmp_path):
    folder = stimuli_folder(tmp_path, ["f/a.png", "f/b.png"])
    write_tsv(folder / "stimuli.tsv", "stim_file", "f/a.png;f/b.png")
    found = read_stimuli(folder)
    assert list(found.files) == ["f/a.png", "f/a.png;f/b.png", "f/b.png"]
    assert ids_of(["b.png", "f/b.png", "f/a.png;f/b.png"], found) == {
        "b.png": "f/b.png",
        "f/b.png": "f/b.png",
        "f/a.png;f/b.png": "f/a.png;f/b.png",
    }


@pytest.mark.parametrize("columns", ["stimulus_id|stim_file|category", "stim_file|category"])
def test_items_of_composed_pictures_are_stimuli_of_their_own_too(tmp_path, columns):
    folder = stimuli_folder(tmp_path, ["a.png", "b.png", "c.png"])
    name = "both|" if columns.startswith("stimulus_id") else ""
    write_tsv(folder / "stimuli.tsv", columns, f"{name}a.png;b.png|pair")
    found = read_stimuli(folder)
    own = name.rstrip("|") or "a.png;b.png"
    assert sorted(found.files) == sorted(["a.png", "b.png", "c.png", own])
    assert ids_of(["a.png", "a.png;b.png"], found) == {"a.png": "a.png", "a.png;b.png": own}
    assert dict(found.table["category"]) == {own: "pair", "a.png": "", "b.png": "", "c.png": ""}
    assert found.notes == (  # items are told of
        "1 stimulus in no row of stimuli.tsv is kept, with nothing known of them, such as "
        "'c.png'.",
    )
    turned = add_composed(["b.png;a.png"], found)
    assert turned.files["b.png;a.png"] == (folder / "b.png", folder / "a.png")


def test_composed_pictures_of_events_are_added(tmp_path):
    stimuli = read_stimuli(stimuli_folder(tmp_path, ["f/a.png", "f/b.png"]))
    named = ["f/a.png", "stimuli/f/a.png;b.png", "a.png;gone.png"]
    found = add_composed(named, stimuli)
    assert list(found.files) == ["f/a.png", "f/a.png;b.png", "f/b.png"]
    assert found.files["f/a.png;b.png"] == (tmp_path / "f/a.png", tmp_path / "f/b.png")
    assert list(found.table.index) == list(found.files)
    assert list(resolve(named, found.files)) == named[:2]
    assert add_composed(named, found) is found
    assert list(stimuli.files) == ["f/a.png", "f/b.png"]  # as it was
