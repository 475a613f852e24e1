"""What is shown to a network, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from bids_dnn.errors import ConfigError, nearest
from bids_dnn.features.ahead import Load
from bids_dnn.features.capture import Precision

Progress = Callable[[int, int], None]
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Pictures that are shown to a network.

    Parameters
    ----------
    sha256
        Stimulus id to the SHA-256 of its file or files, in the order of the rows.
    load
        Gives the picture of an id, (size, size, 3), as uint8 or as float32 in units of [0, 1];
        it can be sent to another process.
    transforms
        What `load` does besides resizing, in canonical form.
    """

    sha256: Mapping[str, str]
    load: Load
    transforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Texts that are shown to a network.

    Parameters
    ----------
    sha256
        Stimulus id to the SHA-256 of what it is, in the order of the rows.
    captions
        Stimulus id to its texts; the features of several are averaged.
    """

    sha256: Mapping[str, str]
    captions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Options:
    """How features are computed.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``, as `backend.choose_device` says.
    precision
        See `capture.capture`.
    batch_size : int
        Stimuli shown at a time; 0 = found by itself.
    n_workers : int
        Processes that decode pictures ahead; 0 = a thread.

    Raises
    ------
    ConfigError
        If a value does not exist, or TF32 is asked for on a CPU.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    batch_size: int = 0
    n_workers: int = 0

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ConfigError(
                f"There is no device {self.device!r}.", mend=nearest(self.device, DEVICES)
            )
        if self.precision not in get_args(Precision):
            raise ConfigError(
                f"There is no precision {self.precision!r}.",
                mend=nearest(self.precision, get_args(Precision)),
            )
        if self.precision == "tf32" and self.device == "cpu":
            raise ConfigError(
                "precision = 'tf32' was asked for on a CPU, which has no TF32.",
                mend="Use --precision float32, or --device cuda.",
            )
        if self.batch_size < 0 or self.n_workers < 0:
            raise ConfigError(
                f"batch_size is {self.batch_size}, n_workers is {self.n_workers}; neither can be "
                "negative.",
                mend="Use 0 for what is found by itself.",
            )
