"""Every kind of monitor: below its threshold at the event before it fires, and at that one what the alert says."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.monitors.evidence import told as evidence_of
from streamer.monitors.finding import BREACH, DRIFT, Finding
from streamer.offline.estimates import with_windows
from streamer.offline.standings import StandingTask, Stands, told
from tests.config.samples import LEAST

MONITORS = """reference: {warmup: 100}
monitors:
  adwin: {signal: features.a, detect: {kind: adwin, clock: 1}}
  page_hinkley: {signal: features.a, detect: {kind: page_hinkley}}
  shiryaev_roberts: {signal: features.a, detect: {kind: shiryaev_roberts}}
  river: {signal: features.d, detect: {kind: river, name: PageHinkley, params: {threshold: 10}}}
  envelope: {signal: features.a, detect: {kind: envelope}}
  scan: {signal: error, detect: {kind: scan}}
  occurrence: {signal: invalid.a, detect: {kind: occurrence}}
  fraction: {signal: error, window: {events: 100}, detect: {kind: fraction, max: 0.2}}
  share: {signal: error, window: {events: 100}, detect: {kind: share}}
  distribution: {signal: features.a, window: {events: 100}, detect: {kind: distribution, distance: psi}}
  distances: {signal: features.a, window: {events: 100}, detect: {kind: distribution, distance: kolmogorov_smirnov}}
  level: {signal: traffic, window: {time: 6h}, detect: {kind: level, beyond: 3, change: 0.1}}
  trend: {signal: p50(features.b), window: {time: 3h}, detect: {kind: trend, points: 40}}
  peers: {signal: features.c, by: [caller], window: {time: 12h}, detect: {kind: peers, min_count: 8}}
checks: {features.a: {max: 5}}
"""
CONFIG = with_windows(load_text(LEAST + MONITORS, "x.yaml", {}))
KINDS = [*CONFIG.effective_monitors()]
NO_NUMBER = {"river", "occurrence"}
DAYS, A_DAY, FAULT = 13, 144, 12 * 144
ENGINES = [engine for engine in (PYTHON, COMPILED) if engine is not None]


@cache
def records() -> list[Record]:
    """Twelve healthy days, and one on which all is wrong and twice as much comes."""
    rng, found = np.random.default_rng(5), list[Record]()
    wide = np.r_[np.full(FAULT, 600), np.full(2 * A_DAY, 300)]
    for i, seconds in enumerate(np.cumsum(wide).tolist()):
        bad = i >= FAULT
        a, b, c = rng.standard_normal(3)
        event = {
            "model": "m",
            "time": 86_400 * 20_000 + seconds,
            "features": {
                "a": a + 4 * bad,
                "b": 20 + b + max(i - 700, 0) / 50,
                "c": c + 3 * bad * (i % 6 == 5),
                "d": a + 4 * bad,
            },
            "status": "500" if rng.random() < (0.5 if bad else 0.01) else "200",
            "caller": f"c{i % 6}",
        }
        found.append(Record(i, -1, None, json.dumps(event).encode()))
    return found


class Listening(StandingTask):
    """What was found is kept."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(CONFIG, ("in", 0), 0, engine=engine)
        self.heard: list[tuple[int, Finding]] = []

    def _step(self, batch: Any, used: Any, now: Any) -> list[Finding]:
        findings = super()._step(batch, used, now)
        self.heard += [(int(batch.offsets[f.event]), f) for f in findings if f.signal in (DRIFT, BREACH)]
        return findings

    def read(self, begin: int, end: int) -> None:
        if begin < end:
            self.step(Decoder(fields_of(CONFIG))(records()[begin:end], "in"))
            self.published()


@cache
def first() -> dict[str, tuple[int, Finding]]:
    """By monitor the offset at which it first fires, and what it says."""
    task = Listening(ENGINES[-1])
    for begin in range(0, len(records()), 500):
        task.read(begin, min(begin + 500, len(records())))
    order, found = {one.order: name for name, one in task.monitors.items()}, dict[str, tuple[int, Finding]]()
    for offset, finding in task.heard:
        found.setdefault(order[finding.monitor], (offset, finding))
    return found


@cache
def stood(engine: int) -> dict[str, tuple[Stands, Stands]]:
    """By monitor how it stood at the event before, and at that at which it fires."""
    task, at, found = Listening(ENGINES[engine]), 0, dict[str, tuple[Stands, Stands]]()
    places = {name: offset for name, (offset, _) in first().items()}
    before = dict[str, Stands]()
    for end in sorted({end for offset in places.values() for end in (offset, offset + 1)}):
        for begin in range(at, end, 500):
            task.read(begin, min(begin + 500, end))
        at = end
        task.standings.settle()
        for name, (offset, finding) in first().items():
            if end == offset:
                before[name] = task.standings.of(task.monitors[name], finding.row)
            elif end == offset + 1:
                found[name] = before[name], task.standings.of(task.monitors[name], finding.row)
    return found


@pytest.mark.parametrize("name", KINDS)
def test_it_is_below_before_it_fires_and_then_what_the_alert_says(name: str) -> None:
    (_, finding), (before, just) = first()[name], stood(len(ENGINES) - 1)[name]
    said = evidence_of(finding.evidence)["finding"]
    assert (just.now.standing.statistic, just.now.standing.threshold) == (said["statistic"], said["threshold"])
    assert (before.found.times, just.found.times) == (0, 1)
    if name in NO_NUMBER:
        assert before.now.standing.statistic is None
        assert before.words
        return
    assert before.now.standing.statistic is not None
    assert (before.now.standing.reached or 0.0) < 1.0
    assert (just.now.standing.reached or 0.0) >= 1.0
    assert just.nearest == just.now
    assert before.nearest is not None
    assert before.nearest.time_ms <= before.now.time_ms


@pytest.mark.skipif(len(ENGINES) < 2, reason="no compiled core")
def test_both_engines_say_the_same() -> None:
    assert stood(0) == stood(1)


def test_it_is_told_in_words_and_as_plain_data() -> None:
    before, just = stood(len(ENGINES) - 1)["distribution"]
    lines = list(told(just))
    assert lines[0].startswith("stands: ")
    assert " of 0.2, " in lines[0]
    assert "% of the way, at 2024-" in lines[0]
    assert lines[-1].startswith("besides: and beyond chance: surprise ")
    assert [line.split(":")[0] for line in told(before)] == ["stands", "nearest", "besides"]
    plain = json.loads(json.dumps(just.plain()))
    assert plain["now"] == plain["nearest"]
    assert plain["now"]["reached"] > 1.0
    assert plain["found"]["times"] == 1


def test_what_is_not_known_yet_has_its_reason() -> None:
    task = Listening(ENGINES[-1])
    task.read(0, 90)
    task.standings.settle()

    def words(name: str) -> str:
        return "; ".join(task.standings.of(task.monitors[name], 0).words)

    learning = "its reference has 90 of 100 values: until then it says nothing"
    assert words("adwin") == f"no cut is looked for before it has 11 values, 0 came; {learning}"
    assert words("envelope").endswith("7 more whole days must be seen: until then only what is unmistakable is told")
    assert words("distribution") == f"no window of it has ended yet; {learning}"
    assert words("level").startswith("too few values, or windows, to judge its newest window by")
