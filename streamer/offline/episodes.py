"""What a run over history told, as episodes: whose, where each began, when it was found, and when it was over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from schemas.records.alert import ms_of
from streamer.incidents.record import onset_ms
from streamer.port import Out

NO_IDENTITY = ("alertname", "severity", "model", "monitor", "detector", "retained")
"""Labels that do not tell series of a monitor apart; another detector of a monitor finds the same drift."""


class Episode(NamedTuple):
    """An alert, or an incident, from its opening to its end. Times are event time, Unix ms."""

    model: str
    monitor: str  # empty for an incident
    series: str  # what else tells the series apart: signal, partition, what the monitor splits by
    severity: str
    onset_ms: int  # where it may have begun
    found_ms: int  # when it was told
    ended_ms: int | None  # None where it was open at the end
    sentence: str
    place: str  # `inferences[0]@6035`

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal in what is about the same thing."""
        return self.model, self.monitor, self.series

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return self._asdict()


class Told:
    """The episodes so far, by their id, in the order in which they were told. Shadow monitors are not heard."""

    def __init__(self) -> None:
        self.alerts: dict[str, Episode] = {}
        self.incidents: dict[str, Episode] = {}

    def take(self, outs: Iterable[Out]) -> list[Episode]:
        """Note what was published; the alerts that are new."""
        new = []
        for out in outs:
            if out.topic not in ("alerts", "incidents"):
                continue
            record = orjson.loads(out.value or b"")
            name, data = record["correlationid"], record["data"]
            into, made = (self.alerts, _alert) if out.topic == "alerts" else (self.incidents, _incident)
            if name not in into:
                into[name] = made(record)
                new += [into[name]] if into is self.alerts else []
            over = data["status"] == "resolved"
            into[name] = into[name]._replace(ended_ms=ms_of(data["changed"]["time"]) if over else None)
            if out.topic == "incidents" and not over:
                into[name] = into[name]._replace(sentence=data["sentence"], severity=data["severity"])
        return new


def _alert(record: Mapping[str, Any]) -> Episode:
    data = record["data"]
    labels = data["alert"]["labels"]
    trigger_ms = ms_of(data["trigger"]["time"])
    return Episode(
        model=labels.get("model", ""),
        monitor=labels["monitor"],
        series=", ".join(value for name, value in labels.items() if name not in NO_IDENTITY),
        severity=labels["severity"],
        onset_ms=onset_ms(data["evidence"], trigger_ms)[1],
        found_ms=ms_of(data["changed"]["time"]),
        ended_ms=None,
        sentence=data["sentence"],
        place=_place(data["trigger"]),
    )


def _incident(record: Mapping[str, Any]) -> Episode:
    data = record["data"]
    found_ms = ms_of(data["changed"]["time"])
    onset, where = ms_of(data["since"]), _place(data["opened"])
    return Episode(data["model"], "", "", data["severity"], onset, found_ms, None, data["sentence"], where)


def _place(at: Mapping[str, Any]) -> str:
    return f"{at['topic']}[{at['partition']}]@{at['offset']}"


def firing_ms(episodes: Iterable[Episode], begin_ms: int, end_ms: int) -> int:
    """How long of a stretch of time at least one of them was open; one that is not over is until its end.

    >>> one = Episode("m", "x", "s", "warning", 0, 10, 20, "", "")
    >>> firing_ms([one, one._replace(found_ms=15, ended_ms=None)], 12, 30)
    18
    """
    spans = sorted((one.found_ms, end_ms if one.ended_ms is None else one.ended_ms) for one in episodes)
    total, until = 0, begin_ms
    for begin, end in spans:
        total += max(min(end, end_ms) - max(begin, until), 0)
        until = max(until, end)
    return total
