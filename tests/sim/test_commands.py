"""What people say between events, and labels that part from what confidence promised: commands and the gap under
everything that can fail. A life of its own, with few monitors and many labels, as a gap takes 50 of them and more.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from schemas.events.batch import Record
from streamer.engine.control import Control
from streamer.engine.task import Task
from streamer.monitors.gap import Watched
from streamer.port import Partition
from streamer.series import calibrations
from tests.sim import campaign
from tests.sim.campaign import Differs
from tests.sim.test_simulation import FIRST, SEEDS
from tests.sim.test_two_stages import First, Second

TEXT = """
version: 1
kafka: {brokers: "localhost:1", order: model}
topics: {events: [inferences], windows: drift-windows}
reference: {warmup: 40}
limits: {duplicates: 50, lateness: 20s}
commit: {interval: 1s, snapshot_interval: 4s}
heartbeat: {interval: 2s}
labels: {ttl: 1m, pending: 60, window: 1m}
control: {topic: commands}
monitors:
  gap: {signal: realised_error, repeat_interval: 5s, detect: {kind: gap}}
  mean: {signal: features.amount, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s, repeat_interval: 3s}
"""
COMMANDS = "commands", 5  # No other partition has its number.
MUTANT_SEEDS = 40


def labelled(rng: random.Random, partition: int, length: int) -> list[Record]:
    """A partition of one model: inferences, the labels of most of them, and from a third on others than it promises."""
    records, open_ids = list[Record](), list[tuple[str, str]]()
    begin = length // 3
    for offset in range(length):
        time_ms, model = 1_700_000_000_000 + offset * 250, f"m{partition}"
        event: dict[str, Any] = {"model": model, "time": time_ms / 1000}
        if open_ids and rng.random() < 0.5:
            about, truth = open_ids.pop(rng.randrange(len(open_ids)) if rng.random() < 0.1 else 0)
            event["label"] = {"event_id": about, "value": truth}
        else:
            said, confidence = rng.choice(["yes", "no"]), rng.choice([0.8, 0.9, 0.95])
            wrong = rng.random() < (0.7 if offset >= begin else 1.0 - confidence)
            about, truth = f"{partition}-{offset}", said if not wrong else "no" if said == "yes" else "yes"
            amount = rng.gauss(160 if offset >= begin and offset % 200 < 100 else 100, 20)
            event |= {"event_id": about, "features": {"amount": amount}}
            event |= {"prediction": {"label": said, "confidence": confidence}}
            open_ids.append((about, truth))
        records.append(Record(offset, time_ms, None, json.dumps(event).encode()))
    return records


def commands(rng: random.Random, length: int) -> list[Record]:
    """What operators say of any monitor, at any time; some of it comes twice, or makes no sense."""
    found, before = list[Record](), list[bytes]()
    for offset in range(length):
        what, kind = (
            rng.choice(["gap", "mean"]),
            rng.choice(["ack", "unack", "mute", "mute", "unmute", "accept", "odd"]),
        )
        data = {"monitor": what} | ({"for": f"{rng.randrange(5, 60)}s"} if kind == "mute" else {})
        said = {"id": f"c{offset}", "type": kind, "model": f"m{rng.randrange(3)}", "by": "ada", "why": "known"}
        value = json.dumps({**said, "data": data}).encode()
        value = rng.choice(before) if before and rng.random() < 0.2 else b"{" if rng.random() < 0.05 else value
        before.append(value)
        found.append(Record(offset, 1_700_000_000_000 + offset * 2_500, None, value))
    return found


class Behind(Second):
    text = TEXT


class Commanded(First):
    text, behind, inputs = TEXT, Behind, 2

    def sides(self, seed: int) -> dict[Partition, list[Record]]:
        return {COMMANDS: commands(random.Random(seed), 60)}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "make_log", labelled)
    monkeypatch.setattr(calibrations, "BLOCK", 40)


def live(seed: int) -> Commanded:
    both = Commanded(seed, length=420)
    both.run()
    both.second.finish()
    both.check()
    return both


def test_commands_and_gaps_are_those_of_one_reader_whatever_fails() -> None:
    results, gaps = Counter[str](), Counter[str]()
    for seed in range(FIRST, FIRST + max(SEEDS // 20, 2)):
        second = live(seed).second
        told = [orjson.loads(out.value or b"")["data"] for out in second.broker.published() if out.topic == "alerts"]
        gaps.update(one["status"] for one in told if one["alert"]["labels"]["monitor"] == "gap")
        for worker in second.workers.values():
            for task in (owned.task for owned in worker.owned.values()):
                assert isinstance(task, Task)
                for one in task.counters():
                    if one.name == "control_commands_total":
                        results[one.labels["result"]] += one.value
    assert gaps["firing"] > 1
    assert min(results[name] for name in ("applied", "duplicate", "not_muted", "unknown_command")) > 0, results


def forgets_ids(loaded: Control) -> None:
    """A command that comes again is carried out again."""
    loaded.ids.clear()


def forgets_mutes(loaded: Control) -> None:
    """Who is muted is heard after a restart."""
    loaded.holds.mutes.clear()


def forgets_reference(loaded: Watched) -> None:
    """What has opened a gap is what comes next compared with, so that it closes."""
    loaded.gap.accept()


@pytest.mark.parametrize(
    ("of", "mutant", "first"), [(Control, forgets_ids, 6), (Control, forgets_mutes, 4), (Watched, forgets_reference, 7)]
)
def test_who_comes_back_and_has_forgotten_commands_or_the_gap_is_caught(
    of: type[Any], mutant: Callable[[Any], None], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what is published, not only by the state. The first seed that caught it is tried before all others."""
    load = of.load

    def forgets(self: Any, state: Any) -> None:
        load(self, state)
        mutant(self)

    monkeypatch.setattr(of, "load", forgets)
    assert any("published" in difference(seed) for seed in (first, *range(MUTANT_SEEDS)))


def difference(seed: int) -> str:
    try:
        live(seed)
    except Differs as why:
        return str(why)
    return ""
