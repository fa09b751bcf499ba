"""Alerts that rest on what people say, and that no monitor raises: opened, told again as all are, and over when the
verdicts that they rest on are out of date: after so long a new test begins.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from detectors.counts import clopper_pearson
from schemas.records import alert as wire
from streamer.alerts.lifecycle import REPEATS_KEPT
from streamer.alerts.own_record import Kind, Told, finding_of, own_record
from streamer.config import model as cfg
from streamer.monitors.evidence import span
from streamer.port import Out, Partition

MOST = 1e300
"""Evidence beyond is not told more exactly."""


class Standing(Protocol):
    """An alert that is open; what its test said when it fired is a matter of its kind."""

    number: int
    offset: int  # of the event whose verdict made it fire
    time_ms: int
    fired_ms: int
    sequence: int
    home: int | None  # the partition where it opened, where its model has moved to another since


K = TypeVar("K", str, tuple[str, str])
A = TypeVar("A", bound=Standing)


class Words(NamedTuple):
    """What the records of an alert say of the test."""

    labels: dict[str, str]  # model, and whoever else it is about
    said: str
    statistic: float
    threshold: float
    n: int
    hits: int
    alpha: float


class VerdictAlerts(Generic[K, A]):
    """Those of one kind and one partition. `emitted`: alerts by status and severity, for the metrics."""

    monitor: ClassVar[str]
    """What stands for a monitor: a config key, which no monitor can be called."""
    signal: ClassVar[str]
    detector: ClassVar[str]
    description: ClassVar[str]
    alarm: Any  # the class of A, whose __slots__ are its fields in their order

    def __init__(
        self,
        config: cfg.Config,
        partition: Partition,
        generation: int,
        ttl_ms: int,
        emitted: dict[tuple[str, str], int],
    ) -> None:
        self.config, self.partition, self.generation, self.emitted = config, partition, generation, emitted
        self.ttl_ms = ttl_ms
        self.severity, self.repeat_ms = config.alerts_of_records
        self.open: dict[K, A] = {}
        self.numbers: dict[K, int] = {}

    def words(self, key: K, alarm: A) -> Words:
        raise NotImplementedError

    def fire(self, key: K, alarm: A, offset: int) -> Out:
        self.open[key] = alarm
        self.numbers[key] = alarm.number
        return self._record(key, alarm, "firing", offset, alarm.fired_ms)

    def tick(self, offset: int, clock_ms: int) -> tuple[list[Out], list[K]]:
        """What is told again, and whose it is that are over."""
        outs, over = list[Out](), list[K]()
        for key, alarm in list(self.open.items()):
            if clock_ms >= alarm.fired_ms + self.ttl_ms:
                del self.open[key]
                alarm.sequence += 1
                over.append(key)
                outs.append(self._record(key, alarm, "resolved", offset, clock_ms))
            elif (clock_ms - alarm.fired_ms) // self.repeat_ms >= alarm.sequence:
                alarm.sequence = (clock_ms - alarm.fired_ms) // self.repeat_ms + 1
                outs.append(self._record(key, alarm, "renewed", offset, clock_ms))
        return outs, over

    def _record(self, key: K, alarm: A, status: str, offset: int, time_ms: int) -> Out:
        told, words = (status, self.severity), self.words(key, alarm)
        self.emitted[told] = self.emitted.get(told, 0) + 1
        detector = {"kind": self.detector, "params": {"alpha": words.alpha}, "scale_free": True}
        kind = Kind(self.severity, detector, self.description)
        facts = self._told(words, alarm, status, (offset, time_ms))
        return own_record(self.config, self._opened_in(alarm), self.generation, kind, facts)

    def _opened_in(self, alarm: A) -> Partition:
        """Whose id it keeps."""
        return self.partition if alarm.home is None else (self.partition[0], alarm.home)

    def _told(self, words: Words, alarm: A, status: str, at: tuple[int, int]) -> Told:
        topic, number = self._opened_in(alarm)
        where, over = f"{topic}[{number}]", status == "resolved"
        at = at if alarm.home is None else (alarm.offset, at[1])
        labels = {"monitor": self.monitor, "detector": self.detector, "signal": self.signal, "partition": where}
        became = {"firing": "found", "renewed": "still open, was found", "resolved": "over, was found"}[status]
        window = {
            "n": words.n,
            "count": words.hits,
            "fraction": words.hits / words.n,
            "interval": list(clopper_pearson(words.hits, words.n)),
            "reasons": [],
            **span(alarm.offset, alarm.offset, alarm.time_ms, alarm.time_ms),
        }
        return Told(
            own=wire.identity({**words.labels, **labels}, self.severity),
            opened=(alarm.offset, alarm.time_ms),
            place=f"{alarm.offset}.{alarm.number}",
            first_offset=alarm.offset,
            changed=at,
            ends_ms=at[1] if over else at[1] + REPEATS_KEPT * self.repeat_ms,
            sequence=alarm.sequence,
            number=alarm.number,
            detections=1,
            finding=finding_of(min(words.statistic, MOST), words.threshold, window),
            sentence=f"{words.said}; {became} by {self.monitor} at {where}@{alarm.offset}.",
            how="faded" if over else None,
        )

    def dump(self) -> dict[str, Any]:
        names = self.alarm.__slots__
        return {
            "numbers": [[_plain(key), number] for key, number in self.numbers.items()],
            "open": [[_plain(key), [getattr(alarm, name) for name in names]] for key, alarm in self.open.items()],
        }

    def load(self, state: dict[str, Any]) -> None:
        self.numbers = {self._key(key): int(number) for key, number in state["numbers"]}
        self.open = {self._key(key): self.alarm(*values) for key, values in state["open"]}

    def _key(self, key: Any) -> Any:
        return key if isinstance(key, str) else tuple(map(str, key))


def _plain(key: str | tuple[str, str]) -> Any:
    return key if isinstance(key, str) else list(key)
