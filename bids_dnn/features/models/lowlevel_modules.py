"""Pixels, and the Gabor wavelet pyramid: what is in a picture before anything is learnt.

References
----------
Adelson & Bergen (1985), J. Opt. Soc. Am. A 2:284, doi:10.1364/JOSAA.2.000284.
Kay et al. (2008), Nature 452:352, doi:10.1038/nature06713.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

BT709 = (0.2126, 0.7152, 0.0722)  # of R, G and B in luminance
SIZE_PX = 128
POOL_PX = 4
FREQUENCIES = (1, 2, 4, 8, 16, 32)  # cycles per picture; each divides SIZE_PX / 2
N_ORIENTATIONS = 8
# SD of the Gaussian window in periods: a bandwidth of one octave between half amplitudes.
SD_PERIODS = 3 * math.sqrt(math.log(2) / 2) / math.pi
CUT_SD = 3  # windows end there
LOG_UNIT = 0.01  # contrast: energy is counted in percent before its logarithm is taken


class Luminance(nn.Module):
    """The weighted sum of R, G and B, as they are stored: gamma is not undone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = fixed(torch.tensor(BT709).view(3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 1, h, w) of (n, 3, h, w)."""
        return (x * self.weight).sum(1, keepdim=True)


class Pixels(nn.Module):
    """Color and luminance, averaged over blocks of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.rgb = nn.AvgPool2d(POOL_PX)
        self.luminance = Luminance()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return luminance (n, 1, h / 4, w / 4) of RGB (n, 3, h, w)."""
        made: torch.Tensor = self.luminance(self.rgb(x))
        return made


class Fit(nn.Module):
    """Amplitudes of a grating, by least squares, of what windows see of it.

    Parameters
    ----------
    solution : (n_orientations, 2, 3, rows, columns)
        Takes the sums of picture x window x (1, cosine, sine) to the amplitudes of cosine and
        sine.
    """

    def __init__(self, solution: torch.Tensor) -> None:
        super().__init__()
        self.solution = fixed(solution)

    def forward(self, sums: torch.Tensor) -> torch.Tensor:
        """Return (n, 2 n_orientations, rows, columns) of (n, 1 + 2 n_orientations, ...)."""
        level = self.solution[:, :, 0] * sums[:, :1, None]  # (n, n_orientations, 2, ...)
        even = self.solution[:, :, 1] * sums[:, 1::2, None]
        odd = self.solution[:, :, 2] * sums[:, 2::2, None]
        return (level + even + odd).flatten(1, 2)


class Energy(nn.Module):
    """The length of each quadrature pair: the contrast of a grating, whatever its phase."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, n_orientations, h, w) of (n, 2 n_orientations, h, w)."""
        return torch.hypot(x[:, ::2], x[:, 1::2])


class Logarithm(nn.Module):
    """The logarithm of 1 + energy in percent of contrast."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return values of the same shape."""
        return torch.log1p(x / LOG_UNIT)


class Join(nn.Module):
    """All frequencies in one row, the lowest first."""

    def forward(self, bands: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return (n, p) of maps (n, channels, f, f), with the channel slower than the place."""
        return torch.cat([band.flatten(1) for band in bands], 1)


class Band(nn.Module):
    """The wavelets of one frequency, one period apart.

    A wavelet is a grating in a Gaussian window. Its response is the amplitude of that grating
    in the luminance, fitted together with its quadrature partner and the mean by least squares
    with the window as weights. So a uniform picture gives 0, and a grating of a wavelet's own
    frequency and orientation gives its contrast at every phase, also where the border of the
    picture cuts the window. Away from it, this is the scalar product with a Gabor wavelet whose
    mean is 0.

    Parameters
    ----------
    frequency : int
        Cycles per picture.
    size_px : int
        Side of the picture, an even multiple of `frequency`.
    n_orientations : int
        Of the bars, evenly from horizontal on, counter-clockwise.
    """

    def __init__(self, frequency: int, *, size_px: int, n_orientations: int) -> None:
        super().__init__()
        period = size_px // frequency
        kernels, products = wavelets_of(frequency, size_px=size_px, n_orientations=n_orientations)
        side = kernels.shape[-1]
        pad = (side - period) // 2  # so that windows are centered in squares of one period
        self.wavelets = nn.Conv2d(1, len(kernels), side, stride=period, padding=pad, bias=False)
        self.wavelets.weight = fixed(kernels[:, None])
        # Sums of window x (1, cosine, sine) x (1, cosine, sine) over what is inside the picture.
        inside = torch.ones(1, 1, size_px, size_px, dtype=torch.float64)
        flat = products.flatten(0, 2)[:, None]
        seen = functional.conv2d(inside, flat, stride=period, padding=pad)
        matrix = seen.view(*products.shape[:3], frequency, frequency).permute(0, 3, 4, 1, 2)
        solution = torch.linalg.inv(matrix)[..., 1:, :].permute(0, 3, 4, 1, 2)
        self.linear = Fit(solution)
        self.energy = Energy()
        self.logenergy = Logarithm()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return amplitudes, energy and its logarithm of luminance (n, 1, size, size)."""
        linear = self.linear(self.wavelets(x))
        energy = self.energy(linear)
        return linear, energy, self.logenergy(energy)


class Pyramid(nn.Module):
    """Gabor wavelets of several frequencies and orientations, and their energy.

    Parameters
    ----------
    size_px : int
        Side of the picture.
    frequencies
        Cycles per picture.
    n_orientations : int
        See `Band`.
    """

    def __init__(
        self,
        size_px: int = SIZE_PX,
        *,
        frequencies: Sequence[int] = FREQUENCIES,
        n_orientations: int = N_ORIENTATIONS,
    ) -> None:
        super().__init__()
        self.luminance = Luminance()
        self.bands = nn.ModuleDict(
            {str(f): Band(f, size_px=size_px, n_orientations=n_orientations) for f in frequencies}
        )
        self.linear = Join()
        self.energy = Join()
        self.logenergy = Join()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of energy, (n, p), of RGB (n, 3, size, size) in [-1, 1]."""
        luminance = self.luminance(x)
        linear, energy, logenergy = zip(
            *(band(luminance) for band in self.bands.values()), strict=True
        )
        self.linear(linear)
        self.energy(energy)
        made: torch.Tensor = self.logenergy(logenergy)
        return made


def wavelets_of(
    frequency: int, *, size_px: int, n_orientations: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Gaussian windows with gratings in them.

    Parameters
    ----------
    frequency, size_px, n_orientations
        See `Band`.

    Returns
    -------
    kernels : (1 + 2 n_orientations, side, side) float64
        The window, whose sum is 1; then window x cosine and window x sine of each orientation.
    products : (n_orientations, 3, 3, side, side) float64
        Window x (1, cosine, sine) x (1, cosine, sine).
    """
    period = size_px // frequency
    sd = SD_PERIODS * period
    reach = min(math.ceil(CUT_SD * sd), size_px - period // 2)  # no pixel lies farther away
    place = torch.arange(-reach, reach, dtype=torch.float64) + 0.5  # centers lie between pixels
    down, right = torch.meshgrid(place, place, indexing="ij")
    window = torch.exp(-(down**2 + right**2) / (2 * sd**2))
    window = window / window.sum()
    angle = torch.arange(n_orientations, dtype=torch.float64) * (math.pi / n_orientations)
    along = torch.stack([torch.sin(angle), torch.cos(angle)], 1)  # across the bars, left and down
    phase = torch.einsum("oa,ahw->ohw", along, torch.stack([right, down])) * (
        -2 * math.pi / period
    )
    parts = torch.stack([torch.ones_like(phase), torch.cos(phase), torch.sin(phase)], 1)
    products = window * parts[:, :, None] * parts[:, None]
    return torch.cat([window[None], (window * parts[:, 1:]).flatten(0, 1)]), products


def fixed(values: torch.Tensor) -> nn.Parameter:
    """Return values that go wherever weights go, and are never learnt."""
    return nn.Parameter(values.to(torch.float32).contiguous(), requires_grad=False)
