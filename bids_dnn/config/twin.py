"""The settings of decoding networks beside regions."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bids_dnn.config.section import Section

Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["inf"]


class TwinConfig(Section):
    """Decoding the features of networks as regions are decoded, under noise."""

    networks: tuple[str, ...] = Field(
        (), description="Names of [networks.*]; those of [encode] by default."
    )
    comparisons: tuple[str, ...] | None = Field(
        None, min_length=1, description="As those of [decode], which are taken by default."
    )
    snr: tuple[Ratio, ...] = Field(
        ("inf", 4.0, 2.0, 1.0, 0.5),
        min_length=1,
        description="Signal-to-noise ratios: mean squared distance of the training stimuli from "
        "their mean, over the squared length of the noise; 'inf' = no noise.",
    )
    noise: Literal["isotropic", "proportional"] = Field(
        "isotropic",
        description="isotropic = as strong on each component (or feature); proportional = its "
        "variance a fixed share of the component's.",
    )
    components: Annotated[int, Field(ge=1)] | Literal["all"] = Field(
        100,
        description="Principal components, learnt on the training stimuli of each fold; all = "
        "the features as they are.",
    )
    draws: int = Field(20, ge=1, description="Of the noise, over which scores are averaged.")
    null_draws: int = Field(
        5, ge=1, description="The first of these, over which the null distribution is taken."
    )
    n_folds: int = Field(5, ge=2, description="Of the stimuli, those of each condition evenly.")
    permutations: int = Field(1000, ge=1, description="Of labels, within folds.")

    @field_validator("snr", mode="before")
    @classmethod
    def _inf_is_a_word(cls, told: object) -> object:
        if not isinstance(told, list | tuple):
            return told
        return tuple("inf" if one == math.inf else one for one in told)
