"""The two scripts again, with what Driftline does by default: each value standardised before river sees it.

This is what a person has to write for the same alarms: a warm-up per (model, feature), its median and median absolute
deviation, z cut at 3, and detectors with parameters that suit z. It repeats the formulas of `detectors/reference.py`
to the last bit and imports nothing of Driftline, as a script would not: alarms that differ end the run.
"""

from __future__ import annotations

import json
from math import sqrt
from statistics import median
from typing import Any

from benchmarks.consume import assign, connect, step
from benchmarks.measure import Alarm, Clock, Job, hand_in
from benchmarks.untimed import Untimed

WARMUP = 500
CLIP = 3.0
MAD_TO_SIGMA = 1.4826
ADWIN = {"delta": 0.00002}
PAGE_HINKLEY = {"min_instances": 30, "delta": 0.3, "threshold": 40.0, "alpha": 1.0}


def learn(values: list[float]) -> tuple[float, float]:
    """Centre and scale of a warm-up; where most values are equal, the deviation of its middle 98 %."""
    centre = median(values)
    scale = MAD_TO_SIGMA * median([abs(value - centre) for value in values])
    if scale > 0.0:
        return centre, scale
    cut = -(-len(values) // 100)
    most = sorted(values)[cut : len(values) - cut]
    total = 0.0
    for value in most:  # Not sum(): from Python 3.12 on it rounds otherwise.
        total += (value - centre) * (value - centre)
    return centre, sqrt(total / len(most))


def standardise(value: float, centre: float, scale: float) -> float:
    """A constant warm-up has no scale: any other value is then one deviation away."""
    away = value - centre
    z = away / scale if scale > 0.0 else float((away > 0.0) - (away < 0.0))
    return max(-CLIP, min(CLIP, z))


class Series:
    """What the first script keeps of a (model, feature)."""

    def __init__(self, adwin: Any, page_hinkley: Any) -> None:
        self.adwin, self.page_hinkley = adwin, page_hinkley
        self.warmup: list[float] = []
        self.reference: tuple[float, float] | None = None

    def standardised(self, value: float) -> float | None:
        """None while the warm-up lasts."""
        if self.reference is not None:
            return standardise(value, *self.reference)
        self.warmup.append(value)
        if len(self.warmup) == WARMUP:
            self.reference = learn(self.warmup)
            self.warmup = []
        return None


def obvious(job: Job) -> None:
    """The first script: one message at a time, the standard library's JSON, an object per series in a dict."""
    from river import drift

    consumer, seen, skipped = connect(job), 0, 0
    every: dict[tuple[str, str], Series] = {}
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
            if (model, name) not in every:
                every[model, name] = Series(drift.ADWIN(**ADWIN), drift.PageHinkley(**PAGE_HINKLEY))
            series = every[model, name]
            z = series.standardised(value)
            if z is None:
                continue
            series.adwin.update(z)
            if series.adwin.drift_detected:
                alarms.append((model, name, "adwin", message.partition(), message.offset()))
            series.page_hinkley.update(z)
            if series.page_hinkley.drift_detected:
                alarms.append((model, name, "page_hinkley", message.partition(), message.offset()))
    hand_in(job, clock.figures(seen), len(every), skipped, alarms)


def tuned(job: Job) -> None:
    """The afternoon's script: batches, orjson, no lookup twice, and no call to standardise a value."""
    import orjson
    from river import drift

    consumer, seen, skipped = connect(job), 0, 0
    warming: dict[tuple[str, str], list[float]] = {}
    detectors: dict[tuple[str, str], tuple[float, float, Any, Any]] = {}
    alarms: list[Alarm] = []
    loads, get, least, most = orjson.loads, detectors.get, -CLIP, CLIP
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
                known = get(key)
                if known is None:
                    values = warming.setdefault(key, [])
                    values.append(value)
                    if len(values) == WARMUP:
                        pair = (drift.ADWIN(**ADWIN), drift.PageHinkley(**PAGE_HINKLEY))
                        detectors[key] = (*learn(warming.pop(key)), *pair)
                    continue
                centre, scale, adwin, page_hinkley = known
                z = (value - centre) / scale if scale else standardise(value, centre, scale)
                z = most if z > most else least if z < least else z
                adwin.update(z)
                page_hinkley.update(z)
                if adwin.drift_detected:
                    alarms.append((*key, "adwin", message.partition(), message.offset()))
                if page_hinkley.drift_detected:
                    alarms.append((*key, "page_hinkley", message.partition(), message.offset()))
    hand_in(job, clock.figures(seen), len(detectors) + len(warming), skipped, alarms)
