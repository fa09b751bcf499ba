"""A backtest as one page: a file that loads nothing, and says all by words as well as by colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from schemas.records.alert import rfc3339
from streamer.offline.backtest import Backtest
from streamer.offline.backtest_told import (
    INJECTED_HEADS,
    KNOWN_HEADS,
    MODEL_HEADS,
    WEEK_HEADS,
    changes,
    history,
    injected_rows,
    injected_summary,
    known_rows,
    model_rows,
    scores_told,
    summary,
    week_rows,
)
from streamer.offline.colours import COLOURS
from streamer.offline.episodes import Episode
from streamer.offline.times import minute
from streamer.offline.weekly import WEEK_MS, by_week, week_of
from streamer.signals.grammar import matches

ROWS_MAX = 1_000
LANES_MAX = 40
"""Models with a line of their own in the chart; those with the most incidents."""
NAME, WIDE, LANE, BAR = 190, 1000, 30, 9
"""Pixels: of the names, of all, of a model's line, and of a bar in it."""
LEAST = 3

STYLE = (
    COLOURS
    + """\
body { margin: 0 auto; padding: 16px 24px 48px; max-width: 1240px; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 21px; margin: 4px 0; } h2 { font-size: 17px; margin: 30px 0 8px; }
p { margin: 4px 0 8px; } .soft { color: var(--soft); } .wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 4px 18px 4px 0; vertical-align: top;
  border-bottom: 1px solid var(--line); } th { color: var(--soft); font-size: 13px; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.short { white-space: nowrap; } tr:hover td { background: var(--shade); }
.gained, .no { color: var(--bad); font-weight: 600; } .lost { color: var(--old); font-weight: 600; }
.moved { color: var(--link); font-weight: 600; } .yes { color: var(--good); font-weight: 600; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 12px; }
.new { fill: var(--link); } .old { fill: var(--old); } .known { fill: var(--known); } .grid { stroke: var(--line); }
.key { display: inline-block; width: 14px; height: 10px; margin: 0 5px 0 14px; } span.new { background: var(--link); }
span.old { background: var(--old); } span.known { background: var(--known); outline: 1px solid var(--soft); }
"""
)
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body><main>
"""


def page(found: Backtest) -> str:
    """The whole file."""
    names = " against ".join(run.name for run in found.runs)
    head = HEAD.format(title=escape(f"Backtest: {names}"), style=STYLE)
    return head + "\n".join(_body(found, names)) + "\n</main></body></html>\n"


def _body(found: Backtest, names: str) -> Iterator[str]:
    yield f"<h1>Would have fired: {escape(names)}</h1>"
    yield f'<p class="soft">{escape(history(found))}. {escape(found.runs[0].account.sum())}.</p>'
    for what, one in (("Incidents", found.incidents), ("Alerts", found.alerts)):
        if one is not None:
            yield f"<p>{escape(summary(what, one))}.</p>"
    for run, scores in zip(found.runs, found.scores, strict=True) if found.scores is not None else ():
        yield f"<p>{escape(scores_told(run, scores))}.</p>"
    if found.asked.specs:
        yield f"<p>{escape(injected_summary(found).capitalize())}.</p>"
    if found.watched:
        yield "<h2>When incidents were open</h2>"
        yield _key(found)
        yield _timeline(found)
        yield "<h2>Incidents a week</h2>"
        yield _weeks(found)
    yield "<h2>Models</h2>"
    yield _table(MODEL_HEADS, model_rows(found))
    for what, one in (("Incidents", found.incidents), ("Alerts", found.alerts)):
        if one:
            yield f"<h2>{what} gained, lost and moved</h2>"
            yield _table(("", "told", "what"), changes(one))
    if found.scores is not None:
        yield "<h2>Known incidents</h2>"
        yield _table(KNOWN_HEADS, known_rows(found))
    if found.injected:
        yield "<h2>Faults put into copies</h2>"
        yield _table(INJECTED_HEADS, injected_rows(found))
    for run in found.runs:
        yield f"<h2>Incidents of {escape(run.name)}</h2>"
        yield _table(("told", "over", "what"), (_told(one) for one in run.incidents))
    yield "<h2>Weeks</h2>"
    yield _table(WEEK_HEADS, week_rows(found))


def _told(one: Episode) -> tuple[str, str, str]:
    return minute(one.found_ms), "open at the end" if one.ended_ms is None else minute(one.ended_ms), one.sentence


def _key(found: Backtest) -> str:
    names = (("new", found.runs[0].name), *(("old", run.name) for run in found.runs[1:]))
    shown = [f'<span class="key {kind}"></span>{escape(name)}' for kind, name in names]
    shown += ['<span class="key known"></span>known incident'] if found.scores is not None else []
    where = ["above", "below"] if len(found.runs) > 1 else [""]
    told = [f"{one} <span class='soft'>{at}</span>" for one, at in zip(shown, [*where, ""], strict=False)]
    return f"<p>{' '.join(told)}</p>"


def _timeline(found: Backtest) -> str:
    """A line for each model, bars where an incident was open; known ones as a shade behind."""
    watched = found.watched
    counts = {model: sum(one.model == model for run in found.runs for one in run.incidents) for model in watched}
    lanes = sorted(sorted(watched, key=lambda model: (-counts[model], model))[:LANES_MAX])
    first = min(one.first_ms for one in watched.values())
    last = max(one.last_ms for one in watched.values())
    scale = (WIDE - NAME) / max(last - first, 1)
    tall, every = LANE * len(lanes) + 22, -(-60 // max(int(WEEK_MS * scale), 1))

    def bar(kind: str, begin_ms: int, end_ms: int, top: float, high: float, says: str) -> str:
        begin, end = ((min(max(at, first), last) - first) * scale for at in (begin_ms, end_ms))
        wide = max(end - begin, LEAST)
        left = NAME + min(begin, WIDE - NAME - wide)
        place = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high}"'
        return f'<rect class="{kind}" {place} rx="1"><title>{escape(says)}</title></rect>'

    parts = [f'<svg viewBox="0 0 {WIDE} {tall}" role="img" aria-label="Incidents by model and time">']
    for monday_ms in range(week_of(first) + WEEK_MS, last, WEEK_MS):
        x = NAME + (monday_ms - first) * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{tall - 18}"/>')
        if (monday_ms - week_of(first)) // WEEK_MS % every == 0:
            parts.append(f'<text x="{x:.1f}" y="{tall - 5}" text-anchor="middle">{minute(monday_ms)[5:10]}</text>')
    for lane, model in enumerate(lanes):
        top = lane * LANE
        parts.append(f'<line class="grid" x1="0" x2="{WIDE}" y1="{top + LANE}" y2="{top + LANE}"/>')
        name = model if len(model) <= 26 else f"{model[:13]}…{model[-12:]}"
        parts.append(f'<text x="0" y="{top + 20}">{escape(name)}<title>{escape(model)}</title></text>')
        for known in found.asked.known or ():
            if matches(known.model, model) and known.begin_ms <= last and known.end_ms >= first:
                says = f"known, {known.place}: {minute(known.begin_ms)} to {minute(known.end_ms)}"
                parts.append(bar("known", known.begin_ms, known.end_ms, top + 2, LANE - 4, says))
        for number, (kind, run) in enumerate(zip(("new", "old"), found.runs, strict=False)):
            for one in run.incidents:
                if one.model == model:
                    end_ms = last if one.ended_ms is None else one.ended_ms
                    says = f"{run.name}, {minute(one.found_ms)}: {one.sentence}"
                    parts.append(bar(kind, one.found_ms, end_ms, top + 5 + number * (BAR + 2), BAR, says))
    more = f"<p class='soft'>and {len(watched) - len(lanes):,} more models</p>" if len(watched) > len(lanes) else ""
    return "".join([*parts, "</svg>", more])


def _weeks(found: Backtest) -> str:
    """Bars of all models together, a pair for each week."""
    first = week_of(min(one.first_ms for one in found.watched.values()))
    last = week_of(max(one.last_ms for one in found.watched.values()))
    mondays = list(range(first, last + 1, WEEK_MS))
    counts = [dict.fromkeys(mondays, 0) for _ in found.runs]
    for run, many in zip(found.runs, counts, strict=True):
        for one in by_week(run.alerts, run.incidents, found.watched):
            many[week_of(one.begin_ms)] += one.incidents
    most = max(max(many.values()) for many in counts)
    step, tall = min((WIDE - 40) / len(mondays), 90), 120
    parts = [f'<svg viewBox="0 0 {WIDE} {tall + 40}" role="img" aria-label="Incidents a week">']
    parts.append(f'<line class="grid" x1="0" x2="{WIDE}" y1="{tall + 16}" y2="{tall + 16}"/>')
    every = -(-len(mondays) * 60 // (WIDE - 40))
    for i, monday_ms in enumerate(mondays):
        for number, (kind, many) in enumerate(zip(("new", "old"), counts, strict=False)):
            high = tall * many[monday_ms] / max(most, 1)
            wide = step * 0.8 / len(counts)
            x, y = 10 + i * step + number * wide, tall + 16 - high
            parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{wide - 2:.1f}" height="{high:.1f}"/>')
            if many[monday_ms] and wide > 12:
                label = (
                    f'<text x="{x + wide / 2 - 1:.1f}" y="{y - 3:.1f}" text-anchor="middle">{many[monday_ms]}</text>'
                )
                parts.append(label)
        if i % every == 0:
            x = 10 + i * step + step * 0.4
            parts.append(f'<text x="{x:.1f}" y="{tall + 32}" text-anchor="middle">{rfc3339(monday_ms)[5:10]}</text>')
    return "".join([*parts, "</svg>"])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [tuple(row) for row in rows]
    if not body:
        return '<p class="soft">none</p>'
    shown = body[:ROWS_MAX]
    kinds = [_kind([row[i] for row in shown]) for i in range(len(heads))]
    head = "".join(f'<th class="{kind}">{escape(name)}</th>' for name, kind in zip(heads, kinds, strict=True))
    lines = [f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>']
    for row in shown:
        lines.append("<tr>" + "".join(_cell(text, kind) for text, kind in zip(row, kinds, strict=True)) + "</tr>")
    more = (
        f'<p class="soft">and {len(body) - ROWS_MAX:,} more: --format json has all</p>' if len(body) > ROWS_MAX else ""
    )
    return "".join([*lines, "</tbody></table></div>", more])


WORDS = ("gained", "lost", "moved", "yes", "no")


def _cell(text: str, kind: str) -> str:
    said = f"{kind} {text}" if text in WORDS else f"{kind} no" if text.startswith("not found") else kind
    return f'<td class="{said}">{escape(text)}</td>'


def _kind(texts: Sequence[str]) -> str:
    """How a column stands: numbers at the right, short texts on one line."""
    if all(text == "-" or text.replace(",", "").replace(".", "", 1).rstrip("%").isdigit() for text in texts):
        return "number"
    return "short" if max(map(len, texts)) <= 40 else "long"
