"""An alert or an incident as one file of HTML: style and charts are in it, it loads nothing and runs nothing.

Every text is escaped: names come from producers, and whoever opens the file trusts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import orjson

from streamer.bridges.story import Share, Story, Stretch, figure
from streamer.offline.colours import COLOURS

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = (
    COLOURS
    + """\
body { margin: 0 auto; padding: 12px 20px 40px; max-width: 900px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 20px; } h2 { font-size: 16px; margin: 24px 0 6px; } h3 { font-size: 15px; margin: 18px 0 6px; }
.note { background: var(--shade); border-left: 4px solid var(--line); padding: 8px 12px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--shade); padding: 10px 12px; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
.then { fill: var(--soft); stroke: var(--soft); } .now { fill: var(--link); stroke: var(--link); }
"""
)


def page(told: Story) -> str:
    """The whole file."""
    one = told.told
    title = f"{told.state} {one.severity}: {one.model or one.monitor}{' / ' + one.monitor if one.model else ''}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><p>{escape(one.sentence)}</p>",
        *(f'<p class="note">{escape(note)}</p>' for note in told.notes),
        "<h2>Evidence</h2>",
        ranges(told.stretches),
        bars(told.shares),
        listed(told.facts),
    ]
    if told.members:
        parts.append(
            "<h2>Alerts</h2>" + listed((since, f"{moved} ({episode})") for since, moved, episode in told.members)
        )
    for each in told.inside:
        drawings = ranges(each.stretches), bars(each.shares)
        parts += [f"<h3>{escape(each.told.sentence)}</h3>", *drawings, listed(each.facts)]
        parts.append(f"<pre>{escape(each.command)}</pre>" if each.command else "")
    parts.append("<h2>Timeline (times of events)</h2>" + listed(told.timeline))
    if told.deployed:
        parts.append("<h2>Deployed and changed</h2>" + listed(told.deployed))
    if told.command:
        parts.append(f"<h2>See it happen again</h2><pre>{escape(told.command)}</pre>")
    parts.append(f"<h2>Next step</h2><p>{escape(told.next_step)}</p>")
    record = orjson.dumps(one.record, option=orjson.OPT_INDENT_2).decode()
    parts.append(f"<details><summary>The record</summary><pre>{escape(record)}</pre></details></body></html>\n")
    return "\n".join(filter(None, parts))


def listed(rows: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in rows)}</dl>"


def ranges(stretches: Sequence[Stretch]) -> str:
    """Mean and one spread to each side, of each stretch on one scale; nothing where there is nothing to compare."""
    if len(stretches) < 2:
        return ""
    low = min(one.mean - (one.std or 0.0) for one in stretches)
    high = max(one.mean + (one.std or 0.0) for one in stretches)
    width = (high - low) or 1.0

    def x(value: float) -> float:
        return 90 + 480 * (value - low) / width

    marks = []
    for place, one in enumerate(stretches):
        left, right = x(one.mean - (one.std or 0.0)), x(one.mean + (one.std or 0.0))
        y, kind = 16 + 24 * place, "then" if one.name in ("reference", "before") else "now"
        told = f"{one.name} {figure(one.mean)}"
        marks.append(
            f'<text x="0" y="{y + 4}">{escape(one.name)}</text>'
            f'<line class="{kind}" x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="{kind}" cx="{x(one.mean):.1f}" cy="{y}" r="4"><title>{escape(told)}</title></circle>'
            f'<text x="580" y="{y + 4}">{escape(figure(one.mean))}</text>'
        )
    says = "; ".join(
        f"{one.name}: mean {figure(one.mean)}" + ("" if one.std is None else f", spread {figure(one.std)}")
        for one in stretches
    )
    words = "<p>Each with its mean, and one spread to both sides where that is known.</p>"
    return drawn(24 * len(stretches) + 8, says, marks) + words


def bars(shares: Sequence[Share]) -> str:
    """Shares before and after."""
    marks = []
    for place, one in enumerate(shares):
        y = 30 * place
        marks.append(
            f'<text x="0" y="{y + 16}">{escape(one.name[:28])}</text>'
            f'<rect class="then" x="200" y="{y + 2}" width="{bounded(one.before):.1f}" height="10"/>'
            f'<rect class="now" x="200" y="{y + 14}" width="{bounded(one.after):.1f}" height="10"/>'
            f'<text x="580" y="{y + 16}">{100 * one.before:.1f} to {100 * one.after:.1f} %</text>'
        )
    says = "; ".join(f"{one.name}: {100 * one.before:.1f} % before, {100 * one.after:.1f} % after" for one in shares)
    legend = "<p>Of each the upper bar is its share before, the lower one after.</p>"
    return drawn(30 * len(shares) + 4, says, marks) + legend if marks else ""


def bounded(share: float) -> float:
    return 370 * min(max(share, 0.0), 1.0)


def drawn(height: int, says: str, marks: Iterable[str]) -> str:
    """A drawing that says in words what it shows."""
    return f'<svg viewBox="0 0 700 {height}" role="img" aria-label="{escape(says)}">{"".join(marks)}</svg>'
