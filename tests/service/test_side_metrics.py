"""What is counted of labels and commands is in the catalogue, with every result that there is."""

from __future__ import annotations

from streamer.alerts.commands import RESULTS
from streamer.service.metrics import CATALOGUE
from streamer.service.side_metrics import OF_SIDES


def test_they_are_counters_of_the_catalogue() -> None:
    assert all(CATALOGUE[name].kind == "counter" for name in OF_SIDES)
    assert CATALOGUE["control_commands_total"].labels == {"topic": (), "result": RESULTS}
