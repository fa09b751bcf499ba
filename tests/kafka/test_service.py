"""The whole service on a real broker: against an independent river loop, against `replay`, and under SIGKILL."""

from __future__ import annotations

import csv
import gzip
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import drift

from schemas.events.batch import Record
from streamer.config.load import load_config
from streamer.engine.snapshot import decode, encode
from streamer.engine.task import Task
from streamer.kafka import offset_metadata as pointer
from tests.kafka.service import ROOT, Service, beats_of, committed, first_ends, produce, read_all, wait_committed
from tests.sim.campaign import make_log, oracle, ticks_of
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

PARTITIONS = 4
Topics = Callable[..., list[str]]

CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", order: topic, instance: worker-0, client: {{session.timeout.ms: 6000}}}}
topics:
  {{events: [{events}], alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}, windows: {windows}}}
reference: {{warmup: {warmup}}}
limits: {{lateness: 20s, duplicates: 50}}
monitors:
  mean: {{signal: features.*, detect: {{kind: adwin, delta: 0.0002}}, keep_firing_for: 1ms, resolve: faded}}
  jump:
    signal: features.*
    detect: {{kind: page_hinkley, delta: 0.25, threshold: 30}}
    keep_firing_for: 1ms
    resolve: faded
{more}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0"}}
"""
MORE = """
  empty: {signal: missing.*, detect: {kind: adwin}, keep_firing_for: 20s}
  odd: {signal: anomaly, window: {events: 40}, detect: {kind: fraction, max: 0.2}, keep_firing_for: 5s}
