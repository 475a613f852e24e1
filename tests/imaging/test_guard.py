"""imaging.guard: what is absent, not fetched or damaged is said in two sentences."""

import pickle
import zlib

import pytest

from bids_dnn.errors import BidsDnnError, MissingInputError, UnreadableError
from bids_dnn.imaging import load, require_file, whole


def test_a_file_with_content_is_returned(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    assert require_file(path) == path


def test_pointers_and_dangling_links_are_told_from_nothing(tmp_path):
    with pytest.raises(MissingInputError, match=r"a does not exist"):
        require_file(tmp_path / "a")
    with pytest.raises(MissingInputError, match=r"does not exist"):
        require_file(tmp_path)  # a folder is no file
    pointer = tmp_path / "pointer.nii.gz"
    pointer.write_text("/annex/objects/MD5E-s1--0.nii.gz\n")
    link = tmp_path / "link.nii.gz"
    link.symlink_to("../.git/annex/objects/x")
    for path in (pointer, link):
        with pytest.raises(MissingInputError, match=rf"not fetched. Type: datalad get {path}"):
            require_file(path)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EOFError("x"), "ends early, 3 bytes"),
        (zlib.error("Error -5 while decompressing: incomplete or truncated"), "ends early"),
        (ValueError("odd"), r"cannot be read as an image \(odd\)"),
        (KeyError("Dim0"), "cannot be read"),
    ],
)
def test_errors_of_libraries_become_one(tmp_path, error, expected):
    path = tmp_path / "a.nii"
    path.write_bytes(b"abc")
    with pytest.raises(UnreadableError, match=rf"a\.nii {expected}") as caught, whole(path):
        raise error
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_bugs_and_our_own_errors_pass(tmp_path):
    with pytest.raises(TypeError, match="a bug"), whole(tmp_path):
        raise TypeError("a bug")
    ours = BidsDnnError("what", mend="mend")
    with pytest.raises(BidsDnnError, match="what mend"), whole(tmp_path):
        raise ours


def test_what_is_no_image_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_text("hello")
    with pytest.raises(UnreadableError, match=r"a\.nii\.gz cannot be read"):
        load(path)
