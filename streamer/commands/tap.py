"""`driftline tap`: events as Driftline reads them, a sample, without what is in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click
import orjson

from schemas.events.batch import Record
from streamer.commands.alert_text import printable
from streamer.commands.options import config_option
from streamer.commands.sources import Source, known_schemas, said_in_words
from streamer.config.decoder_fields import fields_of
from streamer.config.model import Config
from streamer.engine.engines import ENGINE
from streamer.offline.event_files import EventFiles
from streamer.offline.redacted import Event, events
from streamer.offline.replay import BadInput
from streamer.port import Partition
from streamer.service.run import load_or_exit
from streamer.signals.roles import OPT_OUT, is_true

PAST_MAX = 10_000
"""Records of the past that are read at most."""
EPILOG = """\b
Examples:
  driftline tap -c driftline.yaml                             # a record a second of what comes, until Ctrl-C
  driftline tap -c driftline.yaml --model fraud --rate 10 --show features.amount --show 'prediction.*'
  driftline tap -c driftline.yaml --past 10m --limit 20       # of the last ten minutes
  driftline tap -c driftline.yaml --input events.jsonl --every 100 --format json
"""


@click.command("tap", epilog=EPILOG)
@config_option
@click.option(
    "--input",
    "inputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Events: JSON, CSV or Parquet, instead of the topics. Repeatable.",
)
@click.option("--topic", "topics", multiple=True, help="Only this topic; default: topics.events. Repeatable.")
@click.option("--past", metavar="DURATION", default="0s", help="Begin so long ago: 10m, 1h. Default: with what comes.")
@click.option("--model", help="Of this model only; dead letters name none.")
@click.option(
    "--show", "allowed", multiple=True, metavar="NAME", help="Show these values; a name or pattern. Repeatable."
)
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="One record of so many.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of topics: records a second.",
)
@click.option("--limit", type=click.IntRange(min=1), help="End after so many.")
@click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True, help="One a line."
)
def tap(
    config_path: Path,
    inputs: tuple[Path, ...],
    topics: tuple[str, ...],
    past: str,
    model: str | None,
    allowed: tuple[str, ...],
    every: int,
    rate: float,
    limit: int | None,
    shape: str,
) -> None:
    """Show events as Driftline reads them: model, time, and of each field its name and what it is. No value is shown
    that --show does not name. A sample, read as a member of no group; nothing is committed.
    """
    if inputs and topics:
        raise click.UsageError("Give either --input FILE or --topic T.")
    config = load_or_exit(config_path)
    with said_in_words():
        source = EventFiles(inputs, config) if inputs else _coming(config, topics, past)
        sampled = Sampled(source, every, None if inputs else rate)
        shown = 0
        with suppress(KeyboardInterrupt):  # How it ends.
            for one in _read(config, sampled, allowed):
                if model not in (None, one.model):
                    continue
                click.echo(printable(one.line()) if shape == "text" else orjson.dumps(one.plain()).decode())
                shown += 1
                if shown == limit:
                    break
    click.echo(f"{shown:,} shown, of {sampled.read:,} records that were read.", err=True)


class Sampled:
    """One record of `every` of a source, and with a rate no more a second: of what comes by the clock, of what was
    there by the times of a partition's records, lest a past that is read at once is not seen. `read`: how many there
    were.
    """

    def __init__(self, source: Source, every: int, rate: float | None, clock: Callable[[], float] = time.time) -> None:
        self._source, self._every, self._rate, self._clock = source, every, rate, clock
        self.read = 0

    def __iter__(self) -> Iterator[tuple[Partition, list[Record]]]:
        began_s, due_s = self._clock(), dict[Partition | None, float]()
        for partition, records in self._source:
            for record in records:
                self.read += 1
                if (self.read - 1) % self._every:
                    continue
                if self._rate is not None:
                    past = 0 <= record.time_ms < 1000 * began_s
                    which, now_s = (partition, record.time_ms / 1000) if past else (None, self._clock())
                    if now_s < due_s.get(which, 0.0):
                        continue
                    due_s[which] = now_s + 1 / self._rate
                yield partition, [record]


def _read(config: Config, source: Iterable[tuple[Partition, list[Record]]], allowed: Sequence[str]) -> Iterator[Event]:
    decode = ENGINE.decoder(fields_of(config))
    for partition, records in known_schemas(config, source):
        batch = decode(records, partition[0])
        refused = is_true(replace(batch, aliases=config.roles()), OPT_OUT) if config.privacy else None
        yield from events(batch, partition, allowed, refused)


def _coming(config: Config, topics: Sequence[str], past: str) -> Source:
    """What comes to the topics, without end."""
    from streamer.config.problems import did_you_mean
    from streamer.config.units import parse_duration
    from streamer.kafka.admin import TopicAdmin
    from streamer.kafka.diagnosis import silent_logger
    from streamer.kafka.tail import LOOK_S, Span, Tail

    try:
        span = Span(parse_duration(past), PAST_MAX)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--past") from None
    there = TopicAdmin(config, LOOK_S).cluster().topics
    names = topics or config.reading(there).topics.events
    if not there.keys() & set(names):
        told = [f"topic {name} does not exist.{did_you_mean(name, there)}" for name in names]
        raise BadInput(" ".join(told) or "no topic matches topics.events")
    reading = Tail(config, silent_logger(), dict.fromkeys(names, span), time.time_ns() // 1_000_000, "events")
    try:
        said: set[str] = set()
        while True:
            for name in reading.missing.keys() - said:
                click.echo(f"{name}: {reading.missing[name]}", err=True)
                said.add(name)
            for partition, record in reading.records():
                yield partition, [record]
    finally:
        reading.close()