"""


class Setup:
    """Topics and a config file of their own for one test."""

    def __init__(
        self,
        broker: str,
        make_topics: Topics,
        folder: Path,
        warmup: int,
        more: str = "",
        partitions: int = PARTITIONS,
    ) -> None:
        self.broker, self.partitions = broker, partitions
        self.events, self.alerts, self.state, self.dead, self.beats, self.windows = make_topics(
            "in", "al", "st", "dl", "hb", "wi", partitions=partitions
        )
        self.group = f"g-{self.events}"
        self.path = folder / "driftline.yaml"
        names = {
            "broker": broker,
            "group": self.group,
            "events": self.events,
            "alerts": self.alerts,
            "beats": self.beats,
            "windows": self.windows,
        }
        text = CONFIG.format(**names, state=self.state, dead=self.dead, warmup=warmup, more=more)
        self.path.write_text(text)
        self.log = folder / "service.log"

    def run(self) -> Service:
        return Service(self.path, self.log)

    def published(self) -> list[bytes]:
        return [message.value() for message in read_all(self.broker, self.alerts, self.partitions)]


def electricity(data: Path, rows: int) -> Iterator[dict[str, Any]]:
    with (data / "elec2" / "electricity.csv").open() as handle:
        for number, row in enumerate(csv.DictReader(handle)):
            if number == rows:
                return
            features = {
                name: float(row[name]) for name in ("nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
            }
            yield {"model": "electricity", "time": 1_600_000_000 + 60 * number, "features": features}


def harvard(data: Path, rows: int) -> Iterator[dict[str, Any]]:
    with gzip.open(data / "harvard" / "sine_0123_abrupto.csv.gz", "rt") as handle:
        for number, row in enumerate(csv.DictReader(handle)):
            if number == rows:
                return
            features = {"x1": float(row["X1"]), "x2": float(row["X2"]), "class": float(row["class"])}
            yield {"model": "sine", "time": 1_600_000_000 + number, "features": features}


def river_loop(events: list[dict[str, Any]], warmup: int) -> set[tuple[str, str, int]]:
    """What the alerts must be, written without any of our code: (monitor, feature, offset) of every alarm."""
    series: dict[str, list[float]] = {}
    centre: dict[str, tuple[float, float]] = {}
    detectors: dict[str, tuple[Any, Any]] = {}
    alarms = set()
    for offset, event in enumerate(events):
        for name, value in event["features"].items():
            if name not in centre:
                seen = series.setdefault(name, [])
                seen.append(value)
                if len(seen) == warmup:
                    middle = float(np.median(seen))
                    centre[name] = middle, 1.4826 * float(np.median(np.abs(np.array(seen) - middle)))
                    detectors[name] = (drift.ADWIN(delta=0.0002), drift.PageHinkley(30, 0.25, 30, 1.0))
                continue
            middle, scale = centre[name]
            if scale > 0:
                z = min(max((value - middle) / scale, -3.0), 3.0)
            else:  # The interconnector's columns are constant at first: any other value is one deviation away.
                assert len(set(series[name])) == 1
                z = float(np.sign(value - middle))
            for monitor, detector in zip(("mean", "jump"), detectors[name], strict=True):
                detector.update(z)
                if detector.drift_detected:
                    alarms.add((monitor, name, offset))
    return alarms


def test_alerts_equal_an_independent_river_loop_and_replay(
    broker: str, make_topics: Topics, data: Path, tmp_path: Path
) -> None:
    warmup = 500
    setup = Setup(broker, make_topics, tmp_path, warmup)
    sets = {1: list(electricity(data, 20_000)), 3: list(harvard(data, 12_000))}
    sets[3] = [{**e, "features": {k: v for k, v in e["features"].items() if k != "class"}} for e in sets[3]]
    files, logs = [], {}
    for partition, events in sets.items():
        path = tmp_path / f"{partition}.jsonl.gz"
        with gzip.open(path, "wt") as handle:
            handle.writelines(json.dumps(event) + "\n" for event in events)
        files += ["--input", f"{partition}={path}"]
        records = [
            Record(i, 1000 * event["time"], event["model"].encode(), json.dumps(event).encode())
            for i, event in enumerate(events)
        ]
        logs[partition] = records
    with setup.run() as service:  # What is there before it comes would be school, of which files say nothing.
        wait_committed(broker, setup.group, setup.events, dict.fromkeys(range(PARTITIONS), 0))
        produce(broker, setup.events, logs)
        wait_committed(broker, setup.group, setup.events, {1: 20_000, 3: 12_000, 0: 0, 2: 0})
        assert service.stop() == 0
    published = setup.published()
    found: dict[str, set[tuple[str, str, int]]] = {"electricity": set(), "sine": set()}
    for value in published:
        record = json.loads(value)["data"]
        if record["status"] == "firing":  # Incidents are open.
            labels = record["alert"]["labels"]
            place = labels["monitor"], labels["signal"].removeprefix("features."), record["trigger"]["offset"]
            found[labels["model"]].add(place)
    assert found["electricity"] == river_loop(sets[1], warmup)
    assert found["sine"] == river_loop(sets[3], warmup)
    assert len(found["electricity"]) > 20

    command = [sys.executable, "-m", "streamer", "replay", "-c", str(setup.path), *files]
    replayed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert sorted(replayed.stdout.splitlines()) == sorted(published)
    assert b"32,000 records = 32,000 used + 0 late" in replayed.stderr
    command = [sys.executable, "-m", "streamer", "replay", "-c", str(setup.path), "--topic", setup.events]
    assert sorted(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.splitlines()) == sorted(
        published
    )


def test_twenty_kills_change_nothing(broker: str, make_topics: Topics, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    setup = Setup(broker, make_topics, tmp_path, 40, MORE)
    length = 6_000
    logs = {n: make_log(rng, n, length) for n in range(PARTITIONS)}
    fed = 0
    for _ in range(20):
        more = min(fed + length // 22, length)
        produce(broker, setup.events, {n: records[fed:more] for n, records in logs.items()})
        fed = more
        with setup.run() as service:
            time.sleep(rng.uniform(0.9, 3.5))
            service.kill()
    produce(broker, setup.events, {n: records[fed:] for n, records in logs.items()})
    with setup.run() as service:
        wait_committed(broker, setup.group, setup.events, dict.fromkeys(logs, length))
        assert service.stop() == 0, setup.log.read_text()[-2000:]
    check_against_oracle(setup, logs, length)


def test_who_was_stopped_has_left_the_group(broker: str, make_topics: Topics, tmp_path: Path) -> None:
    """The next one does not wait for the end of a session, which is later than we are patient."""
    setup = Setup(broker, make_topics, tmp_path, 40)
    text = setup.path.read_text()
    static = ", instance: worker-0, client: {session.timeout.ms: 6000}"
    assert static in text
    setup.path.write_text(text.replace(static, ", client: {session.timeout.ms: 250000}"))
    for ready in (PARTITIONS, 2 * PARTITIONS):
        with setup.run() as service:
            until(lambda n=ready: len(service.lines("partition_ready")) >= n, lambda: setup.log.read_text()[-2000:])
            assert service.stop() == 0
        if service.lines("close_abandoned"):
            return  # librdkafka's close hung, and its group learns of it when the session is over.


def check_against_oracle(
    setup: Setup, logs: dict[int, list[Record]], length: int, names: Sequence[Path] = (), least: int = 21
) -> None:
    """Alerts, windows, dead letters and the last snapshots equal those of one uninterrupted run. `names`: what the
    instances' configs are called, where each has one of its own. `least`: so many alerts and windows there must be.
    """
    config = load_config(setup.path, {})
    alerts = setup.published()
    for name in names:
        alerts = [alert.replace(str(name).encode(), str(setup.path).encode()) for alert in alerts]
    alerts.sort()
    letters = sorted(
        (m.value() or b"", dict(m.headers() or []).get("driftline.error.offset", b""))
        for m in read_all(setup.broker, setup.dead, setup.partitions)
    )
    beats = beats_of(setup.broker, setup.beats, setup.partitions)
    ticks = {n: ticks_of(beats[n]) for n in logs}
    ends = first_ends(setup.log.parent)

    def lived(n: int, seen: int) -> Task:
        return oracle(config, (setup.events, n), logs[n], ticks[n][:seen], first_end=ends.get(n, 0))

    tasks = {n: lived(n, len(ticks[n])) for n in logs}
    outs = [out for task in tasks.values() for out in task.outbox]
    assert alerts == sorted(out.value or b"" for out in outs if out.topic in ("alerts", "incidents"))
    assert len(alerts) >= least
    windows = sorted(message.value() for message in read_all(setup.broker, setup.windows, setup.partitions))
    assert windows == sorted(out.value or b"" for out in outs if out.topic == "windows")
    assert len(windows) >= least
    expected = [(o.value or b"", dict(o.headers)["driftline.error.offset"]) for o in outs if o.topic == "dead_letter"]
    assert letters == sorted(expected)
    state = {(m.partition(), m.offset()): m.value() for m in read_all(setup.broker, setup.state, setup.partitions)}
    for number, (offset, metadata) in committed(setup.broker, setup.group, setup.events, setup.partitions).items():
        told = pointer.from_text(offset, metadata)
        root = told.pointer
        assert root is not None
        assert (offset, root.position) == (length, length)  # A drained service leaves S == C.
        blob = b"".join(state[root.partition, root.offset + i] for i in range(root.chunks))
        assert decode(blob)["position"] == length
        # For a tick alone no snapshot is written: what came since is said with the offset.
        assert told.ticks == tuple(ticks[number][root.ticks :])
        task = tasks[number] if not told.ticks else lived(number, root.ticks)
        task.topic_id = decode(blob)["input"][0]  # It decides nothing.
        wanted, found = decode(task.dump()), decode(blob)
        parts = [part for part in wanted if encode({part: wanted[part]}) != encode({part: found.get(part)})]
        assert blob == task.dump(), [(part, wanted[part], found.get(part)) for part in parts]


def events_total(metrics: str) -> float:
    totals = [line for line in metrics.splitlines() if line.startswith("driftline_events_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in totals)


def test_sigterm_drains_within_ten_seconds_and_the_endpoints_answer(
    broker: str, make_topics: Topics, tmp_path: Path
) -> None:
    setup = Setup(broker, make_topics, tmp_path, 40, MORE)
    logs = {n: make_log(random.Random(n), n, 2_000) for n in range(PARTITIONS)}
    produce(broker, setup.events, logs)
    with setup.run() as service:
        wait_committed(broker, setup.group, setup.events, dict.fromkeys(logs, 2_000))
        address = service.lines("starting")[0]["listen"]

        def page(path: str) -> str:
            body: bytes = urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE_S).read()
            return body.decode()

        lag = f'driftline_consumer_lag_records{{partition="0",topic="{setup.events}"}} 0.0'
        # The metrics are copied once a second.
        until(lambda: events_total(text := page("/metrics")) >= 4 * 2_000 and lag in text, lambda: page("/metrics"))
        pages = {path: page(path) for path in ("/livez", "/readyz", "/metrics", "/version")}
        assert service.stop() == 0, "it is 75 after ten seconds"
    assert '"river": "0.26.1"' in pages["/version"].replace('":"', '": "')
    assert events_total(pages["/metrics"]) == 4 * 2_000
    assert lag in pages["/metrics"]
    [ended] = [
        line for line in pages["/metrics"].splitlines() if 'windows_total{ended="evaluated",monitor="odd"}' in line
    ]
    assert float(ended.rsplit(" ", 1)[1]) > 100
    check_against_oracle(setup, logs, 2_000)
