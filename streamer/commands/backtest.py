"""`driftline backtest`: what a config would have told of the past, beside another, of faults, of known incidents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from streamer.commands.options import config_option
from streamer.commands.sources import History, as_the_service_would, either_files_or_topic, said_in_words
from streamer.config.model import Config
from streamer.config.stages import for_topic
from streamer.config.units import parse_duration
from streamer.offline.account import unused
from streamer.offline.backtest import Asked, Backtest
from streamer.offline.backtest import backtest as judged
from streamer.offline.backtest_html import page
from streamer.offline.backtest_told import plain, told
from streamer.offline.faults import KINDS, parse_spec
from streamer.offline.known import read_known
from streamer.service.run import load_or_exit

EXAMPLES = """\b
Examples:
  driftline backtest -c new.yaml --input events.jsonl
  driftline backtest -c new.yaml --against old.yaml --topic inferences --from 2026-01-01T00:00:00Z --html diff.html
  driftline backtest -c new.yaml --input events.jsonl --incidents known.csv
  driftline backtest -c new.yaml --input events.jsonl --inject all --inject shift=0.5@features.amount
"""


class DurationType(click.ParamType[int]):
    """`30m`, in milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("backtest", epilog=EXAMPLES)
@config_option
@click.option("--against", type=click.Path(path_type=Path), help="Another: what does the first gain, lose, move?")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[[TOPIC:]PARTITION=]FILE",
    help="Events: JSON, CSV or Parquet; each file is a partition. Repeatable.",
)
@click.option("--topic", help="Read a range of this topic instead; no group, no commit.")
@click.option("--partition", "partitions", multiple=True, type=int, help="Only these partitions of --topic.")
@click.option("--from", "begin", help="First offset or row, or a time (RFC 3339). Default: the oldest record.")
@click.option("--to", "end", help="Offset, row or time to stop before. Default: the end as it is now.")
@click.option("--model", help="The model, of events that do not name it.")
@click.option("--incidents", type=click.Path(path_type=Path), help="Known ones: CSV or JSONL with model, begin, end.")
@click.option(
    "--inject",
    multiple=True,
    metavar="KIND[=SIZE][@FEATURE]",
    help=f"Put a fault into a copy: all, {', '.join(KINDS)}. Repeatable; FEATURE may be a pattern.",
)
@click.option(
    "--inject-from",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.75,
    show_default=True,
    help="After this part of a model's time its faults begin.",
)
@click.option(
    "--tolerance", type=DurationType(), default="1h", show_default=True, help="Onsets so near are the same drift."
)
@click.option("--ticks", type=DurationType(), help="Time passes in such steps: 1h is quicker, and tells silence later.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it all to one page, too.")
@click.option(
    "--fail-if-gained", type=click.IntRange(min=1), metavar="N", help="Exit 1 for N gained incidents or more."
)
@click.option("--fail-if-lost", type=click.IntRange(min=1), metavar="N", help="Exit 1 for N lost incidents or more.")
def backtest(
    config_path: Path,
    against: Path | None,
    inputs: tuple[str, ...],
    topic: str | None,
    partitions: tuple[int, ...],
    begin: str | None,
    end: str | None,
    model: str | None,
    incidents: Path | None,
    inject: tuple[str, ...],
    inject_from: float,
    tolerance: int,
    ticks: int | None,
    shape: str,
    html: Path | None,
    fail_if_gained: int | None,
    fail_if_lost: int | None,
) -> None:
    """Run configs over history and say what they would have told: incidents and alerts by model and week, and how much
    of the time something fires. Nothing is published, and nobody's offsets or state move.
    """
    either_files_or_topic(inputs, topic)
    if against is None and (fail_if_gained or fail_if_lost):
        raise click.UsageError("--fail-if-gained and --fail-if-lost need --against: gained and lost against what?")
    if html is not None and not html.parent.is_dir():
        raise click.UsageError(f"--html: there is no folder {html.parent}.")
    paths = [path for path in (config_path, against) if path is not None]
    alike = len({path.name for path in paths}) < len(paths)
    configs = [(str(path) if alike else path.name, _config(path, topic, ticks)) for path in paths]
    with said_in_words():
        configs = [(name, as_the_service_would(config, inputs, topic, partitions)) for name, config in configs]
        history = History([config for _, config in configs], inputs, topic, (begin, end), partitions, model)
        for note in history.notes():
            click.echo(note, err=True)
        known = None if incidents is None else read_known(incidents)
        specs = [spec for text in inject for spec in parse_spec(text)]
        found = judged(history, Asked(configs, tolerance, known, specs, inject_from))
    _print(found, shape, html)
    account = found.runs[0].account
    for line in unused(account, history.place):
        click.echo(line, err=True)
    if not account.used:
        raise click.ClickException("none of the records is used, so nothing is said of the configs")
    gained, lost = (0, 0) if found.incidents is None else (len(found.incidents.gained), len(found.incidents.lost))
    over = [n is not None and many >= n for n, many in ((fail_if_gained, gained), (fail_if_lost, lost))]
    sys.exit(1 if any(over) else 0)


def _config(path: Path, topic: str | None, ticks_ms: int | None) -> Config:
    config = for_topic(load_or_exit(path), topic)
    if topic in config.topics.sides.values():
        raise click.UsageError(f"What {topic} says is of events of other topics: give --topic {config.topics.ordered}.")
    if ticks_ms is None:
        return config
    if not 1_000 <= ticks_ms <= 3_600_000:
        raise click.UsageError("--ticks is 1s to 1h, as heartbeat.interval.")
    heartbeat = config.heartbeat.model_copy(update={"interval_ms": ticks_ms})
    return config.model_copy(update={"heartbeat": heartbeat})


def _print(found: Backtest, shape: str, html: Path | None) -> None:
    if shape == "json":
        click.echo(orjson.dumps(plain(found), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in told(found):
            click.echo(line)
    if html is not None:
        try:
            html.write_text(page(found), "utf-8")
        except OSError as error:
            raise click.ClickException(f"{html}: {error.strerror}") from error
        click.echo(f"{html} is written.", err=True)
