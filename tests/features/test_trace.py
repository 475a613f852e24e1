"""features.trace: which modules run, what they put out, and where nonlinearities lie."""

import pytest
import torch
from torch import nn

from bids_dnn.features.trace import N_KEPT, pick, tensors_of, trace


class Bends(nn.Module):
    """Nonlinearities as modules, as functions, in place or not, behind a normalization."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.conv3 = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.drop, self.pool = nn.Dropout(), nn.AvgPool2d(2)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.conv1(x)))
        x = torch.nn.functional.gelu(self.conv2(x))
        x = self.drop(x)
        return self.fc(self.pool(self.relu(self.conv3(x))).flatten(1))


def test_nonlinearities_are_found_as_modules_and_as_functions():
    net = Bends().eval()
    made = trace(net, lambda: net(torch.zeros(2, 3, 4, 4)))
    found = {path: [run.nonlinearity for run in runs] for path, runs in made.runs.items()}
    assert found == {
        "conv1": ["before"],
        "norm": ["before"],
        "relu": ["after", "after"],
        "conv2": ["before"],
        "drop": ["after"],
        "conv3": ["before"],
        "pool": [""],
        "fc": [""],
        "": [""],
    }
    assert made.runs["pool"][0].shapes == {"": (2, 4, 2, 2)}


class Residual(nn.Module):
    """A skip that is added to what a normalization put out, in place or not."""

    def __init__(self, add, bend):
        super().__init__()
        self.conv1, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True)
        self.conv2, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.add, self.bend = add, bend

    def forward(self, x):
        y = self.relu(self.conv1(x))
        return self.bend(self.add(self.norm(self.conv2(y)), x))


@pytest.mark.parametrize("add", [torch.add, torch.Tensor.add_, torch.Tensor.copy_])
@pytest.mark.parametrize("bend", [torch.relu, torch.relu_, nn.ReLU(inplace=True)])
def test_what_a_skip_is_added_to_in_place_stands_before_no_nonlinearity(add, bend):
    net = Residual(add, bend).eval()
    made = trace(net, lambda: net(torch.zeros(2, 3, 4, 4)))
    told = {path: runs[0].nonlinearity for path, runs in made.runs.items() if path != "bend"}
    expected = {"conv1": "before", "relu": "after", "conv2": "", "norm": "", "": "after"}
    assert told == expected


def test_what_is_altered_in_place_after_a_nonlinearity_is_not_after_it():
    net = nn.Sequential(nn.ReLU(), nn.Identity())
    made = trace(net, lambda: net[1](net[0](torch.zeros(2, 3)).add_(1.0)))
    assert [made.runs[path][0].nonlinearity for path in ("0", "1")] == ["after", ""]


def test_modules_stand_in_the_order_in_which_they_first_finish():
    net = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Identity())
    made = trace(net, lambda: net(torch.zeros(2, 3)))
    assert list(made.runs) == ["0.0", "0", "1", ""]


def test_no_hook_stays_behind_and_no_grad_is_kept():
    net = Bends()

    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        trace(net, fail)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())


def test_a_long_network_is_followed_in_bounded_memory():
    net = nn.Sequential(*[part for _ in range(N_KEPT) for part in (nn.Linear(2, 2), nn.Tanh())])
    made = trace(net, lambda: net(torch.zeros(2, 2)))
    told = [made.runs[str(i)][0].nonlinearity for i in range(2 * N_KEPT)]
    assert told == ["before", "after"] * N_KEPT


def test_it_works_without_any_memory_for_numbers():
    net = Bends().eval().to("meta")
    made = trace(net, lambda: net(torch.zeros(2, 3, 4, 4, device="meta")))
    assert made.runs["conv1"][0].nonlinearity == "before"


def test_tensors_are_found_in_what_modules_return():
    x, y = torch.zeros(1), torch.ones(1)
    assert list(tensors_of({"a": x, "b": None, "c": y})) == ["a", "c"]
    assert tensors_of(3) == {}
    assert pick(x, "") is x
    assert pick((x, None), "") is x
    assert pick((x, y), "1") is y
    assert pick((x, y), "") is None
    assert pick(x, "a") is None
