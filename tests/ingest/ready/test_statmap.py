"""ingest.ready.statmap: maps of effects of nilearn and FitLins come out as they were written."""

import numpy as np
import pytest

from bids_dnn.containers.space import Grayordinates, Surface
from bids_dnn.errors import MissingInputError, ShapeError, SpaceError, UnreadableError
from bids_dnn.ingest.ready import door, statmap
from tests.factories.ready_statmap import CONTRASTS, series_maps, surface_maps, volume_maps
from tests.factories.trees import affine_of, tiny_mask, write_image


def find(folder, **kwargs):
    return statmap.find(folder, **{"participants": [], "space": None, **kwargs})


def read(folder, **kwargs):
    (subject,), _ = find(folder)
    return statmap.read_responses(subject, **{"standardize": "none", **kwargs})


def grayordinates():
    return Grayordinates(
        "fsLR",
        ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT"),
        (8, 8),
        np.repeat([0, 1], 6),
        np.tile(np.arange(6), 2),
        np.full((12, 3), -1),
        (0, 0, 0),
        np.eye(4),
        np.arange(12),
    )


def test_maps_of_runs_are_samples_in_order(tmp_path, rng):
    truth = volume_maps(tmp_path, rng)
    (subject,), notes = door("statmap").find(tmp_path, participants=["01"], space=None)
    assert (subject.task, subject.space, notes) == ("look", "T1w", [])
    assert not any("variance" in path.name for path in subject.files)
    ingested = statmap.read_responses(subject, standardize="none")
    responses = ingested.responses
    keys = [("", run, contrast) for run in "12" for contrast in CONTRASTS]
    np.testing.assert_array_equal(responses.values, [truth[key] for key in keys])
    assert responses.samples["condition"].tolist() == list(CONTRASTS) * 2
    assert responses.samples["run"].tolist() == ["1"] * 3 + ["2"] * 3
    assert (responses.samples["stimulus"] == "").all()
    np.testing.assert_array_equal(responses.space.index, np.flatnonzero(tiny_mask()))
    assert (responses.scale, responses.independence) == ("beta", "run")


def test_ten_runs_and_sessions_have_their_natural_order(tmp_path, rng):
    truth = volume_maps(tmp_path, rng, runs=("1", "2", "10"), sessions=("a", "b"))
    responses = read(tmp_path).responses
    runs = responses.samples["run"].unique().tolist()
    assert runs == ["ax1", "ax2", "ax10", "bx1", "bx2", "bx10"]
    np.testing.assert_array_equal(responses.values[6], truth["a", "10", "faceA"])


def test_a_table_gives_contrasts_their_pictures(tmp_path, rng):
    volume_maps(tmp_path, rng)
    (tmp_path / "contrasts.tsv").write_text(
        "contrast\tstimulus\tcondition\nfaceA\tpics/a.png\tface\nfaceB\tpics/b.png\tface\n"
    )
    samples = read(tmp_path).responses.samples
    assert samples["stimulus"][:3].tolist() == ["pics/a.png", "pics/b.png", ""]
    assert samples["condition"][:3].tolist() == ["face", "face", "house"]
    assert samples["repeat"].tolist() == [0, 0, 0, 1, 1, 0]


def test_without_a_mask_voxels_are_those_of_the_first_map(tmp_path, rng):
    truth = volume_maps(tmp_path, rng, has_mask=False, runs=("1",))
    responses = read(tmp_path).responses
    np.testing.assert_array_equal(responses.values[0], truth["", "1", "faceA"])


def test_hemispheres_are_joined(tmp_path, rng):
    truth = surface_maps(tmp_path, rng)
    responses = read(tmp_path).responses
    np.testing.assert_array_equal(responses.values, [truth[c] for c in CONTRASTS])
    assert isinstance(responses.space, Surface)
    assert responses.space.n_vertices == (12, 10)


