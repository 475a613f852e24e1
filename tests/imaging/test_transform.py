"""imaging.transform: where points go, by ITK's files and their directions."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from bids_dnn import imaging
from bids_dnn.errors import MissingInputError, SpaceError, UnreadableError
from bids_dnn.imaging.transform import Displacement
from tests.factories.surfaces import write_itk_h5, write_itk_text

GRID = np.array([[-2.0, 0, 0, 40], [0, 2.5, 0, -60], [0, 0, 3.0, -30], [0, 0, 0, 1]])
SHAPE = (30, 40, 25)


@pytest.fixture
def affine():
    matrix = np.eye(4)
    matrix[:3] = [[1.1, 0.05, 0, 4], [-0.04, 0.95, 0.1, -7], [0.02, -0.1, 1.05, 3]]
    return matrix


@pytest.fixture
def field():
    """Smooth, up to 3 mm, RAS."""
    i, j, k = np.meshgrid(*(np.linspace(0, 3, n) for n in SHAPE), indexing="ij")
    return np.stack([3 * np.sin(j), 2 * np.cos(k + i), 2.5 * np.sin(i + j)], axis=-1)


@pytest.fixture
def points(rng):
    """On points of the grid, well inside."""
    at = rng.integers(3, np.array(SHAPE) - 3, size=(50, 3))
    return at @ GRID[:3, :3].T + GRID[:3, 3]


def test_composite_equals_nitransforms(tmp_path, affine, field, points):
    from nitransforms.manip import TransformChain

    path = write_itk_h5(tmp_path / "x.h5", affine=affine, field=field, grid=GRID)
    expected = TransformChain.from_filename(path, fmt="itk").map(points)
    np.testing.assert_allclose(imaging.read_transform(path).apply(points), expected, atol=1e-3)


def test_the_field_comes_before_the_affine(tmp_path, affine, field, points):
    path = write_itk_h5(tmp_path / "x.h5", affine=affine, field=field, grid=GRID)
    at = np.rint((points - GRID[:3, 3]) @ np.linalg.inv(GRID[:3, :3]).T).astype(int)
    moved = points + field[tuple(at.T)]
    expected = moved @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(imaging.read_transform(path).apply(points), expected, atol=1e-4)


def test_a_field_is_linear_between_its_points_and_ends_at_its_border():
    values = np.zeros((3, 4, 4, 4), dtype=np.float32)
    values[0, 2] = 6.0
    field = Displacement(values, np.eye(4))
    found = field.apply(np.array([[1.5, 1.0, 1.0], [2.0, 1.0, 1.0], [2.0, 1.0, 9.0]]))
    np.testing.assert_allclose(found, [[4.5, 1, 1], [8, 1, 1], [2, 1, 9]])


@pytest.mark.parametrize("center", [(0.0, 0.0, 0.0), (12.0, -30.0, 5.0)])
def test_text_equals_nitransforms_and_the_matrix(tmp_path, affine, points, center):
    from nitransforms.linear import load

    path = write_itk_text(tmp_path / "x.txt", affine, center)
    found = imaging.read_transform(path).apply(points)
    np.testing.assert_allclose(found, points @ affine[:3, :3].T + affine[:3, 3], atol=1e-4)
    np.testing.assert_allclose(found, load(path, fmt="itk").map(points), atol=1e-2)


@pytest.mark.filterwarnings("ignore:Reference space not set:UserWarning")
@pytest.mark.parametrize(
    "name", ["affine-LAS.itk.tfm", "affine-oblique.itk.tfm", "affine-antsComposite.h5"]
)
def test_files_that_ants_wrote_are_read_as_nitransforms_reads_them(name, points):
    import nitransforms

    path = Path(nitransforms.__file__).parent / "tests" / "data" / name
    if not path.exists():
        pytest.skip("nitransforms came without its test data")
    if path.suffix == ".h5":
        expected = nitransforms.manip.TransformChain.from_filename(path, fmt="itk").map(points)
    else:
        expected = nitransforms.linear.load(path, fmt="itk").map(points)
    np.testing.assert_allclose(imaging.read_transform(path).apply(points), expected, atol=1e-3)


def test_rigid_text_turns_around_its_center(tmp_path):
    path = tmp_path / "rigid.txt"
    path.write_text(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: Euler3DTransform_double_3_3\n"
        f"Parameters: 0 0 {np.pi / 2} 0 0 4\nFixedParameters: 1 0 0\n"
    )
    # LPS (2, 0, 0) turns around (1, 0, 0) to (1, 1, 0), and goes up by 4
    found = imaging.read_transform(path).apply(np.array([[-2.0, 0, 0]]))
    np.testing.assert_allclose(found, [[-1, -1, 4]], atol=1e-9)


def test_parts_of_a_composite_text_are_applied_last_first(tmp_path, affine, points):
    shift = np.eye(4)
    shift[:3, 3] = [1, 2, 3]
    one = write_itk_text(tmp_path / "a.txt", affine).read_text()
    two = write_itk_text(tmp_path / "b.txt", shift).read_text().partition("\n")[2]
    both = tmp_path / "both.txt"
    both.write_text(one + two)
    with pytest.raises(UnreadableError, match=r"both\.txt holds a list of 2 transforms"):
        imaging.read_transform(both)
    banner, _, rest = one.partition("\n")
    about = (
        "#Transform 0\nTransform: CompositeTransform_double_3_3\nParameters:\nFixedParameters:\n"
    )
    both.write_text(f"{banner}\n{about}{rest}{two}")
    expected = (points + np.array([1, 2, 3])) @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(imaging.read_transform(both).apply(points), expected, atol=1e-4)


def test_invert_undoes_apply(tmp_path, affine, field, points):
    path = write_itk_h5(tmp_path / "x.h5", affine=affine, field=field, grid=GRID)
    transform = imaging.read_transform(path)
    np.testing.assert_allclose(transform.invert(transform.apply(points)), points, atol=1e-2)


def test_a_field_that_folds_cannot_be_inverted(tmp_path, points):
    rough = np.zeros((*SHAPE, 3))
    rough[::2, ..., 0] = 30.0
    path = write_itk_h5(tmp_path / "fold.h5", field=rough, grid=GRID)
    with pytest.raises(SpaceError, match=r"fold\.h5 cannot be inverted at \d+ of 50 points"):
        imaging.read_transform(path).invert(points)


def test_the_old_spelling_is_read(tmp_path, affine, points):
    path = write_itk_h5(tmp_path / "x.h5", affine=affine)
    expected = imaging.read_transform(path).apply(points)
    with h5py.File(path, "a") as store:
        for name in ("Parameters", "FixedParameters"):
            right = f"Transform{name}"
            store.move(f"TransformGroup/1/{right}", f"TransformGroup/1/{right.replace('ns', 'n')}")
    np.testing.assert_allclose(imaging.read_transform(path).apply(points), expected)


def test_damaged_files_are_refused(tmp_path, affine, field):
    path = write_itk_h5(tmp_path / "x.h5", affine=affine, field=field, grid=GRID)
    raw = path.read_bytes()
    cut = tmp_path / "cut.h5"
    cut.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(UnreadableError, match=r"cut\.h5"):
        imaging.read_transform(cut)
    with h5py.File(path, "a") as store:
        del store["TransformGroup/2/TransformParameters"]
        store["TransformGroup/2/TransformParameters"] = np.zeros(30)
    with pytest.raises(UnreadableError, match=r"30 numbers for a grid of \(30, 40, 25\)"):
        imaging.read_transform(path)
    with h5py.File(tmp_path / "other.h5", "w") as store:
        store["x"] = 1
    with pytest.raises(UnreadableError, match=r"other\.h5 cannot be read"):
        imaging.read_transform(tmp_path / "other.h5")


def test_other_kinds_are_refused(tmp_path, affine):
    text = write_itk_text(tmp_path / "x.txt", affine)
    text.write_text(text.read_text().replace("AffineTransform_float_3_3", "BSplineTransform"))
    with pytest.raises(UnreadableError, match=r"holds a BSplineTransform of 12 parameters"):
        imaging.read_transform(text)
    text.write_text("1 0 0 0\n0 1 0 0\n")
    with pytest.raises(UnreadableError, match=r"x\.txt does not begin with '#Insight Trans"):
        imaging.read_transform(text)
    text.write_text("#Insight Transform File V1.0\n")
    with pytest.raises(UnreadableError, match=r"x\.txt holds no transform"):
        imaging.read_transform(text)
    with pytest.raises(MissingInputError, match=r"y\.h5 does not exist"):
        imaging.read_transform(tmp_path / "y.h5")
