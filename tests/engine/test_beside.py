"""Beside the monitors: a toy one gets events and ticks, is counted, and its state stands in snapshots."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from streamer.alerts.alert import Notice
from streamer.config.load import load_text
from streamer.engine import beside
from streamer.engine.beside import BESIDE
from streamer.engine.companion import Seen, Surroundings
from streamer.engine.figures import Counter
from streamer.engine.task import Task
from streamer.port import Out, Tick
from streamer.review.alarms import Shown
from tests.engine.tasks import AT, LEAST, events, run

CONFIG = load_text(LEAST, "x", {})


class Toy:
    """Counts events, and says at every tick how many there were."""

    def __init__(self) -> None:
        self.events = self.judged_events = 0

    def take(self, seen: Seen) -> Iterable[Out]:
        self.events += int(seen.used.sum())
        return ()

    def heard(self, notices: Sequence[Notice]) -> None:
        """Alerts are nothing to it."""

    def judged(self, seen: Seen, shown: Shown) -> Iterable[Out]:
        self.judged_events += int(seen.used.sum())
        assert len(shown.unfamiliar) == len(seen.used)
        return ()

    def tick(self, offset: int, time_ms: int) -> Iterable[Out]:
        assert self.judged_events in (0, self.events), "each is taken, then judged"
        return [Out("windows", b"toy", f"{self.events} at {offset}".encode(), ())]

    def counters(self, topic: str) -> Iterator[Counter]:
        yield Counter("events_total", {"topic": topic, "result": "toy"}, self.events)

    def dump(self) -> dict[str, Any]:
        return {"events": self.events}

    def load(self, state: Mapping[str, Any]) -> None:
        self.events = int(state["events"])

    def models(self) -> Collection[str]:
        return ()

    def leave(self, models: Collection[str], lost: Collection[str]) -> None:
        """It knows none."""

    def join(self, other: Any, models: Collection[str]) -> None:
        """Nor does another one."""


def test_another_one_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(around: Surroundings) -> Toy:
        return Toy()

    monkeypatch.setattr(beside, "BESIDE", BESIDE | {"toy": made})
    monkeypatch.setattr("streamer.engine.task.BESIDE", BESIDE | {"toy": made})
    log = events(lambda i: {}, 30)
    whole, cut = run(CONFIG, log), run(CONFIG, log, [7, 8, 20])
    assert whole.dump() == cut.dump()
    again = Task.load(CONFIG, AT, whole.dump())
    again.tick(Tick(30, 1_700_000_100_000, caught_up=True))
    assert [out.value for out in again.outbox if out.key == b"toy"] == [b"30 at 30"]
    assert [one.value for one in again.counters() if one.labels.get("result") == "toy"] == [30]


def test_a_snapshot_of_before_has_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(CONFIG, events(lambda i: {}, 30)).dump()
    monkeypatch.setattr(beside, "BESIDE", BESIDE | {"toy": lambda around: Toy()})
    monkeypatch.setattr("streamer.engine.task.BESIDE", BESIDE | {"toy": lambda around: Toy()})
    toy = Task.load(CONFIG, AT, before).beside["toy"]
    assert toy.dump() == {"events": 0}
