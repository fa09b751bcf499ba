"""Moments and lengths of time, as a person writes and reads them."""

from __future__ import annotations

import pytest

from streamer.offline.replay import BadInput
from streamer.offline.times import count, long, minute, time_ms_of


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05", "@1767323045"]
)
def test_a_moment(text: str) -> None:
    assert time_ms_of(text) == 1_767_323_045_000


@pytest.mark.parametrize("text", ["tomorrow", "", "@x", "@1e400"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadInput, match=r"is neither an offset nor a time such as 2026-01-31T12:00:00Z"):
        time_ms_of(text)


def test_what_a_person_reads() -> None:
    assert minute(1_767_323_045_000) == "2026-01-02 03:04"
    assert [long(ms) for ms in (0, 999, 60_000, 3_600_000, 3_659_999, 86_400_000, 90_000_000 * 40)] == [
        "0s",
        "0s",
        "1m",
        "1h",
        "1h",
        "1d",
        "41d 16h",
    ]
    assert (count(0, "event"), count(1, "event"), count(1234, "event")) == ("0 events", "1 event", "1,234 events")
