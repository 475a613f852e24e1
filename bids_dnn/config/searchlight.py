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
    categories: tuple[str, ...] = Field(
        (),
        description="Models made of labels, beside layers: 'animate:face+cat vs inanimate:house' "
        "of conditions, or a column of the events; items of one label are alike, others not.",
    )
    items: Literal["stimulus", "condition"] = Field(
        "stimulus", description="What dissimilarities are between, at most 400."
    )
    distance: Literal["correlation", "euclidean", "crossnobis"] = Field(
        "correlation",
        description="1 - Pearson's r over units, squared distance, or crossnobis: squared "
        "distance across runs, in units of noise (layers: squared distance).",
    )
    within: tuple[str, ...] = Field(
        (), description="Regions whose units are centers; all measured units by default."
    )
    n_maps: int = Field(
        100,
        ge=1,
        description="Under exchanged labels. For clusters over participants, decoding needs about "
        "100; models and categories 999, with p_unit = 0.001 under [group].",
    )

    @model_validator(mode="after")
    def _has_something(self) -> SearchlightConfig:
        if not (self.comparisons or self.models or self.categories):
            raise ValueError('name comparisons, models or categories; type comparisons = ["all"]')
        return self
