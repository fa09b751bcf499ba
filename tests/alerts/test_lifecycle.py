"""The alert lifecycle, as text tables: one line per finding or tick, what is published, the state after it."""

from __future__ import annotations

import itertools
from typing import Any

import msgpack
import numpy as np
import pytest

from schemas.events.batch import Batch, Nulls, Numbers, Texts
from streamer.alerts.alert import (
    ACCEPTED,
    FADED,
    FADING,
    FIRING,
    GONE,
    PENDING,
    QUIET,
    RECOVERED,
    Moment,
    Notice,
    Policy,
)
from streamer.alerts.lifecycle import ACCEPT, HELD, TRANSITIONS, AlertBook
from streamer.alerts.timetable import REPEAT
from streamer.monitors.evidence import Edge
from streamer.monitors.finding import BREACH, CLEAR, DRIFT, NEITHER, STRETCH, Finding
from streamer.monitors.following import Stretch


def first_offset(monitor: str, row: int, offset: int) -> int:
    return 100 * len(monitor) + row


def make(**policies: Policy) -> AlertBook:
    """An empty book of the given policies."""
    return AlertBook(policies, first_offset)


def at(second: int) -> Moment:
    return Moment(second, second * 1000, second * 1000)


MODELS = ("fraud", "churn", "spam")


def batch_of(first: int, events: list[tuple[int, int]]) -> Batch:
    """A batch of events (place among MODELS, time in ms), the first at offset `first`."""
    none, codes = np.zeros(0, np.int32), np.array([model for model, _ in events], np.int32)
    offsets, times_ms = np.arange(first, first + len(events)), np.array([time_ms for _, time_ms in events], np.int64)
    numbers, texts, nulls = Numbers(none, none, np.zeros(0)), Texts(none, none, none), Nulls(none, none)
    unnamed = np.zeros(len(events), np.uint64)
    rest = numbers, texts, nulls, (), first + len(events)
    return Batch(offsets, times_ms, codes, np.full(len(events), -1, np.int32), unnamed, (), MODELS, *rest)


def passes(book: AlertBook, model: str, second: int) -> list[Notice]:
    """An event of a model in which nothing is found."""
    batch = batch_of(second, [(MODELS.index(model), second * 1000)])
    return book.decide(batch, np.array([True]), batch.times_ms, [])


def found(book: AlertBook, monitor: int, signal: str, second: int, row: int = 0, evidence: Any = ()) -> list[Notice]:
    return book.apply(Finding(-1, monitor, row, signal, evidence), "fraud", at(second))


def play(policy: Policy, script: str) -> None:
    """Lines `seconds signal -> published state`; the signal `tick` only lets time pass."""
    book = make(m=policy)
    for line in filter(str.strip, script.splitlines()):
        left, right = line.split("->")
        second, signal = left.split()
        published, state = right.split()
        notices = passes(book, "fraud", int(second))
        if signal != "tick":
            notices += found(book, 0, signal, int(second))
        [alert] = book.dump()["alerts"] or [None]
        assert [n.status for n in notices] == ([] if published == "-" else [published]), line
        assert (alert["state"] if alert else QUIET) == state, line


def test_an_edge_fires_at_once_is_renewed_and_fades() -> None:
    play(
        Policy(0, 10_000, 0),
        """
        0  drift -> firing firing
        5  drift -> - firing
        14 tick  -> - firing
        15 tick  -> resolved quiet
        16 drift -> firing firing
    """,
    )


def test_a_level_is_pending_until_it_has_held_and_resolves_when_it_stayed_clear() -> None:
    play(
        Policy(5_000, 10_000, 0),
        """
        0  clear  -> - quiet
        1  breach -> - pending
        3  clear  -> - quiet
        4  breach -> - pending
        8  breach -> - pending
        9  tick   -> firing firing
        20 breach -> - firing
        21 clear  -> - fading
        25 breach -> - firing
        26 clear  -> - fading
        36 clear  -> resolved quiet
    """,
    )


def test_without_for_a_level_fires_with_its_first_breach() -> None:
    play(
        Policy(0, 0, 0),
        """
        1 breach -> firing firing
        2 clear  -> resolved quiet
    """,
    )


