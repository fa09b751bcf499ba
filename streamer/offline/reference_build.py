"""References built from chosen events: tasks that do nothing but learn, over all partitions of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from schemas.events.batch import Record
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.config.reference_file import References
from streamer.engine.references import VALUES_MAX, Pool
from streamer.offline.account import Account, parts_of, unused
from streamer.offline.replay import Replay
from streamer.port import Partition


class Built(NamedTuple):
    """The file, and what became of the records of each partition."""

    references: References
    counts: dict[Partition, Counter[str]]
    account: Account

    def told(self, place: Callable[[Partition, int], str]) -> list[str]:
        """A line for all, one for each partition where there are several, and what became of what is not used."""
        of = f" of {len(self.counts):,} partition{'' if len(self.counts) == 1 else 's'}"
        several = self.counts if len(self.counts) > 1 else {}
        each = [f"  {topic}[{n}]: {parts_of(counts)}" for (topic, n), counts in several.items()]
        return [self.account.sum(of), *each, *unused(self.account, place)]


def build(
    config: cfg.Config, source: Iterable[tuple[Partition, Sequence[Record]]], named: str, values_max: int = VALUES_MAX
) -> Built:
    """Learn from all records of `source`, which come partition by partition; `named` says where they are from."""
    learning = cfg.Reference.model_construct(warmup=values_max, windows=values_max, file=None)
    building = config.model_copy(update={"reference": learning})
    building._given, building._given_hash = None, ""
    engine, pool, counts = (
        Replay(building, fields_of(config), ticking=False),
        Pool(values_max),
        dict[Partition, Counter[str]](),
    )
    stretch = values_max // 2  # An event brings a series one value, and may end windows that were open before it.
    unread: dict[Partition, int] = {}
    for partition, records in source:
        for other in [at for at in unread if at != partition]:
            _drain(engine, pool, other)
            del engine.tasks[other], unread[other]  # One partition's state at a time.
        for part in _parts(records, stretch):
            if unread.get(partition) and unread[partition] + len(part) > stretch:
                _drain(engine, pool, partition)
                unread[partition] = 0
            before = _counted(engine, partition)
            engine.step(partition, part)
            counts.setdefault(partition, Counter()).update(_counted(engine, partition) - before)
            unread[partition] = unread.get(partition, 0) + len(part)
    for partition in unread:
        _drain(engine, pool, partition)
    return Built(pool.references(named, config.config_hash), counts, engine.rejects.account(counts.values()))


def _parts(records: Sequence[Record], most: int) -> Iterable[Sequence[Record]]:
    """The records, no more at once than a series can take of values before it is drained."""
    return (records[i : i + most] for i in range(0, len(records), most))


def _drain(engine: Replay, pool: Pool, partition: Partition) -> None:
    task = engine.tasks[partition]
    pool.drain(partition, task.watching.watched(task.tables.values()))
    pool.drain_spaces(partition, ((task.tables[i], source) for i, source in task.sources.items()))


def _counted(engine: Replay, partition: Partition) -> Counter[str]:
    task = engine.tasks.get(partition)
    return Counter(task.admission.counts if task is not None else {})
