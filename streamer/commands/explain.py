"""`driftline explain`: what became of a record, what every series is watched by, and the least drift that is found."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from streamer.commands.options import config_option
from streamer.commands.sources import (
    History,
    Source,
    as_the_service_would,
    either_files_or_topic,
    of_events,
    said_in_words,
)
from streamer.config.decoder_fields import fields_of, sides_of
from streamer.config.expectation import told as expectations
from streamer.config.model import Config
from streamer.offline.absent import matched
from streamer.offline.account import unused
from streamer.offline.estimates import told as estimates
from streamer.offline.explain import explain as explained
from streamer.offline.explain import told
from streamer.offline.people import items_told, labels_told, review_told
from streamer.offline.record_view import lines, side_view, view
from streamer.offline.replay import BadInput
from streamer.service.run import load_or_exit

EPILOG = """\b
Examples:
  driftline explain -c driftline.yaml --input events.jsonl --record 1    # which field was found where
  driftline explain -c driftline.yaml --input events.jsonl --input truth:0=labels.jsonl   # labels: {topic: truth}
  driftline explain -c driftline.yaml --topic inferences --monitor 'feature-*'
  driftline explain -c driftline.yaml --input events.jsonl --model fraud --format json
"""


@click.command("explain", epilog=EPILOG)
@config_option
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[[TOPIC:]PARTITION=]FILE",
    help="Events: JSON, CSV or Parquet; each file is a partition. With TOPIC: also labels, feedback, verdicts of"
    " a topic of their own. Repeatable.",
)
@click.option("--topic", help="Read a range of this topic instead, with keys and headers.")
@click.option("--from", "begin", help="Of --topic: first offset, or a time (RFC 3339). Default: the oldest record.")
@click.option("--to", "end", help="Of --topic: offset or time to stop before. Default: the end as it is now.")
@click.option("--record", type=click.IntRange(min=1), help="Only what became of this record, field by field.")
@click.option("--model", help="Only this model, or those of a pattern.")
@click.option("--monitor", metavar="GLOB", default="*", help="Only monitors whose names match.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(
    config_path: Path,
    inputs: tuple[str, ...],
    topic: str | None,
    begin: str | None,
    end: str | None,
    record: int | None,
    model: str | None,
    monitor: str,
    shape: str,
) -> None:
    """Say what became of the first record, field by field, and of every monitor and series: what it watches, its tier
    and what is missing for the next, usual level and limits, where its statistic stands, what it must pass and when it
    was nearest (why it did not fire), the smallest drift found in an hour and in a day with 80 % chance, and what it
    has of the budget of false alarms. With labels also why some met no inference, why there is no estimated error, and
    how often it held; with review which events people would be asked about, and why.
    """
    either_files_or_topic(inputs, topic)
    config = load_or_exit(config_path)
    of_events(config, topic)
    with said_in_words():
        config = as_the_service_would(config, inputs, topic)
        history = History([config], inputs, topic, (begin, end) if topic else (None, None))
        for note in history.notes():
            click.echo(note, err=True)
        shown = looked_at(config, history.as_given(), record or 1)
        if shape == "text":
            click.echo("\n".join(shown))
        if record is not None:
            return
        sample, found = explained(config, history("running"), model, monitor)
    if shape == "json":
        click.echo(orjson.dumps([one.plain() for one in found], option=orjson.OPT_INDENT_2).decode())
        return
    account = sample.account()
    click.echo(account.sum(" of the sample"))
    for line in (
        *unused(account, history.place),
        *matched(config, sample.names),
        *expectations(config),
        *labels_told(sample.tasks.values()),
        *sample.unmet.told(history.place),
        *estimates(sample.tasks.values()),
        *review_told(config, sample.tasks.values(), together=sample.joined is not None),
        *items_told(sample.items),
        *told(found),
    ):
        click.echo(line)
    if not found:
        click.echo("No series: nothing of these records is watched, see the lines above.", err=True)


def looked_at(config: Config, source: Source, number: int) -> list[str]:
    """What became of a record, counted from 1, in lines."""
    count = 0
    for partition, records in source:
        if count + len(records) >= number:
            one, sides = records[number - count - 1], sides_of(config)
            topic, roles = partition[0], config.roles()
            side = topic in sides
            what = side_view(one, sides[topic], topic) if side else view(one, fields_of(config), topic, roles)
            told = list(lines(what))
            return [f"record {number} is {told[0]}", *told[1:], ""]
        count += len(records)
    if not count:
        return ["there are no records", ""]
    raise BadInput(f"there are only {count:,} records, not {number:,}")
