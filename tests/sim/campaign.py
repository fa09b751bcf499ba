"""One simulated life: production worker and task over the in-memory broker, under a seeded schedule of faults."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine import snapshot
from streamer.engine.stage import Decode, Stage, Stages
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.kafka.killer_batch import skipped
from streamer.port import Out, Partition, Tick
from streamer.service.worker import Worker
from tests.sim.broker import Broker, Crash, SimLog

AnyStage = TypeVar("AnyStage", bound=Stage)
TOPIC = "inferences"
FAULTS = {
    "crash-before": 0.01,
    "crash-open": 0.01,
    "crash-end": 0.01,
    "crash-after": 0.01,
    "abort": 0.05,
    "abort-late": 0.03,
    "stall": 0.03,
    "lost-ack": 0.03,
}

CONFIG = """
version: 1
kafka: {brokers: "localhost:1", order: topic}
topics: {events: [inferences], windows: drift-windows}
reference: {warmup: 40, windows: 10}
limits: {duplicates: 50, lateness: 20s}
commit: {interval: 1s, snapshot_interval: 4s}
heartbeat: {interval: 2s}
feedback: {pending: 60}
labels: {ttl: 1m, pending: 60}
privacy: {opt_out: /secret}
probes: {golden: /golden}
checks:
  version: {allowed: ["1"]}
  features.amount: {type: number, max: 230}
  features.country: {allowed: [a, b, c], same_as: /offline/country}
monitors:
  mean:
    signal: features.*
    detect: {kind: adwin, delta: 0.002}
    keep_firing_for: 5s
    repeat_interval: 7s
    accept_after: 20s
  jump:
    signal: features.amount
    detect: {kind: page_hinkley, delta: 0.25, threshold: 30}
    keep_firing_for: 10s
    cooldown: 5s
    accept_after: 20s
  jump-candidate:
    {signal: features.amount, shadow: true, detect: {kind: adwin, delta: 0.05}, keep_firing_for: 3s, accept_after: 11s}
  empty: {signal: missing.*, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 20s, resolve: faded}
  labels:
    signal: label.*
    by: [version]
    detect: {kind: adwin, delta: 0.002}
    resolve: accepted
    accept_after: 23s
    repeat_interval: 2s
  odd: {signal: anomaly, window: {events: 40}, detect: {kind: fraction, max: 0.2}, keep_firing_for: 5s}
  odd-time: {signal: anomaly, window: {time: 15s}, detect: {kind: fraction, max: 0.2, min_count: 5}, for: 5s}
  bins: {signal: features.*, window: {events: 50}, detect: {kind: distribution, surprise: 3}, keep_firing_for: 5s}
  rolling:
    {signal: features.amount, window: {events: 20}, keep_firing_for: 5s,
    detect: {kind: distribution, against: recent, recent: 3, surprise: 2}}
  shares: {signal: label, by: [version], window: {events: 30}, detect: {kind: distribution, distance: hellinger}}
  kinds: {signal: category.*, window: {events: 30}, detect: {kind: distribution, surprise: 3, bins: 4}}
  broken: {signal: invalid.*, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}
  never: {signal: invalid.amount, detect: {kind: occurrence}, keep_firing_for: 5s}
  failing: {signal: error, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s, accept_after: 31s}
  statuses: {signal: status.*, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}
  versions: {signal: version.*, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}
  new-version: {signal: new_version, detect: {kind: occurrence}, keep_firing_for: 5s}
  spread: {signal: entropy, detect: {kind: page_hinkley, threshold: 10}, keep_firing_for: 5s}
  lead: {signal: margin, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}
  per-year: {signal: "ratio(features.amount, features.age)", detect: {kind: adwin, delta: 0.002}}
  actions: {signal: action.*, by: [version], detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}
  wrong: {signal: realised_error, by: [version], detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}
  truths: {signal: truth.*, detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}
  sure-and-wrong: {signal: brier, window: {events: 20}, detect: {kind: distribution, surprise: 3}}
  far: {signal: distance, by: [version], detect: {kind: page_hinkley, threshold: 10}, keep_firing_for: 5s}
  gaps: {signal: missing.*, window: {events: 35}, detect: {kind: share, chance: 0.05}, keep_firing_for: 5s}
  ood: {signal: ood, window: {events: 30}, detect: {kind: fraction, max: 0.01}, keep_firing_for: 5s}
  sure: {signal: confident_ood, detect: {kind: adwin, delta: 0.002}}
  change: {signal: version_change, detect: {kind: occurrence}, keep_firing_for: 5s}
  old: {signal: events, by: [version], detect: {kind: age, max: 20s}}
  rate: {signal: traffic, window: {time: 2s}, detect: {kind: level, recent: 6, beyond: 1, change: 0.2}, for: 2s}
  rates: {signal: traffic, by: [version], window: {time: 5s}, detect: {kind: page_hinkley, threshold: 3}}
  high:
    signal: p90(features.amount)
    window: {time: 3s}
    detect: {kind: level, against: reference, beyond: 1, change: 0.1}
  wide: {signal: "std(ratio(features.amount, features.age))", window: {time: 2s}, detect: {kind: trend, points: 20}}
  silent: {signal: events, detect: {kind: silence, after: 3s, min_count: 5}, keep_firing_for: 1s, repeat_interval: 3s}
  silent-version: {signal: events, by: [version], detect: {kind: silence, after: 5s, min_count: 5}}
  unseen: {signal: unseen.*, window: {events: 30}, detect: {kind: fraction, max: 0.1}}
  more: {signal: new_feature.*, by: [version], detect: {kind: occurrence}, keep_firing_for: 5s}
