"""The contestants, one per process: raw consume, two scripts with river, and Driftline itself.

All of them read the same topics with the same fetch buffers, and their clocks start before the first fetch: imports
and connections are nobody's merit.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import shipped
from benchmarks.consume import assign, connect, step
from benchmarks.measure import Alarm, Clock, Job, hand_in, job_from_arguments
from benchmarks.ordered import ordered
from benchmarks.product import STALLED_S, alarms_of, config_text, published
from benchmarks.sets import ORDERED
from benchmarks.untimed import Untimed


def raw(job: Job) -> None:
    """What the client library costs by itself."""
    consumer, seen = connect(job), 0
    untimed = Untimed(job, consumer)
    clock = Clock()
    assign(consumer, job)
    while seen < job.events:
        messages = consumer.consume(500, 0.1)
        seen += sum(m.error() is None and m.value() is not None for m in messages)
        if untimed.open and any(step(untimed, consumer, message) for message in messages):
            clock = untimed.start(consumer, seen)
    hand_in(job, clock.figures(seen), 0, 0, [])


def obvious(job: Job) -> None:
    """The first script: one message at a time, the standard library's JSON, river objects in a dict."""
    from river import drift

    consumer, seen, skipped = connect(job), 0, 0
    detectors: dict[tuple[str, str], tuple[Any, Any]] = {}
    alarms: list[Alarm] = []
    untimed = Untimed(job, consumer)
    clock = Clock()
    assign(consumer, job)
    while seen < job.events:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        if untimed.open and step(untimed, consumer, message):
            clock = untimed.start(consumer, seen)
        seen += 1
        try:
            record = json.loads(message.value())
            model, features = record["model"], record["features"]
        except (ValueError, TypeError, KeyError):
            skipped += 1
            continue
        for name, value in features.items():
            if (model, name) not in detectors:
                detectors[model, name] = (drift.ADWIN(), drift.PageHinkley())
            adwin, page_hinkley = detectors[model, name]
            adwin.update(value)
            if adwin.drift_detected:
                alarms.append((model, name, "adwin", message.partition(), message.offset()))
            page_hinkley.update(value)
            if page_hinkley.drift_detected:
                alarms.append((model, name, "page_hinkley", message.partition(), message.offset()))
    hand_in(job, clock.figures(seen), len(detectors), skipped, alarms)


def tuned(job: Job) -> None:
    """What a good engineer makes of it in an afternoon: batches, orjson, no lookup twice."""
    import orjson
    from river import drift

    consumer, seen, skipped = connect(job), 0, 0
    detectors: dict[tuple[str, str], tuple[Any, Any]] = {}
    alarms: list[Alarm] = []
    loads, get, adwin_of, page_hinkley_of = orjson.loads, detectors.get, drift.ADWIN, drift.PageHinkley
    untimed = Untimed(job, consumer)
    clock = Clock()
    assign(consumer, job)
    while seen < job.events:
        for message in consumer.consume(500, 0.1):
            if message.error() is not None:
                continue
            if untimed.open and step(untimed, consumer, message):
                clock = untimed.start(consumer, seen)
            seen += 1
            try:
                record = loads(message.value())
                model, features = record["model"], record["features"]
            except (ValueError, TypeError, KeyError):
                skipped += 1
                continue
            for name, value in features.items():
                key = (model, name)
                pair = get(key)
                if pair is None:
                    pair = detectors[key] = (adwin_of(), page_hinkley_of())
                adwin, page_hinkley = pair
                adwin.update(value)
                page_hinkley.update(value)
                if adwin.drift_detected:
                    alarms.append((*key, "adwin", message.partition(), message.offset()))
                if page_hinkley.drift_detected:
                    alarms.append((*key, "page_hinkley", message.partition(), message.offset()))
    hand_in(job, clock.figures(seen), len(detectors), skipped, alarms)


def ours(job: Job) -> None:
    """The product's own loop: group member, exactly-once commits, snapshots when due, alerts, dead letters.

    The clock starts when the first partition is about to be fetched, and stops when all that was found is committed.
    What a stop of the service costs on top (a snapshot of everything) is a figure of its own.
    """
    from streamer.config.load import load_text
    from streamer.engine.tasks import Tasks
    from streamer.kafka.log import KafkaLog
    from streamer.service.json_logs import CoordinatorWatch
    from streamer.service.memory import settle_memory
    from streamer.service.run import wall_ms
    from streamer.service.worker import Worker

    config = load_text(config_text(job), "bench.yaml", {})
    started: list[Clock] = []

    def notify(event: str, *where: object, **fields: object) -> None:
        if event == "partition_ready" and not started:
            started.append(Clock())

    untimed = Untimed(job, connect(job))
    log = KafkaLog(config, logging.getLogger("bench"), CoordinatorWatch())
    worker = Worker(config, Tasks(config), log, time.monotonic, wall_ms, notify, ThreadPoolExecutor(1))
    settle_memory()
    seen, moved_s = 0, time.monotonic()
    while seen < job.events:
        worker.step(0.1)
        before, seen = seen, sum(owned.task.position for owned in worker.owned.values())
        places = [(place, owned.task.position) for place, owned in worker.owned.items()]
        if untimed.open and any([untimed.reached(log._consumer, *place) for place in places]):
            assert worker.commit(), "a commit did not land"  # What was found before the clock starts is not timed.
            started.append(untimed.start(log._consumer, seen))
        moved_s = time.monotonic() if seen != before else moved_s
        if time.monotonic() - moved_s > STALLED_S:
            raise SystemExit(f"stalled at {seen} of {job.events} events; positions: {places}")
    assert worker.commit(), "the last commit did not land"
    figures = started[-1].figures(seen)
    drain_s = time.process_time()
    assert worker.drain()
    figures["drain_cpu_ms"] = (time.process_time() - drain_s) * 1000
    log.close()
    alarms = alarms_of(published(job, f"{job.run}-alerts"))
    skipped = sum(1 for _ in published(job, f"{job.run}-dead-letter"))
    hand_in(job, figures, 0, skipped, alarms)


CONTESTANTS = {
    # By `Case.detectors`: the scripts are others where values are standardised, so that neither pays for the other.
    "river": {"raw": raw, "obvious": obvious, "tuned": tuned, "ours": ours, "ours_pure": ours, ORDERED: ordered},
    "shipped": {
        "raw": raw,
        "obvious": shipped.obvious,
        "tuned": shipped.tuned,
        "ours": ours,
        "ours_pure": ours,
        ORDERED: ordered,
    },
}

if __name__ == "__main__":
    the_job = job_from_arguments()
    CONTESTANTS[the_job.detectors][the_job.contestant](the_job)
