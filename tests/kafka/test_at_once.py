"""Many committed offsets by one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamer.kafka.at_once import AskedAtOnce
from streamer.port import Committed, Partition

MANY = [("in", number) for number in range(1000)]


class Group:
    """What it has committed; while `hidden` is not empty nobody who asks for one of those hears anything."""

    def __init__(self) -> None:
        self.asked: list[list[Partition]] = []
        self.hidden: set[Partition] = set()
        self.at = 7

    def __call__(self, partitions: Sequence[Partition]) -> Mapping[Partition, Committed | None]:
        self.asked.append(list(partitions))
        known = Committed(self.at, None) if not self.hidden & set(partitions) else None
        return dict.fromkeys(partitions, known)


def test_one_question_is_for_all() -> None:
    group = Group()
    log = AskedAtOnce(group)
    log.want(MANY)
    assert {log.committed(partition) for partition in MANY} == {Committed(7, None)}
    assert group.asked == [MANY]


def test_an_answer_is_used_once() -> None:
    group = Group()
    log = AskedAtOnce(group)
    log.want(MANY[:2])
    log.committed(MANY[0])
    group.at = 8
    assert log.committed(MANY[0]) == Committed(8, None)
    assert group.asked[1] == [MANY[0]]
    log.want(MANY[:2])  # Assigned anew: somebody else may have had it in between.
    assert log.committed(MANY[1]) == Committed(8, None)


def test_what_is_not_ours_any_more_is_not_asked() -> None:
    group = Group()
    log = AskedAtOnce(group)
    log.want(MANY[:3])
    log.forget(MANY[1])
    log.committed(MANY[0])
    assert group.asked == [[MANY[0], MANY[2]]]


def test_one_that_is_hidden_does_not_hide_the_others_for_ever() -> None:
    group = Group()
    group.hidden = {MANY[999]}
    log = AskedAtOnce(group)
    log.want(MANY)
    waiting, rounds = list(MANY), 0
    while len(waiting) > 1:
        waiting, rounds = [partition for partition in waiting if log.committed(partition) is None], rounds + 1
    assert waiting == [MANY[999]]
    assert rounds < 12
    assert len(group.asked) < 60
    group.hidden = set()
    assert log.committed(MANY[999]) == Committed(7, None)
