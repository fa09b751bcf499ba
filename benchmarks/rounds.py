"""Runs contestants, each a fresh process, in interleaved rounds, and holds their alarms against each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import BUFFERED, BUFFERED_LITTLE, ROOT, Job, spread
from benchmarks.sets import CASES, ORDERED, PARTITIONS, Case, create, delete
from streamer.kafka.client import CONSUMER_DEFAULTS

TITLES = {
    "raw": "raw consume, no decoding",
    "obvious": "obvious script: poll, json, river",
    "tuned": "tuned script: consume, orjson, river",
    "ours": "driftline, exactly-once on",
    "ours_pure": "driftline without its compiled core",
    ORDERED: "driftline, both stages of kafka.order: model",
}
FIGURES = ("cpu_us_per_event", "wall_events_per_s", "peak_rss_mb")
ROLES = ("alerts", "state", "heartbeats", "dead-letter", "ordered")
TIMEOUT_S = 300
QUICK_BELOW = 20_000
"""With fewer events a run only shows that everything works. A topic that short is read in a few fetches and has no
second half that could be timed by itself."""
FETCHING = {name: value for name, value in CONSUMER_DEFAULTS.items() if name.startswith(("fetch.", "check."))}
"""Everybody fetches as Driftline does, checksums included: what a setting costs is nobody's merit."""
Result = dict[str, Any]
Command = Callable[[str], list[str]]
"""Contestant -> the command whose last argument will be its job."""


class Place(NamedTuple):
    """A filled case: where its events are."""

    name: str
    case: Case
    brokers: str
    topics: Sequence[str]
    events: int


