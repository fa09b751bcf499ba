"""The config's `embeddings` as the decoder has it."""

from __future__ import annotations

from schemas.events.fields import parse_selector
from streamer.config.embedding import Embedding


def test_its_place_is_that_of_the_pointer() -> None:
    place = Embedding(at="/features/a~1b", dimensions=8).place("text")
    assert (place.name, place.dimensions, place.steps) == ("text", 8, parse_selector("/features/a~1b").steps)
