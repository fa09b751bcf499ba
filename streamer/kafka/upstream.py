"""Whether stage 1 has read all there is: in the ordered log only who is read can be silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streamer.config.model import Config
from streamer.kafka.offsets import Commits, listed, numbered
from streamer.port import Partition, Topic

NOTHING = frozenset[str]()
ANSWER_S = 5.0


class Upstream:
    """Asks for the offsets that the group of stage 1 has committed, and where its topics end."""

    def __init__(self, config: Config) -> None:
        assert config.topics.ordered is not None
        self.commits = Commits(config, config.kafka.group)
        self.ordered = frozenset({config.topics.ordered})
        self.ends: dict[Partition, int] = {}  # as of the look before
        self.at: dict[Partition, int] = {}

    def unread(self, client: AdminClient, inputs: Sequence[str], topics: Mapping[str, Topic]) -> frozenset[str]:
        """The ordered log while it is not complete. As long as events come there are always some that are not read:
        it is complete where everything is that was there at the look before, or where the marks of transactions are
        all that is left. Nobody who cannot see it takes it for complete.
        """
        wanted = numbered({name: topics[name].partitions for name in inputs if name in topics})
        try:
            stand = self.commits.of(wanted, ANSWER_S)
            ends = listed(client, wanted, OffsetSpec.latest(), ANSWER_S)  # type: ignore[no-untyped-call]
        except (KafkaException, TimeoutError):
            return self.ordered
        at = {partition: offset for partition, (offset, _) in stand.items()}
        read = {p: at[p] >= self.ends.get(p, at[p] + 1) or at[p] == self.at.get(p, -1) for p in wanted if p in at}
        empty = {partition for partition in wanted if ends.get(partition) == 0}
        self.ends, self.at = ends, at
        return NOTHING if all(read.get(p, p in empty) for p in wanted) else self.ordered
