"""The config of monitors: what each watches and how, when its alerts are over, and what monitors share."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from streamer.config.detect import AnyDetect
from streamer.config.types import ByText, Duration, Model, ModelNames, SignalText
from streamer.signals.kinds import FORMS
from streamer.signals.models import Models, models_of

WindowTime = Annotated[Duration, Field(ge=1000, le=7 * 86_400_000)]


class WindowSize(Model):
    """Either events or time."""

    events: int | None = Field(None, ge=10, le=10_000_000, description="Tumbling windows of so many events.")
    time_ms: WindowTime | None = Field(None, alias="time", description="Tumbling windows of event time.")
    least: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="An aggregate that is no count: its windows go on until then.",
    )


EVENTS_PER_WINDOW = WindowSize.model_validate({"events": 1000})
TIME_PER_WINDOW = WindowSize.model_validate({"time": "10m"})


Resolve = Literal["recovered", "faded", "accepted"]


class Monitor(Model):
    """One rule. Its name is its identity: rename it and its state is reset."""

    model: ModelNames | None = Field(
        None, description="Only these models, a name, a pattern (* and ?) or several; default all."
    )
    signal: SignalText = Field(description=f"What to watch: {', '.join(FORMS)}.")
    by: list[ByText] = Field(
        default_factory=list, description="Split by version, caller, label, segment.NAME (besides the model)."
    )
    detect: AnyDetect = Field(description="How change is detected.")
    window: WindowSize | None = Field(
        None,
        description="Of detect.kind fraction, share, distribution: default {events: 1000}; of peers "
        "{time: 10m}; of an aggregate {time: 1m}.",
    )
    severity: Literal["info", "warning", "critical"] = Field("warning", description="A label of every alert.")
    shadow: bool = Field(
        False, description="A candidate beside the live ones: its alerts go to topics.shadow and nowhere else."
    )
    for_ms: Duration = Field(
        "0s", alias="for", validate_default=True, description="A level must have held so long before it fires."
    )
    keep_firing_for_ms: Duration = Field(
        "10m",
        alias="keep_firing_for",
        validate_default=True,
        description="It resolves when it was back, or clear, for so long. Unless it is set: or for twice as long as it "
        "was clear before, where it comes again within accept_after.",
    )
    cooldown_ms: Duration = Field(
        "0s", alias="cooldown", validate_default=True, description="Quiet time after an alert resolved."
    )
    resolve: Resolve | None = Field(
        None,
        description="What ends an edge: its values are back where they were before (default; for keep_firing_for), no "
        "other edge came (default of occurrence), or only that it was accepted. A level ends when it is clear.",
    )
    recover_band: float = Field(
        0.5, gt=0, le=10, description="Back is within so many deviations of before; at most half way."
    )
    accept_after_ms: Duration = Field(
        "1d",
        alias="accept_after",
        ge=1000,
        validate_default=True,
        description="An edge, or a gap, that lasted so long is accepted: what is there is the normal from then on.",
    )
    repeat_interval_ms: Duration = Field(
        "1h",
        alias="repeat_interval",
        ge=1000,
        validate_default=True,
        description="An open alert is published again after this; readers wait for four of them.",
    )
    description: str | None = Field(None, description="Annotation of every alert: what it means.")
    runbook_url: str | None = Field(None, description="Annotation of every alert: what to do.")

    @property
    def models(self) -> Models:
        """Those that it is about."""
        return models_of(self.model)

    @property
    def resolves(self) -> Resolve:
        """What ends its alerts."""
        return self.resolve or ("recovered" if self.detect.recovers else "faded")

    @property
    def windows(self) -> WindowSize:
        return self.window or (TIME_PER_WINDOW if self.detect.timed else EVENTS_PER_WINDOW)

    @property
    def aggregate_ms(self) -> int:
        """The window of a signal that is an aggregate."""
        return self.window.time_ms if self.window is not None and self.window.time_ms is not None else 60_000

    def state_spec(self) -> str:
        """What the state of the bank means: another text, another state."""
        windows = self.windows.model_dump(mode="json")
        if windows["least"] is None:  # What says nothing of it means what it meant before there was such a key.
            del windows["least"]
        parts = [self.detect.model_dump(mode="json"), windows]
        return json.dumps(parts, sort_keys=True)


class Defaults(Model):
    """What monitors share. Each may say otherwise. Of alerts that no monitor raises: severity and repeat_interval."""

    severity: Literal["info", "warning", "critical"] | None = Field(None, description="A label of every alert.")
    for_ms: Duration | None = Field(None, alias="for", description="Of levels: held so long before it fires.")
    keep_firing_for_ms: Duration | None = Field(None, alias="keep_firing_for", description="As of a monitor.")
    cooldown_ms: Duration | None = Field(None, alias="cooldown", description="As of a monitor.")
    resolve: Resolve | None = Field(None, description="As of a monitor; of edges that have a before.")
    recover_band: float | None = Field(None, gt=0, le=10, description="As of a monitor.")
    accept_after_ms: Duration | None = Field(None, alias="accept_after", ge=1000, description="As of a monitor.")
    repeat_interval_ms: Duration | None = Field(None, alias="repeat_interval", ge=1000, description="As of a monitor.")
    runbook_url: str | None = Field(None, description="As of a monitor.")
    by: list[ByText] | None = Field(
        None, description="As of a monitor; not for events and traffic, which may well stop."
    )
