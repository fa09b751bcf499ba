"""The config: one YAML, strict, every key with a default but `version`, `kafka.brokers` and `topics.events`.

The models below are the one place where a key, its type, limits, default and description stand: parsing, lint, the
JSON Schema and `config show` all come from them.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from detectors.params import RIVER_DETECTORS, Adwin, PageHinkley, River
from schemas.fields import FIELDS, parse_field
from streamer.config_types import (
    ByText,
    Direction,
    Duration,
    Listen,
    Name,
    SelectorText,
    Share,
    SignalText,
    Size,
    Topic,
)
from streamer.problems import did_you_mean
from streamer.signals import parse_signal

RESERVED = {
    # librdkafka setting the service owns -> the key to use instead, or why there is none.
    "bootstrap.servers": "use kafka.brokers",
    "metadata.broker.list": "use kafka.brokers",
    "group.id": "use kafka.group",
    "group.instance.id": "use kafka.instance",
    "transactional.id": "it is derived from kafka.group and kafka.instance",
    "auto.offset.reset": "use kafka.start; an offset is never reset silently",
    "group.protocol": "the commit protocol is proved for the classic group protocol",
    "partition.assignment.strategy": "the service needs cooperative-sticky",
    "enable.auto.commit": "offsets are committed in the transaction of the alerts",
    "enable.auto.offset.store": "offsets are committed in the transaction of the alerts",
    "isolation.level": "the service reads committed records only",
    "enable.idempotence": "transactions need it",
    "transaction.timeout.ms": "it belongs to the commit deadline",
    "enable.partition.eof": "the service sets it where it needs it",
}


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class Kafka(Model):
    brokers: str = Field(min_length=1, description="Bootstrap addresses, host:port separated by commas.")
    group: Topic = Field("driftline", description="Consumer group; also names the transactional id.")
    instance: Topic | None = Field(None, description="Stable name of this member (a pod's name): static membership.")
    start: Literal["earliest", "latest"] = Field("earliest", description="Where a group without offsets begins.")
    client: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="librdkafka settings, passed through (security, TLS, fetch sizes ...)."
    )

    @model_validator(mode="after")
    def _owned(self) -> Kafka:
        for name in self.client:
            if name in RESERVED:
                raise ValueError(f"client: {name!r} is the service's own: {RESERVED[name]}.")
        return self


class Topics(Model):
    events: list[Topic] = Field(min_length=1, description="Topics of inference events.")
    alerts: Topic = Field("drift-alerts", description="Where alerts are published.")
    state: Topic = Field("drift-state", description="Compacted topic of snapshots; only the service may write to it.")
    dead_letter: Topic = Field("drift-dead-letter", description="Where records go that cannot be read.")

    @model_validator(mode="after")
    def _distinct(self) -> Topics:
        names = [*self.events, self.alerts, self.state, self.dead_letter]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"topic {twice[0]!r} is named twice; every topic has one use.")
        return self


class FieldMap(Model):
    """Where the fields of an event are: a JSON Pointer, `key`, `topic` or `header:NAME`."""

    model: SelectorText = FIELDS["model"].pointer
    version: SelectorText = FIELDS["version"].pointer
    time: SelectorText = FIELDS["time"].pointer
    event_id: SelectorText = FIELDS["event_id"].pointer
    features: SelectorText = FIELDS["features"].pointer
    label: SelectorText = FIELDS["label"].pointer
    value: SelectorText = FIELDS["value"].pointer
    confidence: SelectorText = FIELDS["confidence"].pointer
    scores: SelectorText = FIELDS["scores"].pointer
    logits: SelectorText = FIELDS["logits"].pointer
    latency_ms: SelectorText = FIELDS["latency_ms"].pointer
    status: SelectorText = FIELDS["status"].pointer
    caller: SelectorText = FIELDS["caller"].pointer
    segment: SelectorText = FIELDS["segment"].pointer

    @model_validator(mode="after")
    def _fits(self) -> FieldMap:
        for name in FIELDS:
            try:
                parse_field(name, getattr(self, name))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return self


class Reference(Model):
    warmup: int = Field(500, ge=30, le=100_000, description="First values of a series that make its reference.")


class Anomaly(Model):
    beyond: float = Field(6.0, gt=0, le=1000, description="A number is odd beyond so many deviations of its own tail.")
    unseen_category: bool = Field(True, description="A text the warm-up never saw is odd.")
    score: Annotated[str, StringConstraints(pattern="^/")] | None = Field(
        None, description="JSON Pointer to a model's own score."
    )
    score_max: float | None = Field(None, description="The score is odd above this.")

    @model_validator(mode="after")
    def _both(self) -> Anomaly:
        if (self.score is None) != (self.score_max is None):
            raise ValueError("score and score_max go together.")
        return self


class Detect(Model):
    direction: Direction = Field("both", description="Which way the mean must move to alert.")
    raw: bool = Field(
        False, description="Feed the values as they are, from the first on, instead of standardised ones."
    )

    def shown(self) -> dict[str, Any]:
        """The parameters as an alert shows them."""
        return self.model_dump(exclude={"kind", "raw"}, mode="json")


class DetectAdwin(Detect):
    kind: Literal["adwin"]
    delta: Share = Field(Adwin.delta, description="Confidence of a cut; smaller is quieter and slower.")
    clock: int = Field(Adwin.clock, ge=1, le=100_000, description="Look for a cut every so many values.")
    max_buckets: int = Field(Adwin.max_buckets, ge=2, le=100)
    min_window_length: int = Field(Adwin.min_window_length, ge=1, le=100_000)
    grace_period: int = Field(Adwin.grace_period, ge=2, le=1_000_000)

    def params(self) -> Adwin:
        return Adwin(**self.shown())


class DetectPageHinkley(Detect):
    kind: Literal["page_hinkley"]
    min_instances: int = Field(PageHinkley.min_instances, ge=1, le=1_000_000)
    delta: float = Field(PageHinkley.delta, ge=0, description="Half the shift of interest, in deviations.")
    threshold: float = Field(PageHinkley.threshold, gt=0, description="Larger is quieter and slower.")
    alpha: float = Field(PageHinkley.alpha, gt=0, le=1)

    def params(self) -> PageHinkley:
        return PageHinkley(**self.shown())


class DetectRiver(Detect):
    kind: Literal["river"]
    name: str = Field(description=f"One of {', '.join(RIVER_DETECTORS)}.")
    given: dict[str, bool | int | float | str] = Field(default_factory=dict, alias="params")

    @model_validator(mode="after")
    def _known(self) -> DetectRiver:
        known = RIVER_DETECTORS.get(self.name)
        if known is None:
            raise ValueError(f"name: river has no {self.name!r}.{did_you_mean(self.name, RIVER_DETECTORS)}")
        for name, value in self.given.items():
            if name not in known:
                raise ValueError(f"params: {self.name} has no {name!r}.{did_you_mean(name, known)}")
            fits = isinstance(value, known[name]) or (float in known[name] and type(value) is int)
            if not fits or (isinstance(value, bool) and bool not in known[name]):
                raise ValueError(f"params: {name} of {self.name} must be {known[name][0].__name__}.")
        return self

    def params(self) -> River:
        return River(self.name, tuple(sorted(self.given.items())), self.direction)


class DetectFraction(Detect):
    kind: Literal["fraction"]
    max: Share = Field(description="The share of a window above which it is a breach.")
    clear: Share | None = Field(None, description="At or below this it is clear again; default 0.8 of max.")
    min_count: int = Field(30, ge=1, description="A window with fewer events has no verdict.")

    @property
    def clear_below(self) -> float:
        return 0.8 * self.max if self.clear is None else self.clear

    @model_validator(mode="after")
    def _hysteresis(self) -> DetectFraction:
        if self.clear is not None and self.clear > self.max:
            raise ValueError("clear must not be above max.")
        return self


AnyDetect = Annotated[DetectAdwin | DetectPageHinkley | DetectRiver | DetectFraction, Field(discriminator="kind")]


class WindowSize(Model):
    events: int | None = Field(None, ge=10, le=10_000_000, description="Tumbling windows of so many events.")
    time_ms: Duration | None = Field(None, alias="time", description="Tumbling windows of event time.")

    @model_validator(mode="after")
    def _one(self) -> WindowSize:
        if (self.events is None) == (self.time_ms is None):
            raise ValueError("a window has either events or time.")
        if self.time_ms is not None and self.time_ms < 1000:
            raise ValueError("a window of time is at least 1s.")
        return self


EVENTS_PER_WINDOW = WindowSize.model_validate({"events": 1000})


class Monitor(Model):
    model: str | None = Field(None, min_length=1, description="Only this model; default every one that appears.")
    signal: SignalText = Field(description="What to watch.")
    by: list[ByText] = Field(
        default_factory=list, description="Split by version, caller, segment.NAME (besides the model)."
    )
    detect: AnyDetect
    window: WindowSize | None = Field(None, description="With detect.kind fraction; default {events: 1000}.")
    severity: Literal["info", "warning", "critical"] = "warning"
    for_ms: Duration = Field(0, alias="for", description="A level must have held so long before it fires.")
    keep_firing_for_ms: Duration = Field(
        600_000, alias="keep_firing_for", description="An edge fades, a clear level resolves after this."
    )
    cooldown_ms: Duration = Field(0, alias="cooldown", description="Quiet time after an alert resolved.")
    description: str | None = None
    runbook_url: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Monitor:
        if self.detect.kind == "fraction":
            if not parse_signal(self.signal).indicator:
                raise ValueError(
                    f"detect: fraction counts a 0/1 signal (anomaly, missing, label), not {self.signal!r}."
                )
        elif self.window is not None:
            raise ValueError("window: only detect.kind fraction has windows.")
        elif self.for_ms:
            raise ValueError("for: an edge fires at once; only detect.kind fraction can be held.")
        if len(set(self.by)) != len(self.by):
            raise ValueError("by: a field is named twice.")
        return self

    @property
    def windows(self) -> WindowSize:
        return self.window or EVENTS_PER_WINDOW

    def state_spec(self) -> str:
        """What the state of the bank means: another text, another state."""
        parts = [self.detect.model_dump(mode="json"), self.windows.model_dump(mode="json")]
        return json.dumps(parts, sort_keys=True)


class Commit(Model):
    interval_ms: Duration = Field(1000, alias="interval", description="Alerts are visible at most this much later.")
    snapshot_interval_ms: Duration = Field(
        10_000, alias="snapshot_interval", description="Bounds the replay of a restart."
    )
    on_state_loss: Literal["rebaseline", "halt"] = Field("rebaseline", description="When no usable snapshot is left.")


class Limits(Model):
    series: int = Field(20_000, ge=1, le=5_000_000, description="Series per partition over all monitors.")
    message_bytes: Size = Field(1 << 20, description="Longer events go to the dead letters.")
    lateness_ms: Duration = Field(
        300_000, alias="lateness", description="Older events than this behind their model's newest are late."
    )
    duplicates: int = Field(10_000, ge=0, le=1_000_000, description="Event ids remembered per partition; 0 = off.")


class Server(Model):
    listen: Listen = Field("127.0.0.1:8080", description="Health and metrics; port 0 picks one.")


class Config(Model):
    version: Literal[1] = Field(description="Version of this file format.")
    kafka: Kafka
    topics: Topics
    fields: FieldMap = FieldMap()
    reference: Reference = Reference()
    anomaly: Anomaly = Anomaly()
    monitors: dict[Name, Monitor] = Field(
        default_factory=dict, description="By name; without any the standard set watches every model."
    )
    commit: Commit = Commit()
    limits: Limits = Limits()
    server: Server = Server()
    _secrets: tuple[str, ...] = PrivateAttr(default=())

    def effective_monitors(self) -> dict[str, Monitor]:
        """The monitors of the file, or the standard set where it names none."""
        return self.monitors or STANDARD_MONITORS

    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        return self._secrets

    @cached_property
    def config_hash(self) -> str:
        """16 hex digits over what affects detection: not brokers, secrets, commit intervals or the server."""
        parts = self.model_dump(mode="json", include={"fields", "reference", "anomaly", "limits"})
        parts["monitors"] = {name: m.model_dump(mode="json") for name, m in self.effective_monitors().items()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _standard() -> dict[str, Monitor]:
    edge = {"kind": "adwin"}
    plain: dict[str, dict[str, Any]] = {
        "feature-mean": {"signal": "features.*", "detect": edge},
        "confidence": {"signal": "confidence", "detect": {**edge, "direction": "down"}},
        "label-share": {"signal": "label.*", "detect": edge},
        "missing": {"signal": "missing.*", "detect": edge},
        "anomaly-fraction": {"signal": "anomaly", "detect": {"kind": "fraction", "max": 0.05}},
        "anomaly-drift": {"signal": "anomaly", "detect": edge},
    }
    return {name: Monitor.model_validate(monitor) for name, monitor in plain.items()}


STANDARD_MONITORS = _standard()
