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

from schemas.records.alert import ms_of
from streamer.commands.alert_text import printable
from streamer.commands.options import config_option
from streamer.commands.sources import said_in_words
from streamer.config.model import Config
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
CLEAR = "\x1b[H\x1b[2J"
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
    spans = {there[role]: Span(*PAST[role]) for role in PAST if role in there}
    reading = Tail(config, silent_logger(), spans, _now_ms(), "what top shows")
    try:
        past = True  # Read as a whole before anything is shown.
        while True:
            until_s = time.monotonic() + every_s
            while (_take(board, reading.values()) and past) or time.monotonic() < until_s:
                pass
            past = False
            size = shutil.get_terminal_size()
            rows = size.lines - SENTENCES - 4 if live else None
            colour = live and not os.environ.get("NO_COLOR")
            text = shown(board, _now_ms(), UNHEARD * config.heartbeat.interval_ms, model, rows, colour)
            missing = "".join(f"\n{name}: {why}" for name, why in sorted(reading.missing.items()))
            click.echo(f"{CLEAR if live and not once else ''}{text}{missing}")
            if once:
                return
    finally:
        reading.close()


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
    board: Board, now_ms: int, unheard_ms: int, model: str | None = None, most: int | None = None, colour: bool = False
) -> str:
    """The table, the gravest first, and the newest open incidents in words."""
    found, parts = board.overview(), dict[str, list[dict[str, Any]]]()
    for (name, _, _), (data, _) in board.parts.items():
        parts.setdefault(name, []).append(data)
    models = [
        _row(one, parts.get(one["model"], []), now_ms, unheard_ms)
        for one in found["models"]
        if model in (None, one["model"])
    ]
    models.sort(key=lambda row: (list(ORDER).index(row[1]), row[0]))
    hidden = 0 if most is None else max(0, len(models) - max(1, most))
    rows = [HEADS, *models[: len(models) - hidden]]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        if colour and row[1] in ORDER:
            cells[1] = click.style(cells[1], fg=ORDER[row[1]])
        lines.append("  ".join(cells).rstrip())
    if hidden:
        lines.append(f"and {hidden} more")
    if not models:
        whom = "any model" if model is None else printable(model)
        lines = [f"nothing is heard of {whom} yet: heartbeats come every {_ago(unheard_ms / UNHEARD)}"]
    open_ones = [one for one in found["incidents"] if one["status"] != "resolved" and model in (None, one["model"])]
    told = [printable(f"{one['severity']}: {one['sentence']}") for one in open_ones[:SENTENCES]]
    return "\n".join([*lines, *([""] if told else []), *told])


def _row(one: Mapping[str, Any], parts: list[dict[str, Any]], now_ms: int, unheard_ms: int) -> tuple[str, ...]:
    """A model, a cell a column. parts: its newest heartbeats, by partition."""
    behind = [data for data in parts if not data["tick"]["caught_up"]]
    state = (
        "unheard" if now_ms - one["heard_ms"] > unheard_ms and one["state"] in ("healthy", "learning") else one["state"]
    )
    lag_ms = max((data["tick"]["time_ms"] - ms_of(data["newest_event"]) for data in behind), default=0)
    series = one["series"]
    return (
        printable(one["model"]),
        state,
        "" if one["per_minute"] is None else f"{one['per_minute']:,.0f}",
        _ago(lag_ms) if behind else "none",
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
