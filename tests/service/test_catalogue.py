"""The table of metrics: its names, and what is written of it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from streamer.service.catalogue import CATALOGUE, CounterName, GaugeName, HistogramName, catalogue_markdown


@pytest.mark.parametrize(
    ("names", "kind"), [(CounterName, "counter"), (GaugeName, "gauge"), (HistogramName, "histogram")]
)
def test_the_typed_names_are_the_table(names: Any, kind: str) -> None:
    assert set(get_args(names)) == {name for name, spec in CATALOGUE.items() if spec.kind == kind}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_row_follows_the_naming_rules(name: Any) -> None:
    spec = CATALOGUE[name]
    assert name.endswith("_total") == (spec.kind == "counter")
    assert spec.help.endswith(".")
    assert (spec.buckets != ()) == (spec.kind == "histogram")
    assert list(spec.buckets) == sorted(spec.buckets)
    assert "offset" not in spec.labels
    assert "event_id" not in spec.labels


def test_the_markdown_table_has_one_row_per_metric() -> None:
    lines = catalogue_markdown().splitlines()
    assert len(lines) == len(CATALOGUE) + 2
    assert all(line.count(" | ") == 3 for line in lines)
    assert (
        "| `driftline_state_lost_total` | counter | `policy` (rebaseline, halt) "
        "| Partitions whose state could not be restored, by the policy applied. |" in lines
    )
