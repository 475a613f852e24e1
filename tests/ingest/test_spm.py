"""ingest.spm: betas become samples; the t map is that of SPM."""

import json

import nibabel as nib
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.errors import (
    ConfigError,
    MissingInputError,
    NotEnoughDataError,
    ShapeError,
    UnreadableError,
)
from bids_dnn.ingest.matfile import read_mat
from bids_dnn.ingest.records import Subject
from bids_dnn.ingest.spm import read_design, read_responses, t_map
from tests.factories.mat73 import write_mat73
from tests.factories.spm import spm_folder


def read(path, *, conditions=None, standardize="none", **other):
    subject = Subject("01", "spm", "objects", "T1w", spm=path)
    return read_responses(subject, conditions=conditions, standardize=standardize, **other)


def table(path, *rows):
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return path


def test_betas_become_samples_by_session(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng, names=("face 1", "house 1"), n_sessions=2)
    found = read(path)
    samples = found.responses.samples
    assert samples["condition"].tolist() == ["face 1", "house 1"] * 2
    assert samples["run"].tolist() == ["01", "01", "02", "02"]
    assert samples["stimulus"].tolist() == [""] * 4
    assert found.responses.scale == "beta"
    assert found.responses.space.name == "T1w"
    betas = [f"beta_{k:04d}.nii" for k in (1, 2, 5, 6)]  # 3, 4 are motion
    expected = [imaging.read_units(tmp_path / "glm" / b, found.responses.space)[0] for b in betas]
    np.testing.assert_array_equal(found.responses.values, expected)
    assert found.facts["has_stimuli"] is False
    assert json.loads(json.dumps(found.facts)) == found.facts


def test_table_gives_stimuli_and_conditions(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng, names=("face 1", "house 1", "catch"))
    conditions = table(
        tmp_path / "conditions.tsv",
        ("name", "stimulus", "condition"),
        ("face 1", "face/1.png", "face"),
        ("house 1", "house/1.png", "house"),
        ("Sn(2) house 1*bf(1)", "house/2.png", "house"),
        ("dog 1", "dog/1.png", "dog"),
    )
    found = read(path, conditions=conditions)
    samples = found.responses.samples
    assert samples["stimulus"].tolist() == [
        *("face/1.png", "house/1.png", ""),
        *("face/1.png", "house/2.png", ""),
    ]
    assert samples["condition"].tolist() == ["face", "house", "catch"] * 2
    assert samples["repeat"].tolist() == [0, 0, 0, 1, 0, 0]
    assert found.facts["regressors_without_row"] == ["catch"]
    assert found.facts["rows_without_regressor"] == ["dog 1"]
    assert "2 regressors" not in found.facts["warnings"][0]
    assert "1 regressors have no row" in found.facts["warnings"][0]


def test_only_the_first_basis_function_counts(tmp_path, rng):
    found = read(spm_folder(tmp_path / "glm", rng, n_bases=3))
    assert found.responses.values.shape == (4, 12)
    assert found.facts["several_basis_functions"] == ["face 1", "house 1"]
    assert "only the first basis function" in found.facts["warnings"][0]


def test_modulators_are_left_out(tmp_path, rng):
    names = ("face", "facexRT^1", "facexRT^2", "axb^2")
    path = spm_folder(
        tmp_path / "glm", rng, names=names, modulated={"face": ("facexRT^1", "facexRT^2")}
    )
    found = read(path)
    assert set(found.responses.samples["condition"]) == {"face", "axb^2"}  # Sess.U lists both
    assert found.facts["parametric_modulators_left_out"] == ["facexRT^1", "facexRT^2"]


def test_bins_of_a_finite_impulse_response_are_averaged(tmp_path, rng):
    fir = {"name": "Finite Impulse Response", "order": 8.0, "length": 16.0}
    path = spm_folder(tmp_path / "glm", rng, names=("face",), n_bases=8, n_sessions=1, bases=fir)
    found = read(path, fir_window_s=(4.0, 8.0))
    space = found.responses.space
    bins = [imaging.read_units(path.parent / f"beta_{k:04d}.nii", space)[0] for k in (3, 4)]
    np.testing.assert_allclose(found.responses.values[0], np.mean(bins, axis=0), rtol=1e-6)
    assert found.facts["warnings"] == []
    with pytest.raises(ConfigError, match=r"centers are at 1, 3, 5.*fir_window_s"):
        read(path, fir_window_s=(20.0, 30.0))


