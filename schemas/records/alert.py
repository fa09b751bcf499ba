"""The alert record: CloudEvents 1.0 structured JSON whose `data.alert` Alertmanager's v2 API takes as it is.

Nothing in the bytes comes from a clock, a host or a process: an alert is a function of the log and the config, so
a replay repeats it byte for byte. When it was recorded is the Kafka record's own timestamp.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from shlex import quote
from typing import Any, NamedTuple

import orjson

from schemas.records.envelope import envelope, named

SEVERITIES = {"info": ("INFO", 9), "warning": ("WARN", 13), "critical": ("ERROR", 17)}
"""Severity -> OpenTelemetry's severity text and number."""

EPOCH = date(1970, 1, 1)
SECONDS = [f"{second:02d}." for second in range(60)]
MILLISECONDS = [f"{ms:03d}Z" for ms in range(1000)]
"""How a time ends: an alert has a dozen of them, and a text that is at hand costs half of one that is made."""


class Identity(NamedTuple):
    """What all records of one series of one monitor have in common."""

    labels: dict[str, str]  # beyond alertname and severity; may have empty texts
    fingerprint: str
    subject: str  # JSON without its quotes
    shown: str  # the labels of the alert as JSON


class Source(NamedTuple):
    """Who publishes, under which config, and of which input."""

    group: str  # the consumer group
    config: str  # its hash
    topic: str
    partition: int
    generation: int  # how often the topic was made anew
    file: str  # the config as the operator named it
    moved_to: int | None = None  # the partition it is told from, where that is another one by now


class Form(NamedTuple):
    """What the records of one monitor with one status have in common: the record cut at what varies."""

    parts: list[str]  # texts and names of facts in turn
    pick: Callable[[Mapping[str, str]], tuple[str, ...]]  # what stands for the names


HOLE = re.compile(r"%\((\w+)\)s")


def bare(name: str) -> str:
    """A hole for a whole JSON value, or as a key with the value 0 for members of an object."""
    return f"=%({name})s"


@lru_cache(64)
def template(more: tuple[str, ...] = ()) -> str:
    """The alert record with a hole for each fact: no text of a user is in it yet. `more`: further members of `data`,
    each with the fact of its name.
    """
    fingerprint = "%(fingerprint)s"
    episode = f"{fingerprint}-%(named)s-%(partition)s-%(trigger_place)s"
    place = {"topic": "%(topic)s", "partition": bare("partition")}
    span = {"from": bare("first_offset"), "to": bare("end_offset")}
    flags = "--topic %(topic)s --partition %(partition)s --from %(first_offset)s --to %(end_offset)s"
    record = envelope(
        "alert",
        id=f"{episode}-%(sequence)s",
        source="%(source)s",
        subject="%(subject)s",
        time="%(changed)s",
        partitionkey=fingerprint,
        sequence="%(ordinal)s",
        severitytext="%(severitytext)s",
        severitynumber=bare("severitynumber"),
        correlationid=episode,
        data={
            "status": "%(status)s",
            "sentence": "%(sentence)s",
            "alert": {
                "labels": bare("labels"),
                "annotations": {"summary": "%(sentence)s", bare("annotations"): 0},
                "startsAt": "%(began)s",
                "endsAt": "%(ends)s",
            },
            "fingerprint": fingerprint,
            "trigger": {
                "topic": "%(trigger_topic)s",
                "partition": bare("trigger_partition"),
                "offset": bare("trigger_offset"),
                "time": "%(began)s",
            },
            "changed": {
                "topic": "%(topic)s",
                "partition": bare("changed_partition"),
                "offset": bare("changed_offset"),
                "time": "%(changed)s",
            },
            "episode": {name: bare(name) for name in ("number", "detections", "suppressed")},
            "detector": bare("detector"),
            bare("finding"): 0,  # evidence among them
            # The series' whole history in the range makes the repetition exact: same reference, same detector state.
            "replay": {
                "ranges": [{**place, **span}],
                "config": "%(config)s",
                "command": f"driftline replay -c %(file)s {flags}%(again)s%(history)s",
            },
            **{name: bare(name) for name in more},
        },
    )
    record["type"] = "io.driftline.alert.%(status)s.v1"
    return with_holes(record)


