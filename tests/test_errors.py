"""errors: one family, each also a builtin; whole after a worker process."""

import pickle

import pytest

from bids_dnn import errors

FAMILY = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]


@pytest.mark.parametrize("kind", FAMILY)
def test_survives_a_worker_process(kind):
    made = pickle.loads(pickle.dumps(kind("Found a.", mend="Type b.")))
    assert type(made) is kind
    assert str(made) == "Found a. Type b."
    assert (made.what, made.mend) == ("Found a.", "Type b.")


@pytest.mark.parametrize("kind", [k for k in FAMILY if k is not errors.BidsDnnError])
def test_each_is_a_builtin_too(kind):
    assert issubclass(kind, errors.BidsDnnError)
    assert issubclass(kind, (ValueError, OSError))


def test_nearest():
    assert errors.nearest("alexnt", ["alexnet", "vgg"]) == "Did you mean 'alexnet'?"
    assert errors.nearest("qqq", ["b", "a"]) == "There are: a, b."
    assert errors.nearest("qqq", []) == "There are none."
    assert "and 10 more" in errors.nearest("qqq", [f"x{n:02d}" for n in range(30)])
