"""rois.benson_files: fMRIPrep's files before FreeSurfer's, and what is missing by name."""

import pytest

from bids_dnn.errors import MissingInputError
from bids_dnn.rois.benson_files import (
    BensonFiles,
    find_surface,
    registered_spheres,
    surface_of,
)


@pytest.fixture
def freesurfer(tmp_path):
    for side in ("lh", "rh"):
        for kind in ("white", "sphere.reg"):
            path = tmp_path / "surf" / f"{side}.{kind}"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    return tmp_path


def test_given_files_come_first(freesurfer, tmp_path):
    gifti = tmp_path / "hemi-L_white.surf.gii"
    files = BensonFiles(freesurfer=freesurfer, white={"L": gifti})
    assert surface_of(files, "L", "white") == gifti
    assert surface_of(files, "R", "white") == freesurfer / "surf" / "rh.white"
    assert registered_spheres(files)["L"] == freesurfer / "surf" / "lh.sphere.reg"


def test_a_link_that_dangles_is_found_so_that_reading_it_tells(freesurfer):
    (freesurfer / "surf" / "lh.pial").symlink_to("nowhere")
    assert find_surface(BensonFiles(freesurfer=freesurfer), "L", "pial") is not None
    assert find_surface(BensonFiles(freesurfer=freesurfer), "R", "pial") is None


def test_what_is_missing_is_named(freesurfer):
    with pytest.raises(MissingInputError, match=r"rh\.pial was not found.*surf/rh\.pial does not"):
        surface_of(BensonFiles(freesurfer=freesurfer), "R", "pial")
    with pytest.raises(
        MissingInputError, match=r"lh\.sphere\.reg .*no FreeSurfer folder is known"
    ):
        registered_spheres(BensonFiles())
