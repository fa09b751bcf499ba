"""`driftline top`: the models, live in a terminal, of what all processes of the group publish."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from streamer.commands.alert_text import printable
from streamer.commands.options import config_option
from streamer.commands.sources import said_in_words
from streamer.config.model import Config
from streamer.offline.cell_width import cut, padded
from streamer.service.board import Board
from streamer.service.run import load_or_exit

DAY_MS = 86_400_000
PAST = {"heartbeats": (600_000, 20_000), "alerts": (14 * DAY_MS, 20_000), "incidents": (14 * DAY_MS, 20_000)}
"""How many ms back a topic of each role is read at the start, and how many records at most."""
UNHEARD = 3
"""Heartbeats that did not come, after which a model counts as not heard of."""
HEADS = ("MODEL", "STATE", "PER MIN", "LAG", "INCIDENTS", "ALERTS", "SERIES", "HEARD")
ORDER = {"critical": "red", "drifting": "yellow", "unheard": "magenta", "learning": "cyan", "healthy": "green"}
"""States, the gravest first, and their colours."""
SENTENCES = 5
SPARE = ("SERIES", "HEARD", "LAG", "PER MIN")
"""Columns that a narrow terminal does without, the first one first."""
NAME_LEAST = 12
"""To so many characters names are cut before a column goes."""
EPILOG = """\b
Examples:
  driftline top -c driftline.yaml                   # until Ctrl-C; NO_COLOR=1 without colours
  driftline top -c driftline.yaml --once            # once, for a script
  driftline top -c driftline.yaml --every 60 > models.log
