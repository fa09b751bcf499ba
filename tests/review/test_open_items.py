"""What still waits, from the records of the topics; and a verdict where the config says that verdicts have things."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.tasks import Orderings
from streamer.port import Parts
from streamer.review.open_items import Unwritable, items_of, lines_of, open_items, verdict_record
from streamer.signals.verdicts import item_verdicts
from tests.config.samples import LEAST


def record(id: str, asked: str, kind: str = "ranked", until: str = "2026-01-03T00:00:00.000Z") -> bytes:
    event = {"id": "e1", "time": "2026-01-01T00:00:00.000Z", "topic": "in", "partition": 3, "offset": 17, "row": 2}
    data = {
        "review_id": id,
        "model": "m",
        "kind": kind,
        "reasons": ["confidence"],
        "question": "Right?",
        "until": until,
    }
    return orjson.dumps({"type": "io.driftline.review.v1", "time": asked, "data": {**data, "event": event}})


RECORDS = [
    record("a", "2026-01-01T01"), record("b", "2026-01-01T02", "control"), record("c", "2026-01-01T02"),
    record("d", "2026-01-01T02"), record("a", "2026-01-01T01"), record("old", "2026-01-01T03", until="2026-01-01T04"),
    b"{", None, b"[]", b'{"type": "io.driftline.alert.firing.v1"}',
]  # fmt: skip
NOW_MS = 1_767_312_000_000  # 2026-01-02


def test_of_the_newest_slot_first_the_ranked_in_their_order() -> None:
    items = list(items_of(RECORDS))

    def waiting(answered: dict[str, set[str]], reviewer: str | None = None) -> list[str]:
        return [one["review_id"] for one in open_items(items, answered, NOW_MS, reviewer)]

    assert waiting({}) == ["c", "d", "b", "a"]
    assert waiting({"c": {"ann"}}) == ["d", "b", "a"]
    assert waiting({"c": {"ann"}}, "bob") == ["c", "d", "b", "a"]
    assert waiting({"c": {"ann"}}, "ann") == ["d", "b", "a"]


def test_an_item_for_a_person() -> None:
    [item, *_] = items_of(RECORDS)
    assert list(lines_of({**item, "values": {"label": "yes"}})) == [
        "a  m  ranked: confidence",
        "  event e1 of 2026-01-01T00:00:00.000Z, in[3]@17 row 2",
        "  label = yes",
        "  Right?  (until 2026-01-03T00:00:00.000Z)",
    ]
    assert "drawn at random" in next(lines_of({**item, "reasons": []}))


@pytest.mark.parametrize(
    "places", ["", ", reviewer: header:who", ", review_id: key, model: /of/model, verdict: /of/said", ", model: =m"]
)
def test_what_is_written_is_read_where_the_config_says(places: str) -> None:
    config = load_text(LEAST + f"verdicts: {{topic: said{places}}}\n", "x", {})
    said = {"model": "m", "review_id": "a-1", "reviewer": "ann", "verdict": "wrong"}
    key, value, headers = verdict_record(config, said, NOW_MS)
    batch = Orderings(config, Parts(1, 1)).decode([Record(0, NOW_MS, key, value, tuple(headers))], "said")
    [found] = item_verdicts(batch, np.ones(1, bool), batch.times_ms)
    assert (found.model, found.about, found.reviewer, found.said, found.time_ms) == ("m", "a-1", "ann", "wrong", NOW_MS)


@pytest.mark.parametrize("places", ["model: =other", "reviewer: topic", "verdict: /model/said"])
def test_where_nothing_can_be_written_it_says_so(places: str) -> None:
    config = load_text(LEAST + f"verdicts: {{topic: said, {places}}}\n", "x", {})
    said: dict[str, Any] = {"model": "m", "review_id": "a", "reviewer": "ann", "verdict": "wrong"}
    with pytest.raises(Unwritable, match=places.split(":")[0]):
        verdict_record(config, said, NOW_MS)


def test_the_least_is_plain_json() -> None:
    config = load_text(LEAST + "verdicts: {topic: said}\n", "x", {})
    told = {"model": "m", "alert_id": "f-1", "reviewer": "ann", "verdict": "not_useful", "reason": "late"}
    key, value, headers = verdict_record(config, told, NOW_MS)
    assert (key, json.loads(value), headers) == (None, {**told, "time": "2026-01-02T00:00:00.000Z"}, [])
