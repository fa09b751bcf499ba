"""Where the records of a verb come from, files or a range of a topic, and what is said where they cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from schemas.events.batch import Record
from streamer.commands.broker_down import exit_unreachable
from streamer.config.model import Config
from streamer.offline.replay import BadInput
from streamer.port import LogDown, LogGap, Partition

Source = Iterable[tuple[Partition, list[Record]]]


def either_files_or_topic(inputs: Sequence[object], topic: str | None) -> None:
    """Exit 2 for both and for neither."""
    if bool(inputs) == bool(topic):
        raise click.UsageError("Give either --input FILE (repeatable) or --topic T.")


def of_topic(
    config: Config, topic: str, begin: str | None, end: str | None, partitions: Sequence[int] = ()
) -> Iterator[tuple[Partition, list[Record]]]:
    """A range of a topic, its schemas known. Kafka's client is loaded only now: who reads files needs none."""
    from streamer.kafka.topic_range import read_topic

    records = read_topic(config, topic, partitions, begin, end)
    if config.schema_registry is None or config.schemas is None:
        return records
    from streamer.kafka.schema_registry import Client, learned

    return learned(config.schemas, records, Client(config.schema_registry).schema)


@contextmanager
def said_in_words() -> Iterator[None]:
    """Records that cannot be read are one sentence and exit 1, a broker that is not there exit 69."""
    try:
        yield
    except (BadInput, LogGap) as error:
        raise click.ClickException(str(error)) from error
    except LogDown as error:
        exit_unreachable(error)
