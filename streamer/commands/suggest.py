"""`driftline suggest`: of a range of events the config to start with, what it would have told, how long it learns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import click

from detectors.extremes import DAY_MS
from streamer.commands.sources import History, as_the_service_would, either_files_or_topic, not_there, said_in_words
from streamer.config.expectation import told as expectations
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.config.problems import ConfigError
from streamer.config.stages import in_order_of_models
from streamer.offline.account import unused
from streamer.offline.backtest import Asked, Backtest, backtest
from streamer.offline.backtest_told import history as what_history
from streamer.offline.presets import config_text
from streamer.offline.suggest import LOOKED_AT, Profile, comment, mapped, yaml_of
from streamer.offline.times import count
from streamer.offline.weekly import by_model
from streamer.service.run import load_or_exit

HOUR_MS = 3_600_000
MODELS_SHOWN = 5
EXAMPLES = """\b
Examples:
  driftline suggest --input events.jsonl > driftline.yaml
  driftline suggest --topic inferences --brokers kafka:9092 --from 2026-01-01T00:00:00Z -o driftline.yaml
"""


@click.command("suggest", epilog=EXAMPLES)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[PARTITION=]FILE",
    help="Events: JSON, CSV or Parquet; each file is a partition. Repeatable.",
)
@click.option("--topic", help="Read a range of this topic instead; no group, no commit.")
@click.option("--partition", "partitions", multiple=True, type=int, help="Only these partitions of --topic.")
@click.option("--from", "begin", help="First offset or row, or a time (RFC 3339). Default: the oldest record.")
@click.option("--to", "end", help="Offset, row or time to stop before. Default: the end as it is now.")
@click.option("--brokers", default="localhost:9092", show_default=True, help="The cluster, HOST:PORT.")
@click.option("-c", "--config", "client", type=click.Path(path_type=Path), help="Its section kafka says how to log in.")
@click.option("--model", help="The model, of events that do not name it.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to make; else printed.")
def suggest(
    inputs: tuple[str, ...],
    topic: str | None,
    partitions: tuple[int, ...],
    begin: str | None,
    end: str | None,
    brokers: str,
    client: Path | None,
    model: str | None,
    output: Path | None,
) -> None:
    """Look at events and print a config to start with, as YAML: where the fields are, what is left out and why, how
    many incidents a week it would have told of these events, and how long it learns.
    """
    either_files_or_topic(inputs, topic)
    not_there(output)
    own = None if client is None else load_or_exit(client)
    head = config_text(None, brokers if own is None else own.kafka.brokers, topic or "inferences")

    def given(config: Config) -> Config:
        return config if own is None else config.model_copy(update={"kafka": own.kafka})

    def source(config: Config) -> History:
        return History([given(config)], inputs, topic, (begin, end), partitions, model)

    least = load_text(head, "suggested", {})
    with said_in_words(), _made():
        looked = (record for _, records in source(least)("looking") for record in records)
        records = list(islice(looked, LOOKED_AT))
        looked.close()
        found = mapped(head, records, topic or "inferences")
        before = load_text(yaml_of(head, found, Profile(least).left()), "suggested", {})
        chosen = as_the_service_would(given(before), inputs, topic, partitions)
        in_one = chosen.topics.ordered is not None or chosen.kafka.order == "model"
        ordered = in_order_of_models if in_one else given
        profile, events = Profile(ordered(before)), source(ordered(before))
        for partition, some in events("looking at the events"):
            if some:
                profile.take(partition, some)
        text = yaml_of(head, found, profile.left())
        config = load_text(text, "suggested", {})
        heartbeat = config.heartbeat.model_copy(update={"interval_ms": HOUR_MS})
        quick = ordered(config.model_copy(update={"heartbeat": heartbeat}))
        tried = backtest(source(quick), Asked([("suggested", quick)]))
    for line in unused(tried.runs[0].account, events.place):
        click.echo(line, err=True)
    if not tried.runs[0].account.used:
        raise click.ClickException("none of the records is used as an event, so no config is suggested")
    lines = [*_expected(config, tried), *([f"kafka.client and the like: as in {client}"] if client else [])]
    text += "".join(f"{comment(line)}\n" for line in lines)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text)
    click.echo(f"{output} is written. Next: driftline doctor -c {output}", err=True)


@contextmanager
def _made() -> Iterator[None]:
    """A name that no config can hold, such as one with a variable in it, is told as what it is."""
    try:
        yield
    except ConfigError as error:
        raise click.ClickException(f"no config can be made of what the events are called: {error}") from error


def _expected(config: Config, tried: Backtest) -> Iterator[str]:
    """What it costs in attention, and how long it learns."""
    run, account = tried.runs[0], tried.runs[0].account
    yield f"Looked at {account.sum()}: {what_history(tried)}."
    for line in expectations(config):
        yield line[:1].upper() + line[1:]
    models = list(by_model(run.alerts, run.incidents, tried.watched))
    weeks, many = sum(one.weeks for one in models), len(run.incidents)
    rate = "" if weeks * 7 < 1 else f", {many / weeks:.2f} a week and model"
    yield f"In these events it would have told {count(many, 'incident')}{rate}."
    for told in sorted(models, key=lambda one: -one.incidents)[:MODELS_SHOWN]:
        if told.incidents:
            firing = f"{told.firing:.1%} of the time something fires"
            yield f"  {told.model}: {count(told.incidents, 'incident')}, {firing}"
    yield "School, in which only what is gross is told; retained events of the topic count:"
    schools = sorted(run.schools.items(), key=lambda entry: (-entry[1].left_ms, -entry[1].learning, entry[0]))
    for model, one in schools[:MODELS_SHOWN]:
        first = tried.watched[model].first_ms
        most = "" if one.most_ms is None else f"most series through after {(one.most_ms - first) / DAY_MS:.0f} days; "
        left = f", for {count(-(-one.left_ms // DAY_MS), 'day')} at least" if one.learning else ""
        yield f"  {model}: {most}{one.learning:,} of {one.series:,} series still learn{left}"
    if len(schools) > MODELS_SHOWN:
        yield f"  and {count(len(schools) - MODELS_SHOWN, 'more model')}"
