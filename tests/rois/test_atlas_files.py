"""rois.atlas_files: an atlas is found by name and space."""

import re
from pathlib import Path

import pytest

from bids_dnn.errors import ConfigError, MissingInputError
from bids_dnn.rois.atlas_files import (
    AtlasFiles,
    atlas_at,
    find_atlas,
    freesurfer_atlas,
    templateflow_atlas,
)

MNI = "MNI152NLin2009cAsym"


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    return folder


def names_of(found):
    return [path.name for path in found.images]


def test_the_participants_own_file_comes_first(tmp_path):
    root = touch(
        tmp_path,
        f"sub-01/anat/sub-01_space-{MNI}_atlas-parcels_dseg.nii.gz",
        f"sub-02/anat/sub-02_space-{MNI}_atlas-parcels_dseg.nii.gz",
        f"tpl-{MNI}/tpl-{MNI}_atlas-parcels_dseg.nii.gz",
        f"tpl-{MNI}/tpl-{MNI}_atlas-parcels_dseg.tsv",
    )
    found = find_atlas("parcels", [root], "01", MNI)
    assert names_of(found) == [f"sub-01_space-{MNI}_atlas-parcels_dseg.nii.gz"]
    found = find_atlas("Parcels", [root], "03", MNI)
    assert names_of(found) == [f"tpl-{MNI}_atlas-parcels_dseg.nii.gz"]
    assert found.table == root / f"tpl-{MNI}" / f"tpl-{MNI}_atlas-parcels_dseg.tsv"
    assert AtlasFiles.from_json(found.to_json()) == found


def test_names_of_labels_are_inherited(tmp_path):
    root = touch(
        tmp_path,
        "desc-aparcaseg_dseg.tsv",
        "desc-aseg_dseg.tsv",
        "sub-01/anat/sub-01_desc-aparcaseg_dseg.nii.gz",
        "sub-01/anat/sub-01_desc-aseg_dseg.nii.gz",
        "sub-01/anat/sub-01_dseg.nii.gz",
    )
    found = find_atlas("aparcaseg", [root], "01", "T1w")
    assert names_of(found) == ["sub-01_desc-aparcaseg_dseg.nii.gz"]
    assert found.table == root / "desc-aparcaseg_dseg.tsv"


def test_both_hemispheres_are_found_and_one_alone_is_refused(tmp_path):
    name = "sub-01_hemi-{}_space-fsnative_seg-faces_dseg.label.gii"
    root = touch(tmp_path, *(f"sub-01/anat/{name.format(side)}" for side in "RL"))
    found = find_atlas("faces", [root], "01", "fsnative")
    assert names_of(found) == [name.format("L"), name.format("R")]
    (root / "sub-01/anat" / name.format("R")).unlink()
    with pytest.raises(MissingInputError, match=r"hemi-L.*no file of the hemisphere R beside it"):
        find_atlas("faces", [root], "01", "fsnative")


def test_grayordinates_prefer_cifti_and_their_density_is_asked_for(tmp_path):
    root = touch(
        tmp_path,
        "tpl-fsLR_den-91k_atlas-Glasser_dseg.dlabel.nii",
        "tpl-fsLR_hemi-L_den-32k_atlas-Glasser_dseg.label.gii",
        "tpl-fsLR_hemi-R_den-32k_atlas-Glasser_dseg.label.gii",
    )
    found = find_atlas("Glasser", [root], "01", "fsLR")
    assert names_of(found) == ["tpl-fsLR_den-91k_atlas-Glasser_dseg.dlabel.nii"]
    touch(tmp_path, "tpl-fsLR_den-170k_atlas-Glasser_dseg.dlabel.nii")
    with pytest.raises(ConfigError, match=r"den- labels 170k, 91k.*, den=91k"):
        find_atlas("Glasser", [root], "01", "fsLR")
    found = find_atlas("Glasser", [root], "01", "fsLR", entities={"den": "170k"})
    assert "170k" in names_of(found)[0]


def test_several_versions_of_an_atlas_are_refused(tmp_path):
    names = [f"tpl-{MNI}_res-01_atlas-S18_desc-{n}Parcels_dseg.nii.gz" for n in (100, 200)]
    root = touch(tmp_path, *names)
    with pytest.raises(ConfigError, match=r"2 files fit.*100Parcels, 200Parcels.*desc=200Parcels"):
        find_atlas("S18", [root], "01", MNI)
    found = find_atlas("S18", [root], "01", MNI, entities={"desc": "100Parcels", "res": "1"})
    assert names_of(found) == names[:1]


