"""A moment as a person writes it on the command line."""

from __future__ import annotations

import pytest

from streamer.offline.replay import BadInput
from streamer.offline.times import time_ms_of


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05", "@1767323045"]
)
def test_a_moment(text: str) -> None:
    assert time_ms_of(text) == 1_767_323_045_000


@pytest.mark.parametrize("text", ["tomorrow", "", "@x", "@1e400"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadInput, match=r"is neither an offset nor a time such as 2026-01-31T12:00:00Z"):
        time_ms_of(text)
