"""The share of records that cannot be used, of the last minute, in words that lead to the cause."""

from __future__ import annotations

import pytest

from schemas.events.batch import Record, Reject
from streamer.service.unusable import AT_ONCE, WINDOW_S, Account, Sample, Unusable, sample, together

GZIP = Reject(Record(7, 0, None, bytes([0x1F, 0x8B, 8, 0, 1, 2])), "bad_utf8", "byte 1")
LAST = sample(("in", 3), GZIP)


def test_the_last_record_is_named_by_place_reason_and_what_it_looks_like() -> None:
    assert LAST[:3] == ("bad_utf8", "byte 1", "in[3]@7")
    assert LAST.hint.startswith("gzip")
    assert sample(("in", 3), Reject(Record(7, 0, None, None), "empty", "")) == Sample("empty", "", "in[3]@7", "")


def minute(unusable: Unusable, *totals: Account, every_s: float = 1.0) -> list[str | None]:
    """The verdicts over totals that come at equal distances."""
    found = []
    for number, total in enumerate(totals):
        account = unusable.note("in", number * every_s, total)
        found.append(unusable.verdict("in", number * every_s, account, LAST))
    return found


def test_nothing_used_at_all_is_told_at_once() -> None:
    few = Account(AT_ONCE - 1, 0, AT_ONCE - 1, 0)
    told = minute(Unusable(0.05), Account(), few, Account(2000, 0, 2000, 0))
    assert told[:2] == [None, None], "a handful may be a test message"
    assert told[2] == (
        "in: 2000 of 2000 records of the last minute cannot be read and went to the dead letters;"
        f" the last: in[3]@7, bad_utf8 (byte 1); it looks like {LAST.hint}"
    )


@pytest.mark.parametrize(("bad", "told"), [(4, False), (7, True)])
@pytest.mark.parametrize("what", ["rejected", "late"])
def test_a_share_above_the_bound_is_told_after_a_minute(what: str, bad: int, told: bool) -> None:
    def total(seconds: int) -> Account:
        return Account(100 * seconds, (100 - bad) * seconds)._replace(**{what: bad * seconds})

    verdicts = minute(Unusable(0.05), *(total(seconds) for seconds in range(90)))
    assert not any(verdicts[: int(WINDOW_S)]), "half a minute says little"
    assert all(bool(verdict) is told for verdict in verdicts[int(WINDOW_S) :])
    if told:
        assert f"{bad * 60} of 6000 records" in str(verdicts[-1])
        assert ("too late (limits.lateness)" in str(verdicts[-1])) is (what == "late")


def test_what_was_before_the_last_minute_and_a_minute_without_records_say_nothing() -> None:
    bad = [Account(100 * n, 0, 100 * n, 0) for n in range(70)]
    good = [Account(6900 + 100 * n, 100 * n, 6900, 0) for n in range(1, 70)]
    verdicts = minute(Unusable(0.05), *bad, *good, *[good[-1]] * 70)
    assert verdicts[60] is not None
    assert verdicts[len(bad) + len(good) - 1] is None
    assert verdicts[-1] is None
    unusable = Unusable(0.05)
    assert minute(unusable, *bad, *[bad[-1]] * 70)[-1] is None, "nothing came: that is silence, and told elsewhere"


def test_the_shares_are_of_all_that_was_consumed() -> None:
    assert Account().shares == {"rejected": 0.0, "late": 0.0}
    assert Account(200, 100, 50, 20).shares == {"rejected": 0.25, "late": 0.1}


def test_topics_are_told_together() -> None:
    assert together({"a": None, "b": "x", "c": "y"}) == "x; y"
    assert together({"a": None}) is None
