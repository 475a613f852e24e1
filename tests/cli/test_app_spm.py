"""SPM's first levels through the App: which are read, which are refused, and what is said."""

import json
import shutil

import pytest
from scipy.io import savemat

from tests.factories.mat73 import write_mat73
from tests.factories.sources import write_raw
from tests.factories.spm import spm_folder

NAMES = ("face 1", "face 2", "house 1", "house 2")
CONDITIONS = "name\tstimulus\tcondition\n" + "".join(
    f"{name}\t\t{name.split()[0]}\n" for name in NAMES
)

pytestmark = pytest.mark.whole


def responses(**settings):
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(["[responses]", *lines])


def sidecars(tmp_path):
    paths = sorted((tmp_path / "out").rglob("*_desc-decode_scores.json"))
    return [json.loads(path.read_text()) for path in paths]


@pytest.fixture
def raw(tmp_path, rng):
    """A data set whose table says which condition each regressor is of."""
    raw = write_raw(tmp_path / "raw", rng)
    (raw / "stimuli").mkdir()
    (raw / "stimuli" / "conditions.tsv").write_text(CONDITIONS)
    return raw


@pytest.fixture
def spm(tmp_path):
    return tmp_path / "spm"


@pytest.fixture
def given(spm):
    return ("--derivatives", f"spm={spm}")


