"""Arrays that are read as one embedding: the config's `embeddings`."""

from __future__ import annotations

from pydantic import Field

from schemas.events.fields import Embedding as Place
from schemas.events.fields import parse_selector
from streamer.config.types import Model, Pointer

DIMENSIONS_MAX = 4096


class Embedding(Model):
    """Where one is, and how many numbers it has."""

    at: Pointer = Field(description="JSON Pointer to the array, which is no feature then.")
    dimensions: int = Field(
        ge=2, le=DIMENSIONS_MAX, description="Its numbers. An array of another length cannot be used, and is counted."
    )

    def place(self, name: str) -> Place:
        """What the decoder looks for."""
        return Place(name, self.at, parse_selector(self.at).steps, self.dimensions)
