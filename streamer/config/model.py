"""The config: one YAML, strict, every key with a default but `version`, `kafka.brokers` and `topics.events`.

The models below are the one place where a key, its type, limits, default and description stand: parsing, lint, the
JSON Schema and `config show` all come from them. What holds between keys is in `lint.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, create_model, field_validator

from schemas.events.fields import FIELDS, INTERVAL_FIELDS, PLAIN_FIELDS, parse_field
from schemas.events.registered import Schemas
from streamer.config.bridges import Bridges
from streamer.config.budget import FalseAlarms
from streamer.config.calendar import Calendar
from streamer.config.detect import CheckRule
from streamer.config.embedding import Embedding
from streamer.config.exempt import Privacy, Probes
from streamer.config.librdkafka_settings import RESERVED
from streamer.config.mapping import Mapping
from streamer.config.monitor import Defaults as Defaults
from streamer.config.monitor import Monitor as Monitor
from streamer.config.review import Review
from streamer.config.schema_registry import SchemaRegistry
from streamer.config.server import Server as Server
from streamer.config.sides import SECTIONS, Control, Feedback, Labels, Side, Verdicts
from streamer.config.topics import GROUP, ordered_topic
from streamer.config.topics import Topics as Topics
from streamer.config.types import (
    ByText,
    CheckedName,
    Duration,
    ExcludedNames,
    FeatureNames,
    Model,
    Name,
    Patience,
    Pointer,
    Size,
    Topic,
    Version,
    Zone,
    check_pointer,
)
from streamer.config.units import parse_duration
from streamer.signals.roles import EVENT_NAME, GOLDEN, OPT_OUT


class Kafka(Model):
    """The cluster and how the service joins it."""

    brokers: str = Field(min_length=1, description="Bootstrap addresses, host:port separated by commas.")
    group: Topic = Field(GROUP, description="Consumer group; also names the transactional id.")
    instance: Topic | None = Field(None, description="Stable name of this member (a pod's name): static membership.")
    start: Literal["earliest", "latest"] = Field("earliest", description="Where a group without offsets begins.")
    order: Literal["auto", "topic", "model"] = Field(
        "auto",
        description="topic: each partition by itself, for topics that are keyed by model; model: all events of a model"
        " in one order, by way of topics.ordered; auto: model where a model is found in several partitions at the"
        " first start.",
    )
    order_by: list[ByText] = Field(
        default_factory=list,
        max_length=3,
        description="With order: model, for a model that is too much for one process: its events are in one order by"
        " model and these (version, caller, segment.NAME), and only monitors that are split `by` them see all.",
    )
    give_up_after_ms: Patience = Field(
        None, alias="give_up_after", description="Without a broker for so long the service ends with 69; or never."
    )
    client: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="librdkafka settings, passed through (security, TLS, fetch sizes ...).",
        json_schema_extra={"propertyNames": {"not": {"enum": list(RESERVED)}}},
    )


class FieldPlaces(Model):
    """Where the fields of an event are: a JSON Pointer, `key`, `topic`, `header:NAME`, or a text for all: `=TEXT`."""

    names: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(
        default_factory=list, max_length=2000, description="Of features that are an array: what each place is called."
    )

    @field_validator("*")
    @classmethod
    def _fits(cls, text: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if name == "names":
            return text
        return parse_field(name, text).text if name in FIELDS else check_pointer(text)


_places: dict[str, Any] = {
    name: (str, Field(field.pointer, description=f"Where {field.says}."))
    for name, field in {**FIELDS, **PLAIN_FIELDS, **INTERVAL_FIELDS}.items()
}
FieldMap: type[FieldPlaces] = create_model("FieldMap", __base__=FieldPlaces, __doc__=FieldPlaces.__doc__, **_places)


class Reference(Model):
    """What series are compared with."""

    warmup: int = Field(500, ge=30, le=100_000, description="First values of a series that make its reference.")
    file: str | None = Field(
        None, description="A file of `driftline reference build`: its series need no warm-up. Beside the config."
    )
    windows: int = Field(60, ge=10, le=100_000, description="The same for aggregates, which have one value per window.")


class Anomaly(Model):
    """When an event is anomalous: the signal `anomaly`."""

    beyond: float = Field(
        6.0, gt=0, le=1000, description="Anomalous is a number beyond so many deviations of its own tail."
    )
    unseen_category: bool = Field(True, description="A text that the reference never saw is anomalous.")
    score: Pointer | None = Field(None, description="JSON Pointer to a model's own score; goes with score_max.")
    score_max: float | None = Field(None, description="The score is anomalous above this.")


class Ood(Model):
    """When an event is unfamiliar as a whole: the signals ood and confident_ood."""

    beyond: float = Field(
        6.0, gt=0, le=1000, description="Unfamiliar beyond so many deviations of the distances' own upper tail."
    )
    confident: float = Field(0.9, ge=0, le=1, description="From this confidence on the model is sure of itself.")
    score: Pointer | None = Field(None, description="JSON Pointer to a model's own score; goes with score_max.")
    score_max: float | None = Field(None, description="An event is out of distribution above this score.")


class Commit(Model):
    """The transaction of alerts, offsets and snapshots."""

    interval_ms: Duration = Field(
        "1s",
        alias="interval",
        ge=10,
        le=60_000,
        validate_default=True,
        description="Alerts are visible at most this much later.",
    )
    snapshot_interval_ms: Duration = Field(
        "10s",
        alias="snapshot_interval",
        ge=10,
        le=3_600_000,
        validate_default=True,
        description="Bounds the replay of a restart.",
    )
    on_state_loss: Literal["rebaseline", "halt"] = Field("rebaseline", description="When no usable snapshot is left.")


class Heartbeat(Model):
    """Ticks of the clock: signs of life, and how silence is known."""

    interval_ms: Duration = Field(
        "1m",
        alias="interval",
        ge=1000,
        le=3_600_000,
        validate_default=True,
        description="Time between two ticks.",
    )


class Limits(Model):
    """What bounds memory; whatever exceeds a bound is counted."""

    series: int = Field(
        20_000,
        ge=1,
        le=5_000_000,
        description="Series per partition, in equal shares for the monitors' tables. From a share that is nearly full "
        "those leave that have long been silent.",
    )
    message_bytes: Size = Field(
        "1MiB", ge=1024, le=64 << 20, validate_default=True, description="Longer events go to the dead letters."
    )
    array: int = Field(
        100,
        ge=0,
        le=2000,
        description="Numbers of an array that is a feature: each is one, NAME.0 and so on. Longer ones are left out.",
    )
    lateness_ms: Duration = Field(
        "5m",
        alias="lateness",
        validate_default=True,
        description="Older events than this behind their model's newest are late.",
    )
    ahead_ms: Duration = Field(
        "30m",
        alias="ahead",
        ge=60_000,
        validate_default=True,
        description="An event further ahead than this, and than 32 usual gaps, of all before moves its model's clock "
        "only if most that come say so.",
    )
    unusable: float = Field(
        0.05,
        gt=0,
        le=1,
        description="More of a partition's minute than this share unreadable, late or repeated: an alert; 1 = never.",
    )
    duplicates: int = Field(10_000, ge=0, le=1_000_000, description="Event ids remembered per partition; 0 = off.")


HARMLESS = ("version", "kafka", "schema_registry", "topics", "standard", "defaults", "commit", "server", "bridges")
"""Sections that change nothing of what is detected. All others are in the hash, those to come as well: one that was
forgotten must not change alerts under an equal hash. The standard set and the defaults are in it as the monitors they
amount to, and as what alerts take of them that no monitor raises.
"""


def _present(monitors: Any) -> Any:
    """A `monitors:` with nothing below it, as when all are commented out, is none."""
    return {} if monitors is None else monitors


class Config(Model):
    """Driftline's config."""

    version: Version = Field(description="Version of this file format.")
    kafka: Kafka = Field(description="The cluster and how the service joins it.")
    topics: Topics = Field(description="Topics by role; every topic has one use.")
    schema_registry: SchemaRegistry | None = Field(
        None, description="Where the schemas are of values in Avro, Protobuf or JSON that begin with the id of one."
    )
    fields: FieldMap = Field(FieldMap(), description="Where the fields of an event are.")
    mapping: Mapping = Field(Mapping(), description="How records that are no events yet become events.")
    on_odd_field: Literal["drop", "dead_letter"] = Field(
        "drop",
        description="What becomes of a field that cannot be used, such as NaN: it is left out and counted, or the "
        "whole event is a dead letter.",
    )
    time_zone: Zone | None = Field(
        None, description="Of times without a zone: UTC, Europe/Amsterdam, +02:00. Default: they cannot be used."
    )
    reference: Reference = Field(Reference(), description="What series are compared with.")
    anomaly: Anomaly = Field(Anomaly(), description="When an event is anomalous: the signal anomaly.")
    ood: Ood = Field(Ood(), description="When an event is unfamiliar: the signals ood and confident_ood.")
    checks: dict[CheckedName, CheckRule] = Field(
        default_factory=dict, description="Rules for values, by features.NAME, confidence, value or latency_ms."
    )
    exclude: list[ExcludedNames] = Field(
        default_factory=list,
        description="What no monitor looks at unless it names it: features.NAME, score.NAME, logit.INDEX, with * and ?."
        " For ids, counters and times: not in features.*, missing.*, category.*, unseen.*, new_feature.*, anomaly, "
        "distance, ood; nor in score.*, logit.*.",
    )
    categorical: list[FeatureNames] = Field(
        default_factory=list,
        description="Features whose numbers are codes: features.NAME, with * and ?. They are watched as texts: "
        "category.*, unseen.*, missing.*, not features.*.",
    )
    embeddings: dict[Name, Embedding] = Field(
        default_factory=dict,
        max_length=16,
        description="Arrays that are one thing each, by name: the signals embedding.NAME.norm and .distance.",
    )
    feedback: Feedback | None = Field(None, description="What people did with a prediction: the signals action.NAME.")
    labels: Labels | None = Field(None, description="What was true of inferences, told later: realised_error ...")
    verdicts: Verdicts | None = Field(None, description="What people say of items of the review queue and of alerts.")
    review: Review | None = Field(None, description="What people are asked to look at, within a budget.")
    control: Control | None = Field(None, description="Commands of operators: acknowledge, mute, accept.")
    privacy: Privacy | None = Field(None, description="Who is not watched.")
    probes: Probes | None = Field(None, description="Events with known inputs and a known answer.")
    calendar: Calendar = Field(
        Calendar(), description="Exceptional days and maintenance: nothing is judged in them, and nothing learned."
    )
    standard: bool | None = Field(
        None, description="Whether the standard set is there; default: without monitors, or when one of it is changed."
    )
    false_alarms: FalseAlarms = Field(
        FalseAlarms(), description="How quiet it is: what the limits of monitors follow from."
    )
    defaults: Defaults = Field(Defaults(), description="What monitors share that do not say otherwise.")
    monitors: Annotated[dict[Name, Monitor], BeforeValidator(_present)] = Field(
        default_factory=dict,
        description="By name. Without `signal` an entry changes the standard monitor of its name, false takes it away.",
    )
    commit: Commit = Field(Commit(), description="The transaction of alerts, offsets and snapshots.")
    heartbeat: Heartbeat = Field(Heartbeat(), description="Ticks: signs of life, and how silence is known.")
    limits: Limits = Field(Limits(), description="What bounds memory; whatever exceeds a bound is counted.")
    server: Server = Field(Server(), description="Health and metrics over HTTP.")
    bridges: Bridges = Field(Bridges(), description="Who else is told of alerts, by `driftline bridge`.")
    _file: str = PrivateAttr(default="driftline.yaml")
    _schemas: Schemas = PrivateAttr(default_factory=Schemas)
    _given: Any = PrivateAttr(default=None)
    _given_hash: str = PrivateAttr(default="")
    _secrets: tuple[str, ...] = PrivateAttr(default=())
    _hidden: tuple[tuple[str | int, ...], ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any) -> None:
        """No pattern matches the topic that events are put in order in, be it chosen or not yet."""
        self.topics.keep(ordered_topic(self.kafka.group))
        own = {name: one.topic for name, one in self.about.items() if one.topic is not None}
        self.topics.beside(own, None if self.review is None else self.review.topic)

    def effective_monitors(self) -> dict[str, Monitor]:
        """The monitors of the file, with the standard set and the defaults worked in by `standard.resolved`."""
        return self.monitors

    @property
    def file(self) -> str:
        """The file as the operator named it: alerts say by what command they are repeated. Nothing else asks."""
        return self._file

    @property
    def about(self) -> dict[str, Side]:
        """What is told of inferences by events about them, by section."""
        found = {name: getattr(self, name) for name in SECTIONS}
        return {name: one for name, one in found.items() if one is not None}

    @property
    def schemas(self) -> Schemas | None:
        """What the registry has said so far, which all share who read with this config; None without a registry."""
        return None if self.schema_registry is None else self._schemas

    @property
    def given(self) -> Any:
        """The `References` of the file that `reference.file` names; None without one."""
        return self._given

    @property
    def given_hash(self) -> str:
        """16 hex digits over the file's content, empty without one."""
        return self._given_hash

    def roles(self) -> dict[str, str]:
        """The pointer of each role that fields of an event have: where a batch finds what the role is called by. In a
        topic of its own what has a role is called by it.
        """
        names = [*PLAIN_FIELDS, *(INTERVAL_FIELDS if self.labels is not None else ())]
        found: dict[str, str] = {name: getattr(self.fields, name) for name in names}
        for one in self.about.values():
            found |= one.places() if one.topic is None else {}
        if self.privacy is not None:
            found[OPT_OUT] = self.privacy.opt_out
        if (
            self.review is not None
            and not self.review.hash_ids
            and (id := self.fields.model_dump()["event_id"])[0] == "/"
        ):
            found[EVENT_NAME] = id
        if self.probes is not None:
            found[GOLDEN] = self.probes.golden
        return found

    @property
    def alerts_of_records(self) -> tuple[str, int]:
        """Severity of the alerts about records, which no monitor raises, and after how many ms they are told again."""
        default = Monitor.model_fields["repeat_interval_ms"].default
        severity = self.defaults.severity or Monitor.model_fields["severity"].default
        return severity, self.defaults.repeat_interval_ms or parse_duration(default)

    def reading(self, there: Iterable[str]) -> Config:
        """The same with the names of the topics that are read, where those are there."""
        return self.model_copy(update={"topics": self.topics.resolved(there)})

    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        return self._secrets

    def hidden(self) -> tuple[tuple[str | int, ...], ...]:
        """Key paths of values that came from a `${file:}`."""
        return self._hidden

    @cached_property
    def config_hash(self) -> str:
        """16 hex digits over what affects detection: not brokers, secrets, commit intervals or the server."""
        parts = self.model_dump(mode="json", exclude={*HARMLESS, "monitors"})
        parts["given"] = self.given_hash
        del parts["reference"]["file"]  # Its content counts, not its name.
        for name, one in self.about.items():  # As with all topics.
            parts[name]["topic"] = one.topic is not None
        if self.review is not None:
            del parts["review"]["topic"]
        parts["records"] = self.alerts_of_records
        parts["monitors"] = {name: m.model_dump(mode="json") for name, m in self.effective_monitors().items()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
