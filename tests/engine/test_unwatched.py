"""What is not watched though the config asks for it is said: in the heartbeat, in the log and with a sample."""

from __future__ import annotations

from typing import Any

from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.engine.unwatched import Unwatched, unwatched
from streamer.signals.categories import CODES
from streamer.signals.kinds import LABELS_MAX
from tests.signals.events import HEAD, batch_of

TEXT = """monitors:
  mix: {signal: category.*, detect: {kind: distribution}}
  new: {signal: unseen.*, detect: {kind: adwin}}
  share: {signal: label.*, detect: {kind: adwin}}
"""


def found(events: list[dict[str, Any]]) -> list[Unwatched]:
    task = Task(load_text(HEAD.replace("100", "400") + TEXT, "x", {}), ("inferences", 0), 0)
    task.step(batch_of(events))
    assert task.unwatched() == unwatched(task.tables.values())
    return task.unwatched()


def test_texts_that_are_no_categories_and_members_without_a_series_are_named() -> None:
    events = [
        {
            "features": {"id": f"u{i}", "city": f"c{i % (CODES + 7)}", "country": "xyz"[i % 3]},
            "prediction": {"label": f"l{i % (LABELS_MAX + 9)}"},
        }
        for i in range(500)
    ]
    assert found(events[:100]) == [Unwatched("m", "label.*", "together", 9)], "nothing is known of the texts yet"
    told = found(events)
    assert told == [
        Unwatched("m", "category.id", "no_category", 1),
        Unwatched("m", "category.city", "together", 7),
        Unwatched("m", "unseen.id", "no_category", 1),
        Unwatched("m", "label.*", "together", 9),
    ]
    assert [one.words() for one in told[:2]] == [
        "category.id is not watched, its texts are no categories: new ones keep coming, as of an id or a free text",
        "category.city: 7 categories beyond the first 63 are watched together, as 'other'",
    ]
    assert told[3].words() == "label.*: 9 beyond the first 32 are watched together, as label.other"


def test_of_healthy_categories_nothing_is_said() -> None:
    assert found([{"features": {"c": "xyz"[i % 3]}, "prediction": {"label": "ab"[i % 2]}} for i in range(500)]) == []
