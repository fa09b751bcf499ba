"""What is said later of an inference, by an event that names it: what people did with it, and what was true."""

from __future__ import annotations

from pydantic import Field

from streamer.config.types import Duration, Model, Pointer


class Feedback(Model):
    """What people did with a prediction: the signals action.NAME."""

    action: Pointer = Field("/feedback/action", description="Where the action is: accept, override, ignore ...")
    event_id: Pointer = Field(
        "/feedback/event_id", description="Where a feedback event names the inference, by the text of its event_id."
    )
    pending: int = Field(
        100_000, ge=1, le=10_000_000, description="Inferences per partition that feedback is waited for."
    )


class Labels(Model):
    """What was true of an inference, told later by a record of its own: realised error."""

    event_id: Pointer = Field(
        "/label/event_id", description="Where a label record names the inference, by the text of its event_id."
    )
    label: Pointer = Field("/label/value", description="Where the truth is: a text, true or false, or a number.")
    ttl_ms: Duration = Field(
        "30d",
        alias="ttl",
        ge=60_000,
        validate_default=True,
        description="Event time for which an inference waits for its label, and a label that comes first for it.",
    )
    pending: int = Field(
        1_000_000,
        ge=1,
        le=100_000_000,
        description="Inferences per partition that labels are waited for, and labels that wait for theirs; each takes "
        "up to 64 bytes.",
    )
    window_ms: Duration = Field(
        "1h",
        alias="window",
        ge=60_000,
        validate_default=True,
        description="Of the inferences' event time: what records of performance in topics.windows are about.",
    )
