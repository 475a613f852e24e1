"""Eight layers of VGG-19 at once; the peers are a bare forward pass, and a pass for each layer.

Ours begins with 8-bit pictures on the host and ends with float32 arrays on the host, checked to
be finite. They are dropped batch by batch, as they are where products are made of them. The bare
pass begins with normalized pictures on the device and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import Device, Row, Size, time_both
from bids_dnn.containers.network import Network
from bids_dnn.features.capture import Precision, arithmetic
from bids_dnn.features.extract import Options, Passes, Shown, extract_features, passes_of
from bids_dnn.features.models import load_network
from bids_dnn.features.probe import probe
from bids_dnn.features.transfer import normalized, placed, stacked

Array = NDArray[np.float32]
LAYERS = (  # conv1_1 to conv5_1, fc6 and fc7 after their nonlinearity, and the logits
    *("features.1", "features.6", "features.11", "features.20", "features.29"),
    *("classifier.1", "classifier.4", "classifier.6"),
)
SIZES = {  # n_pictures, batch
    ("small", "cpu"): (12, 4),
    ("full", "cpu"): (64, 32),
    ("small", "cuda"): (256, 64),
    ("full", "cuda"): (2048, 256),
}
PRECISIONS: dict[Device, tuple[Precision, ...]] = {
    "cpu": ("float32",),
    "cuda": ("float32", "bf16"),
}
REPEATS = {"small": 7, "full": 3}
OF_FORWARD = 0.9
OF_SINGLE_PASSES = 6.0
CLOSE = {"cpu": 1e-6, "cuda": 1e-4}  # relative to the largest value of a layer
COARSE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A network, pictures, and how they are shown."""

    network: Network
    pictures: dict[str, NDArray[np.uint8]]
    batch: int
    device: Device
    precision: Precision

    def passes(self) -> Passes:
        """Return our extraction of all layers."""
        return passes_of(
            self.network,
            Shown(dict.fromkeys(self.pictures, ""), self.pictures.__getitem__),
            probe(self.network, LAYERS),
            options=Options(self.device, self.precision, self.batch),
        )


def make_network() -> Network:
    """Return VGG-19 with random weights."""
    return load_network("vgg19", weights="random", layers=LAYERS, seed=0, offline=True)


def make_case(
    network: Network, *, n_pictures: int, batch: int, device: Device, precision: Precision
) -> Case:
    """Draw pictures."""
    rng = np.random.default_rng(0)
    size = network.card.size_px
    pictures = {
        f"{k:05}": rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for k in range(n_pictures)
    }
    return Case(network, pictures, batch, device, precision)


class Peer:
    """A forward pass as a few lines of torch make it.

    Parameters
    ----------
    case
    layout
        Of pictures and weights in memory.
    """

    def __init__(self, case: Case, layout: torch.memory_format = torch.contiguous_format) -> None:
        self.case = case
        self.module = placed(case.network, case.device).module.to(memory_format=layout)
        shown = normalized(stacked(list(case.pictures.values())), case.network.card)
        self.batches = [
            one.to(memory_format=layout) for one in torch.split(shown.to(case.device), case.batch)
        ]

    def forward(self) -> None:
        """Show all pictures and keep nothing."""
        case = self.case
        with torch.inference_mode(), arithmetic(case.precision, case.device):
            for one in self.batches:
                self.module(one)
        if case.device == "cuda":
            torch.cuda.synchronize()

    def hooked(self, keep: Callable[[str, Array], None], *paths: str) -> None:
        """Show all pictures, and hand over what plain hooks see."""

        def hand_over(path: str, _module: object, _given: object, output: torch.Tensor) -> None:
            keep(path, output.flatten(1).float().cpu().clone().numpy())

        handles = [
            self.module.get_submodule(path).register_forward_hook(partial(hand_over, path))
            for path in paths
        ]
        try:
            self.forward()
        finally:
            for handle in handles:
                handle.remove()

    def one_by_one(self) -> None:
        """Show all pictures once for each layer."""
        for path in LAYERS:
            self.hooked(lambda _path, _part: None, path)


def ours(passes: Passes) -> None:
    """Take all layers of all pictures, a batch at a time."""
    for _ in passes():
        pass


def check(case: Case) -> None:
    """Compare features with those of plain hooks.

    Raises
    ------
    ArithmeticError
        If they differ.
    """
    parts: dict[str, list[Array]] = {path: [] for path in LAYERS}
    Peer(case).hooked(lambda path, part: parts[path].append(part), *LAYERS)
    made = extract_features(case.passes())
    for path in LAYERS:
        expected = np.concatenate(parts[path])
        close = COARSE if case.precision == "bf16" else CLOSE[case.device]
        off = float(np.abs(made[path] - expected).max() / np.abs(expected).max())
        if not off <= close:
            raise ArithmeticError(f"features_layers: {path} differs from a plain hook's by {off}.")


def run(size: Size, device: Device) -> list[Row]:
    """Compare answers, then times."""
    network, rows = make_network(), []
    n_pictures, batch = SIZES[size, device]
    n_repeats = REPEATS[size]
    for precision in PRECISIONS[device]:
        make = partial(make_case, network, batch=batch, device=device, precision=precision)
        check(make(n_pictures=batch))
        case = make(n_pictures=n_pictures)
        name = f"{precision},{n_pictures}x{batch}"
        rows += [
            Row(f"features_layers[{name}]", *_against_forward(case, n_repeats), OF_FORWARD),
            _against_single_passes(case, f"features_layers[{name},pass-per-layer]"),
        ]
    return rows


def _against_forward(case: Case, n_repeats: int) -> tuple[float, float]:
    """Return the times of ours and of the faster of two layouts in memory, in seconds."""
    layouts = [torch.contiguous_format]
    if case.device == "cuda":
        layouts.append(torch.channels_last)
    times = []
    for layout in layouts:
        passes = case.passes()
        peer = Peer(case, layout)
        peer.forward()
        times.append(time_both(partial(ours, passes), peer.forward, n_repeats=n_repeats))
    ours_s, peer_s = (min(column) for column in zip(*times, strict=True))
    return ours_s, peer_s


def _against_single_passes(case: Case, name: str) -> Row:
    passes, peer = case.passes(), Peer(case)
    ours_s, peer_s = time_both(lambda: ours(passes), peer.one_by_one, n_repeats=2)
    return Row(name, ours_s, peer_s, OF_SINGLE_PASSES)
