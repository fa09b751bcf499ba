"""`driftline replay`: the same engine over a file or a range of a topic; prints the alerts `run` would publish."""

from __future__ import annotations

import base64
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import click
import orjson

from streamer.commands.options import config_option
from streamer.commands.sources import (
    Source,
    as_the_service_would,
    either_files_or_topic,
    of_topic,
    one_order,
    said_in_words,
)
from streamer.config.decoder_fields import fields_of
from streamer.config.model import Config
from streamer.config.stages import for_topic
from streamer.offline.account import ODD_SHOWN
from streamer.offline.event_files import reading
from streamer.offline.joined import by_time, stretches
from streamer.offline.people import labels_told, review_told
from streamer.offline.replay import Input, Replay, parse_inputs
from streamer.port import Out, Partition
from streamer.service.run import load_or_exit

PRINTED = ("alerts", "shadow", "incidents", "control")
"""What goes to topics.alerts, and what would if it were no shadow."""
MORE = {"shadow": "shadow alert record", "control": "answer", "windows": "window record", "review": "review item"}
EPILOG = """\b
Examples:
  driftline replay -c driftline.yaml --input events.jsonl
  driftline replay -c driftline.yaml --input inferences:0=a.jsonl --input outcomes:0=b.jsonl --also windows
  driftline replay -c driftline.yaml --topic inferences --partition 0 --from 0 --to 6036   # as an alert says it
"""


@click.command("replay", epilog=EPILOG)
@config_option
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[[TOPIC:]PARTITION=]FILE",
    help="JSON lines or an array of events, or records as kcat -J writes them, whose numbers are the offsets; or CSV,"
    " TSV, Parquet; packed or not. Repeatable.",
)
@click.option("--topic", help="Read a range of this topic instead.")
@click.option("--partition", "partitions", multiple=True, type=int, help="Only these partitions of --topic.")
@click.option("--from", "begin", help="First offset, or a time (RFC 3339). Default: the oldest record.")
@click.option("--to", "end", help="Offset or time to stop before. Default: the end as it is now.")
@click.option(
    "--generation",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="The topic had been deleted and made anew N times, as ids say it: TOPIC~N. The command of an alert has it.",
)
@click.option(
    "--first-end",
    metavar="OFFSET",
    type=click.IntRange(min=0),
    default=0,
    help="What is before it was there when the group first came: school, told low. The command of an alert has it.",
)
@click.option(
    "--dead-letter",
    "dead_letter_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what cannot be read to this file, as JSON lines.",
)
@click.option(
    "--also",
    "also",
    multiple=True,
    type=click.Choice(["windows", "review"]),
    help="Print these records, too: windows that ended, with how good predictions were in them; items of the review"
    " queue. Repeatable.",
)
def replay(
    config_path: Path,
    inputs: tuple[str, ...],
    topic: str | None,
    partitions: tuple[int, ...],
    begin: str | None,
    end: str | None,
    generation: int,
    first_end: int,
    dead_letter_path: Path | None,
    also: tuple[str, ...],
) -> None:
    """Run the engine over history and print the records of alerts and incidents, of commands and of what was learned of
    verdicts, one JSON per line. Commits nothing.
    """
    either_files_or_topic(inputs, topic)
    if first_end and (inputs or len(partitions) != 1):
        raise click.UsageError("--first-end goes with --topic T and one --partition: each has an end of its own.")
    config = for_topic(load_or_exit(config_path), topic)
    if topic in config.topics.sides.values():
        told = (
            f"What {topic} says is of events of other topics: replay --topic {config.topics.ordered}, which has both."
        )
        raise click.UsageError(told)
    with said_in_words():
        config = as_the_service_would(config, inputs, topic, partitions)
    engine = Replay(config, fields_of(config), generation, first_end=first_end, together=True)
    began = time.monotonic()
    try:
        with said_in_words(), ExitStack() as stack:
            letters = stack.enter_context(dead_letter_path.open("wb")) if dead_letter_path else None
            if topic:
                merged = one_order(config, topic)
                if merged is not None:
                    click.echo(merged, err=True)
                source: Source = of_topic(config, topic, begin, end, partitions, merged is not None)
            else:
                files = parse_inputs(inputs, config.topics.first())
                source = _file_records(files, config)
                if engine.joined is not None and (config.topics.sides or len(files) > 1):
                    source = by_time(config, source)
            source = stack.enter_context(_progress(source))
            printed = Counter(
                role for some in stretches(source) for role in _emit(engine.steps(some), letters, (*PRINTED, *also))
            )
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    _summary(engine, printed, time.monotonic() - began, dead_letter_path, topic)
    if not engine.account().used and not topic:
        click.echo(f"None of them is used: driftline lint {config_path} --sample {files[0].path} says why.", err=True)


