"""Data sets of a folder that is no part of the project: elec2, harvard's error streams, nab."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.drive import AT, Alert, least, play_rows, single
from benchmarks.quality.families import alarms, detector_of, model_of
from benchmarks.quality.faults import Fault
from benchmarks.quality.scores import GROUPINGS, Drifts, clock, drifts, rate, right, together
from benchmarks.quality.shapes import BEGIN_MS
from benchmarks.quality.stream import Merged
from benchmarks.quality.weeks import NEW, Columns, rng_of
from streamer.config.model import Config
from streamer.engine.task import Task

Array = Any
TRAINED = 5_000
INJECTED = 25_000
CUT = 5_000
"""Rows of harvard's streams during which the classifier still learned."""


def read(path: Path) -> dict[str, Array]:
    """Columns of a CSV; what is not a number stays text."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as handle:
        rows = list(csv.reader(handle))
    columns = {}
    for name, column in zip(rows[0], zip(*rows[1:], strict=True), strict=True):
        try:
            columns[name] = np.array(column, float)
        except ValueError:
            columns[name] = np.array(column)
    return columns


def logistic(features: Array, truth: Array) -> Array:
    """Probabilities of a classifier trained on the first rows, by gradient descent on standardised features."""
    first = features[:TRAINED]
    z = np.c_[np.ones(len(features)), (features - first.mean(0)) / (first.std(0) + 1e-9)]
    weights = np.zeros(z.shape[1])
    for _ in range(300):
        p = 1 / (1 + np.exp((-z[:TRAINED] @ weights).clip(-30, 30)))
        weights -= 0.5 * z[:TRAINED].T @ (p - truth[:TRAINED]) / TRAINED
    return 1 / (1 + np.exp((-z @ weights).clip(-30, 30)))


def elec2_events(folder: Path) -> Columns:
    """The rows as events of a model, one a second, with the predictions of a real classifier."""
    table = read(folder / "elec2" / "electricity.csv")
    truth = (table.pop("class") == "UP").astype(float)
    del table["date"]
    p = logistic(np.c_[tuple(table.values())], truth)
    numbers = {f"features.{name}": column.astype(np.float32) for name, column in table.items()}
    numbers["prediction.confidence"] = np.maximum(p, 1 - p).astype(np.float32)
    times_ms = BEGIN_MS + np.arange(len(p)) * 1000
    return Columns(times_ms, numbers, {"prediction.label": (p > 0.5).astype(np.int32)}, {})


def shuffled(events: Columns, seed: int) -> Columns:
    """The same rows in another order, at the same times."""
    return events.where(rng_of("elec2", seed).permutation(len(events.times_ms))).at(events.times_ms)


def paced(events: Columns, every_ms: int) -> Columns:
    return events.at(BEGIN_MS + np.arange(len(events.times_ms)) * every_ms)


def injected(events: Columns, name: str, seed: int) -> Columns:
    """One fault from row INJECTED on."""
    after, draw = np.arange(len(events.times_ms)) >= INJECTED, rng_of("elec2", name, seed)
    some = after & (draw.random(len(after)) < 0.1)
    n, t, nulls = dict(events.numbers), dict(events.texts), {}
    demand = n["features.nswdemand"]
    if name == "unit x100":
        n["features.nswdemand"] = np.where(after, demand * 100, demand)
    elif name == "+.5 deviations":
        n["features.nswdemand"] = demand + 0.5 * demand.std() * after
    elif name == "spread x2":
        n["features.nswdemand"] = np.where(after, demand.mean() + 2 * (demand - demand.mean()), demand)
    elif name == "nulls 10 %":
        nulls["features.nswdemand"] = some
    elif name == "new label 10 %":
        t["prediction.label"] = np.where(some, NEW, t["prediction.label"]).astype(np.int32)
    elif name == "confidence -.05":
        n["prediction.confidence"] = n["prediction.confidence"] - np.float32(0.05) * after
    return Columns(events.times_ms, n, t, nulls)


INJECTIONS = {
    "unit x100": r"nswdemand",
    "+.5 deviations": r"nswdemand",
    "spread x2": r"nswdemand",
    "nulls 10 %": r"missing.*nswdemand",
    "new label 10 %": r"label",
    "confidence -.05": r"^confidence",
}


def opened(columns: Columns, config: Config | None = None) -> list[Alert]:
    """The alerts of one model that opened, and its incidents; the least config, unless another is given."""
    found = play_rows(Task(config or least(), AT, 0), Merged({"m": columns}))
    return [alert for alert in found if alert.status != "resolved"]


def elec2(folder: Path, seeds: int) -> list[dict[str, Any]]:
    events = elec2_events(folder)
    streams = {f"shuffled {seed}": shuffled(events, seed) for seed in range(seeds)}
    streams |= {"time order": events, "own clock": paced(events, 1_800_000)}
    rows: list[dict[str, Any]] = []
    for name, columns in streams.items():
        found, per = opened(columns), len(events.times_ms) / 10_000
        false = {g: rate(len(group(found)), per)._asdict() for g, group in GROUPINGS.items()}
        rows.append({"set": "elec2", "stream": name, "false_per_10k": false})
    onset_ms = int(events.times_ms[INJECTED])
    for name, pattern in INJECTIONS.items():
        for seed in range(seeds):
            alerts = [a for a in opened(injected(shuffled(events, seed), name, seed)) if a.status == "firing"]
            found = [a for a in alerts if a.time_ms >= onset_ms]
            mine = [a for a in found if right(Fault(injected, pattern), a)]
            delay = (mine[0].time_ms - onset_ms) // 1000 + 1 if mine else None
            first = bool(mine) and mine[0] is found[0]
            rows.append({"set": "elec2", "injected": name, "seed": seed, "delay": delay, "first_right": first})
    return rows


WINDOWS = {
    "abrupt": [(5_000, 6_000), (15_000, 16_000), (25_000, 26_000)],
    "gradual": [(4_000, 6_500), (14_500, 17_000), (25_000, 27_500)],
}
"""From the drift, 500 rows early where it is gradual, to 1,000 rows after its end; rows after the cut."""


OURS = {
    "driftline": least(),
    "shiryaev_roberts": single(),
    "shiryaev_roberts, accept_after: 30m": single("30m"),
}
"""Drifts are three hours apart, and the first lasts: until it is accepted the alert is open, and no second opens."""


def harvard(folder: Path) -> list[dict[str, Any]]:
    """Error streams of a frozen model: drifts found, next to river's ADWIN and to a clock."""
    rows = []
    for kind, windows in WINDOWS.items():
        scored: dict[str, list[Drifts]] = {who: [] for who in (*OURS, "river ADWIN default", "clock")}
        total = 0
        for path in sorted(
            (folder / "harvard-errors").glob(f"*{'abrupto' if kind == 'abrupt' else 'gradual'}*.csv.gz")
        ):
            errors = read(path)["frozen"][CUT:]
            total += len(errors)
            for who, config in OURS.items():
                found = GROUPINGS["incidents"](opened(model_of(errors), config))
                places = [(incident.time_ms - BEGIN_MS) / 1000 for incident in found]
                scored[who].append(drifts(places, windows))
            scored["river ADWIN default"].append(drifts(alarms(detector_of("ADWIN", None), errors), windows))
            scored["clock"].append(clock(len(errors), len(places), windows))
        for who, several in scored.items():
            one = together(several)
            median = float(np.median(one.delays)) if one.delays else None
            share = {"f1": one.f1, "f1_merged": one.f1_merged, "false_per_10k": one.false / total * 10_000}
            row = {**one._asdict(), "delays": None, "median_delay": median, **share}
            rows.append({"set": "harvard", "drift": kind, "who": who, **row})
    return rows


