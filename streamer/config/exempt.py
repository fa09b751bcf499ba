"""Events from which nothing is learned: of those who opted out, and probes."""

from __future__ import annotations

from pydantic import Field

from streamer.config.types import Model, Pointer


class Privacy(Model):
    """Who is not watched."""

    opt_out: Pointer = Field(description="Where an event says true: it is filtered, and leaves no trace.")


class Probes(Model):
    """Events with known inputs, sent to see whether the known answer comes."""

    golden: Pointer = Field(description="Where an event says true: only checks look at it, nothing is learned from it.")
