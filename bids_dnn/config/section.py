"""What every table of ``analysis.toml`` is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of ``analysis.toml``: values never change, unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
