"""Readouts of all implants and settings at once; the peer trains each pair of them by itself.

The seed's sweep is 16 layers of VGG-19 x 15 implants (660 units) x 2 readouts on 22,248 images,
each with a grid of settings. Here it is scaled down; `bids_dnn.analyses.encode.readouts.fit` says
what the whole takes. What either way must do grows alike with stimuli, cells and epochs, so that
the ratio can be read as it stands: the peer reads the features of a layer implants x settings
times per epoch, we read them once, and drop half of the settings again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import Device, Row, Size, time_both
from bids_dnn.analyses.encode.readouts.fields import fit_fields
from bids_dnn.analyses.encode.readouts.fit import fit_readout, predict
from bids_dnn.analyses.encode.readouts.forms import Options, Setting
from bids_dnn.analyses.encode.readouts.sources import ArraySource
from bids_dnn.stats.metrics import pearson

Array = NDArray[np.float32]
SIZES = {  # n_stimuli, channels, side, implants, units of each, stimuli of a step
    "small": ((800, 8, 7, 3, 4, 32),),
    "full": ((8000, 64, 14, 15, 44, 128), (8000, 256, 14, 15, 44, 128)),
}
KINDS = ("bashivan", "cadena")
SETTINGS = tuple(Setting(smooth=smooth, ridge=0.03) for smooth in (0.0, 0.01, 0.1, 1.0))
N_EPOCHS = 24
READ = 128  # stimuli made at once
NOISE = 0.5  # of the signal's SD
MOST_CELLS_OFF = 0.5
LESS_R = 0.01  # that we may lie below the peer
TARGET = 4.0
PEER_SD, PEER_RATE = 0.01, 0.03  # the best of four pairs


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One layer, and units of several implants whose places are known."""

    maps: Array  # (n, C, H, W)
    responses: Array  # (n, n_units)
    x: NDArray[np.float64]  # (n_units,), cells
    y: NDArray[np.float64]
    train: NDArray[np.bool_]  # (n,)
    implants: tuple[NDArray[np.intp], ...]
    batch: int


def make_case(
    n: int, n_channels: int, side: int, n_implants: int, n_each: int, batch: int
) -> Case:
    """Plant units: Gaussians over space, vectors over rectified channels, noise."""
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((n, n_channels, side, side), dtype=np.float32)
    n_units = n_implants * n_each
    x, y = rng.uniform(0.25 * side, 0.7 * side, size=(2, n_units))
    down, right = np.mgrid[:side, :side]
    square = (right - x[:, None, None]) ** 2 + (down - y[:, None, None]) ** 2
    masks = np.exp(-square / 4).astype(np.float32).reshape(n_units, -1)
    vectors = rng.standard_normal((n_units, n_channels), dtype=np.float32)
    signal = np.empty((n, n_units), dtype=np.float32)
    for start in range(0, n, READ):
        seen = np.maximum(maps[start : start + READ], 0).reshape(-1, n_channels, side**2)
        signal[start : start + READ] = ((seen @ masks.T) * vectors.T).sum(axis=1)
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    implants = np.array_split(np.arange(n_units), n_implants)
    responses = signal + np.float32(NOISE) * noise
    return Case(maps, responses, x, y, np.arange(n) < 0.8 * n, tuple(implants), batch)


def ours(case: Case, kind: str, device: Device) -> tuple[Array, Array]:
    """Return predictions of the test stimuli, and maps over space, of all units.

    All implants and settings at once: units do not know each other.
    """
    options = Options(n_epochs=N_EPOCHS, batch_size=case.batch, device=device)
    source = ArraySource(case.maps, device=device, memory=1 << 36)
    made = fit_readout(
        source, case.responses, case.train, kind=kind, settings=SETTINGS, options=options
    )
    guess = predict(made.readout, source, np.flatnonzero(~case.train), device=device)
    return guess, made.readout.space()


