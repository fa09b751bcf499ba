"""Driftline within a Python program: the engine of `run` over events at hand, without Kafka.

    from streamer import Watch

    watch = Watch({"false_alarms": {"budget": 1, "per": "7d"}})
    for alert in watch(events):          # dicts, JSON lines, or a frame of pandas, polars or Arrow
        print(alert.sentence)

What comes is what `driftline run` would publish for the same events, to the byte: `alert.value`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson
import yaml

from schemas.events.batch import Record
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_config, load_text
from streamer.engine import snapshot
from streamer.engine.event_clock import EventClock
from streamer.engine.task import Task
from streamer.offline.arrow_table import read_frame
from streamer.offline.event_files import EventFiles, chunks
from streamer.offline.reference_build import build
from streamer.offline.reference_diff import Moved, diff
from streamer.offline.replay import BASE, BadInput, Replay

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_NAIVE_UTC
FORMAT = 1

Config = cfg.Config | Mapping[str, Any] | Path | str | None
"""A mapping as the YAML would be, a path of it, or nothing for the least config."""
Events = Any
"""An iterable of mappings, or of JSON as text or bytes; a frame with the Arrow interface; or a path of a file."""


@dataclass(frozen=True)
class Told:
    """A record that would be published: `value` its bytes, `record` what they say, `data` the part that is its own."""

    value: bytes

    @cached_property
    def record(self) -> dict[str, Any]:
        """The whole record, a CloudEvent."""
        return cast("dict[str, Any]", orjson.loads(self.value))

    @property
    def data(self) -> dict[str, Any]:
        """See the schemas: alert.v1.json, incident.v1.json, window.v1.json."""
        return cast("dict[str, Any]", self.record["data"])

    @property
    def sentence(self) -> str:
        """What happened, for a person; empty for a window."""
        return str(self.data.get("sentence", ""))

    def __str__(self) -> str:
        return self.sentence or str(self.data)


class Alert(Told):
    """An alert that fired, or is over."""

    @property
    def status(self) -> str:
        """`firing` or `resolved`."""
        return str(self.data["status"])

    @property
    def again(self) -> bool:
        """It is told again, since it is still open: so that who subscribes knows that it is."""
        return self.status == "firing" and int(self.record["sequence"]) > 1

    @property
    def labels(self) -> dict[str, str]:
        """Model, monitor, signal, severity and what the monitor splits by."""
        return dict(self.data["alert"]["labels"])

    @property
    def offset(self) -> int:
        """The place, from 0, of the event that opened it."""
        return int(self.data["trigger"]["offset"])


class Incident(Told):
    """What began together, as it opened, grew or ended."""


class Window(Told):
    """A window that ended, with its figures."""

    @property
    def labels(self) -> dict[str, str]:
        """Model, monitor, signal and what the monitor splits by."""
        return dict(self.data["labels"])


Item = TypeVar("Item", bound=Told)


class Many(list[Item]):
    """Records in their order."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Each whole record, as a mapping: what a frame can be made of."""
        return [one.record for one in self]


@dataclass(frozen=True)
class Results:
    """What came of events. `account`: how many were used, late, duplicate, filtered, dead_lettered; `rejected`: a line
    for each reason of the last.
    """

    alerts: Many[Alert]
    incidents: Many[Incident]
    windows: Many[Window]
    account: dict[str, int]
    rejected: list[str]