def command_of(contestant: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.contestants"]


def child(command: Sequence[str], argument: object, environment: Mapping[str, str] | None = None) -> Result:
    """A fresh process with one JSON argument; the last line of its output is its result."""
    given = [*command, json.dumps(argument)]
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(
        given, capture_output=True, text=True, cwd=ROOT, check=False, timeout=TIMEOUT_S, env=variables
    )
    if done.returncode or not done.stdout.strip():
        raise SystemExit(f"{' '.join(given)[-300:]}\nfailed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def run_contestant(place: Place, contestant: str, run: str, alarms: Path, command: Command = command_of) -> Result:
    """One contestant once, with topics of its own where it is Driftline; they are gone afterwards."""
    own = [f"{run}-{role}" for role in ROLES] if contestant.startswith("ours") else []
    real = place.case.broker == "real"
    if own and real:
        create(place.brokers, own)
    share = place.case.timed_share if place.events >= QUICK_BELOW else 1.0
    client = FETCHING | (BUFFERED_LITTLE if share < 1.0 else BUFFERED)
    job = Job(
        contestant,
        place.brokers,
        place.topics,
        PARTITIONS,
        place.events,
        share,
        run,
        str(alarms),
        client,
        place.case.detectors,
    )
    native = {"DRIFTLINE_NATIVE": "0"} if contestant == "ours_pure" else {}
    result = child(command(contestant), job._asdict(), native)
    if own and real:
        delete(place.brokers, own)
    return result


def run_round(place: Place, contestants: Sequence[str], run: str, command: Command = command_of) -> dict[str, Result]:
    """Every contestant once; fails unless all of them raised the same alarms and skipped as many events."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, name) for name in contestants}
        results = {
            name: run_contestant(place, name, f"{run}-{name}".replace("_", "-"), files[name], command)
            for name in contestants
        }
        judges = [name for name in contestants if name != "raw"]
        for name in judges[1:]:
            compare(place.name, judges[0], name, results, files)
    series = max(result["series"] for result in results.values())
    return {name: {**result, "series": series} for name, result in results.items()}


def compare(case: str, one: str, other: str, results: Mapping[str, Result], files: Mapping[str, Path]) -> None:
    if results[one]["skipped"] != results[other]["skipped"]:
        counts = {name: results[name]["skipped"] for name in (one, other)}
        raise SystemExit(f"case {case}: malformed events skipped differ: {counts}")
    if results[one]["alarms_hash"] == results[other]["alarms_hash"]:
        return
    lists = [[tuple(alarm) for alarm in json.loads(files[name].read_text())] for name in (one, other)]
    lines = [f"case {case}: alarms of {one} ({len(lists[0])}) and {other} ({len(lists[1])}) differ; the first:"]
    for name, mine, theirs in ((one, *lists), (other, *lists[::-1])):
        lines += [f"  only {name}: {alarm}" for alarm in sorted(set(mine) - set(theirs))[:5]]
        twice = sorted({alarm for alarm in mine if mine.count(alarm) > 1}) if len(set(mine)) < len(mine) else []
        lines += [f"  twice in {name}: {alarm}" for alarm in twice[:5]]
    raise SystemExit("\n".join(lines))


def rows_of(place: Place, rounds: Sequence[Mapping[str, Result]]) -> list[Result]:
    """Per contestant the spread of each figure."""
    rows = []
    for name in rounds[0]:
        runs = [results[name] for results in rounds]
        facts = {key: runs[0][key] for key in ("series", "events", "alarms", "skipped", "alarms_hash")}
        if name == "raw":
            facts |= {"alarms": 0, "alarms_hash": None}
        head = {"contestant": name, "set": place.case.set, "case": place.name, "broker": place.case.broker}
        figures = {key: spread([run[key] for run in runs]) for key in (*FIGURES, "drain_cpu_ms") if key in runs[0]}
        rows.append({**head, **facts, **figures})
    return rows


def ratio(rounds: Sequence[Mapping[str, Result]], above: str, below: str) -> dict[str, float]:
    """Spread of the quotient of two contestants' CPU per event, taken within each round."""
    return spread([r[above]["cpu_us_per_event"] / r[below]["cpu_us_per_event"] for r in rounds])


def ratios_of(rounds: Mapping[str, Sequence[Mapping[str, Result]]]) -> dict[str, dict[str, float]]:
    """The ratios of every case, and the one between two cases."""
    ratios = {}
    for name, results in rounds.items():
        if not CASES[name].keyed:
            continue
        ratios[f"obvious_over_ours_{name}"] = ratio(results, "obvious", "ours")
        ratios[f"tuned_over_ours_{name}"] = ratio(results, "tuned", "ours")
        ratios[f"ours_share_of_raw_{name}"] = ratio(results, "raw", "ours")
        ratios[f"obvious_over_pure_{name}"] = ratio(results, "obvious", "ours_pure")
        if ORDERED not in CASES[name].contestants:
            continue
        ratios[f"ordered_over_direct_{name}"] = ratio(results, ORDERED, "ours")
        ratios[f"obvious_over_ordered_{name}"] = ratio(results, "obvious", ORDERED)
        if f"{name}_unkeyed" in rounds:
            ratios[f"unkeyed_over_keyed_{name}"] = between(rounds[f"{name}_unkeyed"], ORDERED, results, "ours")
    if {"s10", "s10_100k"} <= set(rounds):
        ratios["cost_100k_over_320_series"] = between(rounds["s10_100k"], "ours", rounds["s10"], "ours")
    return ratios


def between(
    these: Sequence[Mapping[str, Result]], above: str, others: Sequence[Mapping[str, Result]], below: str
) -> dict[str, float]:
    """The same of two cases, round by round."""
    pairs = zip(these, others, strict=False)
    return spread([one[above]["cpu_us_per_event"] / other[below]["cpu_us_per_event"] for one, other in pairs])


def rounds_of(name: str, asked: int | None) -> int:
    return CASES[name].rounds if asked is None else asked


def table(rows: Sequence[Result]) -> str:
    lines = [
        "| case | broker | series | contestant | µs CPU per event | events/s | peak MB | alarms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cpu, wall, rss = (row[figure] for figure in FIGURES)
        title = TITLES.get(row["contestant"], row["contestant"])
        lines.append(
            f"| {row['case']} | {row['broker']} | {row['series']:,} | {title} "
            f"| {cpu['median']:.2f} [{cpu['min']:.2f}-{cpu['max']:.2f}] | {wall['median']:,.0f} | {rss['median']:.0f} "
            f"| {row['alarms']:,} |"
        )
    return "\n".join(lines)


def ratio_lines(ratios: Mapping[str, Mapping[str, float]]) -> str:
    width = max(map(len, ratios), default=0)
    return "\n".join(
        f"{name:{width}}  {value['median']:9.3f} [{value['min']:.3f}-{value['max']:.3f}]"
        for name, value in ratios.items()
    )
