"""rois.project: from vertices to vertices, grayordinates and voxels of the responses."""

import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.containers.mesh import Mesh
from bids_dnn.containers.space import Channels, Grayordinates, Grid, Surface
from bids_dnn.errors import MissingInputError, SpaceError
from bids_dnn.rois.benson_files import BensonFiles
from bids_dnn.rois.project import project
from tests.factories.surfaces import (
    CENTERS,
    INNER,
    OUTER,
    RADIUS,
    hull,
    icosphere,
    rotate,
    write_itk_h5,
    write_itk_text,
    write_participant,
)

MNI = "MNI152NLin2009cAsym"
N = 642


def grid_of(name="T1w", voxel_mm=3.0):
    affine = np.diag([-voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = [78, -66, -48]
    n = 52 * 3 / voxel_mm, 38 * 3 / voxel_mm, 36 * 3 / voxel_mm
    shape = tuple(int(v) for v in n)
    return Grid(name, shape, affine, np.arange(np.prod(shape)))


def centers(grid, keep):
    at = np.array(np.unravel_index(np.flatnonzero(keep), grid.shape)).T
    return at @ grid.affine[:3, :3].T + grid.affine[:3, 3]


@pytest.fixture(scope="module")
def sphere():
    return icosphere(3)


@pytest.fixture
def marked(sphere):
    """The back half of each hemisphere."""
    back = sphere.vertices[:, 1] < -30
    return {"L": back, "R": back}


@pytest.fixture
def files(tmp_path, sphere):
    made = write_participant(tmp_path, sphere, as_gifti=True)
    return BensonFiles(white=made["white"], pial=made["pial"])


def transformed(files, **transforms):
    named = {k.replace("_to_", "->"): v for k, v in transforms.items()}
    return BensonFiles(white=files.white, pial=files.pial, transforms=named)


# --- Voxels


def test_voxels_lie_in_the_ribbon_behind(files, marked):
    grid = grid_of()
    places, warnings = project(marked, grid, files=files)
    assert warnings == []
    found = centers(grid, places)
    for h, center in CENTERS.items():
        near = found[(found[:, 0] < 0) == (h == "L")] - center
        radius = np.linalg.norm(near, axis=1)
        assert len(near) > 100
        assert INNER - 3 < radius.min() < radius.max() < OUTER + 3
        assert (near[:, 1] / radius).max() < -0.3 + 0.15


def test_a_region_smaller_than_a_voxel_takes_the_nearest_with_a_warning(files, sphere):
    one = np.arange(N) == 100
    grid = grid_of(voxel_mm=6.0)
    places, warnings = project({"L": one}, grid, files=files)
    assert 1 <= places.sum() <= 4
    assert "has more than half of its cortex in the region" in warnings[0]
    expected = sphere.vertices[100] / RADIUS * (INNER + OUTER) / 2 + CENTERS["L"]
    assert np.linalg.norm(centers(grid, places) - expected, axis=1).max() < 8


def test_one_hemisphere_marks_its_own_side(files, marked):
    grid = grid_of()
    places, _ = project({"L": marked["L"]}, grid, files=files)
    assert centers(grid, places)[:, 0].max() < 0


@pytest.mark.parametrize("c_ras", [(0.0, 0.0, 0.0), (10.0, -7.0, 4.0)])
def test_freesurfer_surfaces_give_the_same_voxels(tmp_path, sphere, files, marked, c_ras):
    write_participant(tmp_path / "fs", sphere, c_ras=c_ras)
    grid = grid_of()
    expected, _ = project(marked, grid, files=files)
    found, warnings = project(marked, grid, files=BensonFiles(freesurfer=tmp_path / "fs"))
    assert (found != expected).sum() <= 0.01 * expected.sum()  # rounding of float32 in the files
    assert "No transform from fsnative to T1w was found" in warnings[0]


@pytest.mark.parametrize("direction", ["fsnative->T1w", "T1w->fsnative"])
def test_fsnative_is_brought_to_t1w_in_both_directions(tmp_path, sphere, marked, direction):
    """FreeSurfer's T1 lies 9 mm to the right of, 6 mm behind the T1w."""
    shift = np.eye(4)
    shift[:3, 3] = [9, -6, 0]  # of points, from T1w to fsnative
    write_participant(tmp_path / "fs", sphere)
    is_forward = direction == "fsnative->T1w"  # holds where points of T1w lie in fsnative
    text = write_itk_text(tmp_path / "x.txt", shift if is_forward else np.linalg.inv(shift))
    files = BensonFiles(freesurfer=tmp_path / "fs", transforms={direction: text})
    grid = grid_of()
    found, warnings = project(marked, grid, files=files)
    plain, _ = project(marked, grid, files=BensonFiles(freesurfer=tmp_path / "fs"))
    assert warnings == []
    away = centers(grid, found).mean(axis=0) - centers(grid, plain).mean(axis=0)
    np.testing.assert_allclose(away, [-9, 6, 0], atol=1e-6)  # whole voxels: exact


def field_on(grid_affine, shape, size_mm):
    i, j, k = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
    return size_mm * np.stack([np.sin(j), np.cos(k + i), np.sin(i + j)], axis=-1)


FIELD_GRID = np.array([[4.0, 0, 0, -100], [0, 4, 0, -100], [0, 0, 4, -80], [0, 0, 0, 1]])
FIELD_SHAPE = (50, 45, 45)


@pytest.fixture
def to_mni():
    matrix = np.eye(4)
    matrix[:3] = [[1.05, 0.03, 0, 5], [-0.02, 0.97, 0.05, -8], [0, -0.04, 1.02, 6]]
    return matrix


def test_mni_by_the_file_that_holds_where_points_of_t1w_lie(tmp_path, files, marked, to_mni):
    """from-MNI_to-T1w: the affine and warp are those of points from T1w to MNI."""
    field = field_on(FIELD_GRID, FIELD_SHAPE, 3.0)
    path = write_itk_h5(tmp_path / "x.h5", affine=to_mni, field=field, grid=FIELD_GRID)
    grid = grid_of(MNI)
    found, _ = project(marked, grid, files=transformed(files, **{f"{MNI}_to_T1w": path}))
    moved = {"white": {}, "pial": {}}
    for kind, paths in (("white", files.white), ("pial", files.pial)):
        for h, one in paths.items():
            mesh = imaging.read_mesh(one)
            there = imaging.read_transform(path).apply(mesh.vertices)
            target = tmp_path / f"moved_{h}_{kind}.surf.gii"
            moved[kind][h] = imaging.write_mesh(target, Mesh(there, mesh.faces), h)
    as_t1w = Grid("T1w", grid.shape, grid.affine, grid.index)
    expected, _ = project(marked, as_t1w, files=BensonFiles(**moved))
    assert (found & expected).sum() / (found | expected).sum() > 0.95


def test_mni_by_the_other_file_is_its_inverse(tmp_path, files, marked, to_mni):
    """from-T1w_to-MNI holds where points of MNI lie in T1w: found voxels go to the ribbon."""
    field = field_on(FIELD_GRID, FIELD_SHAPE, 3.0)
    path = write_itk_h5(
        tmp_path / "x.h5", affine=np.linalg.inv(to_mni), field=field, grid=FIELD_GRID
    )
    grid = grid_of(MNI)
    found, _ = project(marked, grid, files=transformed(files, **{f"T1w_to_{MNI}": path}))
    back = imaging.read_transform(path).apply(centers(grid, found))
    for h, center in CENTERS.items():
        radius = np.linalg.norm(back[(back[:, 0] < 0) == (h == "L")] - center, axis=1)
        assert len(radius) > 100
        assert INNER - 3 < radius.min() < radius.max() < OUTER + 3


def test_the_direction_of_a_shift_is_right(tmp_path, files, marked):
    """Points of T1w lie 12 mm higher in MNI."""
    up = np.eye(4)
    up[2, 3] = 12
    grid, plain = grid_of(MNI), grid_of()
    there = write_itk_h5(tmp_path / "a.h5", affine=up)
    back = write_itk_h5(tmp_path / "b.h5", affine=np.linalg.inv(up))
    before = centers(plain, project(marked, plain, files=files)[0]).mean(axis=0)
    for key, path in ((f"{MNI}_to_T1w", there), (f"T1w_to_{MNI}", back)):
        found, _ = project(marked, grid, files=transformed(files, **{key: path}))
        np.testing.assert_allclose(
            centers(grid, found).mean(axis=0) - before, [0, 0, 12], atol=1e-6
        )


def test_without_a_transform_it_is_said_which_is_needed(tmp_path, files, marked):
    other = transformed(files, T1w_to_MNI152NLin6Asym=tmp_path / "x.h5")
    said = (
        rf"lie in T1w, the responses in {MNI}.*there are: T1w->MNI152NLin6Asym.*"
        rf"from-{MNI}_to-T1w_mode-image_xfm\.h5"
    )
    with pytest.raises(SpaceError, match=said):
        project(marked, grid_of(MNI), files=other)
    with pytest.raises(SpaceError, match=r"there are: none"):
        project(marked, grid_of(MNI), files=files)


def test_surfaces_that_do_not_fit_are_refused(tmp_path, sphere, files, marked):
    with pytest.raises(SpaceError, match=r"have 642, 642 and 162 vertices"):
        project({"L": np.ones(162, bool)}, grid_of(), files=files)
    write_participant(tmp_path / "fs", sphere)
    mixed = BensonFiles(white=files.white, freesurfer=tmp_path / "fs")
    with pytest.raises(SpaceError, match=r"GIFTI of fMRIPrep in part and FreeSurfer's own in"):
        project(marked, grid_of(), files=mixed)
    with pytest.raises(MissingInputError, match=r"lh\.pial was not found"):
        project(marked, grid_of(), files=BensonFiles(white=files.white))


# --- Vertices


def test_own_vertices_are_taken_directly(files, marked):
    space = Surface("fsnative", (N, N), np.arange(2 * N))
    places, _ = project(marked, space, files=files)
    np.testing.assert_array_equal(places, np.concatenate([marked["L"], marked["R"]]))
    right, _ = project({"R": marked["R"]}, space, files=files)
    np.testing.assert_array_equal(np.flatnonzero(right), N + np.flatnonzero(marked["R"]))


def test_responses_of_one_hemisphere_take_that_one(files, marked):
    space = Surface("fsnative", (0, N), np.arange(N))
    places, _ = project(marked, space, files=files)
    np.testing.assert_array_equal(places, marked["R"])


def test_other_meshes_and_spaces_are_refused(files, marked):
    with pytest.raises(SpaceError, match=r"L hemisphere of fsnative has 700 .* but 642 in the"):
        project(marked, Surface("fsnative", (700, N), np.arange(5)), files=files)
    with pytest.raises(SpaceError, match=r"cannot be brought to onavg \(1284 vertex places\)"):
        project(marked, Surface("onavg", (N, N), np.arange(5)), files=files)
    with pytest.raises(SpaceError, match=r"cannot be brought to electrodes"):
        project(marked, Channels("electrodes", ("a", "b"), np.arange(2)), files=files)


# --- Grayordinates


def grayordinates(n_vertices, left, right):
    """Cortical vertices in the order given, then one voxel."""
    n = len(left) + len(right) + 1
    names = (
        "CIFTI_STRUCTURE_CORTEX_LEFT",
        "CIFTI_STRUCTURE_CORTEX_RIGHT",
        "CIFTI_STRUCTURE_BRAIN_STEM",
    )
    structure = np.repeat([0, 1, 2], [len(left), len(right), 1])
    vertex = np.concatenate([left, right, [-1]])
    voxel = np.full((n, 3), -1)
    voxel[-1] = 0
    return Grayordinates(
        "fsLR",
        names,
        (n_vertices, n_vertices, 0),
        structure,
        vertex,
        voxel,
        (2, 2, 2),
        np.eye(4),
        np.arange(n),
    )


@pytest.fixture
def fslr(tmp_path, sphere, rng):
    """The participant's sphere turned as it is registered to fsLR, and a standard one."""
    points = rng.normal(size=(400, 3))
    standard = Mesh(RADIUS * points / np.linalg.norm(points, axis=1, keepdims=True), hull(points))
    registered = Mesh(rotate(sphere.vertices, 25), sphere.faces)
    return {
        "reg_fslr": {
            h: imaging.write_mesh(tmp_path / f"{h}_reg.surf.gii", registered, h, is_sphere=True)
            for h in "LR"
        },
        "fslr": {
            h: imaging.write_mesh(tmp_path / f"{h}_std.surf.gii", standard, h, is_sphere=True)
            for h in "LR"
        },
    }, standard


def test_grayordinates_take_their_nearest_vertex(fslr, sphere, marked):
    paths, standard = fslr
    left, right = np.arange(0, 400, 2), np.arange(399, 0, -3)
    space = grayordinates(400, left, right)
    places, _ = project(marked, space, files=BensonFiles(**paths))
    direction = rotate(standard.vertices, -25)  # where the standard vertices lie on the native
    expected = direction[:, 1] < -30
    for part, vertices in ((places[:200], left), (places[200:-1], right)):
        clear = np.abs(direction[vertices, 1] + 30) > 9
        np.testing.assert_array_equal(part[clear], expected[vertices][clear])
    assert not places[-1]
    few, _ = project(marked, space.select(np.arange(7)), files=BensonFiles(**paths))
    np.testing.assert_array_equal(few, places)


def test_grayordinates_need_their_spheres(fslr, marked):
    paths, _ = fslr
    space = grayordinates(400, np.arange(5), np.arange(5))
    with pytest.raises(SpaceError, match=r"L sphere registered to fsLR .*--cifti-output"):
        project(marked, space, files=BensonFiles(fslr=paths["fslr"]))
    with pytest.raises(SpaceError, match=r"L sphere standard fsLR .*templateflow"):
        project(marked, space, files=BensonFiles(reg_fslr=paths["reg_fslr"]))
    with pytest.raises(
        SpaceError, match=r"L_std\.surf\.gii has 400 vertices, 32492 were expected"
    ):
        project(
            marked, grayordinates(32492, np.arange(5), np.arange(5)), files=BensonFiles(**paths)
        )
