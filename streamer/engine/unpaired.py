"""Requests whose answers never come, and answers to nothing: said, since half an event looks like a healthy one."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.engine.stage import Stage
from streamer.port import Partition

LEAST = 100
"""So many pairs and single halves make a judgement."""

WHY = (
    "request and answer meet only within one partition and mapping.pair.within of each other: have both keyed by their "
    "id, or raise within"
)


def counts_of(stage: Stage) -> tuple[int, int]:
    """Pairs, and halves that stayed alone."""
    found = {one.labels["result"]: one.value for one in stage.counters() if one.name == "pairs_total"}
    return found.get("paired", 0), found.get("alone", 0)


class Unpaired:
    """Partitions where, since they were last judged, more halves stayed alone than there were pairs."""

    def __init__(self) -> None:
        self.judged: dict[Partition, tuple[int, int]] = {}
        self.said: dict[Partition, str] = {}

    def look(self, stages: Iterable[Stage]) -> dict[str, str]:
        """By partition, in words."""
        owned = {stage.partition: counts_of(stage) for stage in stages}
        for partition, (paired, alone) in owned.items():
            before = self.judged.setdefault(partition, (0, 0))
            newly, single = paired - before[0], alone - before[1]
            if newly + single < LEAST:
                continue
            self.judged[partition] = paired, alone
            self.said.pop(partition, None)
            if single > newly:
                self.said[partition] = f"{single:,} records found no other half, {newly:,} pairs did; {WHY}"
        self.judged = {partition: self.judged[partition] for partition in owned}
        self.said = {partition: words for partition, words in self.said.items() if partition in owned}
        return {f"{topic}[{number}]": words for (topic, number), words in self.said.items()}


def in_words(paired: int, alone: int, waiting: int) -> str:
    """What became of the records of a file or range that `mapping.pair` is about."""
    told = f"{paired:,} pairs of request and answer; {alone:,} records found no other half, {waiting:,} wait for theirs"
    return f"{told}; {WHY}." if alone + waiting > paired else f"{told}."
