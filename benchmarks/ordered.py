"""Driftline over topics that are not keyed by model: stage 1 puts events in order, stage 2 detects, in one process as
by default. What that costs next to reading a keyed topic directly is the price of order.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.consume import connect
from benchmarks.measure import Clock, Job, hand_in
from benchmarks.product import STALLED_S, alarms_of, config_text, published
from benchmarks.untimed import Untimed


def told_nobody(event: str, *where: object, **fields: object) -> None:
    """What the service would log."""


def ordered(job: Job) -> None:
    """Both stages in turns. The clock stops when all that was found is committed; every event is in a series, or the
    run fails: what comes out of order is not to be thrown away as late.
    """
    from streamer.config.load import load_text
    from streamer.config.stages import stage_configs
    from streamer.kafka.log import KafkaLog
    from streamer.service.json_logs import CoordinatorWatch
    from streamer.service.memory import settle_memory
    from streamer.service.run import wall_ms
    from streamer.service.stages import made_by, turn
    from streamer.service.worker import Worker

    config = load_text(config_text(job), "bench.yaml", {})
    workers, logs = [], []
    for stage in stage_configs(config):
        logs.append(KafkaLog(stage, logging.getLogger("bench"), CoordinatorWatch()))
        made = made_by(config, stage, logs[-1])
        workers.append(Worker(stage, made, logs[-1], time.monotonic, wall_ms, told_nobody, ThreadPoolExecutor(1)))
    untimed = Untimed(job, connect(job))
    settle_memory()
    clock, moved_s, idle, (first, second) = Clock(), time.monotonic(), False, workers
    while (read := position(first)) < job.events:
        idle = turn(workers, idle)
        places = [(place, owned.task.position) for place, owned in first.owned.items()]
        if untimed.open and any([untimed.reached(logs[0]._consumer, *place) for place in places]):
            finish(first, second)
            clock = untimed.start(logs[0]._consumer, position(first))
        moved_s = moved_s if idle else time.monotonic()
        if time.monotonic() - moved_s > STALLED_S:
            raise SystemExit(f"stalled at {read} of {job.events} events; positions: {places}")
    finish(first, second)
    figures = clock.figures(job.events)
    drain_s = time.process_time()
    assert all([worker.drain() for worker in workers])
    figures["drain_cpu_ms"] = (time.process_time() - drain_s) * 1000
    series = sum(owned.task.series for owned in second.owned.values())
    counts = [owned.task.admission.counts for owned in second.owned.values()]
    for log in logs:
        log.close()
    skipped = sum(1 for _ in published(job, f"{job.run}-dead-letter"))
    unused = job.events - skipped - sum(one["used"] for one in counts)
    if unused:
        raise SystemExit(f"{unused} of {job.events} events were read and not used: {counts}")
    hand_in(job, figures, series, skipped, alarms_of(published(job, f"{job.run}-alerts")))


def position(first: Any) -> int:
    """How many records stage 1 has read."""
    return sum(owned.task.position for owned in first.owned.values())


def taken(second: Any) -> int:
    """How many events stage 2 has taken."""
    return sum(sum(owned.task.admission.counts.values()) for owned in second.owned.values())


def finish(first: Any, second: Any) -> None:
    """Commit what stage 1 has read, and let stage 2 take and commit all of it."""
    assert first.commit(), "a commit of stage 1 did not land"
    wanted = sum(owned.task.counts["ordered"] for owned in first.owned.values())
    end_s = time.monotonic() + STALLED_S
    while taken(second) < wanted:
        second.step(0.05)
        if time.monotonic() > end_s:
            raise SystemExit(f"stage 2 has {taken(second)} of {wanted} events and no more come")
    assert second.commit(), "a commit of stage 2 did not land"
