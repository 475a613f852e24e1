"""The CORnet family: four areas, V1, V2, V4 and IT, and a decoder.

Written from the papers; parts are called as in the published weights, so that these go in.

References
----------
Kubilius et al. (2018), bioRxiv, doi:10.1101/408385.
Kubilius et al. (2019), NeurIPS, doi:10.48550/arXiv.1909.06161.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn

N_CLASSES = 1000
CHANNELS = {"V1": 64, "V2": 128, "V4": 256, "IT": 512}
INPUTS = dict(zip(CHANNELS, (3, *CHANNELS.values()), strict=False))
STEPS_S = {"V2": 2, "V4": 4, "IT": 2}  # how often each area of CORnet-S runs
STEPS_R = 5
WIDEN = 4  # of the bottleneck of CORnet-S
N_GROUPS = 32  # of channels, normalized together in CORnet-RT and CORnet-R


class FeedforwardArea(nn.Module):
    """An area of CORnet-Z: a convolution, a nonlinearity and a pooling that halves the map.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    size, stride : int
        Of the convolution.
    """

    def __init__(self, n_in: int, n_out: int, *, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2)
        self.nonlin = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.output = nn.Identity()  # a name for what the area sends on

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, n_out, h, w) of (n, n_in, 2h, 2w)."""
        made: torch.Tensor = self.output(self.pool(self.nonlin(self.conv(x))))
        return made


class RecurrentArea(nn.Module):
    """An area of CORnet-RT and CORnet-R: its own state is added to what comes in.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    size, stride : int
        Of the convolution that takes what comes in.
    """

    def __init__(self, n_in: int, n_out: int, *, size: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.stride = stride
        self.conv_input = nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2)
        self.norm_input = nn.GroupNorm(N_GROUPS, n_out)
        self.nonlin_input = nn.ReLU()
        self.conv1 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(N_GROUPS, n_out)
        self.nonlin1 = nn.ReLU()
        self.output = nn.Identity()

    def forward(self, x: torch.Tensor | None, state: torch.Tensor) -> torch.Tensor:
        """Return the next state, (n, n_out, h, w); `x` is None where nothing has come yet."""
        driven = state
        if x is not None:
            driven = state + self.nonlin_input(self.norm_input(self.conv_input(x)))
        made: torch.Tensor = self.output(self.nonlin1(self.norm1(self.conv1(driven))))
        return made