"""

POISON = [b"", None, b"{", b"\xff\xfe", b'{"model": true}', b'{"model":"m","features":{"amount":NaN}}', b"[]", b"1e400"]


def make_log(rng: random.Random, partition: int, length: int) -> list[Record]:
    """A partition of two models: a shift, some nulls, a new label and poison in the middle of ordinary events."""
    records = []
    begin, stop = sorted(rng.sample(range(length // 4, length), 2))
    for offset in range(length):
        time_ms = 1_700_000_000_000 + offset * 250
        if rng.random() < 0.02:
            records.append(Record(offset, time_ms, b"k", rng.choice(POISON)))
            continue
        shifted = begin <= offset < stop
        event: dict[str, Any] = {
            "model": f"m{partition}" if rng.random() < 0.8 else "shared",
            "model_version": "2" if offset > length // 2 else "1",
            "event_id": f"{partition}-{offset if rng.random() > 0.03 else offset - 1}",
            "time": (time_ms - (40_000 if rng.random() < 0.01 else 0)) / 1000,
            "features": {
                "amount": rng.gauss(0, 1) * 20 + 100 + (60 if shifted else 0),
                "age": None if shifted and rng.random() < 0.6 else rng.lognormvariate(0, 1),
                "country": rng.choice("abc") if not shifted else rng.choice("abz"),
            },
            "prediction": {
                "label": "yes" if rng.random() < (0.9 if shifted else 0.2) else "no",
                "scores": {"yes": rng.random() * (0.5 if shifted else 1), "no": rng.random(), "maybe": rng.random()},
            },
            "status": rng.choice(["ok", "500"] if shifted else ["ok", "ok", "ok", "429"]),
        }
        if rng.random() < 0.03:
            event["secret"] = True
        if rng.random() < 0.05:
            event["golden"] = True
        if rng.random() < 0.1:
            event["offline"] = {"country": event["features"]["country"] if rng.random() < 0.8 else "b"}
        if rng.random() < 0.12:
            about = f"{partition}-{max(offset - rng.randrange(1, 90), 0)}"
            action = rng.choice(["accept", "override"] if shifted else ["accept"] * 9 + ["override"])
            event = {**{name: event[name] for name in ("model", "event_id", "time")}, "feedback": {"action": action}}
            event["feedback"]["event_id"] = about
        elif (own := random.Random(offset)).random() < 0.2:  # A chance of its own: all else stays as it is.
            about = f"{partition}-{max(offset + own.choice((-1, -1, -3, -20, -20, -90, -200, 2)), 0)}"
            said = {"event_id": about, "value": own.choice(["yes", "no"] if shifted else ["no"] * 6 + ["yes"])}
            event = {"model": event["model"], "time": event["time"], "label": said}
        records.append(Record(offset, time_ms, None, json.dumps(event).encode()))
    return records


def oracle(
    config: Config,
    partition: Partition,
    records: list[Record],
    ticks: Iterable[Tick] = (),
    generation: int = 0,
    first_end: int = 0,
) -> Task:
    """The uninterrupted run: one task, the whole log at once but for the ticks."""
    task = Task(config, partition, 0, generation=generation, first_end=first_end)
    return fed(task, Decoder(fields_of(config), False), records, ticks)


def fed(stage: AnyStage, decode: Decode, records: list[Record], ticks: Iterable[Tick]) -> AnyStage:
    """A stage that has taken the log and the ticks."""
    for tick in [*ticks, None]:
        end = tick.offset if tick is not None else records[-1].offset + 1
        if due := [record for record in records if stage.position <= record.offset < end]:
            stage.step(decode(due, stage.partition[0]))
        if tick is not None:
            stage.tick(tick)
    return stage


class Differs(AssertionError):
    """What was published, or the final state, is not the oracle's. Nothing else raises it: a run that breaks, or that
    does not end, says nothing about what the oracle would have seen.
    """


def compare(what: str, published: list[Out], expected: list[Out]) -> None:
    if published != expected:
        pairs = zip(published, expected, strict=False)
        same = next((i for i, (one, other) in enumerate(pairs) if one != other), min(len(published), len(expected)))
        sizes = f"record {same} of {len(published)}, {len(expected)} expected"
        raise Differs(f"{what}: published differs from the oracle at {sizes}")


def ticks_of(beats: list[Out]) -> list[Tick]:
    """The ticks that the heartbeats of a partition tell of."""
    found: dict[int, Tick] = {}
    for beat in beats:
        data = json.loads(beat.value or b"")["data"]
        number = data["tick"].pop("number")
        tick = Tick(data["offset"], **data["tick"])
        if found.setdefault(number, tick) != tick:
            raise Differs(f"tick {number} is told twice: {found[number]} and {tick}")
    if list(found) != list(range(1, len(found) + 1)):
        raise Differs(f"a tick is missing or told late: {list(found)}")
    return list(found.values())


SAID_AT = {"alerts": "trigger", "shadow": "trigger", "incidents": "opened", "windows": "closed_by", "heartbeats": ""}
"""By the role of a record which member of its data says what partition it is of."""


def by_partition(outs: Iterable[Out]) -> dict[tuple[str, int], list[Out]]:
    """Published records per (topic role, input partition), in order."""
    split: dict[tuple[str, int], list[Out]] = defaultdict(list)
    for out in outs:
        if out.topic == "dead_letter":
            number = int(dict(out.headers)["driftline.error.partition"] or b"")
        else:
            data, place = json.loads(out.value or b"")["data"], SAID_AT[out.topic]
            number = (data[place] if place else data)["partition"]
        split[out.topic, number].append(out)
    return split


class Late(Future[bytes]):
    """A snapshot that takes its time, so that it is of an older offset than the commit that carries it."""

    rng = random.Random(0)

    def done(self) -> bool:
        return self.rng.random() < 0.3 and super().done()


class LatePool:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def submit(self, work: Callable[[dict[str, Any]], bytes], state: dict[str, Any]) -> Future[bytes]:
        future = Late()
        future.rng = self.rng
        future.set_result(work(state))
        return future


class Campaign:
    """A schedule: which worker acts next, who dies, who is paused, when the broker's own housekeeping runs."""

    inputs, most, text = 3, 3, ""  # partitions, workers at a time, and the config, by default CONFIG as it is by then

    def __init__(self, seed: int, worker_class: type[Worker] = Worker, length: int = 260) -> None:
        self.rng = random.Random(seed)
        self.config = load_text(self.text or CONFIG, "sim.yaml", {})
        self.pool = LatePool(seed)
        self.worker_class = worker_class
        self.partitions = [(TOPIC, number) for number in range(self.inputs)]
        self.broker = Broker(self.rng, self.partitions, dict(FAULTS))
        self.full = {p: make_log(self.rng, p[1], length) for p in self.partitions}
        some = random.Random(seed)  # What is there before anybody comes; of some partitions nothing.
        self.broker.logs = {p: full[: max(some.randrange(-length // 2, length), 0)] for p, full in self.full.items()}
        self.now_s = 0.0
        self.workers: dict[str, Worker] = {}
        self.logs: dict[str, SimLog] = {}
        self.notes: list[str] = []

    def start(self, instance: str) -> None:
        self.logs[instance] = SimLog(self.broker, instance)
        self.workers[instance] = self.worker_class(
            self.config,
            self.stages(),
            self.logs[instance],
            lambda: self.now_s,
            self.wall_ms,
            self.note,
            self.pool,
        )

    def stages(self) -> Stages:
        return Tasks(self.config)

    def wall_ms(self) -> int:
        return 1_700_000_000_000 + int(self.now_s * 1000)

    def note(self, event: str, partition: Partition, **fields: object) -> None:
        self.notes.append(event)

    def kill(self, instance: str) -> None:
        """SIGKILL: the group notices later, the open transaction stays open."""
        self.workers.pop(instance)
        self.gone = self.logs.pop(instance).member
        if self.rng.random() < 0.7:
            self.broker.leave(self.gone)

    def act(self, instance: str) -> None:
        try:
            self.workers[instance].step(0.0)
        except Crash:
            self.kill(instance)

    def turn(self) -> None:
        """One random action."""
        roll = self.rng.random()
        self.now_s += self.rng.random() * 0.8
        if roll < 0.25:
            for partition, full in self.full.items():
                log = self.broker.logs[partition]
                log += full[len(log) : len(log) + self.rng.randint(0, 40)]
        elif roll < 0.28 and len(self.workers) < self.most and not self.broker.down:
            name = next(f"w{i}" for i in range(self.most) if f"w{i}" not in self.workers)
            self.start(name)
        elif roll < 0.30 and self.workers:
            self.kill(self.rng.choice(sorted(self.workers)))
        elif roll < 0.33 and self.workers:  # A paused member is evicted; it wakes up as a zombie at its next step.
            self.broker.leave(self.logs[self.rng.choice(sorted(self.workers))].member)
        elif roll < 0.34 and self.workers:
            name = self.rng.choice(sorted(self.workers))
            try:
                self.workers[name].drain()
                self.logs[name].close()
                del self.workers[name], self.logs[name]
            except Crash:
                self.kill(name)
        elif roll < 0.38:
            self.broker.expire()
            self.broker.compact()
        elif roll < 0.39 or (self.broker.down and roll < 0.45):
            self.broker.down = not self.broker.down
        elif self.workers:
            self.act(self.rng.choice(sorted(self.workers)))

    def run(self, turns: int = 220, calm: int = 400) -> None:
        """Random turns, then calm weather until every partition stands at its end and everything is published."""
        self.start("w0")
        for _ in range(turns):
            self.turn()
        self.broker.logs = {p: list(full) for p, full in self.full.items()}
        self.finish(calm)

    def finish(self, calm: int = 400) -> None:
        """In calm weather."""
        self.broker.faults, self.broker.down = {}, False
        for _ in range(calm):
            for member in set(self.broker.members) - {log.member for log in self.logs.values()}:
                self.broker.leave(member)
            if not self.workers:
                self.start("w0")
            self.now_s += 1.0
            self.broker.expire()
            for instance in sorted(self.workers):
                self.act(instance)
            if self.finished():
                return
        raise AssertionError(f"did not finish: {self.broker.committed} {self.workers}")

    def finished(self) -> bool:
        ends = all(
            (c := self.broker.committed.get(p)) is not None and c.offset == len(self.full[p]) for p in self.partitions
        )
        live = {partition for w in self.workers.values() for partition in w.owned} == set(self.partitions)
        return ends and live and not any(o.task.outbox for w in self.workers.values() for o in w.owned.values())

    def survived(self, partition: Partition) -> list[Record]:
        """The log as who knows its killers reads it."""
        records = self.full[partition]
        for first, last in self.broker.killers.get(partition, []):
            records = [r for r in records if r.offset < first] + [skipped(first, last)] + records[last + 1 :]
        return records

    def check(self) -> None:
        """Read-committed output and final state equal those of the uninterrupted run, byte for byte."""
        published = by_partition(self.broker.published())
        tasks = {p: o.task for w in self.workers.values() for p, o in w.owned.items()}
        for partition in self.partitions:
            ticks = ticks_of(published.get(("heartbeats", partition[1]), []))
            first_end, _ = snapshot.decode(self.broker.began[partition])["history"]
            expected = oracle(self.config, partition, self.survived(partition), ticks, first_end=first_end)
            for role, outs in by_partition(expected.outbox).items():
                compare(str(role), published.pop(role, []), outs)
            if partition not in tasks:
                raise Differs(f"nobody has the state of {partition}")
            if tasks[partition].dump() != expected.dump():
                raise Differs(f"state of {partition} differs from the oracle")
        if published:
            raise Differs(f"published beyond the oracle: {list(published)}")


def run_seed(seed: int, worker_class: type[Worker] = Worker) -> Campaign:
    campaign = Campaign(seed, worker_class)
    campaign.run()
    campaign.check()
    return campaign
