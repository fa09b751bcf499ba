"""What the page shows of a model's past: events by hour and by 10 s, and when something was deployed or changed.

From heartbeats and from what became of commands; all of it is bounded, the oldest goes first.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

from schemas.events.convert import time_ms
from schemas.records.alert import rfc3339
from streamer.engine.recent import STEP_MS
from streamer.engine.rings import HOUR_MS, HOURS

MODELS_MAX, PARTS_MAX = 2_000, 20_000
"""Models, and places (model and partition) that heartbeats come from; each has 1.3 KiB of hours."""
RECENT = 720
"""Steps of 10 s of which the events of a model are kept: two hours, 2.8 KiB."""
MARKS, WORD_MAX = 20, 24
"""Deploys and changes of the config of a model that are kept, the newest; and characters of a mark's word."""

Place = tuple[str, str, int]
"""Model, topic and partition."""


def newest(table: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> bool:
    """Put it in as the newest; whether another one had to go."""
    table[key] = value
    table.move_to_end(key)
    if len(table) <= most:
        return False
    table.popitem(last=False)
    return True


class Past:
    """Fed with the heartbeats of each place in the order of the log."""

    def __init__(self) -> None:
        self.hours: OrderedDict[Place, tuple[int, array[int]]] = OrderedDict()  # in which the last ended
        self.recent: OrderedDict[str, tuple[int, array[int]]] = OrderedDict()  # with the step behind the last
        self.versions: OrderedDict[Place, list[dict[str, str]]] = OrderedDict()  # that came
        self.marks: OrderedDict[str, deque[dict[str, str]]] = OrderedDict()  # what people and the config say

    def heartbeat(self, place: Place, before: Mapping[str, Any] | None, data: Mapping[str, Any]) -> None:
        """`before`: the one before of this place. One that is told twice counts once."""
        if "hours" in data:
            told = time_ms(data["hours"]["to"], "/to") // HOUR_MS, array("I", data["hours"]["counts"])
            newest(self.hours, place, told, PARTS_MAX)
        if "deploys" in data:
            newest(self.versions, place, data["deploys"], PARTS_MAX)
        if before is not None and before["tick"]["number"] == data["tick"]["number"]:
            return
        if "recent" not in data and before is not None and data.get("events", 0) > before.get("events", 0):
            self.recent.pop(place[0], None)  # More came than is told so fine: what is there would have a hole.
        elif "recent" in data:
            self._count(place[0], time_ms(data["recent"]["from"], "/from") // STEP_MS, data["recent"]["counts"])
        was, now = (before or {}).get("config"), data.get("config")
        if was and now and was != now:
            self._mark(place[0], rfc3339(data["tick"]["time_ms"]), "config", "the config was changed")

    def command(self, data: Mapping[str, Any]) -> None:
        """What became of one: a mark, where somebody deployed something."""
        said = data.get("command", {})
        if said.get("type") == "deploy" and data["status"] == "applied":
            self._mark(data["model"], data["changed"]["time"], cut(said["why"]), f"{said['by']} deployed {said['why']}")

    def _mark(self, model: str, time: str, word: str, text: str) -> None:
        known = self.marks.get(model) or deque[dict[str, str]](maxlen=MARKS)
        if not any((one["word"], one["time"]) == (word, time) for one in known):  # Partitions change together.
            known.append({"time": time, "word": word, "text": text})
        newest(self.marks, model, known, MODELS_MAX)

    def _count(self, model: str, first: int, counts: list[int]) -> None:
        """Add events by 10 s; what is older than what is kept is left out."""
        end, kept = self.recent.get(model) or (first, array("I", [0]) * RECENT)
        more = min(max(first + len(counts) - end, 0), RECENT)
        kept, end = kept[more:] + array("I", [0]) * more, max(end, first + len(counts))
        for step, count in enumerate(counts, first):
            if end - RECENT <= step:
                kept[step - end] += count
        newest(self.recent, model, (end, kept), MODELS_MAX)

    def hours_of(self, model: str) -> dict[str, Any] | None:
        """Events by hour of all its partitions, and when the last hour was over, in ms."""
        own = [told for (name, _, _), told in self.hours.items() if name == model and len(told[1])]
        if not own:
            return None
        last, first = max(hour for hour, _ in own), min(hour - len(counts) for hour, counts in own)
        total = [0] * (last - max(first, last - HOURS))
        for hour, counts in own:
            for back, count in enumerate(reversed(counts), last - hour):
                if back < len(total):
                    total[-1 - back] += count
        return {"to_ms": last * HOUR_MS, "counts": total}

    def recent_of(self, model: str) -> dict[str, Any] | None:
        """Events by 10 s, of two hours at most, and when the last of them was over, in ms."""
        if model not in self.recent:
            return None
        end, kept = self.recent[model]
        first = next((place for place, count in enumerate(kept) if count), RECENT)
        return {"to_ms": end * STEP_MS, "step_ms": STEP_MS, "counts": kept[first:].tolist()}

    def marks_of(self, model: str) -> list[dict[str, str]]:
        """When something was deployed or changed, the oldest first; a version when the first partition saw it."""
        came = [one for place, deploys in self.versions.items() if place[0] == model for one in deploys]
        found, newest_ms = [*self.marks.get(model, ())], dict[str, int]()
        for one in sorted(came, key=lambda one: one["time"]):
            text, at_ms = f"version {one['version']} came after {one['before']}", time_ms(one["time"], "/time")
            if at_ms - newest_ms.get(one["version"], 0) > HOUR_MS:
                found.append({"time": one["time"], "word": cut(f"version {one['version']}"), "text": text})
            newest_ms[one["version"]] = at_ms
        return sorted(found, key=lambda one: one["time"])


def cut(text: str) -> str:
    return text if len(text) <= WORD_MAX else text[: WORD_MAX - 1] + "…"
