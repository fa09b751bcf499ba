"""Features that only rise are named, quantities that also fall are not."""

from __future__ import annotations

from pathlib import Path

from streamer.offline.only_rises import SERIES_MAX, OnlyRises
from tests.offline.samples import estimated, said
from tests.signals.events import batch_of

EVENTS = [
    {
        "model": f"m{i % 2}",
        "time": 1_700_000_000 + i,
        "features": {"n": i, "again": i % 200, "at": 1_700_000_000 + i + i % 2, "amount": i * 7919 % 997, "same": 3},
    }
    for i in range(400)
]


def test_what_only_rises_is_told_with_what_to_write(tmp_path: Path) -> None:
    [why] = said(estimated("", tmp_path, EVENTS), "only-rises").values()
    assert "features.n, features.again, features.at only rise" in why
    assert why.endswith("say exclude: [features.n, features.again, features.at].")
    rest = 'exclude: [features.n, "features.a*"]\n'
    assert said(estimated(rest, tmp_path, EVENTS), "only-rises") == {}
    assert said(estimated("", tmp_path, EVENTS[:40]), "only-rises") == {}


def test_memory_is_bounded() -> None:
    rising = OnlyRises()
    for n in range(SERIES_MAX // 1000 + 1):
        rising.take(("t", 0), batch_of([{"model": f"m{n}", "features": {f"f{i}": 1 for i in range(1000)}}]))
    assert len(rising.last) == SERIES_MAX