def nab(folder: Path) -> list[dict[str, Any]]:
    """Second halves: false alarms outside the labelled windows, and windows hit. A torture test."""
    labels = json.loads((folder / "nab" / "labels" / "combined_windows.json").read_text())
    false = hits = windows_in_all = rows = 0
    for path in sorted((folder / "nab" / "data").rglob("*.csv")):
        table = read(path)
        times_ms = ms_of_many(table["timestamp"])
        half_ms = int(times_ms[len(times_ms) // 2])
        columns = model_of(table["value"]).at(times_ms)
        windows = [ms_of_many(np.array(w)).tolist() for w in labels[f"{path.parent.name}/{path.name}"]]
        windows = [w for w in windows if w[1] >= half_ms]
        times = [i.time_ms for i in GROUPINGS["incidents"](opened(columns)) if i.time_ms >= half_ms]
        hit = {i for i, (begin, end) in enumerate(windows) for t in times if begin <= t <= end}
        false += sum(not any(begin <= t <= end for begin, end in windows) for t in times)
        hits, windows_in_all, rows = hits + len(hit), windows_in_all + len(windows), rows + len(times_ms) // 2
    per_10k = rate(false, rows / 10_000)._asdict()
    return [{"set": "nab", "false_per_10k": per_10k, "hits": hits, "windows": windows_in_all}]


def ms_of_many(texts: Array) -> Array:
    return np.array([np.datetime64(str(text).strip(), "ms") for text in texts]).astype(np.int64)
