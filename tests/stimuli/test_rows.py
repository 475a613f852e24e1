"""stimuli.rows: tables of text as they stand, and what is wrong with those that are none."""

import pytest

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.stimuli.rows import column_of, read_rows, read_text


def written(tmp_path, text, name="a.tsv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_cells_are_text_without_blanks(tmp_path, encoding, ending):
    lines = ["id\tnote", " a \tn/a", "", "\t", "b\t Käse 01 "]
    table = read_rows(written(tmp_path, ending.join(lines), encoding=encoding))
    assert list(table.columns) == ["id", "note"]
    assert table.to_numpy().tolist() == [["a", ""], ["b", "Käse 01"]]
    assert list(table.index) == [2, 5]  # lines of the file


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('a "dog" sits', 'a "dog" sits'),
        ('"a dog', '"a dog'),  # swallows no lines
        ('"a ""dog"" sits"', 'a "dog" sits'),  # as spreadsheets write
        ('"', '"'),
        ("'a'", "'a'"),
    ],
)
def test_quotes_in_tabs(tmp_path, cell, text):
    table = read_rows(written(tmp_path, f"id\tcaption\n1\t{cell}\n2\tx\n"))
    assert list(table["caption"]) == [text, "x"]


@pytest.mark.parametrize(
    ("mark", "cell"), [(",", '"a cat; a dog, too"'), (";", '"a cat, a; dog"')]
)
def test_csv_has_commas_or_semicolons(tmp_path, mark, cell):
    table = read_rows(written(tmp_path, f"id{mark}caption\n1{mark}{cell}\n", "a.csv"))
    assert table.to_numpy().tolist() == [["1", cell.strip('"')]]


def test_known_columns_are_found_in_any_case(tmp_path):
    table = read_rows(written(tmp_path, "ID\tAge\n1\t2\n"), known=("id",))
    assert list(table.columns) == ["id", "Age"]


def test_a_header_alone_is_a_table(tmp_path):
    table = read_rows(written(tmp_path, "id\tage\n"))
    assert table.shape == (0, 2)
    assert list(table.columns) == ["id", "age"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("id\tage\n1\t2\n3\n", "1 cells in line 3, and 2 columns"),
        ("id\tage\n1\t2\t3\n", "3 cells in line 2, and 2 columns"),
        ("id\t\n1\t2\n", "gives its column 2 no name"),
        ("id\tage\tid\n", "has the column 'id' twice"),
        ("id\n1\0\n", "holds zero bytes"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, said):
    with pytest.raises(UnreadableError, match=said):
        read_rows(written(tmp_path, text))


def test_an_overlong_cell_is_refused(tmp_path):
    path = written(tmp_path, "id\n1\n" + "x" * (1 << 18) + "\n")
    with pytest.raises(UnreadableError, match=r"cannot be read as a table .*line 3"):
        read_rows(path)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("latin-1", r"line 2 holds the byte 0xe4\. .*iconv -f LATIN1"),
        ("utf-16", r"line 1 holds the byte 0xff\. .*iconv -f UTF-16"),
        ("utf-16-le", r"holds the byte|zero bytes"),
    ],
)
def test_other_encodings_are_refused(tmp_path, encoding, said):
    with pytest.raises(UnreadableError, match=said):
        read_text(written(tmp_path, "id\nKäse\n", encoding=encoding))


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match="does not exist"):
        read_rows(tmp_path / "a.tsv")
    (tmp_path / "b.tsv").symlink_to("nowhere")
    with pytest.raises(MissingInputError, match="datalad get"):
        read_rows(tmp_path / "b.tsv")


def test_the_first_column_that_is_there(tmp_path):
    path = written(tmp_path, "stim_file\tstimulus\na\tb\n")
    table = read_rows(path)
    assert column_of(table, ("stimulus_id", "stimulus", "stim_file"), path=path, what="ids") == (
        "stimulus"
    )
    with pytest.raises(MissingInputError, match=r"none that holds ids: stimulis\. Did you mean"):
        column_of(table, ("stimulis",), path=path, what="ids")


def test_commas_in_a_table_of_tabs_are_named(tmp_path):
    path = written(tmp_path, "id,age\n1,2\n")
    with pytest.raises(MissingInputError, match=r"Separate the columns by tabs, or name .*\.csv"):
        column_of(read_rows(path), ("id",), path=path, what="ids")
