"""A fitted readout of feature maps: it predicts responses and can be differentiated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bids_dnn.errors import ShapeError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

Link = Literal["identity", "elu"]
READOUTS = ("bashivan", "cadena", "factorized")  # estimators that need features as maps


def normalized(
    maps: torch.Tensor, mean: torch.Tensor, sd: torch.Tensor, *, is_rectified: bool
) -> torch.Tensor:
    """Return feature maps less a fixed mean, over a fixed SD of their channel.

    Parameters
    ----------
    maps : (n, C, H, W)
    mean, sd : (C,)
        Learnt once on training stimuli; nothing here alters them.
    is_rectified
        Whether values below zero become zero afterwards.
    """
    made = (maps - mean[:, None, None]) / sd[:, None, None]
    return made.clamp(min=0) if is_rectified else made


def through_factors(maps: torch.Tensor, mask: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Return the sum over space and channels of maps x mask x vector.

    Space is summed first, or channels where they are fewer values in between.

    Parameters
    ----------
    maps : (n, C, H, W)
    mask : (n_units, H, W)
    vector : (n_units, C)

    Returns
    -------
    drive : (n, n_units)
    """
    flat, where = maps.flatten(2), mask.flatten(1)  # (n, C, H * W), (n_units, H * W)
    if flat.shape[1] <= flat.shape[2]:
        made: torch.Tensor = ((flat @ where.T) * vector.T).sum(dim=1)
    else:
        made = ((flat.transpose(1, 2) @ vector.T) * where.T).sum(dim=1)
    return made


def through_weights(maps: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the sum over space and channels of maps x weights.

    Parameters
    ----------
    maps : (n, C, H, W)
    weights : (n_units, C, H, W)

    Returns
    -------
    drive : (n, n_units)
    """
    return maps.flatten(1) @ weights.flatten(1).T


def linked(drive: torch.Tensor, link: Link) -> torch.Tensor:
    """Return responses from drives: the drives, or ELU + 1, which is above zero.

    References
    ----------
    Cadena et al. (2019), PLOS Comput. Biol. 15:e1006897, doi:10.1371/journal.pcbi.1006897.
    """
    if link == "identity":
        return drive
    import torch

    # exp sees no value above zero, so that large drives have a finite gradient
    return torch.where(drive >= 0, drive + 1, drive.clamp(max=0).exp())


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """Responses of units as a function of one layer's feature maps.

    ``offset + scale * link(bias + sum(normalized(maps) * weights))``, where the weights are
    given in full, or as a mask over space times a vector over channels.

    Parameters
    ----------
    kind
        ``bashivan``, ``cadena`` or ``factorized``.
    mean, sd : (C,) float32
        Of each channel over training stimuli and positions; frozen.
    is_rectified
        Whether the normalized maps are cut at zero.
    bias : (n_units,) float32
    offset, scale : (n_units,) float32, unit of the responses
        NaN for units that were not fitted: so are their predictions.
    link
        ``identity``, or ``elu`` (ELU + 1).
    mask : (n_units, H, W) float32
        With `vector`; not below zero for ``bashivan``.
    vector : (n_units, C) float32
    weights : (n_units, C, H, W) float32
        In place of mask and vector.

    Raises
    ------
    ShapeError
        If there are both full weights and factors, or neither, or shapes do not fit.
    """

    kind: str
    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    is_rectified: bool
    bias: NDArray[np.float32]
    offset: NDArray[np.float32]
    scale: NDArray[np.float32]
    link: Link = "identity"
    mask: NDArray[np.float32] | None = None
    vector: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n_units, c = len(self.bias), len(self.mean)
        if self.weights is not None and self.mask is None and self.vector is None:
            fits = self.weights.ndim == 4 and self.weights.shape[:2] == (n_units, c)
        elif self.weights is None and self.mask is not None and self.vector is not None:
            fits = self.mask.ndim == 3 and len(self.mask) == n_units
            fits &= self.vector.shape == (n_units, c)
        else:
            fits = False
        fits &= self.sd.shape == (c,) and self.offset.shape == self.scale.shape == (n_units,)
        if not fits:
            shapes = {
                name: None if value is None else value.shape
                for name, value in (
                    ("mask", self.mask),
                    ("vector", self.vector),
                    ("weights", self.weights),
                    ("sd", self.sd),
                    ("offset", self.offset),
                    ("scale", self.scale),
                )
            }
            raise ShapeError(
                f"A readout of {n_units} units from {c} channels has parts of shapes {shapes}.",
                mend="Give weights (n_units, C, H, W), or mask (n_units, H, W) and vector "
                "(n_units, C), and one offset and scale for each unit.",
            )

    @property
    def n_units(self) -> int:
        """Return the number of units."""
        return len(self.bias)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the shape (C, H, W) of the feature maps of one stimulus."""
        part = self.mask if self.mask is not None else np.asarray(self.weights)
        return len(self.mean), part.shape[-2], part.shape[-1]

    def on(self, device: str | torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the readout as a function on a device, differentiable in its input.

        Parameters
        ----------
        device
            Where its weights are copied to, once.

        Returns
        -------
        respond
            From maps (n, C, H, W) on that device to responses (n, n_units); raises ShapeError
            for maps of another shape than those it was fitted to.
        """
        import torch

        def there(values: NDArray[np.float32]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)

        mean, sd, bias = there(self.mean), there(self.sd), there(self.bias)
        offset, scale = there(self.offset), there(self.scale)
        parts = [there(v) for v in (self.mask, self.vector, self.weights) if v is not None]
        through = through_weights if len(parts) == 1 else through_factors

        def respond(maps: torch.Tensor) -> torch.Tensor:
            if maps.ndim != 4 or tuple(maps.shape[1:]) != self.shape:
                raise ShapeError(
                    f"Feature maps have shape {tuple(maps.shape)}, and the readout takes "
                    f"(n, {', '.join(map(str, self.shape))}).",
                    mend="Give maps of the layer and image size that it was fitted to.",
                )
            seen = normalized(maps, mean, sd, is_rectified=self.is_rectified)
            return offset + scale * linked(through(seen, *parts) + bias, self.link)

        return respond

    def predict(self, maps: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the responses to feature maps on the CPU.

        Parameters
        ----------
        maps : (n, C, H, W)

        Returns
        -------
        responses : (n, n_units) float32, unit of the responses
            NaN for units that were not fitted.

        Raises
        ------
        ShapeError
            If the maps have another shape than those it was fitted to.
        """
        import torch

        with torch.no_grad():
            made = self.on("cpu")(torch.tensor(np.asarray(maps, dtype=np.float32)))
        found: NDArray[np.float32] = made.numpy()
        return found

    def space(self) -> NDArray[np.float32]:
        """Return how much each position weighs, from which receptive fields are read.

        Returns
        -------
        map : (n_units, H, W), at least 0
            The size of the mask, or the norm over channels of full weights.
        """
        if self.mask is not None:
            return np.abs(self.mask)
        found: NDArray[np.float32] = np.linalg.norm(np.asarray(self.weights), axis=1)
        return found
