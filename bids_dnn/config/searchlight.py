"""The settings of the searchlight."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bids_dnn.config.section import Section


class SearchlightConfig(Section):
    """Decoding and RSA from the units around each unit; the rest is as under [decode]."""

    radius_mm: float = Field(
        9.0, gt=0, description="Of spheres of voxels, or of disks along the surface."
    )
    comparisons: tuple[str, ...] = Field(
        ("all",), description="As those of [decode]; each costs its own time."
    )
    models: tuple[str, ...] = Field(
        (),
        description="Names of [networks.*] with whose layers dissimilarities around each unit are "
        "compared (representational similarity analysis).",
    )
    items: Literal["stimulus", "condition"] = Field(
        "stimulus", description="What dissimilarities are between, at most 400."
    )
    distance: Literal["correlation", "euclidean"] = Field(
        "correlation", description="1 - Pearson's r over units, or squared distance."
    )
    within: tuple[str, ...] = Field(
        (), description="Regions whose units are centers; all measured units by default."
    )
    maps: int = Field(
        100,
        ge=1,
        description="Under exchanged labels; for clusters over participants, about 100.",
    )

    @model_validator(mode="after")
    def _has_something(self) -> SearchlightConfig:
        if not (self.comparisons or self.models):
            raise ValueError('name comparisons or models; type comparisons = ["all"]')
        return self
