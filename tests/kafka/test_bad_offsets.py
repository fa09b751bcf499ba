"""When an offset of a batch that cannot be unpacked is given up."""

from __future__ import annotations

from streamer.kafka.bad_offsets import BadOffsets


def test_an_offset_is_given_up_after_three_failures_and_its_neighbours_at_once() -> None:
    bad = BadOffsets()
    here = ("t", 0)
    assert [bad.struck(here, 5) for _ in range(3)] == [False, False, True]
    assert [bad.struck(here, 6), bad.struck(here, 7)] == [True, True]
    assert [bad.struck(here, 9), bad.struck(("t", 1), 6)] == [False, False]
