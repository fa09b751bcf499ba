"""`driftline demo --people`: a queue of events to look at, two people who answer, and a test that finds what no input
and no confidence shows: that the model is wrong more often than it says.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

import click

from streamer.config.model import Config
from streamer.review.open_items import lines_of

SEED = 11
RATE = 400  # events per second
WORSE_AT_S, GIVE_UP_S, EVERY_S = 22.0, 240.0, 5.0
TIMES = 3.0  # as often wrong as its confidence says, from WORSE_AT_S on
MISTAKES, SECOND_OPINION = 0.05, 0.4
MODEL = "fraud"


class World:
    """A model that is wrong as often as its confidence says, and then more often; and what is the truth."""

    def __init__(self, seed: int) -> None:
        self.random, self.count, self.wrong = random.Random(seed), 0, dict[str, bool]()

    def event(self, time_s: float, times: float) -> bytes:
        self.count += 1
        name, confidence = f"e{self.count}", 1.0 - 0.45 * self.random.random() ** 3
        self.wrong[name] = self.random.random() < (1.0 - confidence) * times
        features = {"amount": round(self.random.gauss(100.0, 20.0), 2)}
        told = {"label": "yes" if self.random.random() < 0.1 else "no", "confidence": round(confidence, 3)}
        event = {"model": MODEL, "event_id": name, "time": round(time_s, 3), "features": features, "prediction": told}
        return json.dumps(event).encode()

    def verdicts(self, item: dict[str, Any]) -> list[bytes]:
        """Of ann, and of some of them of bob; either is mistaken now and then."""
        found = []
        for reviewer in ("ann", "bob")[: 1 + (self.random.random() < SECOND_OPINION)]:
            wrong = self.wrong.get(item["event"].get("id", ""), False) != (self.random.random() < MISTAKES)
            said = {"review_id": item["review_id"], "model": item["model"], "reviewer": reviewer}
            found.append(json.dumps({**said, "verdict": "wrong" if wrong else "right"}).encode())
        return found


class Told:
    """What was read back so far."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.kinds, self.answers = say, Counter[str](), 0
        self.audit: dict[str, Any] | None = None
        self.agreement: dict[str, Any] | None = None
        self.fired = False

    def item(self, item: dict[str, Any]) -> None:
        self.kinds[item["kind"]] += 1
        if self.kinds[item["kind"]] == 1:
            self.say("\n".join(["", f"An item, {item['kind']}:", *(f"  {line}" for line in lines_of(item))]))

    def window(self, record: dict[str, Any]) -> None:
        if record["type"] == "io.driftline.audit.v1" and "error" in record["data"]:
            self.audit = record["data"]
        elif record["type"] == "io.driftline.agreement.v1":
            self.agreement = record["data"]

    def alert(self, record: dict[str, Any]) -> None:
        labels = record["data"].get("alert", {}).get("labels", {})
        if labels.get("monitor") == "review.audit" and not self.fired:
            self.fired = True
            self.say(f"\nFIRING  review.audit  {record['data']['sentence']}")

    def status(self, elapsed_s: float) -> None:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items()) or "none yet"
        self.say(f"\n{elapsed_s:5.1f} s  items: {counts}; verdicts: {self.answers}")
        if self.audit is not None:
            error, test = self.audit["error"], self.audit["test"]
            low, high = error["interval"]
            self.say(
                f"         of the newest window's {self.audit['events']:,} events {low:.1%} to {high:.1%} are wrong, by"
                f" verdicts; confidence says {self.audit['estimated']:.1%}"
            )
            self.say(
                f"         test, of the least confident: {test['wrong']} of {test['verdicts']} wrong,"
                f" {test['expected']:.1f} expected; evidence {test['evidence']:.3g}, fires at {test['limit']:g}"
            )
        if self.agreement is not None and self.agreement["alpha"] is not None:
            alpha = self.agreement["alpha"]
            low, high = alpha["interval"]
            self.say(
                f"         ann and bob agree by alpha {alpha['value']:.2f} [{low:.2f}, {high:.2f}] (1: always, 0: as by"
                f" chance); they contradict each other on {self.agreement['conflicting']} of"
                f" {self.agreement['overlapping']} items, which then count for nothing"
            )


def people_story(config: Config, events: Any, verdicts: Any, service: subprocess.Popen[bytes]) -> bool:
    """Healthy, then worse; whether the test found it, and only then."""
    from streamer.kafka.demo_cluster import read_back

    assert config.review is not None
    names = config.review.topic, str(config.topics.windows), config.topics.alerts
    readers = [read_back(config.kafka.brokers, name) for name in names]
    world, told = World(SEED), Told(click.echo)
    begin_s, shown_s, worse = time.monotonic(), 0.0, False
    try:
        while service.poll() is None and not told.fired:
            elapsed_s = time.monotonic() - begin_s
            if elapsed_s > WORSE_AT_S and not worse:
                worse = True
                click.echo(f"\n{elapsed_s:5.1f} s  from now on the model is wrong {TIMES:g} times as often as it says;")
                click.echo("         its inputs, labels and confidence are those of before")
            for _ in range(int(elapsed_s * RATE) - world.count):
                events.send(0, MODEL, world.event(time.time(), TIMES if worse else 1.0))
            events.poll()
            _read(readers, told, world, verdicts)
            if elapsed_s - shown_s >= EVERY_S or told.fired:
                shown_s = elapsed_s
                told.status(elapsed_s)
            if elapsed_s > GIVE_UP_S:
                break
            time.sleep(0.02)
    except KeyboardInterrupt:
        pass
    finally:
        for reader in readers:
            reader.close()
        events.flush()
        verdicts.flush()
    return told.fired and worse


def _read(readers: list[Generator[bytes | None, None, None]], told: Told, world: World, verdicts: Any) -> None:
    """What has come, and the answers of the people."""
    items, windows, alerts = readers
    while (value := next(items)) is not None:
        item = json.loads(value)["data"]
        told.item(item)
        for verdict in world.verdicts(item):
            verdicts.send(0, MODEL, verdict)
            told.answers += 1
    while (value := next(windows)) is not None:
        told.window(json.loads(value))
    while (value := next(alerts)) is not None:
        told.alert(json.loads(value))
    verdicts.poll()
