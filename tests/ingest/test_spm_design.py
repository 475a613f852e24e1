"""ingest.spm_design: what is read from SPM.mat, and what is refused."""

import numpy as np
import pytest
from scipy.io import savemat

from bids_dnn.errors import MissingInputError, UnreadableError
from bids_dnn.ingest.spm_design import read_design
from tests.factories.spm import spm_folder


def test_conditions_are_told_from_confounds(tmp_path, rng):
    names = ("face 1", "a*b (left)", "house")
    design = read_design(spm_folder(tmp_path / "glm", rng, names=names, n_motion=6))
    assert [(r.session, r.name, r.basis) for r in design.regressors] == [
        (s, name, 1) for s in (1, 2) for name in names
    ]
    assert [r.column for r in design.regressors] == [0, 1, 2, 9, 10, 11]
    assert len(design.names) == 2 * 9 + 2
    assert design.n_scans == (20, 20)


def test_more_than_nine_sessions(tmp_path, rng):
    design = read_design(spm_folder(tmp_path / "glm", rng, n_sessions=12))
    assert [r.session for r in design.regressors[::2]] == list(range(1, 13))


@pytest.mark.parametrize("prefix", ["C:\\study\\glm\\", "/home/someone/glm/", ""])
def test_betas_are_found_beside_spm_mat(tmp_path, rng, prefix):
    design = read_design(spm_folder(tmp_path / "glm", rng, prefix=prefix))
    assert design.beta_path(3) == tmp_path / "glm" / "beta_0004.nii"


def test_a_single_regressor_is_read(tmp_path):
    spm = {"xX": {"name": "Sn(1) a*bf(1)", "X": np.ones((5, 1))}, "Vbeta": {"fname": "b.nii"}}
    savemat(tmp_path / "SPM.mat", {"SPM": spm})
    design = read_design(tmp_path / "SPM.mat")
    assert design.betas == ("b.nii",)
    np.testing.assert_allclose(design.covariance, [[0.2]])


def test_a_second_level_and_a_model_that_was_not_estimated_are_named(tmp_path):
    second = {"xX": {"name": ["mean"]}, "xsDes": {"Design": "One sample t-test"}, "nscan": 12.0}
    savemat(tmp_path / "SPM.mat", {"SPM": second})
    with pytest.raises(UnreadableError, match=r"second level of SPM .*'mean'.*first level"):
        read_design(tmp_path / "SPM.mat")
    planned = {"xX": {"name": ["Sn(1) face*bf(1)"]}, "Sess": {"U": {"name": "face"}}}
    savemat(tmp_path / "SPM.mat", {"SPM": planned})
    with pytest.raises(UnreadableError, match=r"specified, but not estimated"):
        read_design(tmp_path / "SPM.mat")


def test_betas_on_surfaces_are_refused(tmp_path):
    spm = {"xX": {"name": ["Sn(1) face*bf(1)"]}, "Vbeta": {"fname": "beta_0001.gii"}}
    savemat(tmp_path / "SPM.mat", {"SPM": spm | {"Sess": {"U": {"name": "face"}}}})
    with pytest.raises(UnreadableError, match=r"beta_0001\.gii.*vertices.*--responses statmap"):
        read_design(tmp_path / "SPM.mat").beta_path(0)


def test_damaged_and_other_files_are_refused(tmp_path, rng):
    path = spm_folder(tmp_path / "glm", rng)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(UnreadableError, match=r"SPM\.mat (cannot be read|holds no)"):
        read_design(path)
    path.write_text("no MATLAB file")
    with pytest.raises(UnreadableError, match=r"cannot be read as a MATLAB file"):
        read_design(path)
    savemat(path, {"other": 1})
    with pytest.raises(UnreadableError, match=r"holds no structure SPM"):
        read_design(path)
    savemat(path, {"SPM": {"xX": {"name": "a"}}})
    with pytest.raises(
        UnreadableError, match=r"has no condition among its 1 regressors, such as 'a'"
    ):
        read_design(path)
    savemat(path, {"SPM": {"xX": {"name": "Sn(1) constant"}, "Vbeta": {"fname": "b.nii"}}})
    with pytest.raises(UnreadableError, match=r"no condition among its 1 regressors"):
        read_design(path)
    names = np.array(["Sn(1) a*bf(1)", "Sn(1) b*bf(1)"], dtype=object)
    savemat(path, {"SPM": {"xX": {"name": names}, "Vbeta": {"fname": "b.nii"}}})
    with pytest.raises(UnreadableError, match=r"names 2 regressors but 1 betas"):
        read_design(path)


def test_absent_spm_mat_says_what_lies_there(tmp_path):
    with pytest.raises(MissingInputError, match=r"has no SPM\.mat; without it"):
        read_design(tmp_path / "SPM.mat")
    (tmp_path / "beta_0001.nii").touch()
    with pytest.raises(MissingInputError, match=r"but 1 images such as beta_0001\.nii"):
        read_design(tmp_path / "SPM.mat")
    (tmp_path / "SPM.mat").symlink_to(tmp_path / "annex")
    with pytest.raises(MissingInputError, match=r"datalad get"):
        read_design(tmp_path / "SPM.mat")
