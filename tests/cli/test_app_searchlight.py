"""The App decodes around each voxel where that is named, and says beforehand what it costs."""

import pytest

from bids_dnn.derivatives.nulls import read_null_maps
from tests.factories.trees import tiny_tree

pytestmark = pytest.mark.whole
OWN = """
[searchlight]
radius_mm = {}
comparisons = ["face vs house"]
n_maps = 5
[decode]
classifier = "ridge"
{}
"""


@pytest.fixture
def tree(tmp_path, rng):
    """One participant, three runs of six trials of two conditions."""
    return tiny_tree(tmp_path / "data", rng, participants=("01",), n_runs=3, n_volumes=60)


@pytest.fixture
def own(tmp_path):
    """Write an analysis.toml with this radius."""

    def written(radius_mm, more=""):
        path = tmp_path / "own.toml"
        path.write_text(OWN.format(radius_mm, more))
        return ("--config", path)

    return written


def test_a_searchlight_leaves_maps_and_a_page(app, tree, own, tmp_path):
    said = app(tree, *own(7), analysis="searchlight", dry=True)
    assert "1 comparison, 5 maps under exchanged labels: about 1 min of one core" in said
    (table,) = app(tree, *own(7), analysis="searchlight").values()
    assert table["comparison"].tolist() == ["face vs house"]
    folder = tmp_path / "out" / "sub-01" / "func"
    assert (
        len(list(folder.glob("*_model-facevshouse_stat-*_desc-searchlight_statmap.nii.gz"))) == 2
    )
    (null,) = folder.glob("*_desc-searchlight_null.npz")
    assert read_null_maps(null)["facevshouse"].values.shape == (5, table["n_centers"].item())
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert "Where in the brain can conditions be told apart?" in page
    assert "Kriegeskorte" in page


def test_what_a_searchlight_does_not_take_is_refused_at_once(app, tree, own):
    said = app(tree, *own(7, "pca = 3"), analysis="searchlight", expect=2)
    assert "A searchlight does not take standardize, blank, anova, whiten or pca" in said


def test_a_radius_below_a_voxel_is_refused(app, tree, own):
    said = app(tree, *own(0.5), analysis="searchlight", expect=2)
    assert "searchlight radius is 0.5 mm, but voxels are" in said
