"""stimuli.captions: from tables and COCO's annotations, resolved, in order; what has none."""

import json

import pandas as pd
import pytest

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.stimuli.captions import (
    coco_names,
    find_captions,
    of_table,
    sha256_of,
)
from bids_dnn.stimuli.table import read_stimuli
from tests.factories.stimuli import stimuli_folder, write_coco, write_tsv

STIMULI = ["a/cat.png", "a/dog.png", "hut.png"]


# --- tables


@pytest.mark.parametrize("column", ["stimulus", "stimulus_id", "stim_file", "STIM_FILE"])
@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_names_of_a_table_are_resolved(tmp_path, column, suffix):
    path = write_tsv(
        tmp_path / f"c.{suffix}",
        f"{column}|caption",
        "hut|A  hut\u00a0in snow. ",
        "stimuli/a/cat.png|A cat.",
        "dog.png|A dog.",
    )
    if suffix == "csv":
        path.write_text(path.read_text(encoding="utf-8").replace("\t", ","), encoding="utf-8-sig")
    assert find_captions(path, STIMULI).texts == {
        "a/cat.png": ("A cat.",),
        "a/dog.png": ("A dog.",),
        "hut.png": ("A hut in snow.",),
    }


def test_several_rows_and_columns_stay_in_order(tmp_path):
    path = write_tsv(
        tmp_path / "c.tsv",
        "stimulus|caption_b|age|Caption_a",
        "hut|1|x|2",
        "cat|n/a|x|5",
        "hut.png|3|x|n/a",
    )
    assert find_captions(path, STIMULI).texts == {"a/cat.png": ("5",), "hut.png": ("1", "2", "3")}


def test_what_has_no_partner_is_counted_and_named(tmp_path):
    path = write_tsv(
        tmp_path / "c.tsv", "stimulus|caption", "hut|A hut.", "dog| ", "1|One.", "bear|A bear."
    )
    found = find_captions(path, [*STIMULI, "x/1.png", "y/1.png"])
    assert found.texts == {"hut.png": ("A hut.",)}
    assert found.without == ("a/cat.png", "a/dog.png", "x/1.png", "y/1.png")
    assert found.notes == (
        "4 of 5 stimuli have no caption in c.tsv, such as 'a/cat.png'.",
        "1 of 4 names in c.tsv are no stimulus, such as 'bear'. Their captions are left out.",
        "1 names in c.tsv mean several stimuli, such as '1': x/1.png, y/1.png. Their captions are "
        "left out.",
        "1 captions in c.tsv are empty and left out, such as that of 'dog'.",
    )


def test_captions_of_no_stimulus_are_counted_and_named(tmp_path):
    rows = [f"{name}|A {name}." for name in (*STIMULI, "horse.png", "cow")]
    path = write_tsv(tmp_path / "c.tsv", "stimulus|caption", *rows)
    assert find_captions(path, STIMULI).notes == (
        "2 of 5 names in c.tsv are no stimulus, such as 'horse.png'. Their captions are left out.",
    )
    images = {1: "hut.png", 2: "cow.jpg"}
    path = write_coco(tmp_path / "c.json", images, [(1, 1, "A hut."), (2, 2, "A cow.")])
    assert find_captions(path, ["hut.png"]).notes == (
        "1 of 2 names in c.json are no stimulus, such as 'cow.jpg'. Their captions are left out.",
    )


def test_a_caption_for_each_leaves_nothing_to_say(tmp_path):
    path = write_tsv(
        tmp_path / "c.tsv", "stimulus|caption", "cat|A cat.", "dog|A dog.", "hut|A hut."
    )
    assert find_captions(path, STIMULI).notes == ()
    assert find_captions(path, STIMULI).texts == find_captions(path, STIMULI[::-1]).texts


