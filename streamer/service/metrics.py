"""The small store behind the metrics of a catalogue; labels that do not fit raise at the first call."""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer.service.bridge_metrics import BridgeCounter, BridgeGauge
from streamer.service.catalogue import CATALOGUE, PREFIX, CounterName, GaugeName, HistogramName, Spec
from streamer.service.scrapes import exposed

MODEL_SERIES_MAX = 1000
"""Model names come from the events. Beyond this many label sets of one metric, new models share OTHER: Prometheus pays
for every set for as long as the process lives."""
OTHER = "__other__"
LABEL_MAX = 128
"""Characters of a label value; longer ones are cut."""

Key = tuple[str, ...]


class Metrics(Collector):
    """The values of one process. Written by the worker, read by the server's threads; every method is thread-safe.

    Unknown names are refused by mypy; wrong labels, and counters that go down, raise ValueError.
    """

    def __init__(self, catalogue: Mapping[Any, Spec] = CATALOGUE) -> None:
        self.registry, self._catalogue = CollectorRegistry(), catalogue
        self._lock = threading.Lock()
        self._values: dict[str, dict[Key, float]] = {n: {} for n, s in catalogue.items() if s.kind != "histogram"}
        # Per label set: observations per bucket (the last one is unbounded), then their sum.
        self._observed: dict[str, dict[Key, list[float]]] = {n: {} for n in catalogue if n not in self._values}
        for name, spec in catalogue.items():
            if spec.kind == "counter" and all(spec.labels.values()):
                self._count_from_zero(name, ("",) * len(spec.labels))
            elif spec.kind == "histogram" and not spec.labels:
                self._observed[name][()] = [0.0] * (len(spec.buckets) + 2)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)  # process_resident_memory_bytes and the like, read when scraped

    def inc(self, name: CounterName | BridgeCounter, by: float = 1, /, **labels: str) -> None:
        """Count `by` >= 0 more."""
        if by < 0:
            raise ValueError(f"{name}: a counter never goes down, by {by}")
        with self._lock:
            key = self._key(name, labels)
            self._values[name][key] += by

    def total(self, name: CounterName, value: float, /, **labels: str) -> None:
        """Raise a counter to the absolute count the core keeps.

        A lower value changes nothing: a core that was restored counts on from its snapshot, and what it counts twice
        was already exported.
        """
        with self._lock:
            key = self._key(name, labels)
            self._values[name][key] = max(self._values[name][key], value)

    def set(self, name: GaugeName | BridgeGauge, value: float, /, **labels: str) -> None:
        with self._lock:
            self._values[name][self._key(name, labels)] = value

    def replace(self, name: GaugeName, values: Mapping[Key, float]) -> None:
        """All label sets of a gauge at once, whose number the caller bounds; what has no value any more is gone."""
        found: dict[Key, float] = {}
        for key, value in values.items():
            if len(key) != len(self._catalogue[name].labels):
                raise ValueError(f"{name} takes the labels {sorted(self._catalogue[name].labels)}, not {key}")
            cut = tuple(map(_label_value, key))
            found[cut] = found.get(cut, 0.0) + value
        with self._lock:
            self._values[name] = found

    def observe(self, name: HistogramName, seconds: float, /, **labels: str) -> None:
        with self._lock:
            counts = self._observed[name][self._key(name, labels)]
            counts[bisect_left(self._catalogue[name].buckets, seconds)] += 1
            counts[-1] += seconds

    def forget(self, **labels: str) -> None:
        """Drop every gauge with these labels: a partition that went elsewhere must not leave its lag behind."""
        with self._lock:
            for name, values in self._values.items():
                spec = self._catalogue[name]
                if spec.kind != "gauge" or not labels.keys() <= spec.labels.keys():
                    continue
                wanted = [(list(spec.labels).index(label), value) for label, value in labels.items()]
                for key in [key for key in values if all(key[i] == value for i, value in wanted)]:
                    del values[key]

    def get(self, name: CounterName | GaugeName | BridgeCounter | BridgeGauge, /, **labels: str) -> float | None:
        """Present value, for tests and status pages; None when it was never set. Creates nothing."""
        with self._lock:
            return self._values[name].get(self._raw_key(name, labels))

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """See `exposed`."""
        return exposed(self.registry, accept)

    def collect(self) -> Iterable[Metric]:
        """One snapshot of all values, for prometheus_client."""
        with self._lock:
            values = {name: dict(of) for name, of in self._values.items()}
            observed = {name: {key: list(counts) for key, counts in of.items()} for name, of in self._observed.items()}
        for name, spec in self._catalogue.items():
            if spec.kind == "histogram":
                yield _histogram(name, spec, observed[name])
            else:
                family = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
                metric = family(PREFIX + name, spec.help, labels=list(spec.labels))
                for key, value in values[name].items():
                    metric.add_metric(key, value)
                yield metric

    def _raw_key(self, name: str, labels: Mapping[str, str]) -> Key:
        spec = self._catalogue[name]
        if labels.keys() != spec.labels.keys():
            raise ValueError(f"{name} takes the labels {sorted(spec.labels)}, not {sorted(labels)}")
        return tuple([labels[label] for label in spec.labels])

    def _key(self, name: str, labels: Mapping[str, str]) -> Key:
        """The label set under which the values are kept; made, at zero, where it is new."""
        key = self._raw_key(name, labels)
        store = self._observed[name] if name in self._observed else self._values[name]
        if key in store:
            return key
        key = tuple(_label_value(value) for value in key)
        names = list(self._catalogue[name].labels)
        if key not in store and "model" in names and len(store) >= MODEL_SERIES_MAX:
            at = names.index("model")
            key = (*key[:at], OTHER, *key[at + 1 :])
        if key in store:
            return key
        match self._catalogue[name].kind:
            case "counter":
                self._count_from_zero(name, key)
            case "gauge":
                self._values[name][key] = 0.0
            case "histogram":
                self._observed[name][key] = [0.0] * (len(self._catalogue[name].buckets) + 2)
        return key

    def _count_from_zero(self, name: str, key: Key) -> None:
        """A counter that appears at 1 has no increase in Prometheus; so all values of closed labels begin at 0."""
        choices = [known or (value,) for known, value in zip(self._catalogue[name].labels.values(), key, strict=True)]
        for sibling in itertools.product(*choices):
            self._values[name].setdefault(sibling, 0.0)
        if all(key):
            self._values[name].setdefault(key, 0.0)


def _label_value(text: str) -> str:
    """At most LABEL_MAX characters that UTF-8 can hold: one lone surrogate would make every later scrape fail."""
    return text[:LABEL_MAX].encode(errors="replace").decode()


def _histogram(name: str, spec: Spec, observed: Mapping[Key, list[float]]) -> Metric:
    metric = HistogramMetricFamily(PREFIX + name, spec.help, labels=list(spec.labels))
    bounds = [*map(str, spec.buckets), "+Inf"]
    for key, counts in observed.items():
        running = list(itertools.accumulate(counts[:-1]))
        metric.add_metric(key, list(zip(bounds, running, strict=True)), counts[-1])
    return metric
