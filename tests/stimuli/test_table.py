"""stimuli.table: known answers, laws, refusals."""

import json
import unicodedata

import pandas as pd
import pytest

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.stimuli.catalog import ambiguous, read_catalog
from bids_dnn.stimuli.table import (
    COLUMNS,
    blank_table,
    describe_files,
    ids_of,
    read_stimuli,
    same_pictures,
    same_warning,
)
from tests.factories.stimuli import stimuli_folder, write_tsv

FACES = ["faces/stim-ann_image.png", "faces/stim-bob_image.jpg", "houses/stim-hut_image.png"]


@pytest.fixture
def bep044(tmp_path):
    """Lay out stimuli as the draft of BEP044 does, with a picture that is not shared."""
    folder = stimuli_folder(tmp_path / "stimuli", FACES)
    write_tsv(
        folder / "stimuli.tsv",
        "stimulus_id|type|URL|license|copyright|description|present|age",
        "stim-hut|image|n/a|CC0|n/a|A hut in snow.|true|n/a",
        "stim-ann|image|n/a|CC-BY-4.0|Lab 2023|A face.|true|31",
        "stim-bob|image|n/a|n/a|n/a|n/a|true|40",
        "stim-secret|image|https://example.org|n/a|n/a|A film star.|false|n/a",
        "stim-tone|audio|n/a|n/a|n/a|A tone.|true|n/a",
    )
    return folder


# --- without a table


def test_without_a_table_it_is_the_catalog_with_blanks(tmp_path):
    folder = stimuli_folder(tmp_path, ["b.png", "a/c.png"])
    found = read_stimuli(folder)
    assert found.files == {name: (path,) for name, path in read_catalog(folder).items()}
    pd.testing.assert_frame_equal(found.table, blank_table(["a/c.png", "b.png"]))
    assert (found.notes, dict(found.aliases), dict(found.columns)) == ((), {}, {})


@pytest.mark.parametrize(
    ("names", "category", "split"),
    [
        (["face/1.png", "house/1.png"], ["face", "house"], ["", ""]),
        (["all/face/1.png", "all/house/x/1.png"], ["face", "house"], ["", ""]),
        (["face/1.png", "face/2.png"], ["", ""], ["", ""]),  # nothing differs
        (["1.png", "face/2.png"], ["", ""], ["", ""]),  # one lies in no folder
        (["test/cat/1.png", "train/dog/1.png"], ["cat", "dog"], ["test", "train"]),
        (["Test/1.png", "Train/1.png"], ["", ""], ["test", "train"]),
        (["test/1.png", "val/1.png"], ["test", "val"], ["", ""]),
    ],
)
def test_folders_tell_category_and_split(tmp_path, names, category, split):
    table = read_stimuli(stimuli_folder(tmp_path, names)).table
    assert list(table.index) == names
    assert list(table["category"]) == category
    assert list(table["split"]) == split