def test_aliases_are_names_too(tmp_path):
    path = write_tsv(tmp_path / "c.tsv", "stimulus_id|caption", "s7|A cat.")
    aliases = {"s7": ("a/cat.png",)}
    assert find_captions(path, STIMULI, aliases).texts == {"a/cat.png": ("A cat.",)}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("stimulis|caption", r"none that holds names of stimuli.*Did you mean 'stimulis'"),
        ("stimulus|text", r"none that holds captions: caption\."),
    ],
)
def test_a_table_without_a_column_is_refused(tmp_path, columns, said):
    with pytest.raises(MissingInputError, match=said):
        find_captions(write_tsv(tmp_path / "c.tsv", columns, "a|b"), STIMULI)


def test_no_caption_at_all_is_refused_with_both_names(tmp_path):
    path = write_tsv(tmp_path / "c.tsv", "stimulus|caption", "bear|A bear.")
    with pytest.raises(
        MissingInputError, match=r"None of the 3 stimuli, such as 'a/cat\.png', .* such as 'bear'"
    ):
        find_captions(path, STIMULI)
    assert find_captions(path, []).texts == {}


def test_other_encodings_and_formats_are_refused(tmp_path):
    path = write_tsv(tmp_path / "c.tsv", "stimulus|caption", "hut|Hütte", encoding="latin-1")
    with pytest.raises(UnreadableError, match="line 2 holds the byte 0xfc"):
        find_captions(path, STIMULI)
    with pytest.raises(UnreadableError, match=r"ends in '\.xlsx'"):
        find_captions(tmp_path / "c.xlsx", STIMULI)
    with pytest.raises(MissingInputError, match="does not exist"):
        find_captions(tmp_path / "none.tsv", STIMULI)


# --- COCO


def test_coco_is_in_the_order_of_annotations(tmp_path):
    path = write_coco(
        tmp_path / "captions_val2017.json",
        {42: "000000000042.jpg", 7: "000000000007.jpg", 8: "000000000008.jpg"},
        [(30, 42, "Third."), (4, 42, " First.\n"), (9, 7, "Seven."), (17, 42, "Second.")],
    )
    stimuli = ["coco/000000000007.png", "coco/000000000042.png"]
    assert find_captions(path, stimuli).texts == {
        "coco/000000000007.png": ("Seven.",),
        "coco/000000000042.png": ("First.", "Second.", "Third."),
    }


@pytest.mark.parametrize(
    "name",
    [
        "000000000042.jpg",
        "x/000000000042.png",
        "COCO_val2014_000000000042.jpg",
        "42.png",
        "000042",
        "stim-x_000000000042.png",
    ],
)
def test_images_of_coco_are_found_by_their_number(tmp_path, name):
    path = write_coco(tmp_path / "c.json", {42: "000000000042.jpg"}, [(1, 42, "A cat.")])
    assert find_captions(path, [name, "other.png"]).texts == {name: ("A cat.",)}


@pytest.mark.parametrize("name", ["face_42.png", "42_image.png", "420.png", "a42.png"])
def test_other_numbers_are_no_images_of_coco(tmp_path, name):
    path = write_coco(tmp_path / "c.json", {42: "000000000042.jpg"}, [(1, 42, "A cat.")])
    with pytest.raises(MissingInputError, match=r"such as '000000000042\.jpg'"):
        find_captions(path, [name])


def test_the_file_name_comes_before_the_number(tmp_path):
    path = write_coco(
        tmp_path / "c.json", {1: "hut.png", 2: "1.png"}, [(1, 1, "A hut."), (2, 2, "One.")]
    )
    assert find_captions(path, ["1.png", "hut.png"]).texts == {
        "1.png": ("One.",),
        "hut.png": ("A hut.",),
    }


