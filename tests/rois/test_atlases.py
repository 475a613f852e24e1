"""rois.atlases: labels of atlases of every kind become places."""

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Surface
from bids_dnn.errors import ConfigError, MissingInputError, SpaceError, UnreadableError
from bids_dnn.rois.atlas_files import AtlasFiles
from bids_dnn.rois.atlases import WANG15, atlas_names, atlas_of, atlas_places, read_names
from bids_dnn.rois.grammar import parse
from tests.factories.trees import write_image

MNI = "MNI152NLin2009cAsym"
LABELS = np.array([0, 1, 1, 2, 3, 3, 3, 9], dtype=np.int16)
NAMES = {0: "Unknown", 1: "ctx-lh-fusiform", 2: "ctx-rh-fusiform", 3: "V1", 9: "FFA+OFA"}


@pytest.fixture
def grid():
    return Grid("T1w", (2, 2, 2), np.diag([2.0, 2.0, 2.0, 1.0]), np.arange(3))


@pytest.fixture
def mesh():
    return Surface("fsnative", (4, 4), np.arange(8))


@pytest.fixture
def dseg(tmp_path):
    rows = [f'{key}\t"{name}"\t#000000' for key, name in NAMES.items()]
    (tmp_path / "a_dseg.tsv").write_text("\n".join(["index\tname\tcolor", *rows]) + "\n")
    image = write_image(
        tmp_path / "a_dseg.nii.gz", LABELS.reshape(2, 2, 2), np.diag([2.0, 2.0, 2.0, 1.0])
    )
    return AtlasFiles("a", (image,), tmp_path / "a_dseg.tsv")


def write_annots(folder, name, labels, called):
    colors = np.array([[20 * i, 7, 9, 0, 0] for i in range(len(called))], dtype=np.int32)
    paths = []
    for side, part in zip(("lh", "rh"), np.split(np.asarray(labels), 2), strict=True):
        paths.append(folder / f"{side}.{name}.annot")
        nib.freesurfer.write_annot(paths[-1], part, colors, called, fill_ctab=True)
    return AtlasFiles(name, tuple(paths))


@pytest.mark.parametrize(
    ("label", "keys"),
    [
        ("V1", [3]),
        ("V1+ctx-lh-fusiform", [1, 3]),
        ("fusiform", [1, 2]),
        ("FFA+OFA", [9]),
        ("3", [3]),
        ("2+V1", [2, 3]),
    ],
)
def test_labels_of_voxels_come_by_name_or_number(dseg, grid, label, keys):
    mask, warnings = atlas_places(dseg, [label], grid, side=None)
    np.testing.assert_array_equal(mask, np.isin(LABELS, keys))
    assert warnings == []


@pytest.mark.parametrize(
    ("label", "side", "expected"),
    [
        ("fusiform", "L", LABELS == 1),
        ("fusiform", "R", LABELS == 2),
        ("V1", "L", np.zeros(8, bool)),  # says no side, and all is at x >= 0
        ("V1", "R", LABELS == 3),
    ],
)
def test_the_side_of_voxels_is_that_of_their_label(dseg, grid, label, side, expected):
    mask, warnings = atlas_places(dseg, [label], grid, side=side)
    np.testing.assert_array_equal(mask, expected)
    assert [said[:50] for said in warnings] == (
        ["The hemisphere of a:V1 was cut at x = 0 mm of T1w,"] if label == "V1" else []
    )


def test_a_volume_without_names_goes_by_number(dseg, grid):
    mask, _ = atlas_places(AtlasFiles("a", dseg.images), ["3"], grid, side=None)
    np.testing.assert_array_equal(mask, LABELS == 3)
    with pytest.raises(ConfigError, match=r"no label 'V1'. Did you mean '1'"):
        atlas_places(AtlasFiles("a", dseg.images), ["V1"], grid, side=None)


def test_a_wrong_label_is_answered_with_the_nearest(dseg, grid):
    with pytest.raises(
        ConfigError, match=r"atlas 'a' has no label 'fusifrm'. Did you mean 'fusiform'"
    ):
        atlas_places(dseg, ["fusifrm"], grid, side=None)


