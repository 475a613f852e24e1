"""stats.neighbours: nilearn's spheres, disks along edges, who touches whom, refusals."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse.csgraph import connected_components, dijkstra
from sklearn.neighbors import NearestNeighbors

from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Surface
from bids_dnn.errors import ConfigError, MissingInputError, SpaceError
from bids_dnn.stats.neighbours import adjacency, neighbours, places_mm
from tests.factories.surfaces import ellipsoids, icosphere

OBLIQUE = np.array(
    [[2.0, 0.3, 0.0, -31.7], [-0.2, 2.5, 0.4, 12.2], [0.1, -0.3, 3.1, 4.9], [0, 0, 0, 1]]
)


def grid_of(mask, affine):
    return Grid("T1w", mask.shape, affine, np.flatnonzero(mask).astype(np.int64))


def middles(space):
    ijk = np.stack(np.unravel_index(space.index, space.shape))
    return (space.affine[:3, :3] @ ijk + space.affine[:3, 3:]).T


def lists_of(found):
    return [found.of(k).tolist() for k in range(len(found))]


@pytest.mark.parametrize(
    ("affine", "radius"), [(np.diag([3.0, 3, 3, 1]), 9.0), (OBLIQUE, 7.3)], ids=["9mm", "oblique"]
)
def test_spheres_are_those_of_nilearn(rng, affine, radius):
    import nibabel as nib
    from nilearn.maskers.nifti_spheres_masker import apply_mask_and_get_affinity

    mask = rng.random((9, 8, 7)) < 0.7
    space = grid_of(mask, affine)
    image = nib.Nifti1Image(mask.astype(np.int8), affine)
    _, expected = apply_mask_and_get_affinity(
        middles(space), None, radius, allow_overlap=True, mask_img=image
    )
    found = neighbours(space, radius)
    assert lists_of(found) == [sorted(row) for row in expected.rows]
    assert found.sizes.sum() == expected.nnz


def test_a_whole_sphere_of_9_mm_has_123_voxels_of_3_mm():
    space = grid_of(np.ones((7, 7, 7)), np.diag([3.0, 3, 3, 1]))
    assert neighbours(space, 9.0, centers=np.array([171])).sizes.tolist() == [123]


@pytest.mark.parametrize("shift", [0.1, -78.3, 1e3 / 7])
def test_voxels_just_at_the_radius_are_inside_wherever_the_grid_lies(shift):
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = shift
    space = grid_of(np.ones((9, 9, 9)), affine)
    inner = np.flatnonzero(((np.indices((9, 9, 9)) > 2) & (np.indices((9, 9, 9)) < 6)).all(axis=0))
    assert set(neighbours(space, 9.0, centers=inner).sizes) == {123}


def test_chosen_centers_have_the_lists_they_have_among_all_and_order_does_not_matter(rng):
    mask = rng.random((8, 8, 8)) < 0.5
    space = grid_of(mask, OBLIQUE)
    every = neighbours(space, 6.0)
    centers = rng.permutation(len(space))[:20]
    assert lists_of(neighbours(space, 6.0, centers=centers)) == [
        every.of(k).tolist() for k in centers
    ]
    turned = rng.permutation(len(space))
    again = neighbours(space.select(turned), 6.0)
    assert [sorted(turned[again.of(k)]) for k in range(20)] == [
        every.of(k).tolist() for k in turned[:20]
    ]


def test_many_centers_are_looked_up_in_parts(monkeypatch, rng):
    space = grid_of(rng.random((8, 8, 8)) < 0.8, np.diag([2.0, 2, 3, 1]))
    expected = NearestNeighbors(radius=6.1).fit(middles(space)).radius_neighbors(middles(space))[1]
    monkeypatch.setattr("bids_dnn.stats.neighbours.VOXELS_AT_ONCE", 7)
    assert lists_of(neighbours(space, 6.1)) == [sorted(row) for row in expected]


def test_a_radius_below_a_voxel_is_refused():
    space = grid_of(np.ones((3, 3, 3)), np.diag([2.0, 2, 3.5, 1]))
    with pytest.raises(ConfigError, match=r"1\.9 mm.*2 x 2 x 3\.5 mm.*radius_mm to 10\.5"):
        neighbours(space, 1.9)
    with pytest.raises(ConfigError, match="nan mm"):
        neighbours(space, float("nan"))
    assert neighbours(space, 2.0).sizes.max() == 5


# --- Surfaces


@pytest.fixture(scope="module")
def white():
    return ellipsoids(icosphere(3), center=(-35.0, 0.0, 0.0))[0]


def whole_lengths(mesh):
    """Shortest ways between all vertices, the plain way."""
    n = len(mesh.vertices)
    lengths = np.full((n, n), np.inf)
    for face in mesh.faces:
        for a, b in ((0, 1), (1, 2), (2, 0)):
            first, second = face[a], face[b]
            lengths[first, second] = lengths[second, first] = np.linalg.norm(
                mesh.vertices[first] - mesh.vertices[second]
            )
    return dijkstra(np.where(np.isinf(lengths), 0, lengths))


def test_disks_follow_the_edges_of_the_whole_mesh_and_stay_in_their_hemisphere(
    white, monkeypatch, rng
):
    n = len(white.vertices)
    other = Mesh(white.vertices * [-0.8, 1, 1], white.faces)
    left, right = np.sort(rng.permutation(n)[:300]), np.sort(rng.permutation(n)[:200])
    space = Surface("fsnative", (n, n), np.concatenate([left, n + right]))
    monkeypatch.setattr("bids_dnn.stats.neighbours.VERTICES_AT_ONCE", 64)
    found = neighbours(space, 25.0, meshes={"L": white, "R": other})
    ways_l = whole_lengths(white)[np.ix_(left, left)]
    ways_r = whole_lengths(other)[np.ix_(right, right)]
    expected = [np.flatnonzero(row <= 25.0 * (1 + 1e-6)).tolist() for row in ways_l]
    expected += [(300 + np.flatnonzero(row <= 25.0 * (1 + 1e-6))).tolist() for row in ways_r]
    assert lists_of(found) == expected
    assert found.sizes.min() >= 1
    assert found.sizes.max() > 5


def test_ways_are_symmetric_and_never_shorter_than_the_straight_line(white):
    n = len(white.vertices)
    space = Surface("fsnative", (n, 0), np.arange(n))
    found = neighbours(space, 30.0, meshes={"L": white})
    pairs = {(k, int(j)) for k in range(n) for j in found.of(k)}
    assert {(j, k) for k, j in pairs} == pairs
    first, second = np.array(sorted(pairs)).T
    straight = np.linalg.norm(white.vertices[first] - white.vertices[second], axis=1)
    assert straight.max() <= 30.0 * (1 + 1e-6)


def test_grayordinates_have_disks_on_the_cortex_and_spheres_below_it(white):
    n, vertices = len(white.vertices), np.arange(0, 600)
    voxel = np.concatenate(
        [np.full((600, 3), -1), np.stack(np.indices((3, 3, 3)), -1).reshape(-1, 3)]
    )
    space = Grayordinates(
        name="fsLR",
        structures=("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_THALAMUS_LEFT"),
        n_vertices=(n, 0),
        structure=np.repeat([0, 1], [600, 27]),
        vertex=np.concatenate([vertices, np.full(27, -1)]),
        voxel=voxel,
        shape=(3, 3, 3),
        affine=np.diag([2.0, 2, 2, 1]),
        index=np.arange(627),
    )
    found = neighbours(space, 25.0, meshes={"L": white})
    surface = Surface("fsLR", (n, 0), vertices)
    assert lists_of(found)[:600] == lists_of(neighbours(surface, 25.0, meshes={"L": white}))
    assert lists_of(found)[600:] == [list(range(600, 627))] * 27
    touching = adjacency(space, meshes={"L": white})
    assert touching[:600][:, 600:].nnz == 0
    assert touching[600:][:, 600:].nnz == 2 * 3 * 18


def test_surfaces_refuse_what_they_cannot_answer(white):
    n = len(white.vertices)
    space = Surface("fsnative", (n, n), np.array([0, n + 1]))
    with pytest.raises(MissingInputError, match="hemisphere R of fsnative"):
        neighbours(space, 20.0, meshes={"L": white})
    with pytest.raises(SpaceError, match=rf"L has {n} vertices, fsnative has 12"):
        neighbours(Surface("fsnative", (12, 0), np.array([0])), 20.0, meshes={"L": white})
    with pytest.raises(ConfigError, match=r"0\.5 mm.*mm apart on average"):
        neighbours(space, 0.5, meshes={"L": white, "R": white})


def test_channels_have_no_neighbours():
    space = Channels("electrodes", ("a", "b"), np.array([0, 1]))
    with pytest.raises(SpaceError, match=r"electrodes.*no place in millimetres"):
        neighbours(space, 9.0)
    with pytest.raises(SpaceError, match="Ask for regions"):
        adjacency(space)


# --- Adjacency


def test_voxels_touch_by_their_faces_as_scipy_labels_them(rng):
    mask = rng.random((9, 9, 9)) < 0.35
    space = grid_of(mask, OBLIQUE)
    n, labels = connected_components(adjacency(space), directed=False)
    expected, n_expected = ndimage.label(mask)
    assert n == n_expected
    assert len(set(zip(labels, expected[mask], strict=True))) == n


def test_vertices_touch_by_edges_between_measured_ones(white):
    n = len(white.vertices)
    edges = {tuple(sorted(e)) for f in white.faces for e in (f[:2], f[1:], f[[0, 2]])}
    whole = adjacency(Surface("fsnative", (n, 0), np.arange(n)), meshes={"L": white})
    assert whole.nnz == 2 * len(edges)
    half = np.arange(0, n, 2)
    part = adjacency(Surface("fsnative", (n, 0), half), meshes={"L": white})
    np.testing.assert_array_equal(part.toarray(), whole.toarray()[np.ix_(half, half)])


def test_places_are_those_of_the_affine_and_of_the_mesh(white, rng):
    space = grid_of(rng.random((4, 5, 6)) < 0.5, OBLIQUE)
    np.testing.assert_allclose(places_mm(space), middles(space))
    n = len(white.vertices)
    other = Mesh(white.vertices * [-1, 1, 1], white.faces)
    space = Surface("fsnative", (n, n), np.array([n + 4, 7, n]))
    expected = [other.vertices[4], white.vertices[7], other.vertices[0]]
    np.testing.assert_array_equal(places_mm(space, meshes={"L": white, "R": other}), expected)
