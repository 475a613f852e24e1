"""Rules of regions through the App: what they mark, and what is said where they cannot be."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.imaging import write_labels as write_labels_of_vertices
from bids_dnn.simulate.dataset import simulate
from tests.factories.ready_table import table_folder
from tests.factories.sources import write_raw
from tests.factories.surfaces import icosphere, write_template
from tests.factories.trees import SHAPE, affine_of, describe, tiny_mask, tiny_tree, write_image

pytestmark = pytest.mark.whole

INSIDE = tiny_mask() > 0  # 2 x 2 x 3 voxels of 3 mm; x = -3 and 0, y = -3 and 0, z = -6 to 0 mm
FIRST, SECOND = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
FIRST[1], SECOND[:, 1] = True, True  # x = -3; y = -3
LEFT = INSIDE & FIRST & SECOND  # 3 voxels
RIGHT = INSIDE & ~FIRST  # 6 voxels
N_VOLUMES = 60


def write_labels(path, voxels, table, names):
    """Write a ``dseg`` of `voxels` (a mask by number), and its table."""
    image = np.zeros(SHAPE, np.int16)
    for number, mask in voxels.items():
        image[mask] = number
    write_image(path, image, affine_of())
    rows = "".join(f"{number}\t{name}\n" for number, name in names.items())
    table.write_text(f"index\tname\n{rows}")


@pytest.fixture
def tree(tmp_path, rng):
    """Two runs of one participant with a mask, an atlas, FreeSurfer's labels, and positions."""
    tree = tiny_tree(tmp_path / "data", rng, participants=("01",), n_volumes=N_VOLUMES)
    table = "participant_id\tside\tx\tempty\nsub-01\tleft\t-3\tn/a\n"
    (tree / "participants.tsv").write_text(table)
    atlas = tree / "derivatives" / "atlas"
    describe(atlas, "Atlas", made_by="hand")
    for space in ("T1w", "MNI152NLin2009cAsym"):
        name = "Tiny" if space == "T1w" else "Other"
        stem = f"{atlas}/sub-01/anat/sub-01_space-{space}_atlas-{name}_dseg"
        path = atlas / "sub-01" / "anat" / f"{stem}.nii.gz"
        voxels = {1: LEFT, 2: RIGHT}
        write_labels(path, voxels, path.parent / f"{stem}.tsv", {1: "left", 2: "right"})
    home = tree / "derivatives" / "fmriprep"
    write_labels(
        home / "sub-01" / "anat" / "sub-01_desc-aparcaseg_dseg.nii.gz",
        {1007: LEFT, 2007: RIGHT},
        home / "desc-aparcaseg_dseg.tsv",
        {1007: "ctx-lh-fusiform", 2007: "ctx-rh-fusiform"},
    )
    write_image(tmp_path / "mine.nii.gz", RIGHT.astype(np.uint8), affine_of())
    return tree


NEAR = (np.argwhere(INSIDE) * 3.0 - 6.0 - [-3.0, -3.0, -6.0]) ** 2  # mm from a corner
RULES = {  # name: (rule, how many of the 12 voxels it marks)
    "FFA": ("mask:FFA", 6),
    "own": ("{tmp}/mine.nii.gz@T1w", 6),
    "left": ("atlas:Tiny:left", 3),
    "both": ("atlas:Tiny:left+right", 9),
    "byNumber": ("atlas:Tiny:2", 6),
    "eastern": ("atlas:Tiny:left+right, hemi=R", 6),
    "western": ("mask:FFA, hemi=L", 6),
    "fusiform": ("aparc:fusiform", 9),
    "fusiformL": ("aparc:fusiform, hemi=L", 3),
    "union": ("mask:FFA | atlas:Tiny:right", 12),
    "shared": ("mask:FFA & atlas:Tiny:left", 3),
    "rest": ("mask:FFA - atlas:Tiny:left", 3),
    "grouped": ("(mask:FFA | atlas:Tiny:right) - atlas:Tiny:left", 9),
    "ball": ("sphere:(-3,-3,-6)r4mm", int((NEAR.sum(axis=1) <= 16).sum())),
    "byTable": ("atlas:Tiny:{side}", 3),
    "byPlace": ("sphere:({x},-3,-6)r1mm", 1),
}


