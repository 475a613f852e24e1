"""simulate.pictures: as many as asked for, all different, the same for the same seed."""

from collections import Counter

import numpy as np

from bids_dnn.simulate.pictures import PAINTERS, SIZE_PX, draw_pictures


def drawn(seed=0, n=3):
    return draw_pictures(np.random.default_rng(seed), n_exemplars=n)


def test_every_category_has_as_many_and_no_two_are_alike():
    made = drawn()
    assert Counter(category for category, _ in made.values()) == dict.fromkeys(PAINTERS, 3)
    assert list(made) == sorted(made)
    assert all(name.startswith(category) for name, (category, _) in made.items())
    assert len({picture.tobytes() for _, picture in made.values()}) == 12
    assert {(p.mode, p.size) for _, p in made.values()} == {("RGB", (SIZE_PX, SIZE_PX))}


def test_the_same_seed_draws_the_same():
    one, other = drawn(), drawn()
    assert [p.tobytes() for _, p in one.values()] == [p.tobytes() for _, p in other.values()]
    assert drawn(1)["car01.png"][1].tobytes() != one["car01.png"][1].tobytes()


def test_exemplars_vary_within_a_category():
    made = drawn(n=8)
    pixels = {
        category: np.stack(
            [np.asarray(p, float) for kind, p in made.values() if kind == category]
        ).std(axis=0)
        for category in PAINTERS
    }
    assert all(spread.mean() > 25 for spread in pixels.values())
