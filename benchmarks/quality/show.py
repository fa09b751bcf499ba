"""The report as plain tables, which stand in Markdown as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.quality.faults import FAULTS
from benchmarks.quality.scores import limits
from benchmarks.quality.weeks import KINDS, STILL

GROSS_EVENTS, GROSS_MIN = 200, 120


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """To so many digits, without a power of ten."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{float(f'{value:.{digits}g}'):g}"


def with_limits(one: dict[str, float]) -> str:
    return f"{number(one['rate'])} [{number(one['low'], 2)}-{number(one['high'], 2)}]"


def healthy(rows: Sequence[dict[str, Any]]) -> str:
    """Per week and model; the limits are exact Poisson ones at 95 %."""
    head = ["healthy weeks", "model-weeks", "alerts a week, in school", "incidents", "alerts after", "incidents after"]
    lines = []
    for row in sorted(rows, key=lambda r: list(KINDS).index(r["kind"])):
        alerts, incidents = row["rates"]["alerts"], row["rates"]["incidents"]
        weeks = alerts["school"]["exposure"] + alerts["after"]["exposure"]
        shown = [number(alerts["school"]["rate"]), number(incidents["school"]["rate"])]
        shown += [number(alerts["after"]["rate"]), with_limits(incidents["after"])]
        most = ", ".join(f"{name} {count}" for name, count in list(row["by"].items())[:3]) or "-"
        lines.append([row["kind"], number(weeks), *shown, most])
    return table([*head, "most of the alerts after school"], lines)


def faults(rows: Sequence[dict[str, Any]]) -> str:
    """A line per fault, over all kinds of weeks."""
    found_in = [fault for row in rows for fault in row["faults"]]
    head = [
        "fault at day 24",
        "found",
        "of them in weeks that breathe",
        "right signal first",
        "within 200 events or 2 h",
    ]
    head += ["events, median", "minutes, median / p90", "alerts a fault", "twin alerts too", "was open before"]
    lines = []
    for name in FAULTS:
        mine = [f for f in found_in if f["fault"] == name]
        if mine:
            lines.append([name, *_fault(mine)])
    return table(head, lines)


def _fault(mine: list[dict[str, Any]]) -> list[str]:
    found = [f for f in mine if f["found"]]
    breathing = [f for f in mine if f["kind"] not in STILL]
    quick = sum(f["events"] <= GROSS_EVENTS or f["minutes"] <= GROSS_MIN for f in found)
    minutes = [f["minutes"] for f in found]
    median, late = (np.percentile(minutes, q) for q in (50, 90)) if minutes else (None, None)
    return [
        f"{len(found)} of {len(mine)}",
        f"{sum(f['found'] for f in breathing)} of {len(breathing)}",
        str(sum(f["first_right"] for f in found)),
        str(quick),
        number(float(np.median([f["events"] for f in found])) if found else None),
        f"{number(median)} / {number(late)}",
        number(float(np.mean([f["alerts"] for f in mine])), 2),
        str(sum(f["by_chance"] for f in mine)),
        str(sum(f["open_before"] for f in mine)),
    ]


def families(rows: Sequence[dict[str, Any]]) -> str:
    """A cell: false alarms per 10,000 values, then the median delays of shifts of .5, 1 and 2 deviations."""
    head = ["false per 10,000: median delay of .5 / 1 / 2 deviations (missed)", "driftline", "over log(ARL)/KL"]
    head += [row["who"] for row in rows[0]["rows"][1:]]
    lines = []
    for family in rows:
        own, *others = family["rows"]
        lines.append([family["family"], _cell(own), _over(family, own), *map(_cell, others)])
    return table(head, lines)


def _cell(row: dict[str, Any]) -> str:
    delays = " / ".join(
        number(one["median"]) + (f" ({100 * one['missed']:.0f} %)" if one["missed"] else "")
        for one in row["delays"].values()
    )
    false = with_limits(row["false"]) if row["who"] == "driftline" else number(row["false"]["rate"], 2)
    return f"{false}{'' if row.get('as_quiet', True) else ' at the quietest'}: {delays}"


