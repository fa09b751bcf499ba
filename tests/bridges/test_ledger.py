"""What is told, what was told already, and what fires: a function of a partition's records and committed offset."""

from __future__ import annotations

import pytest

from streamer.bridges.ledger import Ledger, News, Start
from tests.bridges.samples import changed, incidents, of, records

HEARD_MS = 1_000_000


def fed(ledger: Ledger, values: list[bytes | None], begin: int = 0) -> list[News]:
    found = [ledger.take(offset, HEARD_MS + offset, value) for offset, value in enumerate(values, begin)]
    return [one for one in found if one is not None]


def values() -> list[bytes | None]:
    return [one.value for one in records()]


def test_each_record_is_told_once_and_what_only_holds_on_is_marked() -> None:
    ledger = Ledger(Start(0, fresh=False))
    told = fed(ledger, values())
    assert [one.told.id for one in told] == [one.id for one in records()]
    assert [one.told.id for one in told if one.again] == [of("amount-mean")[1].id]
    assert [key for key in ledger.firing if not key.startswith("incident")] == [
        of("amount-shape")[0].key,
        of("nulls")[0].key,
    ]


@pytest.mark.parametrize("committed", range(9))
def test_a_restart_anywhere_tells_the_rest_and_knows_what_fires(committed: int) -> None:
    whole = Ledger(Start(0, fresh=False))
    told = fed(whole, values())
    again = Ledger(Start(committed, fresh=False))
    assert fed(again, values()) == told[committed:]
    assert again.history_over() == []
    assert again.firing == whole.firing


def test_equal_ids_are_told_once_also_when_they_come_late() -> None:
    first, shape = of("amount-mean"), of("amount-shape")[0]
    ledger = Ledger(Start(0, fresh=False))
    fed(ledger, [first[0].value, shape.value, first[2].value])
    # What an older snapshot published once more: fired and resolved, with the ids they had.
    assert fed(ledger, [first[0].value, shape.value, first[2].value], 3) == []
    assert ledger.repeated == 3
    assert list(ledger.firing) == [shape.key]


def test_what_was_told_by_a_run_before_is_not_told_when_it_comes_again() -> None:
    fired = of("nulls")[0]
    ledger = Ledger(Start(1, fresh=False))
    assert fed(ledger, [fired.value, fired.value]) == []
    assert ledger.repeated == 1


def test_a_first_start_tells_what_fires_and_not_what_is_over() -> None:
    ledger = Ledger(Start(8, fresh=True))
    assert fed(ledger, values()) == []
    told = ledger.history_over()
    assert [one.told.key for one in told if one.told.kind == "alert"] == [of("amount-shape")[0].key, of("nulls")[0].key]
    assert not any(one.again for one in told)
    assert ledger.history_over() == []
    assert [one.told.over for one in fed(ledger, [changed(of("nulls")[0], id="x", data__status="resolved")], 8)] == [
        True
    ]


def test_another_episode_begins_anew() -> None:
    fired = of("nulls")[0]
    ledger = Ledger(Start(0, fresh=False))
    another = changed(fired, id="another-1", correlationid="another")
    assert [one.again for one in fed(ledger, [fired.value, another])] == [False, False]
    assert [one.told.episode for one in ledger.firing.values()] == ["another"]


def test_an_incident_that_grew_is_news_and_one_that_did_not_is_not() -> None:
    opened, grown = incidents()[:2]
    ledger = Ledger(Start(0, fresh=False))
    same = changed(grown, id="later")
    assert [one.again for one in fed(ledger, [opened.value, grown.value, same])] == [False, False, True]


def test_what_nobody_resolves_any_more_is_forgotten() -> None:
    ledger = Ledger(Start(0, fresh=False))
    fed(ledger, [of("nulls")[0].value])  # It is told again within four hours, as it says.
    four_hours_ms = 4 * 3_600_000
    assert ledger.forgotten(HEARD_MS + four_hours_ms, 60_000) == []
    assert [one.key for one in ledger.forgotten(HEARD_MS + four_hours_ms + 1, 60_000)] == [of("nulls")[0].key]
    assert ledger.firing == {}
    fed(ledger, [of("amount-shape")[0].value])
    assert ledger.forgotten(HEARD_MS + four_hours_ms + 1, 5 * 3_600_000) == []


def test_it_is_bounded_and_says_what_it_hides() -> None:
    ledger = Ledger(Start(0, fresh=False), open_max=2, seen_max=3)
    fired = of("nulls")[0]
    many: list[bytes | None] = [
        changed(fired, id=f"{n}-1", correlationid=str(n), data__fingerprint=str(n)) for n in range(5)
    ]
    assert len(fed(ledger, many)) == 5
    assert (list(ledger.firing), ledger.hidden) == (["3", "4"], 3)
    assert len(fed(ledger, many[2:], 5)) == 0  # Still remembered.
    assert len(fed(ledger, many[:1], 8)) == 1  # No more.


def test_what_cannot_be_read_is_counted_and_a_tombstone_is_not() -> None:
    ledger = Ledger(Start(0, fresh=False))
    assert fed(ledger, [None, b"?", b"{}"]) == []
    assert ledger.unread == 2
