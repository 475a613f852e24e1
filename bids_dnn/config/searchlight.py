"""The settings of the searchlight."""

from __future__ import annotations

from pydantic import Field

from bids_dnn.config.section import Section


class SearchlightConfig(Section):
    """Decoding from the units around each unit; what is not said here is as under [decode]."""

    radius_mm: float = Field(
        9.0, gt=0, description="Of spheres of voxels, or of disks along the surface."
    )
    comparisons: tuple[str, ...] = Field(
        ("all",), min_length=1, description="As those of [decode]; each costs its own time."
    )
    within: tuple[str, ...] = Field(
        (), description="Regions whose units are centers; all measured units by default."
    )
    maps: int = Field(
        100,
        ge=1,
        description="Under exchanged labels; for clusters over participants, about 100.",
    )