def _over(family: dict[str, Any], row: dict[str, Any]) -> str:
    """Mean delays over the bound at the rate that was seen; where no alarm was, the true bound is further away."""
    bound = family["log_arl_over_kl"]
    if bound is None:
        return "-"
    means = {d: one["mean"] for d, one in row["delays"].items()}
    return " / ".join("-" if mean is None else number(mean / bound[d], 2) for d, mean in means.items())


def sets(rows: Sequence[dict[str, Any]]) -> str:
    """The data sets, a table each."""
    streams = [r for r in rows if "stream" in r]
    injected = [r for r in rows if "injected" in r]
    drifts = [r for r in rows if "drift" in r]
    parts = []
    if streams:
        lines = [[r["stream"], *(with_limits(r["false_per_10k"][g]) for g in ("alerts", "incidents"))] for r in streams]
        parts.append(table(["elec2", "alerts per 10,000 events", "incidents"], lines))
    if injected:
        names = list(dict.fromkeys(r["injected"] for r in injected))
        parts.append(
            table(
                ["elec2 shuffled, injected", "found", "right signal first", "events, median"],
                [_injected(name, [r for r in injected if r["injected"] == name]) for name in names],
            )
        )
    if drifts:
        head = ["harvard errors", "who", "F1", "F1 merged", "missed", "median delay", "false per 10,000"]
        keys = ("f1", "f1_merged", "missed", "median_delay", "false_per_10k")
        parts.append(table(head, [[r["drift"], r["who"], *(number(r[k]) for k in keys)] for r in drifts]))
    for row in rows:
        if row["set"] == "nab":
            hits = f"{row['hits']} of {row['windows']}"
            parts.append(table(["nab, second halves", "windows hit"], [[with_limits(row["false_per_10k"]), hits]]))
    return "\n\n".join(parts)


def _injected(name: str, mine: Sequence[dict[str, Any]]) -> list[str]:
    delays = [r["delay"] for r in mine if r["delay"] is not None]
    first = sum(r["first_right"] for r in mine)
    return [name, f"{len(delays)} of {len(mine)}", str(first), number(float(np.median(delays)) if delays else None)]


def summary(report: dict[str, Any]) -> str:
    """What the targets ask, in a few lines."""
    rows = report.get("healthy", [])
    if not rows:
        return ""
    counts = [r["rates"]["incidents"]["after"] for r in rows]
    quiet = sum(limits(c["count"], c["exposure"])[1] <= 1 for c in counts)
    calm = sum(c["rate"] <= 1 for c in counts)
    school = sum(r["rates"]["incidents"]["school"]["rate"] <= 3 / 2 for r in rows)
    found_in = [f for row in rows for f in row["faults"] if f["kind"] not in STILL]
    ways = {f["fault"] for f in found_in}
    mostly = [w for w in ways if 2 * sum(f["found"] for f in found_in if f["fault"] == w) > _count(found_in, w)]
    return (
        f"At most 1 incident a week after school: {calm} of {len(rows)} kinds, with upper limit {quiet}; at most 3 in "
        f"the 14 days of school: {school}. Found in more than half of the weeks that breathe: {len(mostly)} of "
        f"{len(ways)} faults."
    )


def _count(rows: Sequence[dict[str, Any]], fault: str) -> int:
    return sum(f["fault"] == fault for f in rows)


def shown(report: dict[str, Any]) -> str:
    """Everything."""
    parts = [summary(report)]
    parts += [f(report[part]) for part, f in (("healthy", healthy), ("healthy", faults)) if report.get(part)]
    parts += [families(report["families"])] if report.get("families") else []
    parts += [sets(report["sets"])] if report.get("sets") else []
    return "\n\n".join(part for part in parts if part)
