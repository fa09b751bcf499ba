"""What the group has committed of many partitions, asked at once: each question waits for threads of librdkafka and for
the coordinator, and a thousand of them one after the other took minutes on a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from streamer.port import Committed, Partition

Ask = Callable[[Sequence[Partition]], Mapping[Partition, Committed | None]]


class AskedAtOnce:
    """Answers for partitions that were assigned and not looked at since; each is good for one use, since what is
    committed may move after it. One partition that an open transaction hides leaves all without an answer: then half
    as many are asked the next time, and twice as many after an answer.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._wanted: dict[Partition, None] = {}  # in their order
        self._had: dict[Partition, Committed] = {}
        self._most = 1 << 20

    def want(self, partitions: Iterable[Partition]) -> None:
        """They are to be asked, when the first of them is; older answers do not count any more."""
        for partition in partitions:
            self.forget(partition)
            self._wanted[partition] = None

    def forget(self, partition: Partition) -> None:
        self._wanted.pop(partition, None)
        self._had.pop(partition, None)

    def committed(self, partition: Partition) -> Committed | None:
        """None where nobody knows yet."""
        if partition in self._had:
            return self._had.pop(partition)
        others = [one for one in self._wanted if one != partition] if partition in self._wanted else []
        asked = [partition, *others[: self._most - 1]]
        for one, found in self._ask(asked).items():
            if found is not None:
                self._had[one] = found
                self._wanted.pop(one, None)
        answered = partition in self._had
        self._most = 2 * len(asked) if answered else max(1, len(asked) // 2)
        return self._had.pop(partition, None)