class Watch:
    """The monitors of a config over a stream of events, in this process.

    The minutes of the events' own times stand for the clock; each costs some 2 ms, so that `heartbeat: {interval: 1h}`
    is quicker where nobody waits for silence.

    Calling it with events gives alerts as they come, and may be repeated: the stream goes on. ConfigError tells every
    mistake of a config, BadInput of a frame or file what it cannot be.
    """

    def __init__(self, config: Config = None, *, model: str | None = None) -> None:
        """`model`: of rows of a table that do not name it."""
        self.config, self.model = config_of(config), model
        self.partition = self.config.topics.first(), 0
        self.engine = Replay(self.config, fields_of(self.config))
        self.offset = 0

    def __call__(self, events: Events) -> Iterator[Alert]:
        """Alerts as they open and end; the events are taken while it is iterated, in batches of some hundred."""
        for told in self.records(events):
            if isinstance(told, Alert) and not told.again:
                yield told

    def records(self, events: Events) -> Iterator[Told]:
        """All that would be published: alerts, incidents and windows."""
        for records in chunks(self._read(events)):
            self.offset = records[-1].offset + 1
            for out in self.engine.step(self.partition, records):
                kind = KINDS.get(out.topic)
                if kind is not None:
                    yield kind(out.value or b"")

    def run(self, events: Events) -> Results:
        """All that comes of these events; the account is of all so far."""
        found: dict[type[Told], list[Any]] = {kind: Many() for kind in KINDS.values()}
        for told in self.records(events):
            found[type(told)].append(told)
        account = self.engine.account()
        rejected = [f"{one.records:,} {one.reason}: {one.detail}" for one in account.rejected]
        many = cast("tuple[Many[Alert], Many[Incident], Many[Window]]", tuple(found.values()))
        return Results(*many, dict(account.counts), rejected)

    def _read(self, events: Events) -> Iterator[Record]:
        for offset, value in enumerate(self._values(events), self.offset):
            yield value._replace(offset=offset) if isinstance(value, Record) else Record(offset, -1, None, value)

    def _values(self, events: Events) -> Iterator[Record | bytes]:
        if isinstance(events, (str, os.PathLike)):
            files = EventFiles((Path(events),), self.config, self.model)
            return (record for _, records in files for record in records)
        if hasattr(events, "__arrow_c_stream__"):
            return read_frame(events, fields_of(self.config), self.model)
        return map(_json, events)

    def save(self, path: Path | str | None = None) -> bytes:
        """The state after the events so far, also written to `path`; `load` goes on from there."""
        task = self.engine.tasks.get(self.partition)
        ticks = self.engine.ticks
        state = {
            "watch": FORMAT,
            "offset": self.offset,
            "due_ms": ticks.due_ms.get(self.partition),
            "last_ms": ticks.last_ms.get(self.partition),
            "clock": ticks.clocks[self.partition].dump() if self.partition in ticks.clocks else None,
            "task": task.dump() if task is not None else b"",
        }
        data = snapshot.encode(state)
        if path is not None:
            Path(path).write_bytes(data)
        return data

    @classmethod
    def load(cls, config: Config, state: bytes | Path | str, *, model: str | None = None) -> Watch:
        """A watch that goes on; what the config no longer describes begins anew. InvalidSnapshot for other bytes."""
        data = snapshot.decode(state if isinstance(state, bytes) else Path(state).read_bytes())
        if data.get("watch") != FORMAT:
            raise snapshot.InvalidSnapshot("it is not the state of a watch")
        watch = cls(config, model=model)
        watch.offset = int(data["offset"])
        if data["task"]:
            watch.engine.tasks[watch.partition] = Task.load(watch.config, watch.partition, data["task"])
        for name in ("due_ms", "last_ms"):
            if data[name] is not None:
                getattr(watch.engine.ticks, name)[watch.partition] = int(data[name])
        if data.get("clock") is not None:  # Older states have none.
            watch.engine.ticks.clocks[watch.partition] = EventClock.load(data["clock"])
        return watch


KINDS: dict[str, type[Told]] = {"alerts": Alert, "incidents": Incident, "windows": Window}


def _json(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode()
    return orjson.dumps(event, default=_plain, option=OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError


def config_of(config: Config) -> cfg.Config:
    """The config, with windows told in any case. ConfigError names every mistake and its key."""
    if isinstance(config, cfg.Config):
        found = config
    elif isinstance(config, (str, os.PathLike)):
        found = load_config(Path(config), os.environ)
    else:
        found = load_text(yaml.safe_dump({**BASE, **(config or {})}, sort_keys=False), "config", os.environ)
    if found.topics.windows is not None:
        return found
    return found.model_copy(update={"topics": found.topics.model_copy(update={"windows": "drift-windows"})})


def replay(config: Config, events: Events, *, model: str | None = None) -> Results:
    """All that comes of these events: `replay("drift.yaml", frame).alerts.to_dicts()`."""
    return Watch(config, model=model).run(events)


def compare(before: Events, after: Events, config: Config = None, *, model: str | None = None) -> list[Moved]:
    """What moved between two sets of events, the largest change first; what is the same is left out."""
    watch = Watch(config, model=model)

    def learned(events: Events, named: str) -> Any:
        parts = ((watch.partition, part) for part in chunks(watch._read(events)))
        built = build(watch.config, parts, named)
        if not built.account.used:
            raise BadInput(f"{named}: none of {built.account.consumed:,} events is used")
        return built.references

    return [one for one in diff(learned(before, "before"), learned(after, "after")) if one.what != "same"]