def test_contrasts_are_read_by_session(tmp_path, rng):
    contrasts = {
        "face - Session 1": (0,),
        "face - Session 2": (4,),
        "house": (1,),
        "face - All Sessions": (0, 4),
    }
    path = spm_folder(tmp_path / "glm", rng, names=("face", "house"), contrasts=contrasts)
    found = read(path, images="con")
    samples = found.responses.samples
    assert samples["condition"].tolist() == ["face", "face", "house"]
    assert samples["run"].tolist() == ["01", "02", "01"]
    for row, k in enumerate((1, 2, 3)):
        image = path.parent / f"con_{k:04d}.nii"
        np.testing.assert_array_equal(
            found.responses.values[row], imaging.read_units(image, found.responses.space)[0]
        )
    spanning = {"face - All Sessions": (0, 4)}
    path = spm_folder(tmp_path / "two", rng, names=("face", "house"), contrasts=spanning)
    assert read(path, images="con").responses.samples["run"].tolist() == ["all"]
    path = spm_folder(tmp_path / "none", rng)
    with pytest.raises(MissingInputError, match=r"no T contrast with an image.*spm_images"):
        read(path, images="con")


def test_residual_variance_normalizes(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng)
    plain, scaled = read(path).responses, read(path, normalize="residual").responses
    residual = imaging.read_units(path.parent / "ResMS.nii", plain.space)[0]
    np.testing.assert_allclose(scaled.values, plain.values / np.sqrt(residual), rtol=1e-5)
    assert scaled.independence == "run"


@pytest.mark.parametrize("v73", [False, True])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".img"])
def test_every_format_of_images_and_mat_files_reads_the_same(tmp_path, ending, v73):
    names = ('face "1"', "house\n2", "it's x*bf(2)")
    first = read(spm_folder(tmp_path / "a", np.random.default_rng(3), names=names))
    path = spm_folder(
        tmp_path / "b", np.random.default_rng(3), names=names, ending=ending, v73=v73
    )
    again = read(path)
    np.testing.assert_array_equal(first.responses.values, again.responses.values)
    assert first.responses.samples.equals(again.responses.samples)
    assert again.responses.samples["condition"].tolist()[:3] == list(names)


def test_an_image_without_its_header_is_named(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng, ending=".img")
    (path.parent / "beta_0002.hdr").unlink()
    with pytest.raises(MissingInputError, match=r"beta_0002\.img has no header beta_0002\.hdr"):
        read(path)


@pytest.mark.real
def test_the_real_first_level_reads_the_same_as_v73(real_data, tmp_path):
    folder = real_data / "spm_auditory"
    for image in folder.glob("*.nii"):
        (tmp_path / image.name).symlink_to(image)
    write_mat73(tmp_path / "SPM.mat", read_mat(folder / "SPM.mat"))
    first, again = (read_design(f / "SPM.mat") for f in (folder, tmp_path))
    assert (first.names, first.betas, first.regressors) == (
        again.names,
        again.betas,
        again.regressors,
    )
    np.testing.assert_array_equal(first.covariance, again.covariance)
    contrast = np.eye(len(first.names))[0]
    np.testing.assert_array_equal(t_map(folder, contrast)[0], t_map(tmp_path, contrast)[0])


def test_nan_voxels_are_left_out_and_counted(tmp_path, rng):
    found = read(spm_folder(tmp_path / "glm", rng, nan_voxels=5))
    assert found.responses.values.shape == (4, 7)
    assert found.facts["left_out_because"] == {"nan": 5, "constant": 0}
    assert found.facts["left_out_units"] == 5


def test_all_nan_is_refused(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng, nan_voxels=12)
    with pytest.raises(NotEnoughDataError, match=r"of 12, 12 are NaN and 0 are constant"):
        read(path)


@pytest.mark.parametrize("group", ["run", "session"])
def test_standardized_betas_have_mean_0_and_sd_1(tmp_path, rng, group):
    found = read(spm_folder(tmp_path / "glm", rng, n_sessions=3), standardize=group).responses
    assert found.scale == "zscore"
    for name in found.samples[group].unique():
        part = found.values[(found.samples[group] == name).to_numpy()]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(part.std(axis=0), 1, atol=1e-5)