def given(tmp_path, rules):
    return [
        word
        for name, rule in rules.items()
        for word in ("--roi", f"{name}={rule.replace('{tmp}', str(tmp_path))}")
    ]


def test_rules_mark_what_they_say(app, tree, tmp_path):
    rules = {name: rule for name, (rule, _) in RULES.items()}
    more = '[responses]\nconfounds = "none"'
    table = app(tree, *given(tmp_path, rules), analysis="decode", more=more)["01"]
    found = dict(zip(table["region"], table["n_units"], strict=True))
    assert found == {name: n for name, (_, n) in RULES.items()}
    for name, (_, n_voxels) in RULES.items():
        (path,) = (tmp_path / "out").rglob(f"*_space-T1w_label-{name}_mask.nii.gz")
        assert int((np.asarray(nib.load(path).dataobj) != 0).sum()) == n_voxels
    (path,) = (tmp_path / "out").rglob("*_desc-decode_scores.json")
    told = json.loads(path.read_text())
    named = {one["name"]: one["rule"] for one in told["Settings"]["regions"]}
    assert named["byTable"] == "atlas:Tiny:left"
    assert named["byPlace"] == "sphere:(-3,-3,-6)r1mm"
    warned = " ".join(told["Warnings"])
    assert "The hemisphere of mask:FFA, hemi=L was cut at x = 0 mm of T1w" in warned
    assert "Regions FFA and left share 3 units (50 % of FFA, 100 % of left)." in warned


def test_areas_of_ready_made_responses(app, tmp_path, rng):
    table_folder(tmp_path / "mine", rng, n_samples=40)
    raw = write_raw(tmp_path / "raw", rng)
    options = ("--responses", f"table={tmp_path / 'mine'}")
    said = app(raw, *options, "--roi", "x=area:V5", analysis="decode", expect=1)
    assert "V5" in said
    assert "Did you mean 'V4'" in said or "There are: V1, V4, early" in said
    rule = "x=area:V1 | area:early"
    (table,) = app(raw, *options, "--roi", rule, analysis="decode").values()
    assert (table["n_units"] == 2).all()
    named = ("--roi", "V1", "--roi", "y=mask:V4")  # no file stands for them
    (table,) = app(raw, *options, *named, analysis="decode").values()
    assert table["region"].unique().tolist() == ["V1", "y"]


