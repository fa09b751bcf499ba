"""Mutes here and silences in Alertmanager: which silences mutes ask for, and which mutes silences do.

What is muted is known from the answers to commands, which are in the alerts topic with the alerts; what is silenced
Alertmanager says when it is asked. A silence of ours ends its comment with the mute's id: so it is made once, by whom
ever, and one that somebody ended in Alertmanager is not made again. A mute of theirs has an id that names the silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from schemas.records.alert import ms_of, rfc3339
from streamer.alerts.commands import command_record
from streamer.bridges.told import ODD

APPLIED = "io.driftline.control.applied.v1"
ANSWERS = (APPLIED, "io.driftline.control.refused.v1")
OURS = re.compile(r".*\(driftline mute (?P<id>.+)\)$", re.DOTALL)
THEIRS = "alertmanager-"
OVER = "-over"
LIVE = ("active", "pending")
FIXED = ("alertname", "severity", "detector", "partition")
"""What Alertmanager's form fills in as well, and the monitor and the model say already."""
MOST = 10_000
"""Mutes, ended mutes and answers that are known, of each the newest."""


class Muted(NamedTuple):
    """`ends_ms`: by the wall clock, as long after the record was written as the mute lasts by its model's clock."""

    id: str
    labels: Mapping[str, str]
    ends_ms: int
    by: str
    why: str

    def body(self, now_ms: int) -> dict[str, Any]:
        """A silence of API v2."""
        matchers = [
            {"name": name, "value": text, "isRegex": False, "isEqual": True} for name, text in self.labels.items()
        ]
        times = {"startsAt": rfc3339(now_ms), "endsAt": rfc3339(self.ends_ms)}
        return {
            "matchers": matchers,
            **times,
            "createdBy": self.by,
            "comment": f"{self.why} (driftline mute {self.id})",
        }


class Mutes:
    """Fed with records of the alerts topic in any order: a mute and its end may be in two partitions, and then in two
    bridges.
    """

    def __init__(self) -> None:
        self.given: dict[str, Muted] = {}
        self.ended: dict[str, int] = {}  # when they would have ended
        self.answered: dict[str, None] = {}  # ids of commands that came from Alertmanager

    def take(self, value: bytes | None, time_ms: int) -> bool:
        """Whether it says something of a mute. `time_ms`: when the record was written."""
        if value is None or b"io.driftline.control." not in value:
            return False
        try:
            return self._take(orjson.loads(value), time_ms)
        except ODD:
            return False

    def _take(self, record: Mapping[str, Any], time_ms: int) -> bool:
        data, kind = record["data"], record["type"]
        id = str(data["command"]["id"])
        if kind in ANSWERS and id.startswith(THEIRS):
            remember(self.answered, id)
        if kind != APPLIED or data["command"]["type"] not in ("mute", "unmute"):
            return False
        for mute in data.get("mutes", ()):
            ends_ms = time_ms + ms_of(mute["until"]) - ms_of(data["changed"]["time"])
            if data["command"]["type"] == "unmute":
                remember(self.ended, str(mute["id"]), ends_ms)
            else:
                labels = {str(name): str(text) for name, text in mute["labels"].items()}
                who = str(data["command"]["by"]), str(data["command"]["why"])
                remember(self.given, str(mute["id"]), Muted(str(mute["id"]), labels, ends_ms, *who))
        return True

    def pass_time(self, now_ms: int) -> None:
        """Forget what is over."""
        for id in [id for id, one in self.given.items() if one.ends_ms <= now_ms]:
            del self.given[id]
        for id in [id for id, ends_ms in self.ended.items() if ends_ms <= now_ms]:
            del self.ended[id]

    def holding(self) -> Iterator[Muted]:
        return (one for one in self.given.values() if one.id not in self.ended)

    def to_make(self, silences: Iterable[Mapping[str, Any]]) -> list[Muted]:
        """Mutes without a silence; those that came from one have it."""
        known = {mark_of(one) for one in silences}
        return [one for one in self.holding() if one.id not in known and not one.id.startswith(THEIRS)]

    def to_end(self, silences: Iterable[Mapping[str, Any]]) -> list[str]:
        """Silences whose mute was ended."""
        return [
            str(one["id"])
            for one in silences
            if one["status"]["state"] in LIVE and (mark_of(one) in self.ended or command_of(one) in self.ended)
        ]

    def to_command(
        self, silences: Sequence[Mapping[str, Any]], now_ms: int
    ) -> tuple[list[tuple[str, tuple[bytes, bytes]]], list[tuple[str, str]]]:
        """Commands by their ids: an end of each mute whose silence ended before its time, then a mute of each silence
        that is not ours. And by the silence's id why one cannot be a mute.
        """
        theirs = [one for one in silences if not mark_of(one)]
        ends = {str(one["id"]): ms_of(one["endsAt"]) for one in theirs if one["status"]["state"] in LIVE}
        commands, not_taken = self._over(ends, now_ms), []
        for one in theirs:
            id = command_of(one)
            if one["status"]["state"] != "active" or id in self.answered:
                continue
            found = target_of(one)
            if isinstance(found, str):
                not_taken.append((str(one["id"]), found))
            else:
                commands.append((id, _command(id, "mute", one, found, now_ms, until=rfc3339(ms_of(one["endsAt"])))))
        return commands, not_taken

    def _over(self, ends: Mapping[str, int], now_ms: int) -> list[tuple[str, tuple[bytes, bytes]]]:
        """`ends`: of silences that hold. To end a mute ends all of the same, so where another one holds nothing is."""
        commands = []
        for mute in [one for one in self.holding() if one.id.startswith(THEIRS)]:
            silence, _, end_ms = mute.id.removeprefix(THEIRS).rpartition("-")
            others = [one for one in self.holding() if not one.id.startswith(THEIRS + silence)]
            if ends.get(silence, 0) >= int(end_ms) or mute.id + OVER in self.answered:
                continue
            if not any(mute.labels.items() <= other.labels.items() for other in others):
                said = {"createdBy": mute.by, "comment": "its silence in Alertmanager is over"}
                commands.append((mute.id + OVER, _command(mute.id + OVER, "unmute", said, mute.labels, now_ms)))
        return commands