def test_an_atlas_of_another_grid_is_resampled_with_a_warning(dseg):
    fine = Grid("T1w", (4, 4, 4), np.eye(4), np.arange(64))
    mask, warnings = atlas_places(dseg, ["V1"], fine, side=None)
    expected = np.zeros((4, 4, 4), bool)
    centers = np.rint(np.arange(4) / 2 - 1e-6).astype(int)  # a half goes to the lower voxel
    inside = np.arange(4) / 2 <= 1
    whole = (LABELS == 3).reshape(2, 2, 2)
    for i in np.flatnonzero(inside):
        for j in np.flatnonzero(inside):
            for k in np.flatnonzero(inside):
                expected[i, j, k] = whole[centers[i], centers[j], centers[k]]
    made = mask.reshape(4, 4, 4)
    np.testing.assert_array_equal(made[::2, ::2, ::2], expected[::2, ::2, ::2])
    assert "was brought from its grid (2, 2, 2)" in warnings[0]


def test_gifti_labels_are_read_with_their_own_tables(tmp_path, mesh):
    files = []
    for side, labels in (("L", [0, 1, 1, 2]), ("R", [5, 0, 0, 1])):
        names = {0: "???", 1: "V1", 2: "L_V2_ROI", 5: "R_V2_ROI"}
        path = tmp_path / f"sub-01_hemi-{side}_seg-x_dseg.label.gii"
        files.append(imaging.write_labels(path, np.array(labels), names, side))
    atlas = AtlasFiles("x", tuple(files))
    mask, _ = atlas_places(atlas, ["V1"], mesh, side=None)
    assert np.flatnonzero(mask).tolist() == [1, 2, 7]
    mask, _ = atlas_places(atlas, ["V2"], mesh, side=None)
    assert np.flatnonzero(mask).tolist() == [3, 4]
    with pytest.raises(
        SpaceError, match=r"label\.gii has 4 vertices, the hemisphere L of .* has 6\."
    ):
        atlas_places(atlas, ["V1"], Surface("fsnative", (6, 4), np.arange(10)), side=None)


def test_cifti_labels_are_read(tmp_path):
    space = Grayordinates(
        "fsLR",
        ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT"),
        (4, 4),
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 1, 3, 2, 3]),
        np.full((5, 3), -1),
        (0, 0, 0),
        np.eye(4),
        np.arange(5),
    )
    path = imaging.write_cifti_labels(
        tmp_path / "x.dlabel.nii", np.array([1, 0, 2, 1, 1]), {1: "V1", 2: "V2"}, space
    )
    mask, _ = atlas_places(
        AtlasFiles("x", (path,)), ["V1"], space.select(np.array([1])), side=None
    )
    assert np.flatnonzero(mask).tolist() == [0, 3, 4]
    other = space.select(np.arange(5))
    halved = Grayordinates(
        *("fsLR", other.structures, (4, 4), other.structure[:4], other.vertex[:4]),
        *(other.voxel[:4], (0, 0, 0), np.eye(4), np.arange(4)),
    )
    with pytest.raises(SpaceError, match="lists 5 grayordinates"):
        atlas_places(AtlasFiles("x", (path,)), ["V1"], halved, side=None)


def test_freesurfer_annotations_are_read(tmp_path, mesh):
    called = ["unknown", "fusiform", "lingual"]
    atlas = write_annots(tmp_path, "aparc", [-1, 1, 2, 0, 1, 1, 2, 0], called)
    mask, _ = atlas_places(atlas, ["fusiform"], mesh, side=None)
    assert np.flatnonzero(mask).tolist() == [1, 4, 5]
    mask, _ = atlas_places(atlas, ["fusiform+lingual"], mesh, side=None)
    assert mask.sum() == 5
    mask, _ = atlas_places(atlas, ["fusiform"], mesh, side="R")
    assert np.flatnonzero(mask).tolist() == [4, 5]


def test_fsaverage5_takes_the_first_vertices_of_fsaverage(tmp_path):
    labels = np.zeros(2 * 163_842, dtype=int)
    labels[[5, 10_241, 10_242, 163_842 + 7]] = 1
    atlas = write_annots(tmp_path, "aparc", labels, ["unknown", "fusiform"])
    space = Surface("fsaverage5", (10_242, 10_242), np.arange(4))
    mask, _ = atlas_places(atlas, ["fusiform"], space, side=None)
    assert np.flatnonzero(mask).tolist() == [5, 10_241, 10_242 + 7]


