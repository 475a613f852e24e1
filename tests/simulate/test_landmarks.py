"""simulate.landmarks: the atlas and the true regions."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_dnn import imaging
from bids_dnn.simulate import cortex, landmarks, ribbon


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("landmarks")
    halves = cortex.grow(np.random.default_rng(0))
    filled = ribbon.fill(halves)
    landmarks.write_atlas(root / "atlas", "01", halves, filled)
    landmarks.write_truth_dataset(root / "truth")
    landmarks.write_truth(root / "truth", "01", halves, filled)
    return root, halves, filled


def mask_of(root, name):
    stem = f"sub-01_task-positions_space-T1w_label-{name}"
    path = root / "truth" / "sub-01" / "func" / f"{stem}_mask.nii.gz"
    return nib.load(path).get_fdata() > 0


def test_true_vertices_are_those_of_the_cortex(made):
    root, halves, _ = made
    for half in halves:
        stem = root / "truth" / "sub-01" / "anat" / f"sub-01_hemi-{half.hemisphere}_space-fsnative"
        labels, names = imaging.read_labels(stem.with_name(f"{stem.name}_dseg.label.gii"))
        for i, name in names.items():
            if i:
                np.testing.assert_array_equal(labels == i, half.regions[name])
        path = stem.with_name(f"{stem.name}_stat-eccentricity_statmap.shape.gii")
        np.testing.assert_allclose(
            imaging.read_curvature(path), half.fields.eccentricity, atol=1e-5
        )


def test_true_voxels_lie_on_the_right_side(made):
    root, _, filled = made
    for name, (x, _) in cortex.DISKS.items():
        voxels = np.argwhere(mask_of(root, name))
        assert len(voxels) >= 5
        side = voxels @ filled.space.affine[0, :3] + filled.space.affine[0, 3]
        assert (side * x < 0).all()
    both = np.argwhere(mask_of(root, "fovea"))[:, 0] * ribbon.VOXEL_MM + ribbon.ORIGIN_MM[0]
    assert both.min() < 0 < both.max()


def test_a_parcel_holds_the_cluster_that_prefers_faces(made):
    root, _, filled = made
    stem = root / "atlas" / "sub-01" / "anat" / "sub-01_space-T1w_atlas-Sim_dseg"
    image = nib.load(f"{stem}.nii.gz")
    assert image.get_data_dtype() == np.int16
    np.testing.assert_allclose(image.affine, filled.space.affine)
    table = pd.read_csv(f"{stem}.tsv", sep="\t")
    labels = np.asarray(image.dataobj)
    assert sorted(set(np.unique(labels)) - {0}) == list(table["index"])
    fusiform = table.loc[table.name.str.endswith("fusiform"), "index"]
    assert len(fusiform) == 2
    assert np.isin(labels[mask_of(root, "faces")], fusiform).mean() > 0.98
    v1 = table.loc[table.name.str.endswith("pericalcarine"), "index"]
    assert np.isin(labels[mask_of(root, "fovea")], v1).mean() > 0.98


def test_positions_name_the_hemisphere_that_sees_them(made):
    root, *_ = made
    table = pd.read_csv(root / "truth" / "positions.tsv", sep="\t").set_index("position")
    assert table.hemisphere.to_dict() == {
        "fovea": "LR",
        "upperRight": "L",
        "upperLeft": "R",
        "lowerLeft": "R",
        "lowerRight": "L",
    }
    assert table.loc["lowerLeft", ["x_deg", "y_deg"]].tolist() == [-4.95, -4.95]


def test_names_are_those_of_freesurfers_table(tmp_path):
    path = landmarks.write_names(tmp_path / "desc-aparcaseg_dseg.tsv")
    names = pd.read_csv(path, sep="\t").set_index("index").name.to_dict()
    assert names[1021] == "ctx-lh-pericalcarine"
    assert names[2007] == "ctx-rh-fusiform"
    assert names[41] == "Right-Cerebral-White-Matter"
    assert len(names) == 3 + 2 * (len(cortex.PARCELS) - 1)
