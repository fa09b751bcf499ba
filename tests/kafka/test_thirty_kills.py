"""One model without a key over six partitions, three processes that are killed again and again, on a real broker: one
series, one warm-up, one alert for a shift, every event once.

In the suite it is short. `make soak` has the long form, some ten minutes: DRIFTLINE_KILLS, DRIFTLINE_EVENTS, and in how
many DRIFTLINE_SECONDS these are sent.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer
from river.drift import ADWIN

from schemas.events.packed import unpack
from tests.kafka.service import Service, read_all, wait_committed
from tests.kafka.test_ordered import about, data_of
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

PARTITIONS, PROCESSES, PARTS = 6, 3, 3
KILLS = int(os.environ.get("DRIFTLINE_KILLS", "3"))
EVENTS = int(os.environ.get("DRIFTLINE_EVENTS", "40000"))
SHIFT = EVENTS * 6 // 10
APART_MS, AT_ONCE = 10, 2000
KEYED_DELAY, MOVES, LATENESS_S = 1.2, 0.06, 30
"""The shift is small, so that it takes some thousand events to find it. Who reads six partitions through kills has some
in another order than they were sent in, by half of the lateness.
"""
NOISES, AROUND, MORE_MOVES = 20, 24_000, 0.12
"""Of delays: how many noises, events before the shift, and a shift that is found before the end in all of them."""
CONFIG = """
version: 1
kafka:
  {{brokers: "{broker}", group: "{group}", instance: {instance}, order: {order}, client: {{session.timeout.ms: 6000}}}}
topics: {{events: [{events}], alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}{ordered}}}
reference: {{warmup: 500}}
heartbeat: {{interval: 1s}}
limits: {{lateness: {lateness}s, duplicates: 0}}
monitors:
  mean: {{signal: features.a, detect: {{kind: adwin, delta: 0.0002}}, keep_firing_for: 24h, repeat_interval: 24h}}
commit: {{interval: 300ms, snapshot_interval: 2s}}
server: {{listen: "127.0.0.1:0"}}
"""


def value_of(number: int, noise: float) -> bytes:
    time_ms = 1_700_000_000_000 + APART_MS * number
    level = noise + MOVES * (number >= SHIFT)
    return b'{"model":"u","event_id":"%d","time":%.3f,"features":{"a":%.4f}}' % (number, time_ms / 1000, level)


class Sender(threading.Thread):
    """Sends the events anywhere; `places` says where each went."""

    def __init__(self, broker: str, topic: str, seconds: float) -> None:
        super().__init__(daemon=True)
        rng = np.random.default_rng(7)
        self.broker, self.topic, self.seconds = broker, topic, seconds
        self.noise, self.places = rng.normal(0, 1, EVENTS), rng.integers(0, PARTITIONS, EVENTS)

    def run(self) -> None:
        producer = Producer(
            {"bootstrap.servers": self.broker, "linger.ms": 20, "compression.type": "lz4", "log_level": 0}
        )
        begin_s = time.monotonic()
        for number, (noise, place) in enumerate(zip(self.noise.tolist(), self.places.tolist(), strict=True)):
            at = 1_700_000_000_000 + APART_MS * number
            producer.produce(self.topic, value_of(number, noise), partition=place, timestamp=at)
            if number % AT_ONCE == AT_ONCE - 1:
                producer.poll(0)
                producer.flush(PATIENCE_S)
                time.sleep(max(begin_s + self.seconds * number / EVENTS - time.monotonic(), 0.0))
        assert producer.flush(PATIENCE_S) == 0


def delays(order: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How many events after the shift it is found at, of many noises: in the order of the events, as a keyed topic has
    them, and in this one. Of one noise it is chance: in any two orders of it one is found up to twice as late.
    """
    begin, end = SHIFT - AROUND, SHIFT + AROUND * 2 // 3
    here, found = order[(order >= begin) & (order < end)], []
    for seed in range(NOISES):
        noise = np.random.default_rng(seed).normal(0, 1, end - begin)
        found.append([found_after(one, noise[one - begin]) for one in (np.arange(begin, end), here)])
    return np.array(found)


