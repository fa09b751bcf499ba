"""What a bridge counts; a process of its own, so these are all of its metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer.service.catalogue import PREFIX, Spec
from streamer.service.scrapes import exposed

RESULTS = ("delivered", "refused", "unwanted", "repeated", "unread")
SILENCES = ("made", "ended", "taken", "not_taken", "failed")
OUTCOMES = ("delivered", "refused", "later")
Name = Literal[
    "bridge_records_total",
    "bridge_attempts_total",
    "bridge_silences_total",
    "bridge_waiting_records",
    "bridge_receiver_up",
    "bridge_firing",
    "bridge_hidden_total",
    "bridge_forgotten_total",
    "bridge_assigned_partitions",
    "bridge_last_delivery_timestamp_seconds",
]
BRIDGE_CATALOGUE: dict[Name, Spec] = {
    "bridge_records_total": Spec(
        "counter",
        "What became of records: delivered, refused for good by the receiver, not to be told, told before (equal id), "
        "or none of ours.",
        {"result": RESULTS},
    ),
    "bridge_attempts_total": Spec(
        "counter",
        "Requests by what became of them; later: no answer, or one after which it is tried again.",
        {"outcome": OUTCOMES},
    ),
    "bridge_silences_total": Spec(
        "counter",
        "Silences of Alertmanager: made for a mute, ended with it, taken as a mute, such as cannot be one, or failed "
        "and tried again.",
        {"result": SILENCES},
    ),
    "bridge_waiting_records": Spec("gauge", "Records that are read and not delivered yet."),
    "bridge_receiver_up": Spec("gauge", "Whether the receiver took, or refused, what it was last sent."),
    "bridge_firing": Spec("gauge", "Alerts and incidents that fire."),
    "bridge_hidden_total": Spec("counter", "Alerts told no more, as more than the limit fire."),
    "bridge_forgotten_total": Spec("counter", "Alerts told no more, as no record told of them for forget_after."),
    "bridge_assigned_partitions": Spec("gauge", "Partitions of the alerts topic that this process reads."),
    "bridge_last_delivery_timestamp_seconds": Spec("gauge", "When the receiver last took something, Unix time."),
}


class Figures(Collector):
    """Values of BRIDGE_CATALOGUE; written by one thread, read by others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Name, dict[str, float]] = {
            name: dict.fromkeys(next(iter(spec.labels.values()), ("",)), 0.0) for name, spec in BRIDGE_CATALOGUE.items()
        }
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def inc(self, name: Name, label: str = "", by: float = 1) -> None:
        with self._lock:
            self._values[name][label] += by

    def set(self, name: Name, value: float) -> None:
        with self._lock:
            self._values[name][""] = value

    def get(self, name: Name, label: str = "") -> float:
        with self._lock:
            return self._values[name][label]

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        return exposed(self.registry, accept)

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            values = {name: dict(found) for name, found in self._values.items()}
        for name, spec in BRIDGE_CATALOGUE.items():
            family = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
            metric = family(PREFIX + name, spec.help, labels=list(spec.labels))
            for label, value in values[name].items():
                metric.add_metric([label] if spec.labels else [], value)
            yield metric