REFUSED = {  # rule, and words of what is said; found before anything runs
    "an atlas that is not there": ("atlas:Tinny:left", ("No atlas 'Tinny'", "'Tiny'")),
    "an atlas in another space": (
        "atlas:Other:left",
        ("'Other' is there in MNI152NLin2009cAsym", "--space MNI152NLin2009cAsym"),
    ),
    "a mask that is not there": ("mask:FFB", ("mask 'FFB'", "Did you mean 'FFA'")),
    "a file in another space": (
        "{tmp}/mine.nii.gz@MNI152NLin2009cAsym",
        ("region 'x'", "from-MNI152NLin2009cAsym_to-T1w", "antsApplyTransforms"),
    ),
    "a file that is not there": ("{tmp}/yours.nii.gz@T1w", ("yours.nii.gz does not exist",)),
    "areas of fMRIPrep": ("area:V1", ("responses from fmriprep name no areas",)),
    "labels of the surface": (
        "aparc.a2009s:G_cuneus",
        ("is an annotation of FreeSurfer's surface", "lie in T1w", "--space fsnative"),
    ),
    "a circular localizer": (
        "localizer:face>house, top=3",
        ("task-objects_run-01, task-objects_run-02", "--allow-circular"),
    ),
    "a localizer of no task": (
        "localizer:face>house, task=loc, top=3",
        ("task 'loc' for sub-01", "there are BOLD runs of: objects", "task="),
    ),
    "a column that is not there": ("atlas:Tiny:{sides}", ("no column", "Did you mean 'side'")),
    "a column without a value": ("sphere:({empty},0,0)r3mm", ("'empty' has no value",)),
    "a ball without a radius": ("sphere:(1,2,3)", ("'(1,2,3)'", "sphere:(40,-50,-20)r6mm")),
    "a position that is none": ("benson:V1@(5)r1deg", ("'(5)r1deg' after @", "V1@0-2deg")),
    "an area that is none": ("benson:V9", ("V9", "V1")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rules_that_cannot_be_are_refused(app, tree, tmp_path, case):
    rule, words = REFUSED[case]
    said = app(tree, *given(tmp_path, {"x": rule}), analysis="decode", expect=2)
    for word in words:
        assert word in " ".join(said.split()), said


UNREADABLE = {  # rule, what the caret stands below, and what is said
    "an unknown kind": ("mask:FFA | bensn:V1", "bensn", "Did you mean 'benson'?"),
    "an unknown option": ("atlas:Tiny:left, hemisphere=L", "hemisphere", "hemi, res"),
    "no hemisphere": ("atlas:Tiny:left, hemi=X", "hemi=", "Give L or R."),
    "an open parenthesis": ("(mask:FFA | atlas:Tiny:left", "(", "is not closed"),
    "an operator without blanks": ("mask:FFA|atlas:Tiny:left", "|", "' | '"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_rules_that_cannot_be_read_show_the_place(app, tree, tmp_path, case):
    rule, at, words = UNREADABLE[case]
    said = app(tree, *given(tmp_path, {"x": rule}), analysis="decode", expect=2)
    shown, caret = said.splitlines()[1:3]
    assert shown.strip() == rule
    assert caret.index("^") == shown.index(at)
    assert words in caret


def test_a_label_that_the_atlas_lacks_is_refused(app, tree, tmp_path):
    rules = {"x": "atlas:Tiny:lef"}
    said = app(tree, *given(tmp_path, rules), analysis="decode", expect=2)
    assert "The atlas 'Tiny' has no label 'lef'. Did you mean 'left'?" in " ".join(said.split())


def test_a_rule_without_a_voxel_fails_its_participant(app, tree, tmp_path):
    rules = {"x": "atlas:Tiny:left & atlas:Tiny:right"}
    said = " ".join(app(tree, *given(tmp_path, rules), analysis="decode", expect=1).split())
    assert "Region 'x' has none of the voxels" in said
    assert "atlas:Tiny:left has 3, atlas:Tiny:right has 6" in said


def test_without_a_template_it_is_said_where_to_get_it(app, tree, tmp_path, monkeypatch):
    monkeypatch.setattr("bids_dnn.rois.template.find_spec", lambda _: None)
    said = app(tree, *given(tmp_path, {"x": "benson:V1"}), analysis="decode", expect=2)
    for words in ("no retinotopy template", "pip install neuropythy", "--retinotopy-template"):
        assert words in " ".join(said.split())


def test_a_circular_localizer_is_marked_where_it_is_allowed(app, tree, tmp_path):
    rules = {"x": "localizer:face>house, top=3"}
    more = '[responses]\nconfounds = "none"'
    options = (*given(tmp_path, rules), "--allow-circular")
    table = app(tree, *options, analysis="decode", more=more)["01"]
    assert table["circular"].all()
    assert (table["n_units"] == 3).all()


# --- on surfaces


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory):
    """Known retinotopy of one participant, on vertices among others."""
    folder = tmp_path_factory.mktemp("surfaces") / "bids"
    return simulate(folder, n_participants=1, seed=0, retinotopy=True)


@pytest.fixture
def on_vertices(app, surfaces):
    def run(*options, **kwargs):
        chosen = ("--task-id", "positions", "--space", "fsnative", *options)
        more = '[responses]\nmodel = "block"\nconfounds = "none"'
        return app(surfaces, *chosen, analysis="decode", more=more, **kwargs)

    return run


@pytest.fixture
def freesurfer(surfaces, tmp_path):
    """FreeSurfer's folders elsewhere, with an annotation of our own; and label files of it."""
    folder = tmp_path / "subjects"
    shutil.copytree(surfaces / "derivatives/fmriprep/sourcedata/freesurfer", folder)
    colors = np.array([[10, 20, 30, 0, 0], [40, 50, 60, 0, 0]])
    for side, hemisphere in (("lh", "L"), ("rh", "R")):
        labels = folder / "sub-01" / "label"
        n_vertices = len(nib.freesurfer.read_annot(labels / f"{side}.aparc.annot")[0])
        mine = (np.arange(n_vertices) < 7).astype(np.int32)
        path = labels / f"{side}.mine.annot"
        nib.freesurfer.write_annot(path, mine, colors, ["unknown", "spot"], fill_ctab=True)
        mine[5:] = 0
        path = tmp_path / f"sub-01_hemi-{hemisphere}_space-fsnative_label-spot_mask.label.gii"
        write_labels_of_vertices(path, mine, {0: "unknown", 1: "spot"}, hemisphere)
    return folder


@pytest.mark.whole
def test_rules_of_vertices_with_freesurfer_elsewhere(on_vertices, freesurfer, tmp_path):
    file = f"{tmp_path}/sub-01_hemi-{{hemi}}_space-fsnative_label-spot_mask.label.gii"
    rules = {
        "spot": ("annot:mine:spot", 14),
        "file": (file, 10),
        "left": (f"{file}, hemi=L", 5),
        "joined": (f"annot:mine:spot - {file}", 4),
        "both": (f"annot:mine:spot & ({file} | aparc:fusiform)", None),
        "fusiform": ("aparc:fusiform", None),
        "fusiformL": ("aparc:fusiform, hemi=L", None),
    }
    given_rules = [
        word for name, (rule, _) in rules.items() for word in ("--roi", f"{name}={rule}")
    ]
    table = on_vertices("--fs-subjects-dir", freesurfer, *given_rules)["01"]
    found = dict(zip(table["region"], table["n_units"], strict=True))
    for name, (_, n_vertices) in rules.items():
        assert n_vertices in (None, found[name]), name
    assert 0 < found["fusiformL"] < found["fusiform"]
    names = [p.name for p in (tmp_path / "out").rglob("*_label-left_mask.label.gii")]
    assert any("_hemi-L_" in name for name in names)


@pytest.mark.whole
def test_an_annotation_that_is_not_there_names_those_that_are(on_vertices):
    said = " ".join(on_vertices("--roi", "x=annot:mine:spot", expect=2).split())
    assert "annotation 'mine' is not there for fsnative" in said
    assert "There are: aparc" in said


@pytest.mark.whole
def test_a_folder_without_subjects_is_named(on_vertices, tmp_path):
    (tmp_path / "empty").mkdir()
    options = ("--fs-subjects-dir", tmp_path / "empty", "--roi", "x=aparc:fusiform")
    said = " ".join(on_vertices(*options, expect=2).split())
    assert "empty holds no FreeSurfer subject" in said
    assert "not that of one subject" in said


@pytest.mark.whole
def test_a_template_on_another_mesh_is_refused(on_vertices, tmp_path):
    folder = write_template(tmp_path / "template", icosphere(3), with_sphere=False)
    imaging.write_mesh(folder / "lh.sphere.reg", icosphere(2), "L", is_sphere=True)
    imaging.write_mesh(folder / "rh.sphere.reg", icosphere(2), "R", is_sphere=True)
    options = ("--retinotopy-template", folder, "--roi", "x=benson:V1")
    said = " ".join(on_vertices(*options, expect=1).split())
    assert "has 642 vertices, but the sphere has another number" in said
    assert "lh.sphere.reg (162). It is a template in another mesh." in said


@pytest.mark.whole
def test_a_folder_without_a_template_is_named(on_vertices, tmp_path):
    (tmp_path / "empty").mkdir()
    options = ("--retinotopy-template", tmp_path / "empty", "--roi", "x=benson:V1")
    said = " ".join(on_vertices(*options, expect=2).split())
    assert "empty lacks lh.benson14_varea" in said
    assert "pip install neuropythy" in said


@pytest.mark.whole
def test_a_label_file_of_another_mesh_is_refused(on_vertices, tmp_path):
    for side in "LR":
        path = tmp_path / f"hemi-{side}_mine.label.gii"
        write_labels_of_vertices(path, np.ones(11, np.int32), {0: "x", 1: "y"}, side)
    rule = f"x={tmp_path}/hemi-{{hemi}}_mine.label.gii@fsnative"
    said = " ".join(on_vertices("--roi", rule, expect=1).split())
    assert "hemi-L_mine.label.gii has 11 vertices, the hemisphere L of" in said
    assert "mri_surf2surf" in said
