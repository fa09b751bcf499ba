"""What a bridge exposes."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from streamer.service.bridge import bridge_figures
from streamer.service.bridge_metrics import BRIDGE_CATALOGUE


def test_every_metric_is_exposed_from_the_start() -> None:
    figures = bridge_figures()
    figures.inc("bridge_records_total", 2, result="refused")
    figures.set("bridge_firing", 3)
    body, kind = figures.expose()
    assert kind.startswith("text/plain")
    samples = {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(body.decode())
        for one in family.samples
        if one.name.startswith("driftline_")
    }
    assert {name for name, *_ in samples} == {f"driftline_{name}" for name in BRIDGE_CATALOGUE}
    assert samples["driftline_bridge_records_total", "refused"] == 2
    assert samples["driftline_bridge_records_total", "delivered"] == 0
    assert samples["driftline_bridge_firing",] == 3
    assert figures.expose("application/openmetrics-text")[1].startswith("application/openmetrics-text")


def test_names_follow_the_convention() -> None:
    for name, spec in BRIDGE_CATALOGUE.items():
        assert re.fullmatch("bridge_[a-z_]+", name)
        assert (spec.kind == "counter") == name.endswith("_total")
        assert len(spec.labels) <= 1
