"""Signs of life: at every tick one record per model says what of it is watched, so that silence differs from health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from detectors.bank import TIERS
from schemas.records.alert import rfc3339
from schemas.records.envelope import HEADERS
from schemas.records.heartbeat import HeartbeatFacts, render_heartbeat
from streamer.alerts.alert import FADING, FIRING, PENDING
from streamer.alerts.alert_record import labels_of
from streamer.engine.admission import Admission
from streamer.engine.school import schools
from streamer.engine.unwatched import SHOWN_MAX, unwatched
from streamer.monitors.base import Monitor
from streamer.monitors.window_outcomes import ENDS
from streamer.port import Out, Partition, Tick
from streamer.series.table import SeriesTable


class Watched(NamedTuple):
    """What a task has that its signs of life tell of."""

    admission: Admission
    tables: Iterable[SeriesTable]
    monitors: Iterable[Monitor]
    alerts: Mapping[tuple[str, str, str], int]  # by monitor, model and state
    muted: Mapping[str, int]  # events by model that the calendar has out of the ordinary
    generation: int = 0  # how often the topic was made anew
    standing: Mapping[str, Mapping[str, int]] | None = None  # by model what commands have done; None without any
    past: Mapping[str, Mapping[str, Any]] | None = None  # by model what is told of the past, see `Rings.tick`
    config: str = ""  # hash of the config that is at work


def heartbeats(group: str, partition: Partition, position: int, number: int, tick: Tick, watched: Watched) -> list[Out]:
    """The records of the tick of this number; of a partition without models one that says so."""
    about: list[tuple[str | None, dict[str, Any]]] = [*details(watched).items()] or [(None, {})]
    known = group, *partition, position, number, tick.time_ms, tick.caught_up, watched.admission.counts
    most = sorted(watched.admission.odd.items(), key=lambda one: (-one[1], one[0]))[:SHOWN_MAX]
    odd = [{"field": field, "reason": reason, "count": count} for (field, reason), count in most]
    facts = (HeartbeatFacts(model, *known, found, odd, watched.generation) for model, found in about)
    return [Out("heartbeats", *render_heartbeat(fact), HEADERS) for fact in facts]


def details(watched: Watched) -> dict[str, dict[str, Any]]:
    """What is watched of each model: events, series ready and warming up, windows by verdict, alerts by state, those
    of shadow monitors apart; and what is not.
    """
    found: dict[str, dict[str, Any]] = {
        model: {
            "events": events,
            "muted": watched.muted.get(model, 0),
            "newest_event": rfc3339(newest_ms),
            "series": {"ready": 0, "warming": 0},
            "unwatched": [],
            "tiers": dict.fromkeys(TIERS, 0),
            "school_until": None,
            "learning": [],
            "windows": dict.fromkeys(ENDS, 0),
            "alerts": dict.fromkeys((PENDING, FIRING, FADING), 0),
            "shadow_alerts": dict.fromkeys((PENDING, FIRING, FADING), 0),
        }
        for model, newest_ms, events in watched.admission.models()
    }
    for model, counts in (watched.standing or {}).items():
        found[model]["control"] = counts
    for model, past in (watched.past or {}).items():
        found[model] |= past
    for facts in found.values() if watched.config else ():
        facts["config"] = watched.config
    for table in watched.tables:
        if table.signal.spec.referenced:
            reference = table.reference
            for row, (group, _) in enumerate(table.keys):
                if group[0] in found:  # Of a file of references a model may be known that has had no event here.
                    found[group[0]]["series"]["ready" if reference.at(row).n >= reference.warmup else "warming"] += 1
    for one in unwatched(watched.tables):
        told = found[one.model]["unwatched"] if one.model in found else []
        if len(told) < SHOWN_MAX:
            told.append({"signal": one.signal, "why": one.why, "count": one.members})
    for monitor in watched.monitors:
        for model, tiers in monitor.tiers().items():
            for tier, count in tiers.items() if model in found else ():
                found[model]["tiers"][tier] += count
        for model, counts in monitor.ended().items():
            for ended, count in counts.items() if model in found else ():
                found[model]["windows"][ended] += count
    newest_ms = {model: newest_ms for model, newest_ms, _ in watched.admission.models()}
    for model, school in schools(watched.monitors, newest_ms).items():
        found[model]["school_until"] = rfc3339(school.until_ms)
        found[model]["learning"] = [{"labels": named_by(one, row), "days": left} for one, row, left in school.shown]
    shadows = {monitor.name for monitor in watched.monitors if monitor.config.shadow}
    for (name, model, state), count in watched.alerts.items():
        if state in (PENDING, FIRING, FADING):
            found[model]["shadow_alerts" if name in shadows else "alerts"][state] += count
    return found


def named_by(monitor: Monitor, row: int) -> dict[str, str]:
    """A series, within its model."""
    return {name: text for name, text in labels_of(monitor, row).items() if text and name not in ("model", "detector")}