def test_a_column_of_coco_numbers_leads_to_captions(tmp_path):
    folder = stimuli_folder(tmp_path / "stimuli", ["stim-nsd02951_image.png", "stim-b_image.png"])
    write_tsv(folder / "stimuli.tsv", "stimulus_id|COCO_id", "stim-nsd02951|262145", "stim-b|n/a")
    stimuli = read_stimuli(folder)
    names = coco_names(stimuli.table)
    assert names == {"000000262145": ("stim-nsd02951_image.png",)}
    path = write_coco(
        tmp_path / "c.json",
        {262145: "COCO_train2014_000000262145.jpg"},
        [(1, 262145, "A market.")],
    )
    assert find_captions(path, stimuli.files, names).texts == {
        "stim-nsd02951_image.png": ("A market.",)
    }
    assert coco_names(stimuli.table.drop(columns="COCO_id")) == {}


def test_the_list_that_captioners_write(tmp_path):
    path = tmp_path / "c.json"
    told = [{"image_id": 42, "caption": "A cat."}, {"image_id": "hut", "caption": "A hut."}]
    path.write_text(json.dumps(told), encoding="utf-8-sig")
    assert find_captions(path, ["42.png", "hut.png"]).texts == {
        "42.png": ("A cat.",),
        "hut.png": ("A hut.",),
    }


def test_empty_captions_of_coco_are_noted(tmp_path):
    path = write_coco(
        tmp_path / "c.json",
        {1: "hut.png", 2: "cat.png"},
        [(1, 1, " \n"), (2, 1, "A hut."), (3, 2, "")],
    )
    found = find_captions(path, ["cat.png", "hut.png"])
    assert found.texts == {"hut.png": ("A hut.",)}
    assert found.without == ("cat.png",)
    assert found.notes[-1] == "2 captions in c.json are empty and left out, such as that of '1'."


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ('{"images": [', UnreadableError, "is no JSON: .*line 1.*may end early"),
        ("", UnreadableError, "is no JSON"),
        ("[" * 100_000, UnreadableError, "is no JSON"),
        ('{"images": []}', MissingInputError, "holds 'images'; the keys 'images' and 'annota"),
        ("{}", MissingInputError, "holds nothing; the keys"),
        ("7", MissingInputError, "holds int; the keys"),
        ('{"images": 1, "annotations": []}', UnreadableError, "no list of objects under 'images'"),
        ('{"images": [], "annotations": [3]}', UnreadableError, "under 'annotations'"),
        ('{"images": [{}], "annotations": []}', UnreadableError, "None as 'id' of entry 0 of 'im"),
        ('[{"caption": "x"}]', UnreadableError, "None as 'image_id' of entry 0"),
        ('[{"image_id": true, "caption": "x"}]', UnreadableError, "True as 'image_id'"),
        (
            '{"images": [], "annotations": [{"id": 1, "image_id": 2, "bbox": []}]}',
            UnreadableError,
            r"no text under the key 'caption' .* 'id', 'image_id', 'bbox'\. .*instances",
        ),
        ('[{"image_id": 2, "caption": null}]', UnreadableError, "no text under the key 'caption'"),
    ],
)
def test_what_is_not_cocos_form_is_refused(tmp_path, text, error, said):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(error, match=said):
        find_captions(path, STIMULI)


def test_coco_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "c.json"
    path.write_bytes('[{"image_id": "hut", "caption": "Hütte"}]'.encode("latin-1"))
    with pytest.raises(UnreadableError, match="line 1 holds the byte 0xfc"):
        find_captions(path, STIMULI)


# --- of a table, and identities


def test_captions_of_stimuli_tsv():
    table = pd.DataFrame(
        {
            "category": ["x", "y", "z"],
            "caption": ["A  b.", "", None],
            "caption_2": ["C.", "D.", ""],
        },
        index=["q", "p", "r"],
    )
    assert of_table(table) == {"p": ("D.",), "q": ("A b.", "C.")}


def test_digests_depend_on_the_texts_and_their_order_alone():
    digests = sha256_of({"a": ("x", "y"), "b": ("y", "x"), "c": ("x, y",), "d": ("x", "y")})
    assert digests["a"] == digests["d"]
    assert len(set(digests.values())) == 3
    assert sha256_of({"a": ["x", "y"]})["a"] == digests["a"]
