"""Mutes taken to Alertmanager as silences and, where the config wants it, its silences to us as mutes.

Nothing is kept but what the alerts topic says: each round asks Alertmanager what it has, and mends what differs. So
after a restart, or while it is away, nothing is made twice and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from streamer.bridges.answers import Answer
from streamer.bridges.kinds import JSON, headers_of
from streamer.bridges.payloads import body
from streamer.bridges.silences import Mutes, remember
from streamer.bridges.told import ODD
from streamer.config.bridges import Alertmanager
from streamer.port import LogDown, Partition
from streamer.service.metrics import Metrics

AGAIN_S = 5.0
"""Until Alertmanager is asked again that did not answer."""

Ask = Callable[[str, str, bytes | None, dict[str, str]], tuple[Answer, bytes]]
"""Method, address, body, headers."""
Command = Callable[[tuple[bytes, bytes]], object]


class Silencing:
    """`ask` sends a request; `command` writes to the control topic, None where silences are not taken. Raises LogDown.
    `say`, `clock` (s), `wall_ms`: see `bridge.World`.
    """

    def __init__(
        self,
        settings: Alertmanager,
        ask: Ask,
        command: Command | None,
        say: Callable[..., None],
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        figures: Metrics,
    ) -> None:
        self.settings, self._ask, self._command = settings, ask, command
        self._say, self._clock, self._wall_ms, self.figures = say, clock, wall_ms, figures
        self.parts: dict[Partition, Mutes] = {}  # what each partition says
        self._said: dict[str, None] = {}  # silences of which it was said that they are no mutes
        self._written: dict[str, None] = {}  # commands whose answers are waited for
        self._due_s = 0.0

    def take(self, partition: Partition, value: bytes | None, time_ms: int) -> None:
        """The next record of the alerts topic."""
        if self.parts.setdefault(partition, Mutes()).take(value, time_ms):
            self._due_s = min(self._due_s, self._clock())

    def let_go(self, partition: Partition) -> None:
        self.parts.pop(partition, None)

    def step(self) -> None:
        """A round, if it is time; only once all that was told before is known."""
        if self._clock() < self._due_s:
            return
        self._due_s = self._clock() + self.settings.interval_ms / 1000
        known, now_ms = self._known(), self._wall_ms()
        if not (known.given or known.ended or self._command):
            return
        silences = self._silences()
        if silences is None:
            self._due_s = self._clock() + AGAIN_S
            return
        for mute in known.to_make(silences):
            self._tell("made", mute.id, "POST", "/api/v2/silences", body(mute.body(now_ms)))
        for id in known.to_end(silences):
            self._tell("ended", id, "DELETE", f"/api/v2/silence/{quote(id, safe='')}")
        if self._command is not None:
            self._take_theirs(self._command, known, silences, now_ms)

    def _known(self) -> Mutes:
        """What all partitions say together."""
        both = Mutes()
        for one in self.parts.values():
            one.pass_time(self._wall_ms())
            both.given |= one.given
            both.ended |= one.ended
            both.answered |= one.answered
        return both

    def _silences(self) -> list[Mapping[str, Any]] | None:
        headers = headers_of(self.settings.authorization, JSON)
        answer, found = self._ask("GET", f"{self.settings.url}/api/v2/silences", None, headers)
        try:
            silences = orjson.loads(found) if answer.status == 200 else None
            if silences is not None:
                [(one["id"], one["status"]["state"], one["endsAt"], one["matchers"]) for one in silences]
                return list(silences)
        except ODD:
            answer = answer._replace(words="what it says is no list of silences")
        self._failed("what is silenced", answer)
        return None

    def _tell(self, what: str, id: str, method: str, path: str, said: bytes | None = None) -> None:
        headers = headers_of(self.settings.authorization, JSON)
        answer, _ = self._ask(method, f"{self.settings.url}{path}", said, headers)
        if 200 <= answer.status < 300:
            self.figures.inc("bridge_silences_total", result=what)
            self._say("info", f"silence_{what}", id=id)
        else:
            self._failed(f"silence {id}", answer)

    def _failed(self, what: str, answer: Answer) -> None:
        self.figures.inc("bridge_silences_total", result="failed")
        why = " ".join(filter(None, [str(answer.status or ""), answer.words]))
        self._say("warning", "silence_failed", what=what, why=why, effect="it is tried again")

    def _take_theirs(self, command: Command, known: Mutes, silences: list[Mapping[str, Any]], now_ms: int) -> None:
        commands, not_taken = known.to_command(silences, now_ms)
        for id, why in not_taken:
            if id not in self._said:
                remember(self._said, id)
                self.figures.inc("bridge_silences_total", result="not_taken")
                self._say("info", "silence_not_taken", id=id, why=why, effect="it holds in Alertmanager alone")
        for id, record in commands:
            if id in self._written:
                continue
            try:
                command(record)
            except LogDown as down:
                self._say("warning", "silence_failed", what=id, why=str(down), effect="it is tried again")
                self._due_s = self._clock() + AGAIN_S
                return
            remember(self._written, id)
            self.figures.inc("bridge_silences_total", result="taken")
            self._say("info", "silence_taken", id=id)
