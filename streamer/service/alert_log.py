"""Every alert that landed as one line of the log, in words: whoever reads only the log misses none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from streamer.port import Out, Partition

LINES_MAX = 100
INTERVAL_S = 10.0
"""A storm of alerts is told by so many lines per interval, and a count of the others."""


class AlertLog:
    """Called with what landed, by commit. `clock` gives seconds."""

    def __init__(self, notify: Callable[..., None], clock: Callable[[], float]) -> None:
        self.notify, self.clock = notify, clock
        self.since_s, self.told, self.suppressed = clock(), 0, 0

    def landed(self, partition: Partition, outs: Sequence[Out]) -> None:
        """Tell the alerts among these records, which are in the topic now."""
        if self.clock() - self.since_s >= INTERVAL_S:
            if self.suppressed:
                self.notify("alerts_suppressed", partition, suppressed=self.suppressed, hint="they are in the topic")
            self.since_s, self.told, self.suppressed = self.clock(), 0, 0
        for out in outs:
            if out.topic != "alerts" or out.value is None:
                continue
            if self.told >= LINES_MAX:
                self.suppressed += 1
                continue
            self.told += 1
            event, fields = line_of(out.value)
            self.notify(event, partition, **fields)


def line_of(value: bytes) -> tuple[str, dict[str, object]]:
    """The event and the fields that tell an alert record in the log."""
    record = orjson.loads(value)
    data = record["data"]
    labels, over = data["alert"]["labels"], data["resolution"]
    fields = {
        "sentence": data["sentence"],
        "severity": labels["severity"],
        **({"model": labels["model"]} if "model" in labels else {}),  # Else it is of a whole partition.
        "monitor": labels["monitor"],
        "offset": data["changed"]["offset"],
        "id": record["id"],
    }
    if over is not None:
        return "alert_resolved", {**fields, "how": over["how"]}
    return "alert_firing" if int(record["sequence"]) == 1 else "alert_renewed", fields
