"""`python -m benchmarks.shards`: of the false alarms that `peers` is granted, how many it makes on healthy fleets.

Fleets of 20 shards, each for 50 windows of ten minutes of about 200 values a shard. A window that names anybody counts
once. And how many windows it takes to name one shard that is off by one deviation from its first event.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from detectors.extremes import DAY_MS
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.monitors.finding import BREACH
from streamer.monitors.peers import PeersMonitor
from streamer.signals.columns import Column

Array = Any
SHARDS, WINDOWS, FLEETS, EVENTS = 20, 50, 20, 200
WINDOW_MS = 600_000
TEXT = """
version: 1
kafka: {{brokers: "b:1"}}
topics: {{events: [e]}}
monitors: {{m: {{signal: {}, by: [segment.shard], detect: {{kind: peers}}}}}}
"""


class Fleet(NamedTuple):
    """Values in the order of their times."""

    shard: Array
    times_ms: Array
    values: Array


def arrivals(draw: np.random.Generator, rates: Array, windows: int = WINDOWS) -> tuple[Array, Array]:
    """Shards and times of events that come at random, so many of each shard in a window."""
    counts = draw.poisson(rates * windows)
    shard = np.repeat(np.arange(len(rates)), counts)
    times_ms = draw.integers(0, windows * WINDOW_MS, len(shard))
    order = np.argsort(times_ms, kind="stable")
    return shard[order], times_ms[order]


def even(shards: int = SHARDS, events: float = EVENTS) -> Array:
    return np.full(shards, float(events))


def normal(
    draw: np.random.Generator, rates: Array, levels: Array, more: Callable[[Array, Array], Array] | None = None
) -> Fleet:
    shard, times_ms = arrivals(draw, rates)
    values = draw.standard_normal(len(shard)) + levels[shard]
    return Fleet(shard, times_ms, values if more is None else values + more(shard, times_ms))


def correlated(draw: np.random.Generator, factor: float) -> Fleet:
    """Each value of a shard depends on the one before."""
    shard, times_ms = arrivals(draw, even())
    values = draw.standard_normal(len(shard))
    for one in range(SHARDS):
        mine = np.flatnonzero(shard == one)
        series = values[mine]
        for i in range(1, len(series)):
            series[i] = factor * series[i - 1] + (1 - factor * factor) ** 0.5 * series[i]
        values[mine] = series
    return Fleet(shard, times_ms, values)


def day(times_ms: Array) -> Array:
    """By a deviation up and down."""
    return np.sin(2 * np.pi * times_ms / DAY_MS)


def wandering(draw: np.random.Generator) -> Fleet:
    """Each shard has ups and downs of its own, of a tenth of a deviation and some hours."""
    phase, hours = draw.uniform(0, 2 * np.pi, SHARDS), draw.uniform(2, 12, SHARDS)
    return normal(
        draw, even(), np.zeros(SHARDS), lambda s, t: 0.14 * np.sin(2 * np.pi * t / 3_600_000 / hours[s] + phase[s])
    )


def coming_and_going(draw: np.random.Generator) -> Fleet:
    """Every few windows one shard falls silent somewhere within a window, or is back, while all rise steadily."""
    made = normal(draw, even(), np.zeros(SHARDS), lambda s, t: t / WINDOW_MS)
    ends = draw.uniform(0, WINDOWS * WINDOW_MS, (SHARDS, 2))
    there = (made.times_ms < ends[made.shard].min(axis=1)) | (made.times_ms > ends[made.shard].max(axis=1))
    return Fleet(*(one[there] for one in made))


def growing(draw: np.random.Generator) -> Fleet:
    """Ten times the traffic at the end, whose values are larger by two deviations."""
    made = normal(draw, even(events=10 * EVENTS), draw.normal(0, 0.3, SHARDS), lambda s, t: 2 * t / WINDOWS / WINDOW_MS)
    kept = draw.random(len(made.shard)) < 0.1 * 10 ** (made.times_ms / WINDOWS / WINDOW_MS)
    return Fleet(*(one[kept] for one in made))


def skewed(draw: np.random.Generator) -> Fleet:
    made = normal(draw, even(), np.zeros(SHARDS))
    return made._replace(values=np.exp(made.values))


def ones(draw: np.random.Generator, shares: Array, rates: Array) -> Fleet:
    shard, times_ms = arrivals(draw, rates)
    return Fleet(shard, times_ms, (draw.random(len(shard)) < shares[shard]) * 1.0)


def in_runs(draw: np.random.Generator) -> Fleet:
    """A fiftieth, in runs of about five."""
    made = ones(draw, np.full(SHARDS, 0.004), even())
    values = made.values.copy()
    for one in range(SHARDS):
        mine = np.flatnonzero(made.shard == one)
        for begin in np.flatnonzero(made.values[mine]):
            values[mine[begin : begin + draw.geometric(0.2)]] = 1.0
    return made._replace(values=values)


Draw = np.random.Generator
FAMILIES: dict[str, Callable[[Draw], Fleet]] = {
    "equal": lambda draw: normal(draw, even(), np.zeros(SHARDS)),
    "levels differ by 1": lambda draw: normal(draw, even(), draw.normal(0, 1, SHARDS)),
    "uniform levels": lambda draw: normal(draw, even(), draw.uniform(-2, 2, SHARDS)),
    "two kinds, 15 and 5": lambda draw: normal(draw, even(), np.arange(SHARDS) % 4 // 3 * 1.0),
    "a day of 1, levels of 0.3": lambda draw: normal(draw, even(), draw.normal(0, 0.3, SHARDS), lambda s, t: day(t)),
    "growth": growing,
    "rates from 1 to 50": lambda draw: normal(draw, EVENTS * np.exp(draw.normal(0, 1, SHARDS)), np.zeros(SHARDS)),
    "and levels of 0.1": lambda draw: normal(
        draw, EVENTS * np.exp(draw.normal(0, 1, SHARDS)), draw.normal(0, 0.1, SHARDS)
    ),
    "autocorrelation of 0.8": lambda draw: correlated(draw, 0.8),
    "each wanders by 0.1": wandering,
    "shards come and go, all rise": coming_and_going,
    "lognormal values": skewed,
    "five shards": lambda draw: normal(draw, even(5), np.zeros(5)),
    "five, levels of 0.3": lambda draw: normal(draw, even(5), draw.normal(0, 0.3, 5)),
    "a hundred, levels of 0.3": lambda draw: normal(draw, even(100, 60), draw.normal(0, 0.3, 100)),
    "share of 1 %": lambda draw: ones(draw, np.full(SHARDS, 0.01), even()),
    "share of 30 %": lambda draw: ones(draw, np.full(SHARDS, 0.3), even()),
    "shares of 1 to 5 %, any rates": lambda draw: ones(
        draw, draw.uniform(0.01, 0.05, SHARDS), EVENTS * np.exp(draw.normal(0, 1, SHARDS))
    ),
    "ones in runs of five": in_runs,
}
SKEWED: dict[str, Callable[[Draw], Fleet]] = {
    "levels of lognormal(0, 0.5)": lambda draw: normal(draw, even(), draw.lognormal(0, 0.5, SHARDS)),
    "exponential levels": lambda draw: normal(draw, even(), draw.exponential(1, SHARDS)),
    "levels of t3": lambda draw: normal(draw, even(), draw.standard_t(3, SHARDS)),
}
"""Whose outermost shard is farther out than a normal law knows: told once, and then for as long as it is there."""


def named(fleet: Fleet, chance: float | None = None) -> list[set[int]]:
    """Who is named in each window that closes."""
    share = bool(np.isin(fleet.values, (0.0, 1.0)).all())
    monitor: Any = Task(load_text(TEXT.format("error" if share else "value"), "shards", {}), ("e", 0), 0).monitors["m"]
    assert isinstance(monitor, PeersMonitor)
    monitor.chance = monitor.chance if chance is None else chance
    table = monitor.table
    rows = [table.row(("m", f"s{i}"), table.signal.path) for i in range(int(fleet.shard.max()) + 1)]
    assert rows == list(range(len(rows)))
    events = np.arange(len(fleet.shard))
    batch: Any = SimpleNamespace(offsets=events, times_ms=fleet.times_ms)
    found: dict[int, set[int]] = {}
    for finding in monitor.findings(batch, Column(fleet.shard, fleet.values, events), None):  # type: ignore[arg-type]
        found.setdefault(finding.event, set()).update({finding.row} if finding.signal == BREACH else ())
    return list(found.values())


def false_alarms(family: str, chance: float, seed: int, fleets: int = FLEETS) -> tuple[int, int, int]:
    """Windows that named anybody, all windows, and fleets in which anybody was ever named."""
    many = (FAMILIES | SKEWED)[family]
    windows = [named(many(np.random.default_rng([seed, fleet, len(family)])), chance) for fleet in range(fleets)]
    told = [sum(map(bool, one)) for one in windows]
    return sum(told), sum(map(len, windows)), sum(map(bool, told))


def found_in(seed: int, shift: float, levels: float = 0.0, events: int = EVENTS) -> int | None:
    """In which window the shard that is off from its first event is named; None if never."""
    draw = np.random.default_rng([seed, 99])
    off = draw.normal(0, levels, SHARDS)
    off[7] += shift
    windows = named(normal(draw, even(events=events), off))
    return next((i + 1 for i, one in enumerate(windows) if 7 in one), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how often, each with fleets of its own")
    parser.add_argument("--chance", type=float, default=0.01, help="granted for each window of a fleet")
    given = parser.parse_args()
    print(f"| {'healthy fleets':30} | alarms over those granted | fleets of {FLEETS * given.seeds} that had any |")
    for family in FAMILIES | SKEWED:
        counts = np.array([false_alarms(family, given.chance, seed) for seed in range(given.seeds)]).sum(axis=0)
        print(f"| {family:30} | {counts[0] / counts[1] / given.chance:.2f} | {counts[2]} |", flush=True)
    for shift, levels, events in ((1.0, 0.0, 200), (1.0, 0.1, 200), (0.5, 0.0, 200), (0.5, 0.0, 1000), (1.0, 0.0, 50)):
        found = [found_in(seed, shift, levels, events) for seed in range(10)]
        print(f"off by {shift} among levels of {levels}, {events} events a window: named in window {found}", flush=True)


if __name__ == "__main__":
    main()