def test_without_a_mask_the_betas_tell(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng)
    expected = read(path).responses
    (path.parent / "mask.nii").unlink()
    np.testing.assert_array_equal(read(path).responses.values, expected.values)


def test_what_is_not_there_is_named(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng)
    with pytest.raises(ConfigError, match=r"'rest', which SPM's betas do not allow"):
        read(path, standardize="rest")
    with pytest.raises(MissingInputError, match=r"no table of conditions .*absent\.tsv"):
        read(path, conditions=tmp_path / "absent.tsv")
    wrong = table(tmp_path / "wrong.tsv", ("name", "picture"))
    with pytest.raises(MissingInputError, match=r"lacks the columns stimulus, condition; .*pict"):
        read(path, conditions=wrong)
    header = ("name", "stimulus", "condition")
    twice = table(tmp_path / "twice.tsv", header, ("a", "", "b"), ("a", "", "c"))
    with pytest.raises(UnreadableError, match=r"1 names twice, such as 'a'"):
        read(path, conditions=twice)
    outside = table(tmp_path / "outside.tsv", header, ("face 1", "../a.png", "b"))
    with pytest.raises(UnreadableError, match=r"outside\.tsv names .*'\.\./a\.png'.*outside stim"):
        read(path, conditions=outside)
    (tmp_path / "glm" / "beta_0002.nii").unlink()
    with pytest.raises(MissingInputError, match=r"glm has no beta_0002\.nii, which its SPM\.mat"):
        read(path)
    with pytest.raises(MissingInputError, match=r"sub-01 has no SPM\.mat"):
        read(None)


def test_truncated_beta_is_named(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng)
    beta = tmp_path / "glm" / "beta_0001.nii"
    beta.write_bytes(beta.read_bytes()[:400])
    with pytest.raises(UnreadableError, match=r"beta_0001\.nii ends early"):
        read(path)


def test_t_map_agrees_with_the_closed_form(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng, n_sessions=1, n_motion=0)
    t, space = t_map(path.parent, np.array([1.0, -1.0, 0.0]))
    from scipy.io import loadmat

    x = loadmat(path, simplify_cells=True)["SPM"]["xX"]["X"]
    c = np.array([1.0, -1.0, 0.0])
    images = [nib.load(tmp_path / "glm" / f"{n}.nii") for n in ("beta_0001", "beta_0002", "ResMS")]
    first, second, residual = (np.asarray(i.dataobj).ravel()[space.index] for i in images)
    expected = (first - second) / np.sqrt(residual * (c @ np.linalg.inv(x.T @ x) @ c))
    np.testing.assert_allclose(t, expected, rtol=1e-5)
    np.testing.assert_allclose(t_map(path.parent, -2 * c)[0], -t)  # free of the contrast's size


def test_contrast_must_fit_the_design(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng)
    with pytest.raises(ShapeError, match=r"shape \(2,\), the design has 10 regressors"):
        t_map(path.parent, np.ones(2))


@pytest.mark.real
def test_real_t_map_is_that_of_spm(real_data):
    folder = real_data / "spm_auditory"
    t, space = t_map(folder, np.array([1.0, 0.0]))
    expected = imaging.read_units(folder / "spmT_0001.nii", space)[0]
    assert len(t) == 70808
    np.testing.assert_allclose(t, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.real
def test_real_first_level_is_read(real_data):
    design = read_design(real_data / "spm_auditory" / "SPM.mat")
    assert design.names == ("Sn(1) listening*bf(1)", "Sn(1) constant")
    assert [r.name for r in design.regressors] == ["listening"]
    found = read(real_data / "spm_auditory" / "SPM.mat")
    assert found.responses.values.shape == (1, 70808)
    contrast = imaging.read_units(
        real_data / "spm_auditory" / "con_0001.nii", found.responses.space
    )
    np.testing.assert_array_equal(found.responses.values, contrast)


@pytest.mark.real
def test_real_betas_without_spm_mat_are_refused(real_data):
    folder = real_data / "spm_god" / "sub-01" / "SPM.mat"
    with pytest.raises(MissingInputError, match=r"sub-01 has no SPM\.mat, but \d+ images"):
        read(folder)
