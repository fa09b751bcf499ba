"""Who is put out of its group by its own name joins anew, and gives up in a war."""

from __future__ import annotations

import pytest

from streamer.kafka.fencing import FENCED_MAX, FENCED_WITHIN_S, Fencing
from streamer.kafka.log import KafkaLog
from streamer.port import LogDown, LogRefused
from tests.kafka.world import MakeTopics, World, owner
from tests.waiting import until


def test_it_is_given_up_where_it_happens_again_and_again_in_one_group() -> None:
    now_s = [0.0]
    fencing = Fencing(lambda: now_s[0])
    for _ in range(2 * FENCED_MAX):  # Far apart, as of outages.
        now_s[0] += FENCED_WITHIN_S / (FENCED_MAX - 1)
        for group in ("g", "g-ordered"):
            assert not isinstance(fencing.told(group, "w0"), LogRefused)
    now_s[0] += FENCED_WITHIN_S
    *before, last = [fencing.told("g", "w0") for _ in range(FENCED_MAX)]
    assert not any(isinstance(one, LogRefused) for one in before)
    assert isinstance(last, LogRefused)
    assert "another process uses kafka.instance 'w0' in group 'g'" in str(last)
    assert not isinstance(fencing.told("g-ordered", "w0"), LogRefused)


@pytest.mark.broker
def test_a_second_process_of_our_name_is_told_and_ends_us_the_third_time(broker: str, make_topics: MakeTopics) -> None:
    """The client waited for ever in a group that had put it out: unready, and no way back."""
    world, fencing = World(broker, make_topics), Fencing()

    def put_out() -> LogDown:
        log = owner(world, instance="one")
        log._fencing = fencing
        other: KafkaLog = world.log(instance="one")
        with pytest.raises(LogDown) as raised:
            until(lambda: False, "put out", lambda: (log.poll(1, 0.1, print), other.poll(1, 0.1, print)))
        world.logs.remove(log)
        log.close()
        world.close()
        return raised.value

    first = put_out()
    assert not isinstance(first, LogRefused)
    assert "another process uses kafka.instance 'one'" in str(first)
    for _ in range(FENCED_MAX - 2):
        fencing.told(world.group, "one")
    assert isinstance(put_out(), LogRefused)
