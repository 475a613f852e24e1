"""imaging.template: the head where MNI152 has it, and none in other spaces."""

from __future__ import annotations

import numpy as np
import pytest

from bids_dnn.imaging import read_template


def test_the_template_lies_where_the_brain_is():
    volume, affine = read_template("MNI152NLin2009cAsym")
    assert volume.min() == 0 < volume.max() <= 1

    def at(*mm):
        x, y, z = np.rint(np.linalg.inv(affine) @ [*mm, 1]).astype(int)[:3]
        return volume[x, y, z]

    assert at(-24, -20, 50) > 0.6  # white matter of the left hemisphere
    assert at(0, 0, -70) == at(85, 0, 0) == 0  # below and beside the brain
    inside = np.argwhere(volume > 0.1) @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(inside.min(axis=0), [-72, -107, -72], atol=6)
    np.testing.assert_allclose(inside.max(axis=0), [72, 73, 82], atol=6)


@pytest.mark.parametrize("space", ["T1w", "fsaverage5", "OASIS30ANTs", "MNIColin27", ""])
def test_other_spaces_have_none(space):
    assert read_template(space) is None