def test_links_to_nothing_are_noted(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png"])
    (folder / "b.png").symlink_to("../.git/annex/objects/b")
    found = read_stimuli(folder)
    assert list(found.files) == ["a.png"]
    assert found.notes[0].startswith("1 pictures of the stimuli are links to nothing, such as 'b")


def test_arrays_in_a_folder_without_pictures_are_noted(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"")
    (note,) = read_stimuli(tmp_path).notes
    assert note.endswith(f"type: --stimuli-dir {tmp_path / 'a.h5'}")
    stimuli_folder(tmp_path, ["a.png"])
    assert read_stimuli(tmp_path).notes == ()


def test_a_table_of_another_name_is_noted(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png"])
    (folder / "stimuli.csv").write_text("stim_file,category\na.png,x\n")
    (note,) = read_stimuli(folder).notes
    assert note == f"{folder}/stimuli.csv is not read: save it, separated by tabs, as stimuli.tsv."


def test_commas_in_stimuli_tsv_are_named_and_no_other_name_is_advised(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png"])
    (folder / "stimuli.tsv").write_text("stim_file,category\na.png,x\n")
    with pytest.raises(MissingInputError, match=r"Separate the columns by tabs\.$"):
        read_stimuli(folder)


# --- BEP044


def test_rows_of_bep044_meet_their_pictures(bep044):
    found = read_stimuli(bep044)
    assert list(found.files) == FACES
    assert found.files["houses/stim-hut_image.png"] == (bep044 / "houses/stim-hut_image.png",)
    assert list(found.table.columns[:3]) == list(COLUMNS)
    assert found.table.index.name == "stimulus"
    assert list(found.table["age"]) == ["31", "40", ""]
    assert list(found.table["license"]) == ["CC-BY-4.0", "", "CC0"]
    assert list(found.table["caption"]) == ["A face.", "", "A hut in snow."]  # the description
    assert list(found.table["category"]) == ["faces", "faces", "houses"]  # the folders


def test_what_is_not_shared_or_no_picture_is_noted(bep044):
    audio, absent = read_stimuli(bep044).notes
    assert audio == "1 stimulus of type audio or video is passed over, such as 'stim-tone'."
    assert absent == (
        "1 stimulus is told not to be present, and not there, such as 'stim-secret'."
    )


@pytest.mark.parametrize(
    "name", ["stim-ann", FACES[0], "stim-ann_image.png", f"stimuli/{FACES[0]}"]
)
def test_events_find_pictures_by_id_or_file(bep044, name):
    assert ids_of([name], read_stimuli(bep044)) == {name: FACES[0]}


def test_ids_of_the_draft_need_no_aliases(bep044):
    assert dict(read_stimuli(bep044).aliases) == {}


def test_a_table_changes_no_id(bep044):
    described = list(read_stimuli(bep044).files)
    (bep044 / "stimuli.tsv").unlink()
    assert list(read_stimuli(bep044).files) == described


def test_the_order_of_rows_does_not_matter(bep044):
    lines = (bep044 / "stimuli.tsv").read_text().splitlines()
    before = read_stimuli(bep044)
    (bep044 / "stimuli.tsv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    after = read_stimuli(bep044)
    assert list(after.files.items()) == list(before.files.items())
    pd.testing.assert_frame_equal(after.table, before.table)


def test_other_ids_are_aliases_that_win_over_file_names(tmp_path):
    folder = stimuli_folder(tmp_path, ["1.png", "2.png"])
    write_tsv(folder / "stimuli.tsv", "stimulus_id|stim_file", "1|2.png", "2|1.png")
    found = read_stimuli(folder)
    assert found.aliases == {"1": ("2.png",), "2": ("1.png",)}
    assert ids_of(["1", "2", "1.png"], found) == {"1": "2.png", "2": "1.png", "1.png": "1.png"}


def test_one_file_under_two_ids_has_both(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png", "b.png"])
    write_tsv(folder / "stimuli.tsv", "stimulus_id|stim_file", "x|a.png", "y|a.png", "z|b.png")
    found = read_stimuli(folder)
    assert list(found.files) == ["b.png", "x", "y"]
    assert found.files["x"] == found.files["y"] == (folder / "a.png",)
    assert ids_of(["a.png", "y"], found) == {"y": "y"}
    assert ambiguous(["a.png"], found.files, found.aliases) == {"a.png": ("x", "y")}


# --- columns and cells


def test_names_of_columns_are_found_in_any_case(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png", "b.png"])
    write_tsv(
        folder / "stimuli.tsv",
        "Stim_File|Category|SPLIT|Caption|Arousal",
        " a.png |face|Train|A face.|n/a",
        "b.png| house |TEST|N/A|3.5",
        encoding="utf-8-sig",
    )
    table = read_stimuli(folder).table
    assert list(table.columns) == ["category", "caption", "split", "stim_file", "Arousal"]
    assert list(table["category"]) == ["face", "house"]
    assert list(table["split"]) == ["train", "test"]
    assert list(table["caption"]) == ["A face.", ""]
    assert list(table["Arousal"]) == ["", "3.5"]


def test_pictures_that_no_row_names_are_kept_and_noted(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png", "b.png", "c.png"])
    write_tsv(folder / "stimuli.tsv", "stim_file|category", "b.png|face")
    found = read_stimuli(folder)
    assert list(found.files) == ["a.png", "b.png", "c.png"]
    assert list(found.table["category"]) == ["", "face", ""]
    assert found.notes == (
        "2 stimuli in no row of stimuli.tsv are kept, with nothing known of them, such as "
        "'a.png'.",
    )


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("gone.png", "2 stimuli of stimuli.tsv have no picture, such as 'gone.png'."),
        ("A.PNG", "such as 'A.PNG'. The file is called 'a.png': case counts."),
        ("a.svg", "such as 'a.svg'; .svg is not read: save it as PNG."),
        ("a.png;gone.png", "such as 'gone.png'."),
    ],
)
def test_files_that_are_missing_are_counted_and_named(tmp_path, named, said):
    folder = stimuli_folder(tmp_path, ["a.png"])
    write_tsv(folder / "stimuli.tsv", "stimulus_id|stim_file", f"x|{named}", "y|none.png")
    found = read_stimuli(folder)
    assert list(found.files) == ["a.png"]
    assert found.notes[0].startswith("2 stimuli of stimuli.tsv have no picture")
    assert said in found.notes[0]


def test_accents_are_one_letter_or_two(tmp_path):
    composed = "café.png"
    apart = unicodedata.normalize("NFD", composed)  # as macOS writes it
    folder = stimuli_folder(tmp_path, [apart])
    write_tsv(folder / "stimuli.tsv", "stim_file|category", f"{composed}|drink")
    assert read_stimuli(folder).table.loc[apart, "category"] == "drink"


def test_the_sidecar_says_what_columns_mean(tmp_path):
    folder = stimuli_folder(tmp_path, ["a.png"])
    write_tsv(folder / "stimuli.tsv", "stim_file|arousal", "a.png|3")
    told = {"arousal": {"Description": "From 1 to 9."}, "x": {"Units": "s"}, "y": "Why."}
    (folder / "stimuli.json").write_text(json.dumps(told))
    assert read_stimuli(folder).columns == {"arousal": "From 1 to 9.", "y": "Why."}


# --- tables in folders


def test_inner_tables_amend_and_replace(tmp_path):
    folder = stimuli_folder(tmp_path, ["f/stim-1_image.png", "f/stim-2_image.png", "g/a.png"])
    write_tsv(folder / "stimuli.tsv", "stimulus_id|category|age", "stim-1|x|7", "stim-2|face|8")
    write_tsv(
        folder / "f/stimuli.tsv", "stimulus_id|category|sex", "stim-1|face|f", "stim-2|n/a|m"
    )
    write_tsv(folder / "g/stimuli.tsv", "stim_file|category", "a.png|thing")
    table = read_stimuli(folder).table
    assert list(table.index) == ["f/stim-1_image.png", "f/stim-2_image.png", "g/a.png"]
    assert list(table["category"]) == ["face", "face", "thing"]
    assert list(table["age"]) == ["7", "8", ""]
    assert list(table["sex"]) == ["f", "m", ""]


def test_files_of_one_name_in_two_folders_are_two_stimuli(tmp_path):
    folder = stimuli_folder(tmp_path, ["f/a.png", "g/a.png"])
    for inner in "fg":
        write_tsv(folder / inner / "stimuli.tsv", "stim_file|category", f"a.png|{inner}!")
    assert list(read_stimuli(folder).table["category"]) == ["f!", "g!"]


def test_an_id_in_two_folders_side_by_side_is_refused(tmp_path):
    folder = stimuli_folder(tmp_path, ["f/stim-1_image.png", "g/b.png"])
    for inner in "fg":
        write_tsv(folder / inner / "stimuli.tsv", "stimulus_id", "stim-1")
    with pytest.raises(
        UnreadableError, match=r"'stim-1' stands in line 2 of f/stimuli.tsv and in"
    ):
        read_stimuli(folder)


# --- pictures that lie elsewhere


def test_unpacked_pictures_meet_the_table(tmp_path):
    files = {f"{i:06d}.png": tmp_path / "work" / f"{i:06d}.png" for i in (3, 1)}
    plain = describe_files(files, tmp_path)
    assert list(plain.files) == ["000001.png", "000003.png"]
    write_tsv(tmp_path / "stimuli.tsv", "stimulus_id|category", "000003|cat", "000002|dog")
    found = describe_files(files, tmp_path)
    assert found.files == plain.files
    assert list(found.table["category"]) == ["", "cat"]
    assert found.notes == ()


# --- one picture under several names


def test_same_pictures_are_found_in_any_order():
    digests = {"d": "2", "b": "1", "e": "3", "c": "1", "a": "2", "f": "1"}
    expected = (("a", "d"), ("b", "c", "f"))
    assert same_pictures(digests) == expected
    assert same_pictures(dict(reversed(digests.items()))) == expected
    assert same_pictures({"a": "1", "b": "2"}) == ()


def test_the_warning_counts_names():
    assert same_warning([]) == ""
    said = same_warning((("a", "d"), ("b", "c", "f", "g")))
    assert said == (
        "2 pictures stand under several names (6 in all), such as 'a' = 'd'. Each counts as one "
        "stimulus."
    )


# --- refusals


def test_no_folder_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match=r"no folder .*nowhere"):
        read_stimuli(tmp_path / "nowhere")


def refused(tmp_path, columns, *rows):
    folder = stimuli_folder(tmp_path, ["a.png", "f/b.png", "g/b.png"])
    write_tsv(folder / "stimuli.tsv", columns, *rows)
    return folder


@pytest.mark.parametrize("column", ["stimulus_id", "stim_file"])
def test_a_stimulus_in_two_rows_is_refused_with_both(tmp_path, column):
    folder = refused(tmp_path, column, "a.png", "f/b.png", "a.png")
    with pytest.raises(UnreadableError, match=r"'a\.png' in the lines 2 and 4"):
        read_stimuli(folder)


@pytest.mark.parametrize(
    "path", ["/a.png", "../a.png", "f/../../a.png", "C:\\a.png", "a.png;;b.png"]
)
def test_paths_that_lead_elsewhere_are_refused(tmp_path, path):
    folder = refused(tmp_path, "stim_file", "f/b.png", path)
    with pytest.raises(UnreadableError, match=r"in line 3 of stimuli\.tsv is no path below"):
        read_stimuli(folder)


def test_an_id_with_several_pictures_is_refused(tmp_path):
    folder = refused(tmp_path, "stimulus_id", "b")
    with pytest.raises(UnreadableError, match=r"'b' in line 2 .* f/b\.png, g/b\.png\."):
        read_stimuli(folder)


def test_an_empty_id_is_refused(tmp_path):
    folder = refused(tmp_path, "stimulus_id|stim_file", "a|a.png", "n/a|f/b.png")
    with pytest.raises(UnreadableError, match=r"stimulus_id is empty in line 3 of stimuli\.tsv"):
        read_stimuli(folder)


@pytest.mark.parametrize("rows", [("f/b.png|a.png", "y|a.png"), ("a.png|f/b.png;g/b.png",)])
def test_an_id_that_is_the_path_of_another_picture_is_refused(tmp_path, rows):
    folder = refused(tmp_path, "stimulus_id|stim_file", *rows)
    with pytest.raises(UnreadableError, match=r"png', which is the path of another picture"):
        read_stimuli(folder)


def test_another_split_is_refused(tmp_path):
    folder = refused(tmp_path, "stim_file|split", "a.png|validation")
    with pytest.raises(UnreadableError, match=r"'a\.png' the split 'validation'\. Write train"):
        read_stimuli(folder)


def test_a_table_without_names_is_refused(tmp_path):
    folder = refused(tmp_path, "stimulus_idd|category", "a.png|x")
    with pytest.raises(MissingInputError, match=r"none that holds .*Did you mean 'stimulus_idd'"):
        read_stimuli(folder)


@pytest.mark.parametrize(
    ("text", "said"), [('{"a": 1', "is no JSON: .* in line 1"), ("[1]", "holds a list")]
)
def test_a_damaged_sidecar_is_refused(tmp_path, text, said):
    folder = refused(tmp_path, "stim_file", "a.png")
    (folder / "stimuli.json").write_text(text)
    with pytest.raises(UnreadableError, match=said):
        read_stimuli(folder)
