"""An alert or an incident as a person reads it: what happened, the evidence, what became of it, what to do next.

One account, which is printed as text or as a page: neither says what the other does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.records.alert import ms_of
from streamer.bridges.told import Told

MOVED_MAX, INSIDE_MAX = 12, 12
NEAR_MS = 86_400_000
"""For so long before something began it is told what was deployed or changed."""


class Stretch(NamedTuple):
    """Mean and spread of a stretch of a series."""

    name: str
    mean: float
    std: float | None


class Share(NamedTuple):
    """A bin or a category, and its shares before and after."""

    name: str
    before: float
    after: float


class Story(NamedTuple):
    told: Told
    state: str
    notes: list[str]
    facts: list[tuple[str, str]]
    stretches: list[Stretch]
    shares: list[Share]
    members: list[tuple[str, str, str]]  # of an incident: since, what moved, its episode
    timeline: list[tuple[str, str]]
    deployed: list[tuple[str, str]]  # how long before or after it began, and what
    command: str
    next_step: str
    inside: list[Story]  # of an incident: its alerts, as they are now


def story(
    records: Sequence[Told], marks: Sequence[Mapping[str, str]] = (), inside: Mapping[str, Told] | None = None
) -> Story:
    """Of the records of one episode, the oldest that is retained first. marks: what was deployed or changed in its
    model, as `time` and `text`, the oldest first. inside: of an incident newest records of its alerts, by episode.
    """
    one = records[-1]
    data = one.record["data"]
    evidence = part(data, "evidence")
    began = began_at(one, data)
    near = marks_near(marks, began, str(part(data, "changed").get("time", one.time)))
    return Story(
        one,
        state_of(one),
        notes_of(data),
        _incident_facts(data) if one.kind == "incident" else _alert_facts(data, evidence),
        stretches_of(evidence, data),
        shares_of(evidence),
        [(str(m["since"]), str(m["moved"]), str(m["episode"])) for m in data.get("members", [])],
        [(record.time, happened(records[:place], record)) for place, record in enumerate(records)],
        [(f"{before(mark['time'], began)} it began", f"{mark['text']}, {mark['time']}") for mark in near],
        str(part(data, "replay").get("command", "")),
        next_step(one, data, near),
        [story([inside[name]]) for name in members_of(one)[:INSIDE_MAX] if name in (inside or {})] if inside else [],
    )


def members_of(one: Told) -> list[str]:
    """The episodes of an incident's alerts."""
    return [str(member["episode"]) for member in one.record["data"].get("members", [])]


def began_at(one: Told, data: Mapping[str, Any]) -> str:
    """When what it tells of began, as well as that is known."""
    if one.kind == "incident":
        return one.since
    evidence = part(data, "evidence")
    began = part(evidence, "onset").get("time") or part(evidence, "window").get("from") or data["trigger"]["time"]
    return str(began)


def marks_near(marks: Sequence[Mapping[str, str]], began: str, changed: str) -> list[Mapping[str, str]]:
    """Those of the day before it began, and since then until it changed last."""
    first_ms, last_ms = ms_of(began) - NEAR_MS, ms_of(changed)
    return [mark for mark in marks if first_ms < ms_of(mark["time"]) <= last_ms]


def before(time: str, began: str) -> str:
    """How long before, or after, in words."""
    ms = ms_of(began) - ms_of(time)
    return f"{lasting(abs(ms))} {'before' if ms >= 0 else 'after'}"


def lasting(ms: int) -> str:
    """As the page says it."""
    seconds = round(ms / 1000)
    for unit, size, least in (("d", 86_400, 172_800), ("h", 3600, 7200), ("min", 60, 120)):
        if seconds >= least:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} s"