KINDS = {  # how the model was written -> samples of a run
    "MAT v5": ({}, 4),
    "MAT v7.3": ({"v73": True}, 4),
    "Analyze pairs": ({"ending": ".img"}, 4),
    "compressed images": ({"ending": ".nii.gz", "prefix": ""}, 4),
    "a path of another Linux machine": ({"prefix": "/home/someone/first level/"}, 4),
    "derivatives of the response": ({"n_bases": 3}, 4),
    "NaN inside of the mask": ({"nan_voxels": 2}, 4),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_model_is_decoded(app, raw, spm, given, tmp_path, rng, kind):
    options, n_samples = KINDS[kind]
    spm_folder(spm / "sub-01", rng, names=NAMES, n_sessions=3, **options)
    table = app(raw, *given, "--space", "T1w", analysis="decode")["01"]
    assert (table["n_samples"] == 3 * n_samples).all()
    assert (table["n_runs"] == 3).all()
    assert (table["n_classes"] == 2).all()  # face, house: of conditions.tsv
    (told,) = sidecars(tmp_path)
    assert told["Facts"]["ingest"]["samples_by_condition"] == {"face": 6, "house": 6}
    lost = told["Facts"]["ingest"]["left_out_because"]
    assert lost["nan"] == options.get("nan_voxels", 0)


FIR = {"bases": {"name": "Finite Impulse Response", "order": 5.0, "length": 10.0}, "n_bases": 5}


def test_fir_windows_are_averaged(app, raw, spm, given, tmp_path, rng):
    spm_folder(spm / "sub-01", rng, names=NAMES, **FIR)
    more = responses(fir_window_s=[4.0, 8.0])
    table = app(raw, *given, analysis="decode", more=more)["01"]
    assert (table["n_samples"] == 2 * len(NAMES)).all()
    (told,) = sidecars(tmp_path)
    assert told["Settings"]["responses"]["fir_window_s"] == [4.0, 8.0]
    assert told["Facts"]["ingest"]["basis"] == "Finite Impulse Response"


def test_a_window_between_bins_is_refused(app, raw, spm, given, rng):
    spm_folder(spm / "sub-01", rng, names=NAMES, **FIR)
    more = responses(fir_window_s=[3.2, 4.8])
    said = app(raw, *given, analysis="decode", more=more, expect=1)
    assert "responses.fir_window_s" in said
    assert "1, 3, 5, 7, 9 s" in " ".join(said.split())


CONTRASTS = {
    "face 1 - Session 1": (0,),
    "house 1 - Session 1": (1,),
    "face 1 - Session 2": (4,),
    "house 1 - Session 2": (5,),
}


def test_contrast_images_are_decoded(app, tmp_path, spm, given, rng):
    raw = write_raw(tmp_path / "raw", rng)
    spm_folder(spm / "sub-01", rng, contrasts=CONTRASTS)
    table = app(raw, *given, analysis="decode", more=responses(spm_images="con"))["01"]
    assert (table["n_samples"] == 4).all()
    (told,) = sidecars(tmp_path)
    assert told["Facts"]["ingest"]["images"] == "con"
    assert set(told["Facts"]["ingest"]["samples_by_condition"]) == {"face 1", "house 1"}
    images = {source.rpartition("/")[2].partition("_")[0] for source in told["Sources"]}
    assert "con" in images
    assert "beta" not in images


def test_contrasts_that_are_not_there_are_named(app, raw, spm, given, rng):
    spm_folder(spm / "sub-01", rng)
    said = app(raw, *given, analysis="decode", more=responses(spm_images="con"), expect=1)
    said = " ".join(said.split())
    assert "has no T contrast with an image" in said
    assert 'responses.spm_images = "beta"' in said


def test_residual_variance_normalizes(app, raw, spm, given, tmp_path, rng):
    spm_folder(spm / "sub-01", rng, names=NAMES)
    app(raw, *given, analysis="decode", more=responses(normalize="residual"))
    (told,) = sidecars(tmp_path)
    assert told["Facts"]["ingest"]["normalize"] == "residual"
    assert told["Facts"]["ingest"]["left_out_because"]["residual"] == 0
    assert any(source.endswith("ResMS.nii") for source in told["Sources"])
    (spm / "sub-01" / "ResMS.nii").unlink()
    shutil.rmtree(tmp_path / "out")
    said = app(raw, *given, analysis="decode", more=responses(normalize="residual"), expect=1)
    assert "has no ResMS.nii" in " ".join(said.split())


@pytest.mark.parametrize(
    ("folders", "place", "tasks"),
    [
        (("betas_faces/sub-01", "betas_places/sub-01"), "betas_{design}/{participant}", None),
        (("sub-01/faces", "sub-01/places"), "", ("faces", "places")),
    ],
)
def test_each_design_is_a_task(app, raw, spm, tmp_path, rng, folders, place, tasks):
    for folder in folders:
        spm_folder(spm / folder, rng, names=NAMES)
    given = ("--derivatives", f"spm={spm / place}")
    app(raw, *given, "--space", "T1w", analysis="decode")
    written = sorted(p.name for p in (tmp_path / "out").rglob("*_desc-decode_scores.tsv"))
    expected = tasks or ("betasfaces", "betasplaces")
    assert written == [f"sub-01_task-{t}_space-T1w_desc-decode_scores.tsv" for t in expected]


def test_one_design_can_be_chosen(app, raw, spm, given, tmp_path, rng):
    for name in ("faces", "places"):
        spm_folder(spm / "sub-01" / name, rng, names=NAMES)
    said = app(raw, *given, "--task-id", "scenes", analysis="decode", expect=2)
    assert "its designs are faces, places" in " ".join(said.split())
    app(raw, *given, "--task-id", "places", analysis="decode")
    (written,) = (tmp_path / "out").rglob("*_desc-decode_scores.tsv")
    assert "_task-places_" in written.name


def write_mat(path, spm, *, v73=False):
    path.parent.mkdir(parents=True)
    write_mat73(path, {"SPM": spm}) if v73 else savemat(path, {"SPM": spm})


SECOND = {"xX": {"name": ["mean"]}, "xsDes": {"Design": "One sample t-test"}, "nscan": 12.0}
PLANNED = {"xX": {"name": ["Sn(1) face*bf(1)"]}, "Sess": {"U": {"name": "face"}}}
REFUSED = {
    "a second level": (SECOND, ("second level of SPM", "'mean'", "spm=PATH/{participant}")),
    "not estimated": (PLANNED, ("specified, but not estimated", "Estimate it in SPM")),
    "no condition": ({"xX": {"name": "a"}}, ("has no condition", "'a'", "first level")),
    "no design": ({"nscan": 12.0}, ("has no 'xX'", "first level")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_models_that_are_no_first_level_are_refused(app, raw, spm, given, case):
    made, words = REFUSED[case]
    write_mat(spm / "sub-01" / "SPM.mat", made)
    said = " ".join(app(raw, *given, analysis="decode", expect=2).split())
    for word in words:
        assert word in said, said


def test_a_damaged_model_is_refused(app, raw, spm, given, rng):
    path = spm_folder(spm / "sub-01", rng, names=NAMES)
    path.write_bytes(path.read_bytes()[:1000])
    said = app(raw, *given, analysis="decode", expect=2)
    assert "SPM.mat" in said
    assert "again" in said


def test_a_beta_that_is_missing_fails_its_participant(app, raw, spm, given, rng):
    spm_folder(spm / "sub-01", rng, names=NAMES)
    (spm / "sub-01" / "beta_0002.nii").unlink()
    said = " ".join(app(raw, *given, analysis="decode", expect=1).split())
    assert "has no beta_0002.nii, which its SPM.mat names" in said


def test_a_truncated_beta_fails_its_participant(app, raw, spm, given, rng):
    spm_folder(spm / "sub-01", rng, names=NAMES)
    beta = spm / "sub-01" / "beta_0002.nii"
    beta.write_bytes(beta.read_bytes()[:400])
    said = app(raw, *given, analysis="decode", expect=1)
    assert "beta_0002.nii" in said


def test_one_participant_without_a_model_does_not_stop_the_others(app, tmp_path, rng, spm, given):
    raw = write_raw(tmp_path / "raw", rng, participants=("01", "02"))
    spm_folder(spm / "sub-01", rng)
    (spm / "sub-02").mkdir()
    assert list(app(raw, *given, analysis="decode")) == ["01"]
    (tmp_path / "out" / "sub-01.html").unlink()
    shutil.rmtree(tmp_path / "out")
    said = app(raw, *given, "--participant-label", "02", analysis="decode", expect=2)
    assert "sub-02 has no SPM.mat" in " ".join(said.split())


@pytest.mark.parametrize("picture", ["/etc/passwd.png", "../../secret.png", "C:\\im.png"])
def test_pictures_of_regressors_outside_are_refused(app, raw, spm, given, rng, picture):
    spm_folder(spm / "sub-01", rng)
    table = f"name\tstimulus\tcondition\nface 1\t{picture}\tface\nhouse 1\t\thouse\n"
    (raw / "stimuli" / "conditions.tsv").write_text(table)
    said = " ".join(app(raw, *given, analysis="decode", expect=1).split())
    assert "conditions.tsv names the stimulus" in said
    assert "lies outside stimuli/" in said


@pytest.mark.real
def test_real_betas_without_a_model_are_refused(app, real_data, tmp_path, rng):
    raw = write_raw(tmp_path / "raw", rng)
    given = ("--derivatives", f"spm={real_data / 'spm_god'}")
    said = " ".join(app(raw, *given, analysis="decode", expect=2).split())
    assert "but no SPM.mat, which says what each beta stands for" in said


@pytest.mark.real
def test_a_real_model_of_one_session_is_planned_and_not_decoded(app, real_data, tmp_path, rng):
    raw = write_raw(tmp_path / "raw", rng)
    (tmp_path / "spm").mkdir()
    (tmp_path / "spm" / "sub-01").symlink_to(real_data / "spm_auditory")
    given = ("--derivatives", f"spm={tmp_path / 'spm'}", "--space", "MNI")
    said = " ".join(app(raw, *given, analysis="decode", expect=2).split())
    assert "sub-01 has 1 session in SPM.mat" in said
    assert "leaving one run out needs at least two" in said
    assert "sub_01_spm_MNI" in app(raw, *given, analysis="ceiling", dry=True)
    table = app(raw, *given, analysis="ceiling")["01"]
    assert table["ceiling"].isna().all()  # one condition, once


def test_the_folder_of_a_model_in_place_of_its_participants(app, raw, spm, given, rng):
    spm_folder(spm, rng)
    said = " ".join(app(raw, *given, analysis="decode", expect=2).split())
    assert f"there is no {spm}/sub-01, but the SPM.mat of a single model" in said
    assert "spm=PATH/{participant}" in said
