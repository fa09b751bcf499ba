"""Rounds of a bridge with an Alertmanager that has silences, fails, and is asked again."""

from __future__ import annotations

import json
from typing import Any

from schemas.records.alert import rfc3339
from streamer.bridges.answers import Answer
from streamer.config.bridges import Alertmanager
from streamer.port import LogDown
from streamer.service.bridge import bridge_figures
from streamer.service.silencing import AGAIN_S, Silencing
from tests.bridges.test_silences import FORM, HOUR_MS, MUTE, NOW_MS, TAKEN, answers, silence
from tests.engine.commands import command

AT = ("al", 0)


class Bench:
    """A clock, and an Alertmanager: `down` is what it answers instead."""

    def __init__(self, silences: str = "both") -> None:
        self.now_s, self.down = 1000.0, Answer(0)
        self.silences: list[dict[str, Any]] = []
        self.asked, self.lines, self.commands = list[tuple[str, str]](), list[str](), list[dict[str, Any]]()
        self.figures, self.no_log = bridge_figures(), False
        self.renew(silences)

    def renew(self, silences: str = "both") -> Bench:
        """Another process."""
        settings = Alertmanager.model_validate({"url": "http://am", "silences": silences})
        write = self.write if silences == "both" else None
        clocks = lambda: self.now_s, lambda: NOW_MS + int(1000 * (self.now_s - 1000))
        self.silencing = Silencing(settings, self.ask, write, self.say, *clocks, self.figures)
        return self

    def say(self, level: str, event: str, /, **fields: object) -> None:
        self.lines.append(event)

    def write(self, record: tuple[bytes, bytes]) -> None:
        if self.no_log:
            raise LogDown("no broker")
        self.commands.append(json.loads(record[1]))

    def ask(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> tuple[Answer, bytes]:
        self.asked.append((method, url.removeprefix("http://am/api/v2/")))
        if self.down.words:
            return self.down, b""
        if method == "POST":
            self.silences.append(
                {**json.loads(body or b""), "id": f"n{len(self.silences)}", "status": {"state": "active"}}
            )
        if method == "DELETE":
            next(one for one in self.silences if url.endswith(f"/{one['id']}"))["status"]["state"] = "expired"
        return Answer(200), json.dumps(self.silences).encode()

    def told(self, *commands: bytes) -> Bench:
        for value in answers(*commands):
            self.silencing.take(AT, value, NOW_MS)
        return self

    def round(self, seconds: float = 0.0) -> list[str]:
        """What it did, questions apart."""
        before = len(self.asked)
        self.now_s += seconds
        self.silencing.step()
        return [method for method, _ in self.asked[before:] if method != "GET"]

    def states(self) -> list[str]:
        return [one["status"]["state"] for one in self.silences]


def test_a_mute_becomes_a_silence_once_and_goes_with_its_end() -> None:
    bench = Bench("told").told(MUTE)
    assert bench.round() == ["POST"]
    assert (bench.round(60), bench.round(60), bench.states()) == ([], [], ["active"])
    assert bench.renew("told").told(MUTE).round() == [], "a restart makes nothing twice"
    bench.told(MUTE, command("unmute", "c2", monitor="mean"))
    assert (bench.round(), bench.states()) == (["DELETE"], ["expired"])
    assert bench.renew("told").told(MUTE, command("unmute", "c2", monitor="mean")).round() == []
    made, ended = (bench.figures.get("bridge_silences_total", result=one) for one in ("made", "ended"))
    assert made == ended == 1


def test_without_mutes_nothing_is_asked() -> None:
    bench = Bench("told")
    bench.round()
    assert bench.asked == []


def test_what_failed_is_tried_again() -> None:
    bench = Bench("told").told(MUTE)
    for down in (Answer(0, "refused"), Answer(400, "bad")):
        bench.down = down
        assert bench.round(AGAIN_S) == []
    bench.down = Answer(0)
    assert bench.round(AGAIN_S / 2) == []
    assert bench.round(AGAIN_S / 2) == ["POST"]
    assert bench.lines == ["silence_failed", "silence_failed", "silence_made"]


def test_a_list_that_is_none_changes_nothing() -> None:
    bench = Bench("told").told(MUTE)
    bench.silences = [{"id": 1}]
    assert bench.round() == []
    assert bench.lines == ["silence_failed"]


def test_a_partition_that_goes_takes_its_mutes_along() -> None:
    bench = Bench("told").told(MUTE)
    bench.silencing.let_go(AT)
    assert bench.round() == []


def test_a_silence_becomes_a_command_once() -> None:
    bench = Bench()
    bench.silences = [silence(FORM), silence({"model": "fraud"}, id="s2")]
    bench.no_log = True
    bench.round()
    bench.no_log = False
    bench.round(AGAIN_S)
    bench.round(60)
    assert [(one["id"], one["type"]) for one in bench.commands] == [(TAKEN, "mute")]
    assert bench.lines == ["silence_not_taken", "silence_failed", "silence_taken"]
    taken = command("mute", TAKEN, monitor="mean", until=rfc3339(NOW_MS + HOUR_MS))
    bench.renew().told(taken).round()
    assert len(bench.commands) == 1, "a restart reads the answer"
    assert "POST" not in [method for method, _ in bench.asked]