"""


@click.command("top", epilog=EPILOG)
@config_option
@click.option("--model", help="This model only.")
@click.option(
    "--every", type=click.FloatRange(min=0.5), default=2.0, show_default=True, help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="One look, then end.")
def top(config_path: Path, model: str | None, every: float, once: bool) -> None:
    """Show every model as it stands: state in a word, events a minute, lag, open incidents and alerts, series in use of
    all, and how long ago it was heard of. In a terminal it is kept up to date; elsewhere each look is printed.

    It reads heartbeats, alerts and incidents from their topics, as a member of no group.
    """
    config = load_or_exit(config_path)
    with said_in_words(), suppress(KeyboardInterrupt):  # How it ends.
        _watch(config, model, every, once)


def _watch(config: Config, model: str | None, every_s: float, once: bool) -> None:
    from streamer.kafka.diagnosis import silent_logger
    from streamer.kafka.tail import Span, Tail

    there, board, live = config.topics.published(), Board(), sys.stdout.isatty()
    size = _size(live)
    spans = {there[role]: Span(*PAST[role]) for role in PAST if role in there}
    reading = Tail(config, silent_logger(), spans, _now_ms(), "what top shows")
    try:
        past = True  # Read as a whole before anything is shown.
        while True:
            until_s = time.monotonic() + every_s
            while (_take(board, reading.values()) and past) or (time.monotonic() < until_s and size == _size(live)):
                pass
            first, past, size = past, False, _size(live)
            colour = live and not os.environ.get("NO_COLOR")
            rows, columns = (None, None) if size is None else (size.lines - SENTENCES - 4, size.columns)
            text = shown(board, _now_ms(), UNHEARD * config.heartbeat.interval_ms, model, rows, colour, columns)
            missing = [f"{name}: {why}" for name, why in sorted(reading.missing.items())]
            lines = [*text.split("\n"), *(cut(one, columns) for one in missing)]
            if size is None or once:
                click.echo("\n".join(lines))
            else:
                click.echo(screen(lines, size, first), nl=False)
            if once:
                return
    finally:
        reading.close()
        if live and not once and not past:
            click.echo()  # The prompt stands below what was shown.


def _size(live: bool) -> os.terminal_size | None:
    return shutil.get_terminal_size() if live else None


def screen(lines: list[str], size: os.terminal_size, first: bool) -> str:
    """What a terminal is sent for these lines: from the top, each over what was there. It is changed in nothing that
    would have to be put right, whatever ends us; what was on it before goes up first, so that nothing of it is lost.
    """
    before = "\n" * size.lines if first else ""
    seen = "\x1b[K\n".join(lines[: max(1, size.lines - 1)])
    return f"{before}\x1b[H{seen}\x1b[J"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _take(board: Board, values: Iterable[bytes | None]) -> int:
    """How many came."""
    count = 0
    for value in values:
        board.take(value)
        count += 1
    return count


def shown(
    board: Board,
    now_ms: int,
    unheard_ms: int,
    model: str | None = None,
    most: int | None = None,
    colour: bool = False,
    columns: int | None = None,
) -> str:
    """The table, the gravest first, and the newest open incidents in words; no wider than that."""
    found = board.overview()
    models = [_row(one, now_ms, unheard_ms) for one in found["models"] if model in (None, one["model"])]
    models.sort(key=lambda row: (list(ORDER).index(row[1]), row[0]))
    hidden = 0 if most is None else max(0, len(models) - max(1, most))
    lines = table([HEADS, *models[: len(models) - hidden]], columns, colour)
    if hidden:
        lines.append(cut(f"and {hidden} more", columns))
    if not models:
        whom = "any model" if model is None else printable(model)
        lines = [cut(f"nothing is heard of {whom} yet: heartbeats come every {_ago(unheard_ms / UNHEARD)}", columns)]
    open_ones = [one for one in found["incidents"] if one["status"] != "resolved" and model in (None, one["model"])]
    told = [cut(printable(f"{one['severity']}: {one['sentence']}"), columns) for one in open_ones[:SENTENCES]]
    return "\n".join([*lines, *([""] if told else []), *told])


def table(rows: list[tuple[str, ...]], columns: int | None, colour: bool) -> list[str]:
    """A line a row, the heads first. Where it would be too wide names are cut, then columns go."""
    widths = {head: max(cell_len(row[place]) for row in rows) for place, head in enumerate(HEADS)}
    name, room = widths["MODEL"], widths["MODEL"]
    for spare in ("", *SPARE) if columns is not None else ():
        widths.pop(spare, None)
        room = (columns or 0) - sum(widths[head] + 2 for head in widths if head != "MODEL")
        if room >= min(NAME_LEAST, name):
            break
    widths["MODEL"] = min(name, max(NAME_LEAST, room))
    wide = room < widths["MODEL"]  # Even so: then lines are cut, and a colour would be, too.
    lines = []
    for row in rows:
        known = dict(zip(HEADS, row, strict=True))
        cells = [
            padded(cut(known[head], width), width) if head in HEADS[:2] else known[head].rjust(width)
            for head, width in widths.items()
        ]
        if colour and not wide and row[1] in ORDER:
            cells[1] = click.style(cells[1], fg=ORDER[row[1]])
        line = "  ".join(cells).rstrip()
        lines.append(cut(line, columns) if wide else line)
    return lines


def _row(one: Mapping[str, Any], now_ms: int, unheard_ms: int) -> tuple[str, ...]:
    """A model, a cell a column."""
    state = (
        "unheard" if now_ms - one["heard_ms"] > unheard_ms and one["state"] in ("healthy", "learning") else one["state"]
    )
    series = one["series"]
    return (
        printable(one["model"]),
        state,
        "" if one["per_minute"] is None else f"{one['per_minute']:,.0f}",
        "none" if one["lag_ms"] is None else _ago(one["lag_ms"]),
        str(one["incidents"]),
        str(one["alerts"]),
        f"{series['ready']:,}/{series['ready'] + series['warming']:,}",
        f"{_ago(now_ms - one['heard_ms'])} ago",
    )


def _ago(ms: float) -> str:
    """A time span in the largest unit that it has."""
    seconds = max(0, int(ms / 1000))
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
