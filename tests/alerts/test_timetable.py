"""Times of alerts by the clock of their model; and where a batch is cut so that a deadline meets it at its begin."""

from __future__ import annotations

import random

import numpy as np
import pytest

from streamer.alerts.alert import FADED, Notice, Policy
from streamer.alerts.lifecycle import AlertBook
from streamer.alerts.timetable import Timetable, part_end
from streamer.monitors.finding import DRIFT, Finding
from tests.alerts.test_lifecycle import batch_of, make, passes


def test_the_earliest_time_is_known_whatever_was_noted() -> None:
    rng, table = random.Random(1), Timetable()
    plain: dict[tuple[str, tuple[str, int]], int] = {}
    for _ in range(5000):
        model, key = rng.choice("ab"), ("m", rng.randrange(6))
        time_ms = rng.choice((None, rng.randrange(50)))
        table.note(model, key, time_ms)
        plain.pop((model, key), None)
        if time_ms is not None:
            plain[model, key] = time_ms
        for name in "ab":
            own = sorted((ms, k) for (m, k), ms in plain.items() if m == name)
            assert table.due(name) == (own[0][0] if own else None)
            assert table.by(name, 25) == [k for ms, k in own if ms <= 25]
        assert bool(table) == bool(plain)


def ends(deadline: int | None, least_ms: int | None, events: list[tuple[int, int]], begin: int = 0) -> int:
    table, batch = Timetable(), batch_of(0, events)
    table.note("fraud", ("m", 0), deadline)
    used = np.array([model < 2 for model, _ in events])
    return part_end(table, least_ms, batch, used, batch.times_ms, begin)


LOG = [(0, 10), (1, 900), (0, 20), (2, 5000), (0, 30), (0, 40), (1, 910)]


@pytest.mark.parametrize(
    ("deadline", "least_ms", "begin", "end"),
    [
        (None, None, 0, 7),
        (None, 1000, 0, 7),
        (25, 1000, 0, 4),
        (25, 1000, 2, 4),
        (5, 1000, 1, 2),
        (None, 20, 0, 4),
        (None, 20, 4, 7),
        (1000, 20, 5, 7),
    ],
)
def test_a_part_ends_before_a_deadline_and_before_one_that_it_could_make_itself(
    deadline: int | None, least_ms: int | None, begin: int, end: int
) -> None:
    """The third model is not used: its clock is nobody's."""
    assert ends(deadline, least_ms, LOG, begin) == end


def shows(book: AlertBook, second: int) -> list[Notice]:
    """An event of the first model in which the first monitor finds an edge."""
    batch = batch_of(second, [(0, second * 1000)])
    return book.decide(batch, np.array([True]), batch.times_ms, [Finding(0, 0, 0, DRIFT, ())])


@pytest.mark.parametrize(("gap_s", "times"), [(5, 1), (10, 2), (40_000, 2), (86_400, 20)])
def test_what_every_event_shows_is_two_alerts_where_they_come_seldom(gap_s: int, times: int) -> None:
    """The second one stays open for twice as long as it was clear before; a day later it is another one."""
    book, told = make(m=Policy(0, 10_000, 0, FADED, longer=True)), list[Notice]()
    for event in range(20):
        told += shows(book, 60 + event * gap_s)
    assert [one.status for one in told].count("firing") == times


def test_what_fades_and_comes_again_stays_open_for_longer() -> None:
    """One event in three shows it, and there are minutes between them: it was told 407 times in six days."""

    def statuses(policy: Policy) -> list[str]:
        book, told = make(m=policy), list[Notice]()
        for event in range(200):
            second = 60 + event * 600
            told += shows(book, second) if event % 3 == 0 else passes(book, "fraud", second)
        return [one.status for one in told if one.status != "renewed"]

    assert statuses(Policy(0, 600_000, 0, FADED, longer=True)) == ["firing", "resolved", "firing"]
    assert statuses(Policy(0, 600_000, 0, FADED)).count("firing") == 67, "somebody said how long"
