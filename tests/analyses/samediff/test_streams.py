"""analyses.samediff.streams: shapes, numbers of weights, feedback in closed form."""

import pytest
import torch

from bids_dnn.analyses.samediff.looking import Trunk
from bids_dnn.analyses.samediff.streams import Distance, Feedback, Siamese, pooled
from tests.factories.samediff import SIZE, maps


@pytest.mark.parametrize(("side", "size_px"), [(7, 32), (6, 32), (3, 17), (7, 224)])
def test_feedback_is_the_widely_padded_convolution(side, size_px):
    torch.manual_seed(0)
    feedback = Feedback(4, side, size_px)
    shown = torch.randn(2, 4, side, side)
    made = feedback(shown)
    assert made.shape == (2, 3, size_px, size_px)
    conv = feedback.conv
    whole = torch.nn.functional.conv2d(shown, conv.weight, conv.bias, padding=feedback.padding)
    expected = torch.nn.functional.max_pool2d(whole.relu(), 3, stride=2, padding=1)
    torch.testing.assert_close(made, expected)


def test_feedback_of_cornet_z_is_padded_as_in_the_seed_project():
    feedback = Feedback(1024, 7, 224)
    assert feedback.padding == 221
    assert tuple(feedback.conv.weight.shape) == (3, 1024, 3, 3)


def test_the_feedback_lands_in_the_middle():
    feedback = Feedback(2, 3, 33)
    torch.nn.init.zeros_(feedback.conv.bias)
    torch.nn.init.ones_(feedback.conv.weight)
    rows, columns = torch.nonzero(feedback(torch.ones(1, 2, 3, 3))[0, 0], as_tuple=True)
    for place in (rows, columns):
        assert abs(float(place.double().mean()) - 16) <= 1
        assert len(set(place.tolist())) <= 4


def test_pooling_is_mean_and_maximum():
    made = pooled(torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]]))
    assert made.tolist() == [[3.0, 6.0]]


def streams(*, has_fovea, n_channels=6):
    net = maps(n_channels=n_channels)

    def trunk():
        return Trunk(net, "conv2", is_frozen=False)

    return Siamese(trunk(), trunk() if has_fovea else None, n_channels=n_channels,
                   side=SIZE // 4, size_px=SIZE)  # fmt: skip


def test_shapes_and_numbers_of_weights():
    torch.manual_seed(0)
    shown = [torch.randn(5, 3, SIZE, SIZE) for _ in range(3)]
    for has_fovea, n_pooled in ((False, 24), (True, 36)):
        module = streams(has_fovea=has_fovea)
        assert module(*shown).shape == (5, 2)
        head = 2 * n_pooled + n_pooled * 512 + 512 + 2 * 512 + 512 * 2 + 2
        assert sum(p.numel() for p in module.head.parameters()) == head
    assert sum(p.numel() for p in module.feedback.parameters()) == 3 * 12 * 9 + 3


def test_a_head_on_two_streams_of_512_channels_takes_2048():
    module = Siamese(torch.nn.Identity(), None, n_channels=512, side=7, size_px=224)
    assert module.head[0].num_features == 2048
    assert module.head[2].in_features == 2048


def test_both_crops_go_through_one_stream_and_the_fovea_through_its_own():
    module = streams(has_fovea=True).eval()
    shown = torch.randn(2, 3, SIZE, SIZE)
    grey = torch.zeros(2, 3, SIZE, SIZE)
    module(shown, grey, grey).sum().backward()
    assert module.peripheral.body.conv1.weight.grad is not None
    assert module.foveal.body.conv1.weight.grad is not None
    assert module.foveal.body.conv1.weight is not module.peripheral.body.conv1.weight
    assert module.feedback.conv.weight.grad.abs().sum() > 0  # the fovea hears of the periphery


def test_the_distance_of_one_picture_to_itself_is_0_and_has_a_slope():
    module = Distance(Trunk(maps(), "conv2", is_frozen=False), n_channels=6).eval()
    shown = torch.randn(4, 3, SIZE, SIZE)
    distance = module(shown, shown)
    assert float(distance.max().detach()) < 1e-5
    distance.sum().backward()
    assert all(
        bool(torch.isfinite(p.grad).all()) for p in module.parameters() if p.grad is not None
    )
    one, two = module(shown, shown.flip(0)), module(shown.flip(0), shown)
    torch.testing.assert_close(one, two)
    assert float(one.min().detach()) > 1e-3