def part(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object; empty where it is null, or not there."""
    return dict(found.get(name) or {})


def state_of(one: Told) -> str:
    return "RESOLVED" if one.over else "FIRING" if one.kind == "alert" else "OPEN"


def notes_of(data: Mapping[str, Any]) -> list[str]:
    found = []
    if data.get("provisional"):
        found.append("Provisional: the series is in school, its daily and weekly patterns are not known yet.")
    if data.get("retained"):
        found.append("Of what the topic held before the first start: history, by which nobody is paged.")
    if data.get("fleet"):
        found.append(f"Other models changed at the same time: {data['fleet']}.")
    return found


def _alert_facts(data: Mapping[str, Any], evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    trigger, onset = data["trigger"], part(evidence, "onset")
    window, records = part(evidence, "window"), part(data, "records")
    facts = [
        ("began", str(onset.get("time", ""))),
        ("found", f"{trigger['time']}, at {trigger['topic']}[{trigger['partition']}]@{trigger['offset']}"),
        ("before", stretch_text(part(evidence, "before"))),
        ("after", stretch_text(part(evidence, "after"))),
        ("compared with", stretch_text(part(evidence, "reference"))),
        ("window", window_text(window)),
        ("now", stretch_text(now_of(data)) or window_text(part(data, "latest"))),
        ("statistic", f"{figure(data.get('statistic'))}, limit {figure(data.get('threshold'))}"),
        ("limits from", str(evidence.get("tier") or "")),
        ("first record", record_text(records.get("first"))),
        ("detector", str(part(data, "detector").get("kind", ""))),
        ("description", str(data["alert"]["annotations"].get("description", ""))),
        ("runbook", str(data["alert"]["annotations"].get("runbook_url", ""))),
        ("labels", ", ".join(f"{name}={text}" for name, text in sorted(data["alert"]["labels"].items()))),
    ]
    if data.get("statistic") is None:
        facts = [fact for fact in facts if fact[0] != "statistic"]
    return [fact for fact in facts if fact[1]]


def _incident_facts(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    alerts = data["alerts"]
    return [
        ("began", str(data["since"])),
        ("severity", str(data["severity"])),
        ("alerts", f"{alerts['open']} of {alerts['count']} open when this was told"),
        ("changed", str(data["changed"]["time"])),
    ]


def stretch_text(found: Mapping[str, Any] | None) -> str:
    if not found or "mean" not in found:
        return ""
    spread = f", spread {figure(found['std'])}" if "std" in found else ""
    return f"mean {figure(found['mean'])}{spread}, {found['n']:,} values{span(found)}"


def now_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Where the series of an edge stands; without the spread unless that moved, for else it is the one of before."""
    level = part(data, "level")
    found = dict(level.get("now") or {})
    if not level.get("spread"):
        found.pop("std", None)
    return found


def window_text(found: Mapping[str, Any]) -> str:
    words = [f"{found['n']:,} events"] if "n" in found else []
    for name in ("value", "expected", "distance", "surprise", "deviations", "fraction"):
        if found.get(name) is not None:
            words.append(f"{name} {figure(found[name])}")
    return ", ".join(words) + span(found) if words else ""


def span(found: Mapping[str, Any]) -> str:
    return f", {found['from']} to {found['to']}" if "from" in found and "to" in found else ""


def record_text(first: Mapping[str, Any] | None) -> str:
    if not first:
        return ""
    words = [str(first.get(name) or "") for name in ("reason", "detail", "hint")]
    return f"{first['topic']}[{first['partition']}]@{first['offset']}: {', '.join(filter(None, words))}"


def figure(value: Any) -> str:
    """A number with as many digits as a person compares."""
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def stretches_of(evidence: Mapping[str, Any], data: Mapping[str, Any]) -> list[Stretch]:
    named = {**{name: evidence.get(name) for name in ("reference", "before", "after")}}
    named["now"] = now_of(data)
    return [
        Stretch(name, float(found["mean"]), found.get("std"))
        for name, found in named.items()
        if found and isinstance(found.get("mean"), int | float)
    ]


def shares_of(evidence: Mapping[str, Any]) -> list[Share]:
    moved = part(evidence, "window").get("moved") or []
    found = [
        Share(str(one.get("bin", one.get("category", ""))), float(one["before"]), float(one["after"]))
        for one in moved
        if isinstance(one, dict) and {"before", "after"} <= one.keys()
    ]
    return found[:MOVED_MAX]


def happened(before: Sequence[Told], one: Told) -> str:
    """What a record told, next to those before it."""
    data = one.record["data"]
    if one.over:
        return f"resolved: {(data.get('resolution') or {}).get('how', 'none of its alerts is open')}"
    if one.kind == "incident":
        word = "grew" if before and not before[-1].over else "opened"
        return f"{word}: {data['alerts']['count']} alert{'s' * (data['alerts']['count'] != 1)}, {one.severity}"
    return "told again: it still holds" if int(one.record.get("sequence", 1)) > 1 else "fired"


def next_step(one: Told, data: Mapping[str, Any], near: Sequence[Mapping[str, str]] = ()) -> str:
    """What to look at first. near: what was deployed or changed about then."""
    began = began_at(one, data)
    causes = [mark for mark in near if ms_of(mark["time"]) <= ms_of(began)]
    look = ""
    if causes:
        last = causes[-1]
        look = f"Look at what was deployed or changed {before(last['time'], began)} it began: {last['text']}."
    if one.kind == "incident":
        first = min(data["members"], key=lambda one: str(one["since"]), default={"episode": "EPISODE"})
        member = f"the member that began first: driftline alerts show {first['episode']} -c FILE"
        return f"{look} Then at {member}" if look and not one.over else f"Look at {member}"
    if one.over:
        return "Nothing has to be done. If it comes again, compare with what was changed when it began."
    if not one.model:
        return "Look at the first such record, and whether its producer has changed: driftline explain -c FILE"
    if data.get("retained"):
        return "Nothing has to be done: what still holds where the history ends is told as it is."
    first = look or f"Compare with deployments, and with changes of the data's sources, shortly before {began}."
    if data.get("provisional"):
        return f"{first} The series is in school: without such a change it may be a pattern that is not known yet."
    return f"{first} The command above repeats it from the records."