def with_holes(record: dict[str, Any]) -> str:
    """A record as JSON, in which whole values are holes, too."""
    return re.sub(r'"=(%\(\w+\)s)"(:0)?', r"\1", orjson.dumps(record).decode())


RECORD = template()
FACTS = frozenset(HOLE.findall(RECORD))
"""Names of its holes."""
STATUSES = ("firing", "resolved")


def identity(labels: dict[str, str], severity: str, alertname: str = "ModelDrift", subject: str = "") -> Identity:
    """The labels that hold something are the alert's identity for Alertmanager, too. `subject`: without a model."""
    shown = {"alertname": alertname, "severity": severity} | {k: v for k, v in labels.items() if v}
    subject = subject or f"model/{labels['model']}/monitor/{labels['monitor']}"
    return Identity(labels, fingerprint(shown), inner(subject), written(shown))


def forms(
    record: str, severity: str, annotations: dict[str, str], detector: dict[str, Any], source: Source
) -> dict[str, Form]:
    """By status the records of a monitor, with everything filled in that is the same in all of them; `record` as
    `template` makes it.
    """
    severitytext, severitynumber = SEVERITIES[severity]
    common = {
        "topic": inner(source.topic),
        "named": inner(named(source.topic, source.generation)),
        "again": f" --generation {source.generation}" if source.generation else "",
        "partition": source.partition,
        "changed_partition": source.partition if source.moved_to is None else source.moved_to,
        "source": inner(source.group),
        "config": source.config,
        "file": inner(quote(source.file)),
        "severitytext": severitytext,
        "severitynumber": severitynumber,
        "annotations": inner(annotations),
        "detector": written(detector),
    }
    # Without annotations there is nothing behind the comma.
    record = record if annotations else record.replace(",%(annotations)s", "")
    return {status: cut(record, {**common, "status": status}) for status in STATUSES}


def cut(record: str, common: dict[str, Any]) -> Form:
    """A record with holes, those of the `common` facts filled in. No text is looked at again once it is."""
    parts = HOLE.split(record)
    whole = [""]
    for text, name in zip(parts[::2], [*parts[1::2], ""], strict=True):
        whole[-1] += text
        if name in common:
            whole[-1] += str(common[name])
        elif name:
            whole += [name, ""]
    return Form(whole, itemgetter(*whole[1::2]))


def written(value: Any) -> str:
    """A value as JSON."""
    return orjson.dumps(value).decode()


def inner(value: Any) -> str:
    """The same of a text without its quotes, of an object without its braces."""
    return orjson.dumps(value)[1:-1].decode()


@lru_cache(4096)
def quoted(text: str) -> str:
    """`inner` of a text that many records have, such as the name of a topic."""
    return inner(text)


@lru_cache(4096)
def rfc3339(time_ms: int) -> str:
    """UTC with milliseconds of a time from 1970 on, `2026-01-02T03:04:05.678Z`."""
    minutes, within = divmod(time_ms, 60_000)
    second, ms = divmod(within, 1000)
    return f"{_minute(minutes)}{SECONDS[second]}{MILLISECONDS[ms]}"


def ms_of(text: str) -> int:
    """The time that `rfc3339` wrote. ValueError for another text."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@lru_cache(256)
def _minute(minutes: int) -> str:
    """The beginning of a time: those of alerts that are written together stand near to one another."""
    days, minute = divmod(minutes, 1440)
    return f"{(EPOCH + timedelta(days)).isoformat()}T{minute // 60:02d}:{minute % 60:02d}:"


def fnv1a(text: bytes) -> int:
    """FNV-1a, 64 bits (Fowler, Noll, Vo)."""
    value = 0xCBF29CE484222325
    for byte in text:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def fingerprint(labels: dict[str, str]) -> str:
    """Alertmanager's own: FNV-1a over the sorted labels, name 0xFF value 0xFF; 16 hex digits."""
    text = b"".join([b"%b\xff%b\xff" % (name.encode(), labels[name].encode()) for name in sorted(labels)])
    return f"{fnv1a(text):016x}"


def render(form: Form, facts: Mapping[str, str]) -> bytes:
    """The value of the alert record; `facts` as they stand in JSON, texts without their quotes."""
    parts = form.parts.copy()
    parts[1::2] = form.pick(facts)
    return "".join(parts).encode()