def displacement(order: np.ndarray[Any, Any]) -> float:
    """By how many places an event around the shift stands elsewhere than it was sent, in the mean. While a process is
    killed the others read on, and a busy machine starts it anew late: then the shift comes bit by bit, and is found
    later by up to that.
    """
    here = order[(order >= SHIFT - AROUND // 6) & (order < SHIFT + AROUND // 6)]
    return float(np.abs(here - np.sort(here)).mean())


def found_after(order: np.ndarray[Any, Any], noise: np.ndarray[Any, Any]) -> int:
    detector = ADWIN(delta=0.0002)
    for number, value in zip(order.tolist(), (noise + MORE_MOVES * (order >= SHIFT)).tolist(), strict=True):
        detector.update(value)
        if detector.drift_detected and number >= SHIFT:
            return int(number) - SHIFT
    return EVENTS - SHIFT


def newest(broker: str, beats: str, ordered: str) -> dict[int, dict[str, Any]]:
    """By partition of the ordered log its newest sign of life."""
    found: dict[int, dict[str, Any]] = {}
    for message in read_all(broker, beats, PARTITIONS):
        data, (topic, number) = data_of(message), about(message)
        if topic == ordered and (number not in found or data["tick"]["number"] >= found[number]["tick"]["number"]):
            found[number] = data
    return found


def test_one_model_over_six_partitions_is_one_through_kills(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    [inputs] = make_topics("in", partitions=PARTITIONS)
    [ordered] = make_topics("or", partitions=PARTS)
    alerts, state, dead, beats = make_topics("al", "st", "dl", "hb", partitions=PARTITIONS)
    names = {"alerts": alerts, "state": state, "dead": dead, "beats": beats, "ordered": f", ordered: {ordered}"}
    names |= {"broker": broker, "group": f"g-{inputs}", "events": inputs, "order": "model"}
    paths = [tmp_path / f"w{number}.yaml" for number in range(PROCESSES)]
    for number, path in enumerate(paths):
        path.write_text(CONFIG.format(instance=f"w{number}", lateness=LATENESS_S, **names))
    rng, seconds = random.Random(5), float(os.environ.get("DRIFTLINE_SECONDS", str(5 * KILLS)))
    services = [Service(path, path.with_suffix(".log")) for path in paths]
    try:
        # What comes once all are at work is news, and no retained history.
        until(lambda: len({about(message) for message in read_all(broker, beats, PARTITIONS)}) >= PARTITIONS + PARTS)
        sender = Sender(broker, inputs, seconds)
        sender.start()
        began_s = time.monotonic()
        for kill in range(KILLS):
            time.sleep(max(began_s + seconds * (kill + 1 - 0.5 * rng.random()) / (KILLS + 1) - time.monotonic(), 0.0))
            victim = rng.randrange(PROCESSES)
            services[victim].kill()
            services[victim] = Service(paths[victim], paths[victim].with_suffix(".log"))
        sender.join()
        ends = {number: int(np.count_nonzero(sender.places == number)) for number in range(PARTITIONS)}
        patience_s = PATIENCE_S + EVENTS / 5000
        wait_committed(broker, str(names["group"]), inputs, ends, patience_s)

        def all_are_counted() -> bool:
            counted = sum(sum(one["account"].values()) for one in newest(broker, beats, ordered).values())
            return counted >= EVENTS

        until(all_are_counted, lambda: newest(broker, beats, ordered), seconds=patience_s)
        assert [service.stop() for service in services] == [0] * PROCESSES
    finally:
        for service in services:
            service.__exit__(None)
    check(sender, (broker, inputs, ordered, alerts, beats))


def check(sender: Sender, topics: tuple[str, ...]) -> None:
    broker, inputs, ordered, alerts, beats = topics
    written: dict[int, list[np.ndarray[Any, Any]]] = {number: [] for number in range(PARTITIONS)}
    order, places = list[np.ndarray[Any, Any]](), [np.flatnonzero(sender.places == n) for n in range(PARTITIONS)]
    for message in read_all(broker, ordered, PARTS):
        _, number, _, batch = unpack(message.value() or b"")
        written[number].append(batch.offsets)
        order.append(places[number][batch.offsets])
    for number, some in written.items():
        offsets = np.concatenate(some)
        assert np.array_equal(offsets, np.arange(np.count_nonzero(sender.places == number))), "once, and in order"
    living = newest(broker, beats, ordered)
    [mine] = [one for one in living.values() if one.get("model") == "u"]
    assert mine["series"] == {"ready": 1, "warming": 0}, "one series, one warm-up"
    total = {name: sum(one["account"][name] for one in living.values()) for name in mine["account"]}
    assert total["used"] + total["late"] == sum(total.values()) == EVENTS
    assert total["used"] == mine["events"] > 0.99 * EVENTS
    told = [one for one in map(data_of, read_all(broker, alerts, PARTITIONS)) if "alert" in one]
    [fired] = [one for one in told if one["status"] == "firing"]
    assert fired["trigger"]["topic"] == inputs
    found = int(np.flatnonzero(sender.places == fired["trigger"]["partition"])[fired["trigger"]["offset"]])
    assert found > SHIFT
    keyed, ours = delays(np.concatenate(order)).mean(axis=0).tolist()
    moved = displacement(np.concatenate(order))
    print(
        f"{EVENTS} events, {KILLS} kills: {total}; found after {ours:.0f} events, keyed after {keyed:.0f}, {moved:.0f}"
    )
    assert ours <= KEYED_DELAY * keyed + moved
    assert moved < 1000 * LATENESS_S / APART_MS / 4, "half the lateness is the most for one, and this is the mean"