def test_wangs_labels_have_their_published_names(tmp_path, mesh):
    assert len(WANG15) == 25
    paths = []
    for side, labels in (("lh", [1, 7, 0, 25]), ("rh", [0, 0, 7, 18])):
        paths.append(tmp_path / f"{side}.wang15_mplbl")
        nib.freesurfer.write_morph_data(paths[-1], np.array(labels, dtype=np.float32))
    atlas = AtlasFiles("wang15", tuple(paths))
    assert np.flatnonzero(atlas_places(atlas, ["hV4"], mesh, side=None)[0]).tolist() == [1, 6]
    assert np.flatnonzero(atlas_places(atlas, ["IPS0+FEF"], mesh, side=None)[0]).tolist() == [3, 7]
    with pytest.raises(ConfigError, match=r"no label 'V1'. Did you mean .*'V1[dv]'"):
        atlas_places(atlas, ["V1"], mesh, side=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number\tname\n1\tV1\n", r"lacks the column\(s\) \['index'\]"),
        ("index\tname\n1\tV1\n1\tV2\n", "index '1', which is no whole number or stands twice"),
        ("index\tname\n1.5\tV1\n", "index '1.5'"),
        ("", "cannot be read"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, text, said):
    path = tmp_path / "a_dseg.tsv"
    path.write_text(text)
    with pytest.raises(UnreadableError, match=said):
        read_names(path)


def test_damaged_and_absent_images_are_refused(dseg, grid, tmp_path):
    dseg.images[0].write_bytes(dseg.images[0].read_bytes()[:60])
    with pytest.raises(UnreadableError, match=r"a_dseg\.nii\.gz (ends early|cannot be read)"):
        atlas_places(dseg, ["V1"], grid, side=None)
    with pytest.raises(MissingInputError, match=r"b\.nii\.gz does not exist"):
        atlas_places(AtlasFiles("b", (tmp_path / "b.nii.gz",)), ["V1"], grid, side=None)
    with pytest.raises(SpaceError, match="units are the electrodes"):
        atlas_places(dseg, ["V1"], Channels("electrodes", ("a",), np.arange(1)), side=None)


def test_terms_lead_to_files_and_labels(dseg, tmp_path):
    dseg.images[0].rename(tmp_path / "sub-01_desc-aparcaseg_dseg.nii.gz")
    (tmp_path / "sub-01/label").mkdir(parents=True)
    write_annots(tmp_path / "sub-01/label", "aparc.a2009s", [0, 1, 0, 1], ["unknown", "V1"])

    def asked(text, space, freesurfer=tmp_path / "sub-01"):
        return atlas_of(
            parse(text), space=space, participant="01", roots=[tmp_path], freesurfer=freesurfer
        )

    for text in ("aparc:fusiform", "atlas:aparcaseg:fusiform"):
        files, labels = asked(text, "T1w")
        assert files.images[0].name == "sub-01_desc-aparcaseg_dseg.nii.gz"
        assert labels == ["fusiform"]
    for text in ("aparc.a2009s:V1", "annot:aparc.a2009s:V1"):
        files, labels = asked(text, "fsnative")
        assert files.images[1].name == "rh.aparc.a2009s.annot"
        assert labels == ["V1"]
    with pytest.raises(SpaceError, match=r"annotation of FreeSurfer's surface.*lie in T1w"):
        asked("aparc.a2009s:V1", "T1w")
    with pytest.raises(ConfigError, match="atlas:parcels names no label"):
        asked("atlas:parcels", "T1w")
    with pytest.raises(ConfigError, match="aparc:fusiform needs the participant's FreeSurfer"):
        asked("aparc:fusiform", "fsnative", freesurfer=None)
    with pytest.raises(MissingInputError, match=f"'aparcaseg' is there in T1w.*lie in {MNI}"):
        asked("aparc:fusiform", MNI)


@pytest.mark.real
def test_fmripreps_own_table_is_read(real_data):
    names = read_names(real_data / "fmriprep_sidecars" / "desc-aparcaseg_dseg.tsv")
    assert (names[0], names[1007], names[2007]) == (
        "Unknown",
        "ctx-lh-fusiform",
        "ctx-rh-fusiform",
    )


def test_each_place_has_its_name(dseg, grid):
    names, said = atlas_names(dseg, grid)
    expected = [NAMES[key] if key else "" for key in LABELS.tolist()]
    assert names.tolist() == expected  # label 0 is called Unknown
    assert said == []