class SkippingArea(nn.Module):
    """An area of CORnet-S: a bottleneck with a skip, run several times on its own output.

    The first time halves the map. Batch normalization is learnt for each time anew.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    n_steps : int
        How often the area runs.
    """

    def __init__(self, n_in: int, n_out: int, *, n_steps: int) -> None:
        super().__init__()
        wide = WIDEN * n_out
        self.n_steps = n_steps
        self.conv_input = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.skip = nn.Conv2d(n_out, n_out, 1, stride=2, bias=False)
        self.norm_skip = nn.BatchNorm2d(n_out)
        self.conv1 = nn.Conv2d(n_out, wide, 1, bias=False)
        self.nonlin1 = nn.ReLU()
        self.conv2 = nn.Conv2d(wide, wide, 3, stride=2, padding=1, bias=False)
        self.nonlin2 = nn.ReLU()
        self.conv3 = nn.Conv2d(wide, n_out, 1, bias=False)
        self.nonlin3 = nn.ReLU()
        self.output = nn.Identity()
        for step in range(n_steps):
            for part, width in ((1, wide), (2, wide), (3, n_out)):
                self.add_module(f"norm{part}_{step}", nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, n_out, h, w) of (n, n_in, 2h, 2w)."""
        x = self.conv_input(x)
        for step in range(self.n_steps):
            norm1, norm2, norm3 = (getattr(self, f"norm{part}_{step}") for part in (1, 2, 3))
            halves = step == 0  # the weights are one and the same, the stride is not
            self.conv2.stride = (2, 2) if halves else (1, 1)
            past = self.norm_skip(self.skip(x)) if halves else x
            x = self.nonlin1(norm1(self.conv1(x)))
            x = self.nonlin2(norm2(self.conv2(x)))
            x = self.output(self.nonlin3(norm3(self.conv3(x)) + past))
        return x


class Unrolled(nn.Module):
    """CORnet-RT and CORnet-R: areas with states of their own, run over time.

    At the first step there is input to V1 alone. From then on an area gets, in CORnet-RT, what
    the area below made one step before; in CORnet-R, what it makes in the same step.

    Parameters
    ----------
    is_delayed
        Whether a step passes between two areas, as in CORnet-RT.
    n_steps : int
    """

    def __init__(self, *, is_delayed: bool, n_steps: int = STEPS_R) -> None:
        super().__init__()
        self.is_delayed = is_delayed
        self.n_steps = n_steps
        self.V1 = RecurrentArea(INPUTS["V1"], CHANNELS["V1"], size=7, stride=4)
        self.V2 = RecurrentArea(INPUTS["V2"], CHANNELS["V2"])
        self.V4 = RecurrentArea(INPUTS["V4"], CHANNELS["V4"])
        self.IT = RecurrentArea(INPUTS["IT"], CHANNELS["IT"])
        self.decoder = _decoder()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 1000) logits of pictures (n, 3, h, w)."""
        areas: dict[str, RecurrentArea] = {name: getattr(self, name) for name in CHANNELS}
        states = _blank_states(x, areas)
        for step in range(self.n_steps):
            before = dict(states)
            came: torch.Tensor | None = x
            for name, area in areas.items():
                states[name] = area(came, before[name])
                came = None if step == 0 else (before if self.is_delayed else states)[name]
        made: torch.Tensor = self.decoder(states["IT"])
        return made


def _blank_states(x: torch.Tensor, areas: dict[str, RecurrentArea]) -> dict[str, torch.Tensor]:
    """Return zeros of the shape of each area's map."""
    rows, columns = x.shape[-2:]
    states = {}
    for name, area in areas.items():
        rows, columns = (-(-side // area.stride) for side in (rows, columns))
        states[name] = x.new_zeros((len(x), CHANNELS[name], rows, columns))
    return states


def _decoder() -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(CHANNELS["IT"], N_CLASSES),
            output=nn.Identity(),
        )
    )


def make_z() -> nn.Sequential:
    """Return CORnet-Z, its weights drawn as published: Glorot's uniform, biases 0."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for name, n_out in CHANNELS.items():
        first = {"size": 7, "stride": 2} if name == "V1" else {}
        parts[name] = FeedforwardArea(INPUTS[name], n_out, **first)
    parts["decoder"] = _decoder()
    made = nn.Sequential(parts)
    for part in made.modules():
        if isinstance(part, nn.Conv2d | nn.Linear) and part.bias is not None:
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
    return made


def make_s() -> nn.Sequential:
    """Return CORnet-S."""
    n = CHANNELS["V1"]
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["V1"] = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(INPUTS["V1"], n, 7, stride=2, padding=3, bias=False),
            norm1=nn.BatchNorm2d(n),
            nonlin1=nn.ReLU(),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
            conv2=nn.Conv2d(n, n, 3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(n),
            nonlin2=nn.ReLU(),
            output=nn.Identity(),
        )
    )
    for below, name in pairwise(CHANNELS):
        parts[name] = SkippingArea(CHANNELS[below], CHANNELS[name], n_steps=STEPS_S[name])
    parts["decoder"] = _decoder()
    return nn.Sequential(parts)


def make_rt() -> Unrolled:
    """Return CORnet-RT: a step passes from one area to the next."""
    return Unrolled(is_delayed=True)


def make_r() -> Unrolled:
    """Return CORnet-R, the older form, in which no time passes between areas."""
    return Unrolled(is_delayed=False)
