"""Commands as they are read, what they name, and why they are refused; all verbs are tried by tests/engine."""

from __future__ import annotations

import pytest

from streamer.alerts.commands import REFUSALS, Command, Refused, end_of, ids_of

MINUTE_MS = 60_000


def command(**given: str) -> Command:
    fields = dict.fromkeys(Command._fields, "") | {"id": "c1", "model": "m", "type": "ack", "by": "ada", "why": "x"}
    return Command(**{**fields, **given})


def test_labels_of_a_segment() -> None:
    assert command().labels() == {}
    assert command(segment="segment_country=NL, version=3").labels() == {"segment_country": "NL", "version": "3"}


@pytest.mark.parametrize("text", ["country", "=NL", "a=1,,b=2", ","])
def test_a_segment_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no_target"):
        command(segment=text).labels()


def test_the_id_of_a_record_names_its_alert() -> None:
    assert "ab12-in-0-6035" in ids_of(command(alert="ab12-in-0-6035-3").alert)
    assert "ab12-in-0-6035" in ids_of(command(alert="ab12-in-0-6035").alert)


def test_when_a_mute_ends() -> None:
    assert end_of(command(lasts="2m"), 5) == 5 + 2 * MINUTE_MS
    assert end_of(command(until="1970-01-01T00:01:00Z"), 5) == MINUTE_MS
    assert end_of(command(until="1970-01-01T00:01:00Z", lasts="2m"), 5) == MINUTE_MS


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "no_end"), ({"lasts": "soon"}, "no_end"), ({"until": "tomorrow"}, "no_end"),
        ({"until": "2026-01-01T00:00:00"}, "no_end"), ({"until": "1970-01-01T00:00:00Z"}, "expired"),
        ({"lasts": "0s"}, "expired"),
    ],
)  # fmt: skip
def test_an_end_that_is_none_is_refused(given: dict[str, str], why: str) -> None:
    with pytest.raises(Refused) as refused:
        end_of(command(**given), 5)
    assert str(refused.value) == why
    assert why in REFUSALS
