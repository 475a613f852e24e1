"""The law that each library must keep: a row of features belongs to one stimulus."""

import math

import torch

from bids_dnn.features.capture import capture
from bids_dnn.features.probe import probe


def check_rows(network, inputs, names):
    """Show `inputs` in two orders; return what `probe` says, and the features of the first."""
    probed = probe(network, names)
    n = len(next(iter(inputs.values())) if isinstance(inputs, dict) else inputs)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    turned = (
        {k: v[order] for k, v in inputs.items()} if isinstance(inputs, dict) else inputs[order]
    )
    plain = capture(network, inputs, probed)
    other = capture(network, turned, probed)
    for one in probed:
        name, rows = one.layer.name, plain[one.layer.name]
        assert rows.shape == (n, one.n_features), name
        assert one.n_features <= math.prod(one.shape)
        scale = float(rows.abs().max())
        torch.testing.assert_close(other[name], rows[order], atol=1e-5 * scale, rtol=1e-5)
        alone = capture(network, _only(inputs, n - 1), [one])[name]
        torch.testing.assert_close(alone, rows[n - 1 :], atol=1e-5 * scale, rtol=1e-5)
        far = (rows[:, None] - rows[None]).abs().amax(-1) + torch.eye(n) * scale
        assert float(far.min()) > 1e-4 * scale, f"{name}: rows of two stimuli are the same"
    return {one.layer.name: one for one in probed}, plain


def _only(inputs, row):
    if isinstance(inputs, dict):
        return {key: value[row : row + 1] for key, value in inputs.items()}
    return inputs[row : row + 1]


def shown(network, n=5, seed=0):
    size = network.card.size_px
    return torch.randn((n, 3, size, size), generator=torch.Generator().manual_seed(seed))
