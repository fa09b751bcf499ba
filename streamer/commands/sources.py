"""Where the records of a verb come from, files or a range of a topic, and what is said where they cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from schemas.events.batch import Record
from streamer.commands.broker_down import exit_unreachable
from streamer.config.model import Config
from streamer.config.stages import in_order_of_models, undecided
from streamer.engine.scattered import Seen, in_words, scattered
from streamer.engine.tasks import ByTopic
from streamer.offline.event_files import EventFiles, Span, reading
from streamer.offline.joined import by_time
from streamer.offline.replay import BadInput, parse_inputs
from streamer.port import LogDown, LogGap, Partition

Source = Iterable[tuple[Partition, list[Record]]]


def either_files_or_topic(inputs: Sequence[object], topic: str | None) -> None:
    """Exit 2 for both and for neither."""
    if bool(inputs) == bool(topic):
        raise click.UsageError("Give either --input FILE (repeatable) or --topic T.")


def of_events(config: Config, topic: str | None) -> None:
    """Exit 2 for a topic that has no events as producers sent them: nothing of it could be read as such."""
    chosen = in_order_of_models(config) if undecided(config) else config
    if topic is not None and topic == chosen.topics.ordered:
        raise click.UsageError(f"{topic} has what Driftline packed: replay and backtest read it, this reads events.")
    if topic in config.topics.sides.values():
        raise click.UsageError(f"What {topic} says is of events of other topics: give --topic one of those.")


def not_there(output: Path | None) -> None:
    """Exit 1 where a file is to be made that is there: nobody's config is written over."""
    if output is not None and output.exists():
        raise click.ClickException(f"{output} is there already; nothing was written")


def as_the_service_would(
    config: Config, inputs: Sequence[str], topic: str | None, partitions: Sequence[int] = ()
) -> Config:
    """With `kafka.order: auto` what the service finds out by a look at its topics: files are partitions, and a model
    that goes back and forth between several is read in one order. It is said. Of a single partition nobody asks.
    """
    if not undecided(config) or len(partitions) == 1:
        return config
    if topic:
        from streamer.kafka.order import ask

        told = ask(config.model_copy(update={"topics": config.topics.model_copy(update={"events": [topic]})}))
        if told.order != "model":
            return config
        click.echo(f"{told.why}: read in the order of models, as by the service (kafka.order: auto)", err=True)
        return in_order_of_models(config)
    files, events = parse_inputs(inputs, config.topics.first()), list[Seen]()
    decode = ByTopic(config)
    for partition, path in files if len(files) > 1 else ():
        records = next(reading(path, config)[0](), [])
        batch = decode(records, partition[0])
        places = zip(batch.offsets.tolist(), batch.times_ms.tolist(), batch.model.tolist(), strict=True)
        events += (Seen(*partition, offset, time_ms, batch.strings[model]) for offset, time_ms, model in places)
    several = scattered(events)
    if not several:
        return config
    click.echo(f"{in_words(several)}: read in the order of models, as by the service (kafka.order: auto)", err=True)
    return in_order_of_models(config)


def of_topic(
    config: Config, topic: str, begin: str | None, end: str | None, partitions: Sequence[int] = (), merged: bool = False
) -> Iterator[tuple[Partition, list[Record]]]:
    """A range of a topic, its schemas known; `merged`: its partitions in one order. Kafka's client is loaded only now:
    who reads files needs none.
    """
    from streamer.kafka.topic_range import TopicRange

    found = TopicRange(config, topic, partitions, begin, end)
    return known_schemas(config, found.in_order() if merged else found)


def one_order(config: Config, topic: str | None) -> str | None:
    """Where partitions of this topic of events are to be read in one order, what a person should know of it."""
    ordered = config.topics.ordered
    if topic is None or ordered is None or topic == ordered:
        return None
    sides = [one for one in config.topics.sides.values() if one != topic]
    more = f", and what {', '.join(sides)} said of it" if sides else ""
    told = f"{topic}: partitions are read in the order of record times; the service may have taken some in another one"
    return f"{told}: --topic {ordered} has what it took{more}."


def known_schemas(config: Config, records: Source) -> Iterator[tuple[Partition, list[Record]]]:
    """The records, of which the config knows the schemas when they come."""
    if config.schema_registry is None or config.schemas is None:
        return iter(records)
    from streamer.kafka.schema_registry import Client, learned

    return learned(config.schemas, records, Client(config.schema_registry).schema)


class History:
    """Files or a range of a topic that are read several times, the same each time; with a bar on stderr when a person
    watches. A topic is read by nobody's group, and its end stays where it was at first.
    """

    def __init__(
        self,
        configs: Sequence[Config],
        inputs: Sequence[str],
        topic: str | None,
        span: tuple[str | None, str | None] = (None, None),
        partitions: Sequence[int] = (),
        model: str | None = None,
    ) -> None:
        self.configs, self.topic, config = configs, topic, configs[0]
        self.merged = next((told for one in configs if (told := one_order(one, topic)) is not None), None)
        if topic:
            from streamer.kafka.topic_range import TopicRange

            self.range = TopicRange(config, topic, partitions, *span)
        else:
            named = parse_inputs(inputs, config.topics.first())
            self.files = [
                (one.partition, EventFiles((one.path,), config, model, Span(*span), one.partition[0])) for one in named
            ]

    def notes(self) -> list[str]:
        """What a person should know of the columns of tables, or of the order in which a topic is read."""
        if self.topic:
            return [] if self.merged is None else [self.merged]
        return [note for _, files in self.files for note in files.notes]

    def place(self, partition: Partition, offset: int) -> str:
        """Where a record stands."""
        for named, files in [] if self.topic else self.files:
            if named == partition:
                return files.place((partition[0], 0), offset)
        return f"{partition[0]}[{partition[1]}]@{offset}"

    def as_given(self) -> Source:
        """All records, topic by topic as they stand."""
        if not self.topic:
            return ((named, records) for named, files in self.files for _, records in files)
        source: Source = self.range if self.merged is None else self.range.in_order()
        for config in self.configs:
            source = known_schemas(config, source)
        return source

    def __call__(self, what: str) -> Iterator[tuple[Partition, list[Record]]]:
        """All records, from the first on; `what` stands beside the bar."""
        source, topics = self.as_given(), self.configs[0].topics
        if not self.topic and (topics.sides or (topics.ordered and len(self.files) > 1)):
            source = by_time(self.configs[0], source)
        with said_in_words():
            total = self.range.total() if self.topic else sum(files.total() for _, files in self.files)
            yield from _with_bar(source, what, total)


def _with_bar(source: Source, what: str, total: int) -> Iterator[tuple[Partition, list[Record]]]:
    if not sys.stderr.isatty():
        yield from source
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(what, total=total)
        for partition, records in source:
            yield partition, records
            progress.advance(bar, len(records))


@contextmanager
def said_in_words() -> Iterator[None]:
    """Records that cannot be read are one sentence and exit 1, a broker that is not there exit 69."""
    try:
        yield
    except (BadInput, LogGap) as error:
        raise click.ClickException(str(error)) from error
    except LogDown as error:
        exit_unreachable(error)
