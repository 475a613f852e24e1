"""features.grid: how rows and columns are cut."""

import pytest

from bids_dnn.features.grid import SPEEDS, Grid, make_grid


@pytest.mark.parametrize("n", [1, 16, 17, 92, 200, 257, 1750, 10_000])
@pytest.mark.parametrize("p", [1, 1000, 193_600, 401_408, 3_211_264])
def test_groups_and_tiles_cover_all_and_stay_small(n, p):
    grid = make_grid((n,), p)
    whole = make_grid((n,), 1).group
    assert whole in SPEEDS
    assert whole % grid.group == 0  # a block of whole groups of one layer suits all
    assert grid.group * p * 4 <= 1 << 30
    assert n <= grid.n_rows <= max(n + 15, 1.4 * n)
    assert sum(stop - start for start, stop in grid.tiles()) == p
    assert 8 * grid.n_rows * grid.tile <= max(8 * 256 * grid.n_rows, 64 << 20)


def test_pairs_are_each_group_with_itself_and_those_after():
    assert list(Grid((40,), 10, 16, 64).pairs())[:4] == [(0, 0), (0, 1), (0, 2), (1, 1)]
    grid = Grid((33, 17), 10, 16, 64)
    assert grid.starts == (0, 3, 5)
    assert grid.shape == (48, 32)
    assert list(grid.pairs()) == [(i, j) for i in range(3) for j in (3, 4)]
