"""How far the learning is, as log lines and a gauge: a history that is read, and models until they leave school."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from detectors.extremes import DAY_MS
from schemas.records.alert import rfc3339
from streamer.engine.history import NOBODY_KNOWS
from streamer.engine.school import School
from streamer.engine.stage import Stage
from streamer.port import Partition
from streamer.service.metrics import Key, Metrics
from streamer.service.partitions import LivePartition

MODELS_MAX = 100
"""Models whose school is told of in the log; the gauge has more."""
INTERVAL_S = 10.0


class SchoolReport:
    """Called after every step; `notify` as the worker's, `named` bounds the names of models."""

    def __init__(self, metrics: Metrics, notify: Callable[..., None], named: Callable[[str], str]) -> None:
        self.metrics, self.notify, self.named = metrics, notify, named
        self.reading: dict[Partition, Stage] = {}  # with a history that is not over
        self.models: dict[tuple[Partition, str], School] = {}  # in school, and told of
        self.left: dict[Key, float] = {}
        self.due_s = 0.0

    def greet(self, partition: Partition, stage: Stage) -> None:
        """A stage that has just become ours; nothing of what follows was taken yet."""
        if stage.history.over:
            self.reading.pop(partition, None)
            return
        self.reading[partition] = stage
        known: dict[str, int] = {"offset": stage.position}
        if stage.history.end < NOBODY_KNOWS:
            known = {"records": stage.history.end - stage.position, **known, "first_end": stage.history.end}
        self.notify(
            "history_begins",
            partition,
            **known,
            effect="what was retained before the first start is school: alerts in it are told with severity info",
        )

    def look(self, owned: Mapping[Partition, LivePartition]) -> None:
        """Whether a history is over by now."""
        for partition, stage in list(self.reading.items()):
            if partition not in owned or owned[partition].task is not stage:
                del self.reading[partition]
            elif stage.history.over:
                del self.reading[partition]
                held = stage.history.holding(stage.monitors)
                self.notify(
                    "history_read",
                    partition,
                    offset=stage.history.end,
                    still_holds=held or "nothing",
                    effect="from here on alerts have their own severity",
                )

    def report(self, owned: Mapping[Partition, LivePartition], now_s: float) -> None:
        """Now and then: who is still in school, and until when."""
        if now_s < self.due_s:
            return
        self.due_s = now_s + INTERVAL_S
        self.left = dict.fromkeys(self.left, 0.0)
        now = {(partition, m): s for partition, one in owned.items() for m, s in one.task.school().items()}
        for (_, model), school in now.items():
            name = self.named(model)
            self.left[name,] = max(school.left_ms / 1000, self.left.get((name,), 0.0))
        self.metrics.replace("school_seconds_left", self.left)
        for (partition, model), school in now.items():
            if (partition, model) not in self.models and len(self.models) < MODELS_MAX:
                self.models[partition, model] = school
                self.notify(
                    "school_begins",
                    partition,
                    model=model,
                    series=school.series,
                    days=-(-school.left_ms // DAY_MS),
                    until=rfc3339(school.until_ms),
                    effect="only the unmistakable is told of them until they have seen as many days with values",
                )
        for partition, model in [one for one in self.models if one not in now]:
            school = self.models.pop((partition, model))
            if partition in owned:
                effect = "the last of its series knows its days by now"
                self.notify("school_over", partition, model=model, series=school.series, effect=effect)