def remember(table: dict[str, Any], id: str, value: Any = None) -> None:
    """With MOST others, the newest."""
    table[id] = value
    if len(table) > MOST:
        del table[next(iter(table))]


def mark_of(silence: Mapping[str, Any]) -> str:
    """The mute that it was made for; empty where somebody else made it."""
    found = OURS.match(str(silence.get("comment", "")))
    return found["id"] if found else ""


def command_of(silence: Mapping[str, Any]) -> str:
    """The id of the mute that it asks for: with another end it is another one."""
    return f"{THEIRS}{silence['id']}-{ms_of(silence['endsAt'])}"


def target_of(silence: Mapping[str, Any]) -> dict[str, str] | str:
    """The labels that it names, with one model and one monitor; or why it is no mute."""
    labels = dict[str, str]()
    for one in silence["matchers"]:
        if one.get("isRegex") or not one.get("isEqual", True):
            return f"it matches {one['name']} by more than one text"
        if one["name"] not in FIXED:
            labels[str(one["name"])] = str(one["value"])
    if not (labels.get("model") and labels.get("monitor")):
        return "a mute is of one model and one monitor"
    if any(not text or {",", "="} & {*text} for text in labels.values()):
        return "a label has a comma or an equals sign, or must be empty"
    return labels


def _command(
    id: str, kind: str, said: Mapping[str, Any], labels: Mapping[str, str], now_ms: int, **more: str
) -> tuple[bytes, bytes]:
    segment = ",".join(f"{name}={text}" for name, text in labels.items() if name not in ("model", "monitor"))
    given = {"monitor": labels["monitor"], **({"segment": segment} if segment else {}), **more}
    by, why = str(said.get("createdBy") or "alertmanager"), str(said.get("comment") or "silenced in Alertmanager")
    return command_record(id, kind, labels["model"], by, why, now_ms / 1000, **given)
