"""What is counted of people's part stands in the catalogue as it is here."""

from __future__ import annotations

from streamer.service.catalogue import CATALOGUE
from streamer.service.people_metrics import PEOPLE


def test_each_is_a_counter_of_the_catalogue() -> None:
    for name, (help, labels) in PEOPLE.items():
        spec = CATALOGUE[name]
        assert (spec.kind, spec.help, spec.labels) == ("counter", help, labels)
        assert "topic" in labels