def test_an_absent_atlas_names_what_is_there(tmp_path):
    root = touch(
        tmp_path,
        "sub-01/anat/sub-01_space-T1w_atlas-parcels_dseg.nii.gz",
        f"sub-01/anat/sub-01_space-{MNI}_atlas-Other_dseg.nii.gz",
        "logs/sub-01_space-T1w_atlas-hidden_dseg.nii.gz",
    )
    with pytest.raises(MissingInputError, match=r"No atlas 'parcel' of space T1w.*'parcels'"):
        find_atlas("parcel", [root], "01", "T1w")
    with pytest.raises(MissingInputError, match=rf"'Other' is there in {MNI}.*--space {MNI}"):
        find_atlas("Other", [root], "01", "T1w")
    with pytest.raises(MissingInputError, match=r"No atlas 'hidden'"):
        find_atlas("hidden", [root], "01", "T1w")


def test_annotations_are_found_in_freesurfers_folders(tmp_path):
    subject = touch(
        tmp_path / "sub-01",
        *(f"label/{side}.aparc{kind}.annot" for side in ("lh", "rh") for kind in ("", ".x")),
        "label/lh.half.annot",
        *(f"surf/{side}.wang15_mplbl.mgz" for side in ("lh", "rh")),
    )
    found = freesurfer_atlas("aparc", freesurfer=subject, space="fsnative")
    assert names_of(found) == ["lh.aparc.annot", "rh.aparc.annot"]
    found = freesurfer_atlas("wang15", freesurfer=subject, space="fsnative")
    assert names_of(found) == ["lh.wang15_mplbl.mgz", "rh.wang15_mplbl.mgz"]
    with pytest.raises(MissingInputError, match=r"'aparc.y' is not there.*'aparc.x'"):
        freesurfer_atlas("aparc.y", freesurfer=subject, space="fsnative")
    with pytest.raises(MissingInputError, match=r"rh.half.annot does not exist, but the other"):
        freesurfer_atlas("half", freesurfer=subject, space="fsnative")
    touch(tmp_path / "fsaverage", "label/lh.aparc.annot", "label/rh.aparc.annot")
    found = freesurfer_atlas("aparc", freesurfer=subject, space="fsaverage5")
    assert found.images[0] == tmp_path / "fsaverage/label/lh.aparc.annot"


def test_templateflows_cache_is_read_and_never_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    folder = tmp_path / f"tpl-{MNI}"
    kinds = [f"res-0{r}_atlas-S18_desc-{n}_dseg.nii.gz" for r in (1, 2) for n in ("a", "b")]
    touch(folder, *(f"tpl-{MNI}_{kind}" for kind in kinds), f"tpl-{MNI}_atlas-S18_desc-a_dseg.tsv")
    found = templateflow_atlas(MNI, "S18", desc="a", resolution=2)
    assert names_of(found) == [f"tpl-{MNI}_res-02_atlas-S18_desc-a_dseg.nii.gz"]
    assert found.table == folder / f"tpl-{MNI}_atlas-S18_desc-a_dseg.tsv"
    (folder / f"tpl-{MNI}_res-02_atlas-S18_desc-b_dseg.nii.gz").write_bytes(b"")  # a stub
    call = f"api.get('{MNI}', atlas='S18', suffix='dseg', desc='b', resolution=2)"
    with pytest.raises(MissingInputError, match=re.escape(call)):
        templateflow_atlas(MNI, "S18", desc="b", resolution=2)


def test_the_network_is_asked_only_on_demand(monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    asked = []

    def fetch(template, wanted):
        asked.append((template, wanted))
        touch(tmp_path, f"tpl-{MNI}/tpl-{MNI}_res-02_atlas-S18_dseg.nii.gz")

    monkeypatch.setattr("bids_dnn.rois.atlas_files._fetch", fetch)
    with pytest.raises(MissingInputError, match="with the network"):
        templateflow_atlas(MNI, "S18")
    assert asked == []
    found = templateflow_atlas(MNI, "S18", resolution=2, is_online=True)
    assert asked == [(MNI, {"atlas": "S18", "suffix": "dseg", "resolution": 2})]
    assert isinstance(found.images[0], Path)


def test_an_atlas_at_a_path_is_of_the_space_that_its_name_tells(tmp_path):
    name = "tpl-MNI152NLin6Asym_atlas-X_dseg"
    touch(tmp_path, f"{name}.nii.gz", f"{name}.tsv", "lh.Y.annot", "rh.Y.annot", "plain.nii.gz")
    found = atlas_at(tmp_path / f"{name}.nii.gz", "MNI152NLin6Asym")
    assert (found.name, found.table) == ("X", tmp_path / f"{name}.tsv")
    assert atlas_at(tmp_path / f"{name}.nii.gz", "MNI152NLin2009cAsym") is None
    assert atlas_at(tmp_path / "plain.nii.gz", "MNI152NLin6Asym").table is None
    assert atlas_at(tmp_path / "plain.nii.gz", "fsaverage") is None
    both = atlas_at(tmp_path / "{hemi}.Y.annot", "fsaverage")
    assert [path.name for path in both.images] == ["lh.Y.annot", "rh.Y.annot"]
    with pytest.raises(MissingInputError, match=r"There is no atlas .*L.Z.annot"):
        atlas_at(tmp_path / "{hemi}.Z.annot", "fsaverage")