@pytest.mark.parametrize("kind", ["volume", "surface", "cifti"])
def test_volumes_are_samples_of_a_table(tmp_path, rng, kind):
    truth = series_maps(tmp_path, rng, kind=kind, space=grayordinates())
    responses = read(tmp_path).responses
    np.testing.assert_array_equal(responses.values, truth)
    samples = responses.samples
    assert samples["stimulus"].tolist() == [f"pics/{i % 3}.png" for i in range(5)]
    assert samples["condition"].tolist() == list("ababa")
    assert samples["run"].tolist() == ["1", "1", "1", "2", "2"]
    assert samples["motion"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_the_level_of_runs_of_fitlins_is_taken(tmp_path, rng):
    truth = volume_maps(tmp_path / "node-runLevel", rng, inside="")
    volume_maps(tmp_path / "node-subjectLevel", rng, inside="", runs=("1",))
    (_,), notes = find(tmp_path)
    assert "node-runLevel was taken" in notes[0]
    np.testing.assert_array_equal(read(tmp_path).responses.values[5], truth["", "2", "house"])


def test_spaces_are_chosen_or_named(tmp_path, rng):
    volume_maps(tmp_path, rng, space="MNI152NLin2009cAsym")
    volume_maps(tmp_path, rng)
    (subject,), notes = find(tmp_path)
    assert subject.space == "T1w"
    assert notes == ["Of the spaces MNI152NLin2009cAsym, T1w, T1w was taken."]
    (other,), _ = find(tmp_path, space="MNI152NLin2009cAsym")
    assert all("MNI152" in path.name for path in other.files)
    with pytest.raises(MissingInputError, match=r"no responses in the space 'T1'.*'T1w'"):
        find(tmp_path, space="T1")


@pytest.mark.filterwarnings("ignore")  # of nilearn's own report
def test_what_nilearn_saves_is_read(tmp_path, rng):
    import pandas as pd
    from nibabel import Nifti1Image
    from nilearn.glm import save_glm_to_bids
    from nilearn.glm.first_level import FirstLevelModel

    events = pd.DataFrame(
        {"onset": np.arange(6) * 8.0, "duration": 2.0, "trial_type": ["face", "house"] * 3}
    )
    image = Nifti1Image(rng.normal(100, 1, (6, 6, 6, 30)).astype(np.float32), affine_of())
    mask = Nifti1Image(np.ones((6, 6, 6), np.uint8), affine_of())
    model = FirstLevelModel(t_r=2.0, mask_img=mask, hrf_model="glover", minimize_memory=False)
    model.fit(image, events)
    save_glm_to_bids(
        model,
        ["face"],
        out_dir=tmp_path / "glm",
        prefix="sub-01_task-look_run-1_space-T1w",
    )
    samples = read(tmp_path / "glm").responses
    expected = model.compute_contrast("face", output_type="effect_size").get_fdata()
    assert samples.samples["condition"].tolist() == ["face"]
    found = np.zeros(6**3)
    found[samples.space.index] = samples.values[0]
    np.testing.assert_allclose(found.reshape(6, 6, 6), expected, rtol=1e-5)


# --- bad input


def test_an_empty_folder_is_told_the_layout(tmp_path):
    with pytest.raises(MissingInputError, match=r"any participant[\s\S]*stat-effect_statmap"):
        find(tmp_path)


def only(folder, pattern):
    (path,) = folder.rglob(pattern)
    return path


def test_a_map_cut_short_is_named(tmp_path, rng):
    volume_maps(tmp_path, rng)
    path = only(tmp_path, "*run-2*house*effect*")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UnreadableError, match=r"run-2.*house.*statmap\.nii\.gz"):
        read(tmp_path)


def test_a_missing_map_is_told(tmp_path, rng):
    volume_maps(tmp_path, rng)
    only(tmp_path, "*run-2*house*effect*").unlink()
    _, notes = find(tmp_path)
    assert notes == ["sub-01, run 2 has no map of: house."]


def test_a_map_that_was_not_fetched_says_datalad_get(tmp_path, rng):
    volume_maps(tmp_path, rng)
    path = only(tmp_path, "*run-2*house*effect*")
    path.unlink()
    path.symlink_to(tmp_path / ".git/annex/objects/x")
    with pytest.raises(MissingInputError, match="datalad get"):
        read(tmp_path)


def test_a_missing_hemisphere_is_named(tmp_path, rng):
    surface_maps(tmp_path, rng)
    only(tmp_path, "*hemi-R*house*").unlink()
    with pytest.raises(MissingInputError, match="no partner of the other hemisphere"):
        find(tmp_path)


def test_another_grid_is_named(tmp_path, rng):
    volume_maps(tmp_path, rng)
    path = only(tmp_path, "*run-2*house*effect*")
    write_image(path, np.ones((3, 3, 3), np.float32), affine_of())
    with pytest.raises(SpaceError, match=r"grid \(3, 3, 3\)"):
        read(tmp_path)


def test_a_map_twice_is_refused(tmp_path, rng):
    volume_maps(tmp_path, rng)
    path = only(tmp_path, "*run-2*house*effect*")
    other = path.with_name(path.name.replace("_stat-", "_desc-x_stat-"))
    other.write_bytes(path.read_bytes())
    with pytest.raises(UnreadableError, match="both the effect of one contrast in one run"):
        find(tmp_path)


def test_a_table_of_another_length_is_named(tmp_path, rng):
    series_maps(tmp_path, rng)
    path = only(tmp_path, "*_samples.tsv")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ShapeError, match=r"has 4 rows for 5 volumes"):
        read(tmp_path)


def test_a_missing_table_is_named(tmp_path, rng):
    series_maps(tmp_path, rng)
    only(tmp_path, "*_samples.tsv").unlink()
    with pytest.raises(MissingInputError, match="has 5 volumes, but no table says"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["../../x.png", "/etc/x.png"])
def test_pictures_outside_the_data_set_are_refused(tmp_path, rng, name):
    volume_maps(tmp_path, rng)
    (tmp_path / "contrasts.tsv").write_text(f"contrast\tstimulus\nfaceA\t{name}\n")
    with pytest.raises(UnreadableError, match="lies outside the data set"):
        read(tmp_path)


def test_a_contrast_twice_in_the_table_is_refused(tmp_path, rng):
    volume_maps(tmp_path, rng)
    (tmp_path / "contrasts.tsv").write_text("contrast\tstimulus\na\tx.png\na\ty.png\n")
    with pytest.raises(UnreadableError, match="contrast 'a' twice"):
        read(tmp_path)
