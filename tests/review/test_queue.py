"""The review queue: never over its budget, the same however the log is cut, fair to every stratum, and unbiased."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import numpy as np
import pytest

from streamer.engine.snapshot import encode
from streamer.review.queue import (
    BELONGS,
    CONTROL,
    OTHER,
    RANKED,
    RIGHT,
    STRATA_MAX,
    WEIGHTS,
    Events,
    Figures,
    Item,
    ReviewQueue,
    Terms,
    alarm,
    asked,
    batch,
    reasons_of,
)

HOUR = 3_600_000
DAY = 24 * HOUR
SEEDS = range(10 if "DRIFTLINE_REPETITIONS" in os.environ else 3)


def traffic(seed: int, n: int = 3_000, days: float = 3.0) -> tuple[Events, Figures]:
    """Times go back by up to half an hour; some events come twice; the first stratum has most of them."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, int(days * DAY), n)) - rng.integers(0, HOUR // 2, n) + DAY
    ids = rng.integers(0, 1 << 62, n)
    again = rng.random(n) < 0.1
    ids[1:][again[1:]] = ids[:-1][again[1:]]
    figures = Figures(
        rng.exponential(0.6, n),
        rng.random(n),
        np.where(rng.random(n) < 0.1, np.nan, rng.beta(6, 2, n)),
        rng.poisson(0.2, n),
    )
    return batch(times, np.arange(n) // 2, ids, rng.geometric(0.6, n), np.arange(n) % 2), figures


def part(events: Any, begin: int, end: int) -> Any:
    return type(events)._make(column[begin:end] for column in events)


def told(terms: Terms, events: Events, figures: Figures, size: int, restarts: bool = False) -> list[Item]:
    """All items, the log cut into batches of this size, with a restart before each or none."""
    queue, found = ReviewQueue(terms), []
    for begin in range(0, len(events.time_ms), size):
        if restarts:
            again = ReviewQueue(terms)
            again.load(queue.dump())
            queue = again
        found += queue.offer(part(events, begin, begin + size), part(figures, begin, begin + size))
    return found + queue.tick(100 * DAY)


@pytest.mark.parametrize("seed", SEEDS)
def test_restarts_and_cuts_change_no_item(seed: int) -> None:
    events, figures = traffic(seed)
    terms = Terms(budget=60)
    whole = told(terms, events, figures, 3_000)
    assert len(whole) > 100
    for size in (1 if seed == 0 else 17, 333):
        assert told(terms, events, figures, size, restarts=True) == whole


def test_cuts_change_no_byte_of_what_is_held_whatever_the_models() -> None:
    events, figures = traffic(0, 300, 0.01)
    events = events._replace(model=np.arange(300, 0, -1).astype(np.uint64) % 7)
    states = []
    for size in (300, 17, 1):
        queue = ReviewQueue(Terms())
        for begin in range(0, 300, size):
            queue.offer(part(events, begin, begin + size), part(figures, begin, begin + size))
        states.append(encode(queue.dump()))
    assert states[1:] == states[:-1]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("budget", [1, 7, 60, 5_000])
def test_the_budget_of_a_day_is_never_exceeded(seed: int, budget: int) -> None:
    events, figures = traffic(seed)
    found = told(Terms(budget=budget), events, figures, 111, restarts=True)
    by_day = Counter((item.until_ms - 1) // DAY for item in found)
    assert max(by_day.values()) <= budget
    assert sum(by_day.values()) >= min(budget, 500)
    assert all(item.time_ms < item.until_ms for item in found)
    if budget <= 60:
        assert len({item.id for item in found}) == len(found), "nothing is asked twice"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_has_both_kinds_by_their_share(seed: int) -> None:
    events, figures = traffic(seed, days=0.999)
    found = told(Terms(budget=100, control=0.2), events, figures, 3_000)
    kinds = Counter(item.kind for item in found if (item.until_ms - 1) // DAY == 1)
    assert kinds == {RANKED: 80, CONTROL: 20}


def test_the_best_of_every_stratum_come_before_the_second_of_any() -> None:
    n = 300
    stratum = np.r_[np.zeros(298, np.int64), 1, 2]
    figures = Figures(np.r_[np.linspace(5, 9, 298), 1.0, 1.0], np.zeros(n), np.ones(n), np.zeros(n))
    terms = Terms(budget=4, control=0.0, slots=1)
    found = told(terms, batch(np.arange(n), np.arange(n), np.arange(n), stratum), figures, n)
    assert [item.offset for item in found] == [297, 298, 299, 296]
    assert {item.kind for item in found} == {RANKED}
    assert all(item.reasons == ("evidence",) and item.asks == RIGHT for item in found)


def test_what_has_no_reason_is_never_ranked() -> None:
    n = 100
    calm = Figures(np.zeros(n), np.full(n, 0.4), np.full(n, 0.9), np.zeros(n))
    found = told(Terms(budget=50, slots=1), batch(np.arange(n), np.arange(n), np.arange(n), np.zeros(n)), calm, n)
    assert {(item.kind, item.reasons, item.chosen, item.of) for item in found} == {(CONTROL, (), 10, 100)}
    assert len(found) == 10


def test_the_control_share_tells_the_error_of_all() -> None:
    """Most of what is ranked is wrong, of the others one in ten: with their weights the sum is unbiased."""
    rng = np.random.default_rng(1)
    off, plain = [], []
    for _ in range(300):
        n = 400
        doubtful = rng.random(n) < 0.2
        wrong = rng.random(n) < np.where(doubtful, 0.6, 0.1)
        figures = Figures(np.zeros(n), np.zeros(n), np.where(doubtful, 0.3, 0.9), np.zeros(n))
        ids = rng.integers(0, 1 << 62, n)
        terms = Terms(budget=100, control=0.4, slots=1)
        found = told(terms, batch(np.arange(n), np.arange(n), ids, np.zeros(n)), figures, n)
        weights = np.array([item.of / item.chosen for item in found])
        of_items = wrong[[item.offset for item in found]]
        assert weights.sum() == pytest.approx(n)
        off.append((weights * of_items).sum() / n - wrong.mean())
        plain.append(of_items.mean() - wrong.mean())
    error = np.std(off) / np.sqrt(300)
    assert abs(np.mean(off)) < 3 * error
    assert np.mean(plain) > 20 * error


def test_what_one_hour_leaves_the_next_ones_may_ask() -> None:
    terms = Terms(budget=48, control=0.0)
    n = 100
    loud = Figures(np.full(n, 9.0), np.zeros(n), np.ones(n), np.zeros(n))
    queue = ReviewQueue(terms)
    queue.offer(batch(np.full(n, 10 * HOUR), np.arange(n), np.arange(n), np.zeros(n)), loud)
    assert len(queue.tick(11 * HOUR)) == 22, "two an hour, of eleven hours"
    assert queue.tick(11 * HOUR) == []
    assert queue.counts == {"events": 100, "alarming": 100, RANKED: 22, CONTROL: 0}
    queue.offer(batch(np.full(n, DAY + 1), np.arange(n), np.arange(n) + n, np.zeros(n)), loud)
    assert len(queue.tick(DAY + HOUR)) == 2, "a new day begins with its own"


def test_strata_are_bounded() -> None:
    n = 4 * STRATA_MAX
    loud = Figures(np.full(n, 9.0), np.zeros(n), np.ones(n), np.zeros(n))
    queue = ReviewQueue(Terms(slots=1))
    queue.offer(batch(np.zeros(n), np.arange(n), np.arange(n), np.arange(n)), loud)
    assert list(queue.ranked) == [*range(STRATA_MAX), OTHER]
    assert queue.ranked[OTHER].seen == 3 * STRATA_MAX


def test_memory_is_bounded_by_the_budget() -> None:
    events, figures = traffic(1, n=20_000, days=0.9)
    queue = ReviewQueue(Terms(budget=10, slots=1))
    for begin in range(0, 20_000, 100):
        queue.offer(part(events, begin, begin + 100), part(figures, begin, begin + 100))
    assert all(kept.size <= 2 * kept.capacity + 100 for kept in [queue.control, *queue.ranked.values()])
    assert queue.control.seen == queue.events > 19_000


def test_an_alarm_is_made_of_its_parts() -> None:
    score, bits = alarm(Figures([0.0, 1.0, np.inf, np.nan], [0, 0.5, 1, np.nan], [1, 0.5, 0, np.nan], [0, 1, 99, 0]))
    assert score[0] == score[3] == 0.0
    assert score[2] == pytest.approx(1.0, abs=2e-3)
    assert score[1] == pytest.approx(0.5)
    assert [reasons_of(one) for one in bits.tolist()] == [(), tuple(WEIGHTS), tuple(WEIGHTS), ()]
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert asked(("unfamiliarity",)) == BELONGS
    assert asked(()) == RIGHT


def test_what_cannot_be_is_refused() -> None:
    events, figures = traffic(1)
    queue = ReviewQueue(Terms(budget=20))
    queue.offer(events, figures)
    good = queue.dump()
    for name, value in {"sent": [21, 0], "events": good["events"] + 1, "asked": np.arange(41)}.items():
        with pytest.raises(ValueError, match=r"cannot be|may have"):
            ReviewQueue(Terms(budget=20)).load({**good, name: value})
    for bad in ({"budget": 0}, {"control": 1.5}, {"slots": 7}, {"per_ms": 0}):
        with pytest.raises(ValueError, match=r"needed|whole"):
            Terms(**bad)  # type: ignore[arg-type]
    assert ReviewQueue(Terms()).tick(5) == []