def test_what_comes_and_goes_is_one_alert_that_stays_open() -> None:
    """Until it was clear for twice as long as it was before it came again; after `accept_after` it is another one."""
    play(
        Policy(0, 10_000, 0, accept_after_ms=300_000, longer=True),
        """
        0   breach -> firing firing
        30  clear  -> - fading
        40  tick   -> resolved quiet
        60  breach -> firing firing
        90  clear  -> - fading
        120 breach -> - firing
        150 clear  -> - fading
        180 breach -> - firing
        200 clear  -> - fading
        259 tick   -> - fading
        260 tick   -> resolved quiet
        499 breach -> firing firing
        500 clear  -> - fading
        900 tick   -> - fading
        1097 tick  -> - fading
        1098 tick  -> resolved quiet
        1398 breach -> firing firing
        1399 clear -> - fading
        1401 breach -> - firing
        1402 clear -> - fading
        1412 tick  -> resolved quiet
    """,
    )


def test_a_cooldown_suppresses_and_counts() -> None:
    book = make(m=Policy(0, 1_000, 60_000))
    found(book, 0, DRIFT, 0)
    assert [n.status for n in passes(book, "fraud", 2)] == ["resolved"]
    assert found(book, 0, DRIFT, 30) == []
    assert book.dump()["alerts"][0]["suppressed"] == 1
    [notice] = found(book, 0, DRIFT, 62)
    assert (notice.status, notice.episode, notice.suppressed) == ("firing", 2, 1)
    assert book.detections == {"m": 3}


def test_an_edge_that_shows_what_is_over_opens_nothing_and_is_counted() -> None:
    book, edge = make(m=Policy(0, 10_000, 0, blocks=True)), shift(500, 100.0, 20.0, 150.0)
    for second, signal in ((100, DRIFT), (150, CLEAR)):
        found(book, 0, signal, second, evidence=edge)
    assert [n.status for n in passes(book, "fraud", 160)] == ["resolved"]
    assert found(book, 0, DRIFT, 200, evidence=edge) == []
    assert book.dump()["alerts"][0]["suppressed"] == 1


def test_a_window_that_is_clear_is_no_detection() -> None:
    book = make(m=Policy(0, 0, 0))
    for second, signal in enumerate((CLEAR, NEITHER, BREACH, BREACH, CLEAR, CLEAR)):
        found(book, 0, signal, second)
    assert book.detections == {"m": 2}


def test_an_edge_that_holds_counts_as_firing() -> None:
    for policy in (Policy(0, 60_000, 0, FADED), Policy(0, 60_000, 0)):
        book = make(m=policy)
        found(book, 0, DRIFT, 0, evidence=shift(500, 100.0, 20.0, 150.0))
        assert book.counts() == {("m", "fraud", FIRING): 1}


def test_time_of_another_model_resolves_nothing() -> None:
    book = make(m=Policy(0, 1_000, 0))
    found(book, 0, DRIFT, 0)
    assert passes(book, "churn", 99) == []
    assert repr(book) == "AlertBook(m[0]=firing)"


def test_what_is_due_at_once_comes_in_the_order_of_its_due_time_then_of_names() -> None:
    book = make(b=Policy(0, 1_000, 0), a=Policy(0, 3_000, 0), c=Policy(0, 3_000, 0))
    for monitor in (2, 1, 0):
        found(book, monitor, DRIFT, 0)
    assert [n.monitor for n in passes(book, "fraud", 9)] == ["b", "a", "c"]


def test_a_notice_tells_where_the_episode_began() -> None:
    book = make(level=Policy(2_000, 0, 0))
    assert found(book, 0, NEITHER, 0) == found(book, 0, BREACH, 1, row=7, evidence={"n": 3}) == []
    [notice] = passes(book, "fraud", 4)
    assert notice == (
        "firing",
        "level",
        7,
        1,
        1,
        0,
        (1, 1_000, 507, {"n": 3}, 0, None, None),
        (4, 4_000, 4_000, 0, None),
        1,
        4_000 + 4 * 3_600_000,
        "",
        None,
        False,
        0,
        None,
        "",
        0.0,
        False,
        None,
    )
    [notice] = found(book, 0, CLEAR, 5, row=7)
    assert notice[:3] == ("resolved", "level", 7)
    assert (notice.opened.evidence, notice.at.offset, notice.ends_ms) == ({"n": 3}, 5, 5_000)


def shift(n: int, mean: float, std: float, after: float) -> Edge:
    """Evidence of an edge from `mean` to `after`."""
    return 1, 9.0, 1.0, (n, mean, std, 0, 99, 0, 99_000), (40, after, std, 100, 139, 100_000, 139_000), None, None, -1


def stretch(mean: float, second: int, n: int = 32) -> Stretch:
    return Stretch(n, n * mean, second, second, second * 1000, second * 1000)


