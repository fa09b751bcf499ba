"""Signs of life: at every tick one record per model says what of it is watched, so that silence differs from health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.records.alert import rfc3339
from schemas.records.envelope import HEADERS
from schemas.records.heartbeat import HeartbeatFacts, render_heartbeat
from streamer.alerts.lifecycle import FADING, FIRING, PENDING
from streamer.monitors.registry import WINDOWED
from streamer.monitors.window_outcomes import ENDS
from streamer.port import Out, Tick

if TYPE_CHECKING:
    from streamer.engine.task import Task


def heartbeats(task: Task, tick: Tick) -> list[Out]:
    """The records of one tick; of a partition without models one that says so."""
    topic, partition = task.partition
    common = {
        "source": task.config.kafka.group,
        "topic": topic,
        "partition": partition,
        "offset": task.position,
        "number": task.ticks,
        "time_ms": tick.time_ms,
        "caught_up": tick.caught_up,
        "account": task.admission.counts,
    }
    found = details(task)
    facts = [HeartbeatFacts(model=m, details=d, **common) for m, d in found.items()]  # type: ignore[arg-type]
    if not facts:
        facts = [HeartbeatFacts(model=None, details={}, **common)]  # type: ignore[arg-type]
    return [Out("heartbeats", *render_heartbeat(fact), HEADERS) for fact in facts]


def details(task: Task) -> dict[str, dict[str, Any]]:
    """What is watched of each model: events, series ready and warming up, windows by verdict, alerts by state."""
    found: dict[str, dict[str, Any]] = {
        model: {
            "events": events,
            "newest_event": rfc3339(newest_ms),
            "series": {"ready": 0, "warming": 0},
            "windows": dict.fromkeys(ENDS, 0),
            "alerts": dict.fromkeys((PENDING, FIRING, FADING), 0),
        }
        for model, newest_ms, events in task.admission.models()
    }
    for table in task.tables.values():
        if table.signal.kind not in ("events", "new_feature"):  # Their values are few and need no reference.
            reference = table.reference
            for row, (group, _) in enumerate(table.keys):
                found[group[0]]["series"]["ready" if reference.at(row).n >= reference.warmup else "warming"] += 1
    for monitor in task.by_order:
        if isinstance(monitor, WINDOWED):
            for model, counts in monitor.ended().items():
                for ended, count in counts.items():
                    found[model]["windows"][ended] += count
    for (_, model, state), count in task.book.counts().items():
        if state in (PENDING, FIRING, FADING):
            found[model]["alerts"][state] += count
    return found
