"""ingest.spm_folders: where the first level of a participant lies."""

from pathlib import Path

import pytest

from bids_dnn.ingest.match import Found
from bids_dnn.ingest.spm_folders import UNKNOWN, find_designs, model_files, name_space
from tests.factories.trees import affine_of, tiny_mask, write_image


@pytest.mark.parametrize("below", ["", "glm", "task-x/glm"])
def test_the_only_model_is_found(tmp_path, below):
    path = tmp_path / "sub-01" / below / "SPM.mat"
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_designs(tmp_path, "01", tasks=()) == ({"": path}, "")


@pytest.mark.parametrize(
    ("folder", "given"),
    [
        ("01/glm", "{participant}/glm"),
        ("sub-01/glm", "{participant}/glm"),
        ("s01", "s{participant}"),
    ],
)
def test_the_place_of_the_participant_may_be_named(tmp_path, folder, given):
    path = tmp_path / folder / "SPM.mat"
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_designs(tmp_path / given, "01", tasks=())[0] == {"": path}
    assert find_designs(tmp_path / given / "SPM.mat", "01", tasks=())[0] == {"": path}


def touch(path):
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("sub-01/task-x", "sub-01/task-y", ["x", "y"]),
        ("sub-01/all", "sub-01/fv model", ["all", "fvmodel"]),
    ],
)
def test_each_design_has_a_name(tmp_path, first, second, names):
    paths = [touch(tmp_path / folder / "SPM.mat") for folder in (first, second)]
    designs, why = find_designs(tmp_path, "01", tasks=())
    assert designs == dict(zip(names, paths, strict=True))
    assert why == ""
    assert find_designs(tmp_path, "01", tasks=(names[1],))[0] == {names[1]: paths[1]}
    designs, why = find_designs(tmp_path, "01", tasks=("z",))
    assert designs == {}
    assert why == f"its designs are {names[0]}, {names[1]}, and none is of the task z"


def test_a_folder_for_each_design_holds_the_participants(tmp_path):
    paths = [touch(tmp_path / f"betas_{d}" / "sub-02" / "SPM.mat") for d in ("all", "fv")]
    touch(tmp_path / "betas_fv" / "sub-03" / "SPM.mat")
    root = tmp_path / "betas_{design}" / "{participant}"
    found = find_designs(root, "02", tasks=())[0]
    assert found == {"betasall": paths[0], "betasfv": paths[1]}
    assert list(find_designs(root, "03", tasks=())[0]) == [""]


def test_nothing_is_said_in_words(tmp_path):
    assert "there is no" in find_designs(tmp_path, "01", tasks=())[1]
    (tmp_path / "sub-01").mkdir()
    assert find_designs(tmp_path, "01", tasks=())[1].endswith("sub-01 has no SPM.mat")


def test_a_model_depends_on_its_images(tmp_path):
    names = ["SPM.mat", "beta_0001.nii", "con_0001.hdr", "con_0001.img", "mask.hdr", "ResMS.nii"]
    for name in (*names, "spmT_0001.nii", "mask.txt"):
        (tmp_path / name).touch()
    spm = tmp_path / "SPM.mat"
    assert [p.name for p in model_files(spm)] == ["SPM.mat", "beta_0001.nii", "mask.hdr"]
    found = model_files(spm, images="con", normalize="residual")
    assert {p.name for p in found} == set(names) - {"beta_0001.nii"}


@pytest.mark.real
def test_real_betas_without_spm_mat(real_data):
    designs, reason = find_designs(real_data / "spm_god", "01", tasks=())
    assert designs == {}
    assert "but no SPM.mat, which says what each beta stands for" in reason


def test_space_is_asked_named_or_told_by_masks(tmp_path):
    path = tmp_path / "sub-01" / "SPM.mat"
    write_image(path.parent / "mask.nii", tiny_mask(), affine_of())
    same = write_image(tmp_path / "same.nii.gz", tiny_mask(), affine_of())
    other = write_image(tmp_path / "other.nii.gz", tiny_mask(), affine_of(2.0))
    kind = {"suffix": "mask", "extension": ".nii.gz", "subject": "01"}
    made = [Found(same, {**kind, "space": "T1w"}), Found(other, {**kind, "space": "MNI"})]
    assert name_space(path, "01", asked="MNI:res-2", made=made) == ("MNI", "")
    assert name_space(path, "01", asked=None, made=made)[0] == "T1w"
    assert name_space(path, "02", asked=None, made=made)[0] == UNKNOWN
    assert name_space(path, "01", asked=None, made=[])[0] == UNKNOWN
    assert name_space(Path("a_space-MNI_b/SPM.mat"), "01", asked=None, made=[])[0] == "MNI"