def test_an_edge_with_a_before_recovers_when_it_stayed_back() -> None:
    book = make(m=Policy(0, 10_000, 0))
    [fired] = found(book, 0, DRIFT, 0, evidence=shift(500, 100.0, 20.0, 150.0))
    assert fired.level == (100.0, 10.0, True, (40, 150.0, 20.0, 100, 139, 100_000, 139_000), False)
    for second, mean, state in ((20, 149.0, FIRING), (30, 111.0, FIRING), (40, 107.0, FADING), (45, 130.0, FIRING)):
        for _ in range(4):  # A band of half a deviation needs 100 values.
            assert found(book, 0, STRETCH, second, evidence=stretch(mean, second)) == []
        assert book.alerts["m", 0].state == state, mean
    for second in (50, 55):
        assert found(book, 0, STRETCH, second, evidence=stretch(99.0, second, 100)) == []
    assert passes(book, "fraud", 59) == []
    [over] = passes(book, "fraud", 61)
    assert (over.status, over.how, over.ends_ms, over.sequence) == ("resolved", RECOVERED, 60_000, 2)
    assert over.level is not None
    assert (over.level.away, over.level.now[1]) == (False, 99.0)


def test_a_small_move_is_not_back_half_a_deviation_away() -> None:
    book = make(m=Policy(0, 1_000, 0))
    found(book, 0, DRIFT, 0, evidence=shift(10_000, 0.0, 1.0, 0.3))
    assert (book.alerts["m", 0].recovery.band, book.alerts["m", 0].recovery.needed) == (0.15, 1112)  # type: ignore[union-attr]
    for second in range(1, 36):
        found(book, 0, STRETCH, second, evidence=stretch(0.3, second))
    assert book.alerts["m", 0].state == FIRING
    for second in range(36, 71):
        found(book, 0, STRETCH, second, evidence=stretch(0.0, second))
    assert book.alerts["m", 0].state == FADING


def test_a_constant_before_has_a_band_too() -> None:
    book = make(m=Policy(0, 1_000, 0))
    found(book, 0, DRIFT, 0, evidence=(*shift(500, 0.0, 0.0, 0.2)[:4], (40, 0.2, 0.0, 1, 2, 3, 4), None, None))
    assert book.alerts["m", 0].recovery.band == 0.1  # type: ignore[union-attr]
    found(book, 0, STRETCH, 5, evidence=stretch(0.15, 5))
    assert book.alerts["m", 0].state == FIRING
    found(book, 0, STRETCH, 6, evidence=stretch(0.05, 6))
    assert book.alerts["m", 0].state == FADING


def test_what_faded_says_that_it_is_still_away() -> None:
    book = make(m=Policy(0, 10_000, 0, FADED))
    found(book, 0, DRIFT, 0, evidence=shift(500, 100.0, 20.0, 150.0))
    assert found(book, 0, STRETCH, 4, evidence=stretch(151.0, 4, 100)) == []
    [over] = passes(book, "fraud", 10)
    assert (over.status, over.how, over.ends_ms) == ("resolved", FADED, 10_000)
    assert over.level is not None
    assert (over.level.away, over.level.now[1]) == (True, 151.0)


@pytest.mark.parametrize("resolve", [RECOVERED, ACCEPTED])
def test_a_level_that_lasts_is_accepted(resolve: str) -> None:
    book = make(m=Policy(0, 10_000, 0, resolve, 600_000))
    found(book, 0, DRIFT, 0, evidence=shift(500, 100.0, 20.0, 150.0))
    back = 99.0 if resolve == ACCEPTED else 151.0
    found(book, 0, STRETCH, 500, evidence=stretch(back, 500, 100))
    assert passes(book, "fraud", 700) == [], "the task asks, because more follows from it"
    [over] = book.accept("fraud", at(700))
    assert (over.status, over.how, over.ends_ms) == ("resolved", ACCEPTED, 600_000)
    assert over.level is not None
    assert over.level.now[1] == back
    assert not book.deadlines
    assert not book.timers


def test_what_was_back_has_its_time_before_it_again() -> None:
    book = make(m=Policy(0, 100_000, 0, RECOVERED, 600_000))
    found(book, 0, DRIFT, 0, evidence=shift(500, 100.0, 20.0, 150.0))
    for second, mean in ((500, 99.0), (551, 150.0)):
        found(book, 0, STRETCH, second, evidence=stretch(mean, second, 100))
        assert (book.deadlines.due("fraud") is None) == (book.alerts["m", 0].state == FADING)
    assert book.deadlines.due("fraud") == 551_000 + 600_000


