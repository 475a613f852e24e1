"""ingest.anatomy: fMRIPrep's surfaces before FreeSurfer's, the nearest session before others."""

from pathlib import Path

import pytest

from bids_dnn.errors import MissingInputError
from bids_dnn.ingest.anatomy import find_anatomy, freesurfer_homes, not_in
from bids_dnn.ingest.match import Found
from bids_dnn.ingest.records import Anatomy, Subject


def surface(name, **entities):
    kind = {"subject": "01", "suffix": name.split("_")[-1].split(".")[0], "datatype": "anat"}
    extension = "." + name.split(".", 1)[1]
    return Found(Path(name), {**kind, "extension": extension, **entities})


def subject_of(home: Path, name: str, *files: str) -> Path:
    for file in ("surf/lh.white", *files):
        path = home / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return home / name


def test_nothing_is_found_where_nothing_is():
    assert find_anatomy("01", [], made=[], homes=[]) == Anatomy()


def test_fmriprep_goes_before_freesurfer(tmp_path):
    folder = subject_of(tmp_path, "sub-01", "surf/lh.pial.T1", "surf/lh.sphere.reg")
    made = [
        surface("hemi-L_white.surf.gii", hemi="L"),
        surface("hemi-L_smoothwm.surf.gii", hemi="L"),
        surface("hemi-L_space-fsLR_den-32k_pial.surf.gii", hemi="L", space="fsLR", den="32k"),
        surface("hemi-R_space-fsnative_inflated.surf.gii", hemi="R", space="fsnative"),
        surface("hemi-L_graymid.surf.gii", hemi="L"),
        surface("x_hemi-R_white.surf.gii", hemi="R", subject="02"),
    ]
    found = find_anatomy("01", [""], made=made, homes=[tmp_path])
    assert found.freesurfer == folder
    assert {k: v.name for k, v in found.surfaces.items()} == {
        "L_white": "hemi-L_white.surf.gii",
        "L_pial": "lh.pial.T1",
        "L_midthickness": "hemi-L_graymid.surf.gii",
        "L_reg-fsaverage": "lh.sphere.reg",
        "R_inflated": "hemi-R_space-fsnative_inflated.surf.gii",
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["_desc-reg_sphere", "_space-fsaverage_desc-reg_sphere"],
            "_space-fsaverage_desc-reg_sphere",
        ),
        (["_desc-reg_sphere"], "_desc-reg_sphere"),
        (["_sphere"], None),
    ],
)
def test_registered_sphere_by_its_old_and_new_name(names, expected):
    made = [
        surface(
            f"hemi-L{name}.surf.gii",
            hemi="L",
            **({"desc": "reg"} if "reg" in name else {}),
            **({"space": "fsaverage"} if "space" in name else {}),
        )
        for name in names
    ]
    found = find_anatomy("01", [""], made=made, homes=[]).surfaces
    reg = found.get("L_reg-fsaverage")
    assert (None if reg is None else reg.name) == (expected and f"hemi-L{expected}.surf.gii")


def test_msm_goes_before_the_other_registration_to_fslr():
    made = [
        surface(f"hemi-L_space-fsLR_desc-{d}_sphere.surf.gii", hemi="L", space="fsLR", desc=d)
        for d in ("reg", "msmsulc")
    ]
    found = find_anatomy("01", [""], made=made, homes=[]).surfaces
    assert found["L_reg-fsLR"].name == "hemi-L_space-fsLR_desc-msmsulc_sphere.surf.gii"


def test_anatomy_of_all_sessions_goes_before_that_of_one():
    made = [
        surface("ses-a_hemi-L_white.surf.gii", hemi="L", session="a"),
        surface("ses-b_hemi-L_white.surf.gii", hemi="L", session="b"),
    ]

    def white(files, sessions):
        found = find_anatomy("01", sessions, made=files, homes=[]).surfaces
        return found["L_white"].name if found else None

    assert white(made, ["b"]) == "ses-b_hemi-L_white.surf.gii"
    assert white(made, ["c"]) is None
    assert white(made, []) == "ses-a_hemi-L_white.surf.gii"
    both = [*made, surface("hemi-L_white.surf.gii", hemi="L")]
    assert white(both, ["b"]) == "hemi-L_white.surf.gii"