@contextmanager
def _progress(source: Source) -> Iterator[Source]:
    """The source itself; with a bar per partition on stderr when a person watches."""
    if not sys.stderr.isatty():
        yield source
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f} records"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def watched() -> Source:
            bars: dict[Partition, Any] = {}
            for partition, records in source:
                if partition not in bars:
                    bars[partition] = progress.add_task(f"{partition[0]}[{partition[1]}]", total=None)
                yield partition, records
                progress.advance(bars[partition], len(records))

        yield watched()


def _file_records(inputs: list[Input], config: Config) -> Source:
    for item in inputs:
        read, notes = reading(item.path, config)
        for note in notes:
            click.echo(note, err=True)
        for records in read():
            yield item.partition, records


def _emit(outs: list[Out], letters: IO[bytes] | None, roles: Collection[str]) -> list[str]:
    """Records of these roles to stdout, dead letters to their file; the role of each record that was printed."""
    printed = []
    for out in outs:
        if out.topic in roles:
            sys.stdout.buffer.write((out.value or b"") + b"\n")
            printed.append(out.topic)
        elif letters is not None and out.topic == "dead_letter":
            letters.write(orjson.dumps(_letter(out)) + b"\n")
    if printed:
        sys.stdout.buffer.flush()
    return printed


def _letter(out: Out) -> dict[str, Any]:
    """A dead letter as a line: the headers, and the original value as text or, where it is none, as base64."""
    line: dict[str, Any] = {name: (value or b"").decode("utf-8", "replace") for name, value in out.headers}
    value = out.value or b""
    try:
        line["value"] = value.decode()
    except UnicodeDecodeError:
        line["value_base64"] = base64.b64encode(value).decode()
    return line


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _summary(engine: Replay, printed: Counter[str], seconds: float, letters: Path | None, topic: str | None) -> None:
    account = engine.account()
    counts, rejected = account.counts, sorted(account.rejected, key=lambda one: one.reason)
    total = sum(counts.values())
    parts = " + ".join(f"{count:,} {name.replace('_', '-')}" for name, count in counts.items())
    reasons = ", ".join(f"{one.reason} {one.records:,}" for one in rejected)
    click.echo(f"{_many(total, 'record')} = {parts}" + (f" ({reasons})" if reasons else ""), err=True)
    more = "".join(f", {_many(printed[role], what)}" for role, what in MORE.items() if printed[role])
    speed = f"{seconds:.1f} s ({total / max(seconds, 1e-9):,.0f} records/s)"
    alerts, incidents = _many(printed["alerts"], "alert record"), _many(printed["incidents"], "incident record")
    click.echo(f"{alerts}{more} and {incidents} in {speed}", err=True)
    if (pairs := engine.pairs()) is not None:
        click.echo(pairs, err=True)
    odd = [f"{field} {reason} {count:,}" for (field, reason), count in engine.odd().items()]
    if odd:
        more = f", and {len(odd) - ODD_SHOWN:,} more" if len(odd) > ODD_SHOWN else ""
        click.echo(f"Left out of events, since it could not be used: {', '.join(odd[:ODD_SHOWN])}{more}", err=True)
    for line in labels_told(engine.tasks.values()):
        click.echo(line, err=True)
    for line in review_told(
        engine.config, engine.tasks.values(), engine.joined is not None and topic != engine.joined.topic
    ):
        click.echo(line, err=True)
    if reasons and letters is None:
        click.echo("What could not be read was counted only; --dead-letter FILE keeps it.", err=True)