def test_an_open_alert_is_told_again_with_a_growing_sequence_and_a_later_end() -> None:
    book = make(m=Policy(0, 0, 0, repeat_ms=60_000))
    [fired] = found(book, 0, BREACH, 10)
    assert (fired.sequence, fired.ends_ms) == (1, 250_000)
    assert passes(book, "fraud", 69) == []
    [again] = passes(book, "fraud", 70)
    assert (again.status, again.sequence, again.ends_ms, again.how) == ("renewed", 2, 310_000, "")
    assert again.opened == fired.opened
    [late] = passes(book, "fraud", 400)
    assert (late.sequence, late.ends_ms) == (7, 640_000), "once, whatever was missed"
    assert passes(book, "fraud", 429) == []
    [over] = found(book, 0, CLEAR, 435)
    assert (over.sequence, over.status, over.ends_ms) == (9, "resolved", 435_000)
    assert passes(book, "fraud", 10_000) == []


def test_in_silence_ticks_tell_it_again_and_nothing_ends() -> None:
    book = make(m=Policy(0, 30_000, 0, repeat_ms=60_000))
    found(book, 0, DRIFT, 0)
    told = []
    for tick in range(1, 8):
        told += book.pass_time(30_000, (1, 1_000_000 + tick), [("churn", 0, 9), ("fraud", 0, 5)])
    assert [(n.status, n.sequence, n.ends_ms, n.at.time_ms) for n in told] == [
        ("renewed", 2, 300_000, 1_000_003),
        ("renewed", 3, 360_000, 1_000_005),
        ("renewed", 4, 420_000, 1_000_007),
    ]
    assert book.silence("fraud") == 180_000
    assert book.pass_time(30_000, (2, 2_000_000), [("fraud", 0, 6)]) == [], "it spoke"
    [over] = passes(book, "fraud", 31)
    assert (over.status, over.sequence) == ("resolved", 5), "beyond what ticks have told, whatever events say"


def test_state_survives_a_dump() -> None:
    book = make(m=Policy(0, 1_000, 0))
    found(book, 0, DRIFT, 0, row=3, evidence=(1, 2.5, 1.0, None, (3, 4.0, 0.5, 1, 2, 3, 4), None, None))
    again = make(m=Policy(0, 1_000, 0))
    again.load(book.dump(), {"m"})
    assert again.dump() == book.dump()
    assert passes(again, "fraud", 5) == passes(book, "fraud", 5) != []
    broken = book.dump()
    broken["alerts"][0]["state"] = "open"
    with pytest.raises(ValueError, match="unknown alert state"):
        make(m=Policy(0, 1_000, 0)).load(broken, {"m"})
    for name in ("opened", "due_ms", "repeat_ms"):
        item = {**broken["alerts"][0], "state": "fading", name: None}
        with pytest.raises(ValueError, match="is fading without"):
            make(m=Policy(0, 1_000, 0)).load({"alerts": [item], "silent": []}, {"m"})
    with pytest.raises(ValueError, match="twice"):
        again.load(book.dump(), {"m"})
    anew = make(m=Policy(0, 1_000, 0))
    anew.load(book.dump(), ())
    assert not anew.alerts


def test_the_way_back_and_the_deadline_survive_a_dump() -> None:
    policy = Policy(0, 1_000, 0, RECOVERED, 600_000)
    book = make(m=policy)
    found(book, 0, DRIFT, 0, evidence=shift(500, 100.0, 20.0, 150.0))
    found(book, 0, STRETCH, 5, evidence=stretch(99.0, 5, 90))
    again = make(m=policy)
    again.load(msgpack.unpackb(msgpack.packb(book.dump())), {"m"})
    assert again.dump() == book.dump()
    assert again.deadlines.due("fraud") == 600_000
    assert found(again, 0, STRETCH, 6, evidence=stretch(99.0, 6)) == []
    assert again.alerts["m", 0].state == FADING, "100 values are enough, whatever was between them"
    broken = book.dump()
    broken["alerts"][0]["recovery"][7] = -1
    with pytest.raises(ValueError, match="way back"):
        make(m=policy).load(broken, {"m"})


def test_every_pair_that_can_happen_is_in_the_table() -> None:
    possible = set(itertools.product((QUIET, PENDING, FIRING, FADING), (BREACH, CLEAR)))
    possible |= set(itertools.product((QUIET, FIRING, FADING), (DRIFT,)))
    possible |= set(itertools.product((FIRING, FADING), (HELD, REPEAT)))
    possible |= {(PENDING, HELD), (FIRING, ACCEPT), (FADING, ACCEPT)}
    possible |= {(state, GONE) for state in (PENDING, FIRING, FADING)}
    assert set(TRANSITIONS) == possible
