"""Numbers of a sample that look like codes are named; quantities, grades and scales are not."""

from __future__ import annotations

from pathlib import Path

from streamer.offline.maybe_codes import NAMES_MAX, MaybeCodes
from tests.offline.samples import estimated, said
from tests.signals.events import batch_of

CODES = (12, 47, 103, 901)
EVENTS = [
    {
        "model": "m",
        "time": 1_700_000_000 + i,
        "features": {
            "store": CODES[i % 4],
            "hour": i % 24,
            "amount": i * 7919 % 997 / 3,
            "price": (10, 20, 50, 100)[i % 4],
            "user": i * 7919 % 997,
            "flag": i % 2,
        },
    }
    for i in range(400)
]


def test_codes_are_hinted_at_and_nothing_else_is(tmp_path: Path) -> None:
    [why] = said(estimated("", tmp_path, EVENTS), "may-be-codes").values()
    assert "features.store looks like a code" in why
    assert why.endswith("categorical: [features.store].")
    for text in ("categorical: [features.store]\n", "exclude: [features.store]\n"):
        assert said(estimated(text, tmp_path, EVENTS), "may-be-codes") == {}


def test_several_are_one_sentence(tmp_path: Path) -> None:
    events = [{**one, "features": {f"c{n}": CODES[i % 4] for n in range(10)}} for i, one in enumerate(EVENTS)]
    [why] = said(estimated("", tmp_path, events), "may-be-codes").values()
    assert "features.c7 and 2 more look like codes" in why


def test_a_pattern_of_codes_that_no_feature_has_is_told(tmp_path: Path) -> None:
    found = said(estimated("categorical: [features.stor, features.store]\n", tmp_path, EVENTS), "not-in-sample")
    assert set(found) == {"categorical.0"}
    assert "it is about nothing. Did you mean 'features.store'?" in found["categorical.0"]


def test_memory_is_bounded() -> None:
    codes = MaybeCodes()
    codes.values = {str(i): None for i in range(NAMES_MAX)}
    codes.take(batch_of([{"features": {"store": 12}}]))
    assert "features.store" not in codes.values
