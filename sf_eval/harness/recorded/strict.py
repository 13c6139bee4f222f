"""What every record is made from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Holds what its fields say and nothing else, and stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
