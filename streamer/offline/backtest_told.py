"""What `driftline backtest` prints: for a person, or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from detectors.extremes import DAY_MS
from streamer.config.units import show_duration
from streamer.offline.backtest import Backtest, Injected, Run
from streamer.offline.cell_width import padded
from streamer.offline.difference import Difference
from streamer.offline.known import Scores
from streamer.offline.times import count, long, minute
from streamer.offline.weekly import by_model, by_week

SHOWN = 50
"""Lines of one kind; `--format json` has all."""


def share(number: float | None) -> str:
    return "-" if number is None else f"{number:.1%}"


def title(found: Backtest) -> str:
    """What was compared with what, over which history."""
    names = " against ".join(run.name for run in found.runs)
    return f"{names}: {history(found)}"


def history(found: Backtest) -> str:
    """How much, and from when to when."""
    stretches = found.watched.values()
    if not stretches:
        return "no events"
    events, first = sum(one.events for one in stretches), min(one.first_ms for one in stretches)
    last = max(one.last_ms for one in stretches)
    span = f"{minute(first)} to {minute(last)} ({long(last - first)})"
    return f"{count(events, 'event')} of {count(len(stretches), 'model')}, {span}"


MODEL_HEADS = ("model", "config", "days", "incidents", "a week", "alerts", "time firing", "school")


def model_rows(found: Backtest) -> Iterator[tuple[str, ...]]:
    """A row for each model and config."""
    by_run = [list(by_model(run.alerts, run.incidents, found.watched)) for run in found.runs]
    for together in zip(*by_run, strict=True):
        for run, one in zip(found.runs, together, strict=True):
            a_week = "-" if one.a_week is None else f"{one.a_week:.2f}"
            days = f"{(one.end_ms - one.begin_ms) / DAY_MS:.1f}"
            numbers = days, f"{one.incidents:,}", a_week, f"{one.alerts:,}", share(one.firing)
            yield (one.model, run.name, *numbers, school(run, one.model))


def school(run: Run, model: str) -> str:
    """From when on most series were through it, and how many are not; in it only what is gross is told."""
    one = run.schools.get(model)
    if one is None:
        return "-"
    most = "" if one.most_ms is None else f"most until {minute(one.most_ms)[:10]}"
    left = f"{one.learning:,} of {one.series:,} series learn" if one.learning else ""
    return ", ".join(part for part in (most, left) if part)


WEEK_HEADS = ("config", "model", "week from", "incidents", "alerts", "time firing")


def week_rows(found: Backtest) -> Iterator[tuple[str, ...]]:
    """A row for each week of a model in which a config told something."""
    for run in found.runs:
        for one in by_week(run.alerts, run.incidents, found.watched):
            if one.alerts or one.incidents or one.firing:
                numbers = f"{one.incidents:,}", f"{one.alerts:,}", share(one.firing)
                yield (run.name, one.model, minute(one.begin_ms)[:10], *numbers)


def summary(what: str, found: Difference) -> str:
    """`incidents: 2 gained, 1 lost, 0 moved, 3 the same`"""
    if not found:
        return f"{what}: no difference, {found.same:,} the same"
    parts = f"{len(found.gained):,} gained, {len(found.lost):,} lost, {len(found.moved):,} moved"
    return f"{what}: {parts}, {found.same:,} the same"


def changes(found: Difference) -> Iterator[tuple[str, str, str]]:
    """What became of it, when, and one sentence: gained, then lost, then moved."""
    for what, many in (("gained", found.gained), ("lost", found.lost)):
        for one in sorted(many, key=lambda one: one.found_ms):
            yield what, minute(one.found_ms), one.sentence
    for pair in found.moved:
        yield "moved", minute(pair.after.found_ms), f"{pair.words()}: {pair.after.sentence}"


def scores_told(run: Run, found: Scores) -> str:
    """`new.yaml: 3 of 4 known incidents found (75.0%), median delay 1h 4m; 5 told ...`"""
    beside, told = len(found.beside), count(found.told, "incident")
    delay = "" if found.delay_ms is None else f", median delay {long(found.delay_ms)}"
    outside = f"; {found.outside:,} known are of models or times that the history has not" if found.outside else ""
    hits = f"{found.found:,} of {count(len(found.judged), 'known incident')} found (recall {share(found.recall)})"
    return (
        f"{run.name}: {hits}{delay}; {told} told, {beside:,} beside them (precision {share(found.precision)}){outside}"
    )


KNOWN_HEADS = ("config", "known incident", "from", "to", "found", "delay", "by")


def known_rows(found: Backtest) -> Iterator[tuple[str, ...]]:
    """A row for each known incident and config."""
    for run, scores in zip(found.runs, found.scores, strict=True) if found.scores else ():
        for one in scores.judged:
            known = minute(one.known.begin_ms), minute(one.known.end_ms)
            delay = "-" if one.delay_ms is None else long(one.delay_ms)
            hit, by = ("no", "") if one.found is None else ("yes", one.found.sentence)
            yield run.name, f"{one.known.model}, {one.known.place}", *known, hit, delay, by


INJECTED_HEADS = ("fault", "model", "found by", "after events", "after", "alerts")


def injected_rows(found: Backtest) -> Iterator[tuple[str, ...]]:
    for one in found.injected:
        hidden = f"not found: {one.anyway} fires anyway" if one.anyway else "not found"
        by = one.found.monitor if one.found else hidden
        yield one.what, one.model, by, f"{one.events:,}", long(one.time_ms), f"{one.alerts:,}"


def injected_summary(found: Backtest) -> str:
    """How many were found, and when they begin."""
    hits = sum(one.found is not None for one in found.injected)
    when = f"after {found.asked.begin_at:.0%} of each model's time"
    return f"put into copies of the history {when}: {hits:,} of {count(len(found.injected), 'fault')} found"


def told(found: Backtest) -> Iterator[str]:
    """The lines of the text."""
    yield title(found)
    yield found.runs[0].account.sum()
    yield ""
    yield from table(MODEL_HEADS, model_rows(found))
    weeks = list(week_rows(found))
    if weeks:
        yield ""
        yield from table(WEEK_HEADS, weeks)
    for what, one in (("incidents", found.incidents), ("alerts", found.alerts)):
        if one is not None:
            yield ""
            yield summary(what, one)
            yield from _most(f"  {change:6}  {when}  {sentence}" for change, when, sentence in changes(one))
    if found.scores is not None:
        yield ""
        yield from (scores_told(*pair) for pair in zip(found.runs, found.scores, strict=True))
        yield from _most(table(KNOWN_HEADS, known_rows(found)))
        for run, scores in zip(found.runs, found.scores, strict=True):
            yield from _most(f"  beside: {run.name}  {minute(e.found_ms)}  {e.sentence}" for e in scores.beside)
    if found.asked.specs:
        yield ""
        yield injected_summary(found)
        if found.injected:
            yield from table(INJECTED_HEADS, injected_rows(found))
    if found.alerts is None and found.scores is None:
        yield ""
        yield from _most(f"{minute(one.found_ms)}  {one.sentence}" for one in found.runs[0].incidents)


def _most(lines: Iterable[str]) -> Iterator[str]:
    many = list(lines)
    yield from many[:SHOWN]
    if len(many) > SHOWN:
        yield f"  and {len(many) - SHOWN:,} more: --format json has all"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns side by side; what looks like a number stands at the right."""
    body = [tuple(row) for row in rows]
    wide = [max(map(cell_len, column)) for column in zip(heads, *body, strict=True)]
    right = [bool(body) and all(_number(row[i]) for row in body) for i in range(len(heads))]
    for row in (tuple(heads), *body):
        cells = (
            cell.rjust(width) if aside else padded(cell, width)
            for cell, width, aside in zip(row, wide, right, strict=True)
        )
        yield "  ".join(cells).rstrip()


def _number(text: str) -> bool:
    return text == "-" or (text[:1].isdigit() and text.replace(",", "").rstrip("%").replace(".", "", 1).isdigit())


def plain(found: Backtest) -> dict[str, Any]:
    """All of it, for JSON."""
    runs = [
        {
            "config": run.name,
            "hash": run.config.config_hash,
            "records": dict(run.account.counts),
            "models": [one.plain() for one in by_model(run.alerts, run.incidents, found.watched)],
            "weeks": [one.plain() for one in by_week(run.alerts, run.incidents, found.watched)],
            "incidents": [one.plain() for one in run.incidents],
            "alerts": [one.plain() for one in run.alerts],
        }
        for run in found.runs
    ]
    return {
        "runs": runs,
        "tolerance": show_duration(found.asked.tolerance_ms),
        "difference": None
        if found.alerts is None or found.incidents is None
        else {"incidents": found.incidents.plain(), "alerts": found.alerts.plain()},
        "known": None if found.scores is None else [one.plain() for one in found.scores],
        "injected": [_injected(one) for one in found.injected],
    }


def _injected(one: Injected) -> dict[str, Any]:
    return {**one._asdict(), "found": one.found and one.found.plain()}
