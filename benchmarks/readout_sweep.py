"""A sweep of readouts over layers and implants; the peer trains each pair and setting by itself.

The seed's sweep is 16 layers of VGG-19 x 15 implants (660 units) x 2 readouts on 22,248 images,
each with a grid of settings. Here it is scaled down; `bids_dnn.analyses.encode.readouts.fit` says
what the whole takes. What either way must do grows alike with stimuli, cells and epochs, so that
the ratio can be read as it stands: the peer reads the features of a layer implants x settings
times per epoch, we read them once, and drop half of the settings again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

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
SIZES = {  # n_stimuli, channels, side, implants, units of each
    "small": ((600, 16, 12, 5, 8),),
    "full": ((4000, 64, 14, 15, 44), (4000, 256, 14, 15, 44)),
}
KINDS = ("bashivan", "cadena")
SETTINGS = tuple(
    Setting(smooth=smooth, ridge=ridge, rate=0.03)
    for smooth in (0.0, 0.01, 0.1, 1.0)
    for ridge in (0.01, 0.1)
)
N_EPOCHS = 24
BATCH = 128
NOISE = 0.5  # of the signal's SD
MOST_CELLS_OFF = 0.5
LESS_R = 0.01  # that we may lie below the peer
TARGET = 4.0
PEER_SD, PEER_RATE = 0.01, 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One layer, and units of several implants whose places are known."""

    maps: Array  # (n, C, H, W)
    responses: Array  # (n, n_units)
    x: NDArray[np.float64]  # (n_units,), cells
    y: NDArray[np.float64]
    train: NDArray[np.bool_]  # (n,)
    implants: tuple[NDArray[np.intp], ...]


def make_case(n: int, n_channels: int, side: int, n_implants: int, n_each: int) -> Case:
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
    for start in range(0, n, BATCH):
        seen = np.maximum(maps[start : start + BATCH], 0).reshape(-1, n_channels, side**2)
        signal[start : start + BATCH] = ((seen @ masks.T) * vectors.T).sum(axis=1)
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    implants = np.array_split(np.arange(n_units), n_implants)
    return Case(
        maps, signal + np.float32(NOISE) * noise, x, y, np.arange(n) < 0.8 * n, tuple(implants)
    )


def ours(case: Case, kind: str, device: Device) -> tuple[Array, Array]:
    """Return predictions of the test stimuli, and maps over space, of all units.

    All implants and settings at once: units do not know each other.
    """
    options = Options(n_epochs=N_EPOCHS, batch_size=BATCH, device=device)
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
            for loss, told, where in _epochs(maps, y[:, units], (learn, held), kind, setting):
                better = loss < least
                least[better] = loss[better]
                guess[:, units[better]] = told(~case.train)[:, better]
                space[units[better]] = where()[better]
    return guess, space


def _first(shape: tuple[int, ...], is_mask: bool, device: torch.device) -> torch.Tensor:  # noqa: FBT001
    """Return an even mask, or small random weights: what learns best of what was tried."""
    generator = torch.Generator().manual_seed(0)
    made = torch.ones(shape) if is_mask else torch.randn(shape, generator=generator) * PEER_SD
    return made.to(device).requires_grad_()


def _epochs(
    maps: torch.Tensor,
    y: torch.Tensor,
    parts: tuple[NDArray[np.intp], NDArray[np.intp]],
    kind: str,
    setting: Setting,
) -> Iterator[tuple[NDArray[np.float64], Any, Any]]:
    """Train one implant under one setting; give each epoch's loss, and what predicts."""
    learn, held = parts
    _, c, h, w = maps.shape
    shapes = [(y.shape[1], c, h, w)] if kind == "cadena" else [(y.shape[1], h, w), (y.shape[1], c)]
    weights = [_first(shape, k == 0 and kind != "cadena", maps.device) for k, shape in enumerate(shapes)]
    bias = torch.zeros(y.shape[1], device=maps.device, requires_grad=True)
    gain = float((len(learn) / (c * h * w)) ** 0.5)
    adam = torch.optim.Adam([*weights, bias], lr=PEER_RATE)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, N_EPOCHS)
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]], device=maps.device)

    def full() -> torch.Tensor:
        if kind == "cadena":
            return weights[0]
        return weights[0].abs()[:, None] * weights[1][:, :, None, None]

    def said(rows: Any) -> torch.Tensor:
        seen = maps[rows].flatten(2)
        if kind == "cadena":
            return seen.flatten(1) @ weights[0].flatten(1).T * gain + bias
        pooled = seen @ weights[0].abs().flatten(1).T
        return (pooled * weights[1].T).sum(dim=1) * gain + bias

    def cost() -> torch.Tensor:
        flat = full().view(-1, 1, h, w)
        rough = torch.nn.functional.conv2d(flat, kernel[None, None], padding=1)
        return setting.smooth * rough.square().sum() + setting.ridge * flat.square().sum()

    for epoch in range(N_EPOCHS):
        order = np.random.default_rng([0, epoch]).permutation(learn)
        for batch in np.array_split(order, max(len(order) // BATCH, 1)):
            adam.zero_grad()
            loss = (said(batch) - y[batch]).square().sum() / len(batch) + cost()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
        decay.step()
        with torch.no_grad():
            error = (said(held) - y[held]).square().mean(dim=0).cpu().double().numpy()

        def told(rows: NDArray[np.bool_]) -> Array:
            with torch.no_grad():
                found: Array = said(torch.as_tensor(rows, device=maps.device)).cpu().numpy()
            return found

        def where() -> Array:
            found: Array = full().detach().norm(dim=1).cpu().numpy()
            return found

        yield error, told, where


def check(case: Case, kind: str, device: Device) -> None:
    """Look whether planted masks are found, and whether the peer predicts no better.

    Raises
    ------
    ArithmeticError
        If the median center is more than half a cell off, or the mean r over units lies below
        the peer's by more than `LESS_R`.
    """
    guess, space = ours(case, kind, device)
    found = fit_fields(space)
    off = float(np.median(np.hypot(found.x - case.x, found.y - case.y)))
    if not off < MOST_CELLS_OFF:
        raise ArithmeticError(f"readout_sweep: {kind} centers are {off:.2f} cells off.")
    truth = case.responses[~case.train]
    r = [
        float(np.nan_to_num(pearson(truth, one)).mean())
        for one in (guess, peer(case, kind, device)[0])
    ]
    if r[0] < r[1] - LESS_R:
        raise ArithmeticError(f"readout_sweep: {kind} r is {r[0]:.3f}, and the peer's {r[1]:.3f}.")


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then times."""
    rows = []
    for shape in SIZES[size]:
        case = make_case(*shape)
        for kind in KINDS:
            check(case, kind, device)
            ours_s, peer_s = time_both(
                partial(ours, case, kind, device), partial(peer, case, kind, device), n_repeats=1
            )
            label = f"{kind},{shape[0]}x{shape[1]}x{shape[2]}x{shape[2]},{len(case.x)}-units"
            rows.append(Row(f"readout_sweep[{label}]", ours_s, peer_s, TARGET))
    return rows
