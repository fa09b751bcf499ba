"""What labels, feedback and people came to: in lines, counts conserved, and why an item is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.offline.cost import Sample
from streamer.offline.joined import by_time
from streamer.offline.people import items_told, labels_told, review_told

CONFIG = load_text(
    """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
labels: {topic: truth}
feedback: {topic: clicks}
review: {topic: todo, budget: 48, per: 1d, control: 1, partitions: 2}
verdicts: {topic: said}
monitors: {action: {signal: action.*, detect: {kind: adwin}}}
""",
    "x",
    {},
)


def records(told: Iterator[dict[str, Any]]) -> list[Record]:
    texts = [json.dumps({"model": "m", "time": 1_700_000_000, **one}).encode() for one in told]
    return [Record(n, -1, None, text) for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def sample() -> Sample:
    of = {
        "in": ({"event_id": f"e{n}", "time": 1_700_000_000 + 600 * n, "prediction": {"label": "a"}} for n in range(99)),
        "truth": ({"event_id": f"e{n}", "label": "a", "time": 1_700_000_000 + 600 * n} for n in range(90, 110)),
        "clicks": ({"feedback": {"event_id": f"e{n}", "action": "accept"}, "time": 1_700_070_000} for n in (1, 2, 700)),
        "said": ({"review_id": "x-0-1", "reviewer": "ann", "verdict": "wrong"} for _ in range(1)),
    }
    found = Sample(CONFIG, together=True)
    for partition, some in by_time(CONFIG, [((topic, 0), records(told)) for topic, told in of.items()]):
        found.take([(partition, some)])
    return found


def test_what_became_of_labels_and_feedback_is_told(sample: Sample) -> None:
    told = list(labels_told(sample.tasks.values()))
    assert told == [
        "20 labels = 9 matched + 11 that wait for their inference",
        "3 feedback events = 2 matched + 1 unmatched; 2 inferences answered, 0 forgotten before",
    ]
    assert list(labels_told([])) == []


def test_what_people_were_asked_and_said_is_told_and_that_files_have_other_ids(sample: Sample) -> None:
    items, verdicts, why = review_told(CONFIG, sample.tasks.values(), together=True)
    [count, what] = items.split(" review items = ")
    assert int(count) > 3
    assert what == (
        f"{count} control; at most 48 in 1d, shared by 2 partitions, over which models are shared out as the service"
        " does it"
    )
    assert verdicts == "1 verdicts on items = 1 unmatched"
    assert "replay --topic drift-ordered has those of the service" in why
    [alone, *_] = review_told(CONFIG, sample.tasks.values(), together=False)
    assert "of which each of 2 partitions has its part" in alone


def test_the_newest_items_are_told_with_why_they_are(sample: Sample) -> None:
    lines = list(items_told(sample.items))
    assert len(lines) == 9
    assert lines[0].startswith("item drift-ordered-")
    assert "m  control: drawn at random: 1 chosen of " in lines[0]