def peer(case: Case, kind: str, device: Device) -> tuple[Array, Array]:
    """Do the same by one run of Adam for each implant and setting, from random weights.

    The settings are those of ours; each unit takes the one of least error on the same share of
    validation, with the best weights over epochs.
    """
    maps = torch.tensor(case.maps, device=device)
    train = np.flatnonzero(case.train)
    order = np.random.default_rng(0).permutation(train)
    held, learn = order[: len(train) // 10], order[len(train) // 10 :]
    own = maps[torch.as_tensor(learn, device=device)]
    mean, sd = own.mean(dim=(0, 2, 3)), own.std(dim=(0, 2, 3))
    maps = ((maps - mean[:, None, None]) / sd[:, None, None]).clamp_(min=0)
    y = torch.tensor(case.responses, device=device)
    y = (y - y[learn].mean(dim=0)) / y[learn].std(dim=0)
    guess = np.empty((int((~case.train).sum()), y.shape[1]), dtype=np.float32)
    space = np.empty((y.shape[1], *case.maps.shape[2:]), dtype=np.float32)
    for units in case.implants:
        least = np.full(len(units), np.inf)
        for setting in SETTINGS:
            model = Model(kind, setting, case.maps.shape[1:], len(units), len(learn), device)
            loss = model.fit(maps, y[:, units], (learn, held), case.batch)
            better = loss < least
            least[better] = loss[better]
            guess[:, units[better]] = model.told(maps[~case.train])[:, better]
            space[units[better]] = model.space()[better]
    return guess, space


class Model:
    """One readout of one implant under one setting, written down as its paper does.

    Full weights, or a mask of sizes and a vector: an even mask and small random weights at first,
    which of what was tried learn best.
    """

    def __init__(
        self,
        kind: str,
        setting: Setting,
        shape: tuple[int, ...],
        n_units: int,
        n_learn: int,
        device: str,
    ) -> None:
        c, h, w = shape
        generator = torch.Generator().manual_seed(0)
        first = torch.randn((n_units, c, h, w), generator=generator) * PEER_SD
        weights = [first] if kind == "cadena" else [torch.ones(n_units, h, w), first[:, :, 0, 0]]
        self.setting, self.gain = setting, float((n_learn / (c * h * w)) ** 0.5)
        self.weights = [one.clone().to(device).requires_grad_() for one in weights]
        self.bias = torch.zeros(n_units, device=device, requires_grad=True)
        self.adam = torch.optim.Adam([*self.weights, self.bias], lr=PEER_RATE)
        self.decay = torch.optim.lr_scheduler.CosineAnnealingLR(self.adam, N_EPOCHS)
        self.kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]], device=device)

    def full(self) -> torch.Tensor:
        """Return the weights (n_units, C, H, W)."""
        if len(self.weights) == 1:
            return self.weights[0]
        return self.weights[0].abs()[:, None] * self.weights[1][:, :, None, None]

    def said(self, maps: torch.Tensor) -> torch.Tensor:
        """Return predictions (n, n_units)."""
        if len(self.weights) == 1:
            made = maps.flatten(1) @ self.weights[0].flatten(1).T
        else:
            pooled = maps.flatten(2) @ self.weights[0].abs().flatten(1).T
            made = (pooled * self.weights[1].T).sum(dim=1)
        return made * self.gain + self.bias

    def cost(self) -> torch.Tensor:
        """Return the penalties, summed over units."""
        flat = self.full().flatten(0, 1)[:, None]
        padded = torch.nn.functional.pad(flat, (1, 1, 1, 1), mode="replicate")
        rough = torch.nn.functional.conv2d(padded, self.kernel[None, None])
        return self.setting.smooth * rough.square().sum() + self.setting.ridge * (
            flat.square().sum()
        )

    def fit(
        self,
        maps: torch.Tensor,
        y: torch.Tensor,
        parts: tuple[NDArray[np.intp], NDArray[np.intp]],
        size: int,
    ) -> NDArray[np.float64]:
        """Train to the end, take back each unit's best weights, and return their error."""
        own = [*self.weights, self.bias]
        best, least = [one.detach().clone() for one in own], np.full(y.shape[1], np.inf)
        for number in range(N_EPOCHS):
            error = self.epoch(maps, y, parts, size, number)
            better = torch.as_tensor(error < least, device=maps.device)
            least = np.minimum(least, error)
            for kept, now in zip(best, own, strict=True):
                kept[better] = now.detach()[better]
        with torch.no_grad():
            for kept, now in zip(best, own, strict=True):
                now.copy_(kept)
        return least

    def epoch(
        self,
        maps: torch.Tensor,
        y: torch.Tensor,
        parts: tuple[NDArray[np.intp], NDArray[np.intp]],
        size: int,
        number: int,
    ) -> NDArray[np.float64]:
        """Train for an epoch, and return the error (n_units,) on validation."""
        learn, held = parts
        order = np.random.default_rng([0, number]).permutation(learn)
        for batch in np.array_split(order, max(len(order) // size, 1)):
            self.adam.zero_grad()
            error = (self.said(maps[batch]) - y[batch]).square().sum() / len(batch)
            (error + self.cost()).backward()  # type: ignore[no-untyped-call]
            self.adam.step()
        self.decay.step()
        with torch.no_grad():
            off = (self.said(maps[held]) - y[held]).square().mean(dim=0)
        found: NDArray[np.float64] = off.cpu().double().numpy()
        return found

    @torch.no_grad()
    def told(self, maps: torch.Tensor) -> Array:
        """Return predictions as an array."""
        found: Array = self.said(maps).cpu().numpy()
        return found

    @torch.no_grad()
    def space(self) -> Array:
        """Return the norm over channels (n_units, H, W)."""
        found: Array = self.full().norm(dim=1).cpu().numpy()
        return found


def check(case: Case, kind: str, found: tuple[Array, Array], guess: Array) -> None:
    """Look whether planted masks were found, and whether the peer predicts no better.

    Parameters
    ----------
    case, kind
        What was solved.
    found
        What `ours` returned.
    guess : (n_test, n_units)
        The predictions of the peer.

    Raises
    ------
    ArithmeticError
        If the median center is more than half a cell off, or the mean r over units lies below
        the peer's by more than `LESS_R`.
    """
    fields = fit_fields(found[1])
    off = float(np.median(np.hypot(fields.x - case.x, fields.y - case.y)))
    if not off < MOST_CELLS_OFF:
        raise ArithmeticError(f"readout_sweep: {kind} centers are {off:.2f} cells off.")
    truth = case.responses[~case.train]
    r = [float(np.nan_to_num(pearson(truth, one)).mean()) for one in (found[0], guess)]
    if r[0] < r[1] - LESS_R:
        raise ArithmeticError(f"readout_sweep: {kind} r is {r[0]:.3f}, and the peer's {r[1]:.3f}.")


def run(size: Size, device: Device) -> list[Row]:
    """Take times of either once, and compare what they found before the times count."""
    rows = []
    for shape in SIZES[size]:
        case = make_case(*shape)
        for kind in KINDS:
            found: list[tuple[Array, Array]] = []
            ours_s, peer_s = time_both(
                partial(_keep, found, ours, (case, kind, device)),
                partial(_keep, found, peer, (case, kind, device)),
                n_repeats=1,
            )
            check(case, kind, found[0], found[1][0])
            label = f"{kind},{shape[0]}x{shape[1]}x{shape[2]}x{shape[2]},{len(case.x)}-units"
            rows.append(Row(f"readout_sweep[{label}]", ours_s, peer_s, TARGET))
    return rows


def _keep(
    found: list[tuple[Array, Array]],
    solve: Callable[[Case, str, Device], tuple[Array, Array]],
    call: tuple[Case, str, Device],
) -> None:
    """Solve, and add what was found."""
    found.append(solve(*call))