def test_transforms_by_source_and_target():
    made = [
        surface("sub-01_from-T1w_to-MNI152NLin2009cAsym_mode-image_xfm.h5"),
        surface("sub-01_from-fsnative_to-T1w_mode-image_xfm.txt"),
        surface("sub-01_from-T1w_to-MNIInfant+2_mode-image_xfm.h5"),
        surface("sub-01_task-x_from-boldref_to-T1w_mode-image_xfm.txt", datatype="func"),
        surface("sub-02_from-T1w_to-fsnative_mode-image_xfm.txt", subject="02"),
    ]
    found = find_anatomy("01", [""], made=made, homes=[]).transforms
    assert sorted(found) == ["T1w->MNI152NLin2009cAsym", "T1w->MNIInfant+2", "fsnative->T1w"]


@pytest.mark.parametrize(
    ("folders", "sessions", "expected"),
    [
        (["sub-01", "sub-01_ses-a"], ["a"], "sub-01"),
        (["sub-01_ses-a", "sub-01_ses-b"], ["b"], "sub-01_ses-b"),
        (["sub-01_ses-a"], ["b"], None),
        (["sub-01_ses-a"], [], "sub-01_ses-a"),
        (["sub-01_ses-a", "sub-01_ses-b"], [], None),
    ],
)
def test_freesurfer_ids_with_and_without_session(tmp_path, folders, sessions, expected):
    for name in folders:
        subject_of(tmp_path, name)
    found = find_anatomy("01", sessions, made=[], homes=[tmp_path]).freesurfer
    assert (None if found is None else found.name) == expected


def test_homes_of_both_layouts_are_known(tmp_path):
    root = tmp_path / "derivatives" / "fmriprep"
    inside, beside = root / "sourcedata" / "freesurfer", tmp_path / "derivatives" / "freesurfer"
    for home in (inside, beside):
        subject_of(home, "sub-01")
    assert freesurfer_homes(tmp_path, {"fmriprep": root}, given=None) == (inside, beside)
    assert freesurfer_homes(tmp_path, {}, given=None) == (beside,)
    assert freesurfer_homes(tmp_path, {"fmriprep": root}, given=beside) == (beside,)


def test_given_home_is_checked(tmp_path):
    folder = subject_of(tmp_path / "fs", "sub-01")
    with pytest.raises(MissingInputError, match=r"--fs-subjects-dir .*nowhere: there is no such"):
        freesurfer_homes(tmp_path, {}, given=tmp_path / "nowhere")
    with pytest.raises(
        MissingInputError, match=rf"holds no FreeSurfer subject.*dir {folder.parent}$"
    ):
        freesurfer_homes(tmp_path, {}, given=folder)
    with pytest.raises(MissingInputError, match=r"Give the folder that holds the subjects, not"):
        freesurfer_homes(tmp_path, {}, given=tmp_path)


def test_who_is_not_in_the_given_folder_is_named(tmp_path):
    subject_of(tmp_path, "bert")
    subjects = [
        Subject(label, "fmriprep", "x", "T1w", anatomy=Anatomy(folder))
        for label, folder in (("01", tmp_path / "sub-01"), ("02", None))
    ]
    (note,) = not_in(tmp_path, subjects)
    assert note.startswith("sub-02 has no folder in --fs-subjects-dir")
    with pytest.raises(MissingInputError, match=r"its subjects are: bert\. Name them .*sub-02"):
        not_in(tmp_path, subjects[1:])
    assert not_in(tmp_path, subjects[:1]) == []


def test_the_only_anatomy_serves_all_sessions(tmp_path):
    made = [
        surface("ses-a_hemi-L_white.surf.gii", hemi="L", session="a"),
        Found(tmp_path / "fieldmap", {"subject": "01", "session": "b", "datatype": "fmap"}),
    ]
    found = find_anatomy("01", ["b"], made=made, homes=[]).surfaces
    assert found["L_white"].name == "ses-a_hemi-L_white.surf.gii"


def test_folders_that_are_not_bids_are_found_by_the_label(tmp_path):
    folder = subject_of(tmp_path, "subj01")
    assert find_anatomy("subj01", [], made=[], homes=[tmp_path]).freesurfer == folder
