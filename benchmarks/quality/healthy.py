"""One kind of healthy weeks, all the way: false alarms of four weeks, and from the state of day 24 on each fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.quality.drive import AT, DAY_MS, Alert, least, play
from benchmarks.quality.faults import FAULTS, ONSET_MS, broken
from benchmarks.quality.scores import GROUPINGS, judge, rate
from benchmarks.quality.shapes import BEGIN_MS, DAYS
from benchmarks.quality.stream import Merged
from benchmarks.quality.weeks import KINDS, drawn
from streamer.engine.task import Task

END_MS = BEGIN_MS + DAYS * DAY_MS
SCHOOL_MS = BEGIN_MS + 14 * DAY_MS


class Size(NamedTuple):
    models: int
    branches: int  # faults per model, each from the state of day 24 on
    every_s: float
    first_seed: int = 0


def run(name: str, size: Size) -> dict[str, Any]:
    """The rates and the faults of one kind."""
    config, seeds = least(), range(size.first_seed, size.first_seed + size.models)
    models = {f"{name}-{seed}": drawn(name, seed, size.every_s) for seed in seeds}
    healthy = Merged(models)
    task = Task(config, AT, 0)
    before = play(task, healthy, BEGIN_MS, ONSET_MS)
    blob = task.dump()
    after = play(task, healthy, ONSET_MS, END_MS)
    row = {"kind": name, "events": task.position, "rates": rates(before + after, len(models)), "by": by(before + after)}
    faults = []
    for branch in range(size.branches):
        chosen = {model: fault_of(name, i, branch, size) for i, model in enumerate(models)}
        changed = {m: broken(columns, chosen[m], m) for m, columns in models.items()}
        alerts = play(Task.load(config, AT, blob), Merged(changed), ONSET_MS, END_MS)
        for model, fault in chosen.items():
            parts = [of_model(part, model) for part in (before, after, alerts)]
            found = judge(FAULTS[fault], *parts, changed[model].times_ms)
            faults.append({"kind": name, "model": model, "fault": fault, **found._asdict()})
    return {**row, "faults": faults}


def of_model(alerts: Sequence[Alert], model: str) -> list[Alert]:
    return [alert for alert in alerts if alert.model == model]


def fault_of(name: str, model: int, branch: int, size: Size) -> str:
    """All faults in turn, over models, branches and kinds, so that each is met about as often."""
    number = (list(KINDS).index(name) * size.branches + branch) * size.models + model
    return list(FAULTS)[number % len(FAULTS)]


def rates(alerts: Sequence[Alert], models: int) -> dict[str, dict[str, Any]]:
    """By grouping: a week and model, in the school of 14 days and after it."""
    found = {}
    for name, group in GROUPINGS.items():
        incidents = group(alerts)
        school = sum(i.time_ms < SCHOOL_MS for i in incidents)
        found[name] = {
            "school": rate(school, 2 * models)._asdict(),
            "after": rate(len(incidents) - school, 2 * models)._asdict(),
        }
    return found


def by(alerts: Sequence[Alert]) -> dict[str, int]:
    """Which monitors opened the alerts after the school."""
    counts: dict[str, int] = {}
    for alert in alerts:
        if alert.status == "firing" and alert.time_ms >= SCHOOL_MS:
            counts[alert.monitor] = counts.get(alert.monitor, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
