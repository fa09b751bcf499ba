"""The compiled sweep against the Python parts that it fuses, one after the other: findings, evidence, every state."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import Adwin, Bank, PageHinkley, Params, make_bank
from detectors.bank import TIERLESS
from detectors.compiled import SWEPT, CompiledAdwin, CompiledHistory, CompiledPageHinkley, CompiledReference
from detectors.history import History
from detectors.last_change import Asked, Change
from detectors.reference import Reference
from schemas.core import native
from tests.detectors.test_native import same_bits

pytestmark = pytest.mark.skipif(native is None, reason="the compiled core was not built")

WARMUP, GROUPS, MEMBERS, ROWS_MAX = 12, 5, 4, 17
BANKS: list[tuple[Params, bool, int | None]] = [
    # Parameters, raw, the direction that is wanted.
    (Adwin(delta=0.3, clock=2), False, None),
    (PageHinkley(delta=0.05, threshold=2), True, None),
    (PageHinkley(delta=0.05, threshold=2), False, 1),
    (Adwin(delta=0.3, clock=2), True, -1),
]
Finding = tuple[Any, ...]


class Numbers(NamedTuple):
    """What is given of a batch: group and member by event and name, -1 for none; then the values."""

    group_of_event: NDArray[np.int32]
    member_of_name: NDArray[np.int32]
    event: NDArray[np.int32]
    name: NDArray[np.int32]
    value: NDArray[np.float64]
    offsets: NDArray[np.int64]
    times_ms: NDArray[np.int64]


def batch(rng: np.random.Generator, begin: int, events: int) -> Numbers:
    """Events of several groups, each with some of the names; the last name and some events are not the table's."""
    has = rng.random((events, MEMBERS + 1)) < 0.7
    event, name = (where.astype(np.int32) for where in np.nonzero(has))
    value = rng.normal(0.0, 1.0, len(event)) + np.repeat(rng.normal(0, 3, events // 40 + 1), 40)[:events][event]
    group = np.where(rng.random(events) < 0.1, -1, (GROUPS * rng.random(events) ** 2)).astype(np.int32)
    at = np.arange(begin, begin + events, dtype=np.int64)
    member = np.array([*range(MEMBERS), -1], np.int32)
    return Numbers(group, member, event, name, value, at * 3, 1000 + at * 7 % 50)


class Parts:
    """One after the other, in Python."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], int] = {}
        self.reference, self.history = Reference(WARMUP, keep=True), History()
        self.banks = [make_bank(params) for params, *_ in BANKS]

    def all(self) -> list[Any]:
        return [self.reference, self.history, *self.banks]

    def step(self, numbers: Numbers) -> tuple[list[Finding], int]:
        keys = [
            (int(numbers.group_of_event[event]), int(numbers.member_of_name[name]))
            for event, name in zip(numbers.event, numbers.name, strict=True)
        ]
        for key in keys:
            if -1 not in key and len(self.rows) < ROWS_MAX:
                self.rows.setdefault(key, len(self.rows))
        for part in self.all():
            part.resize(len(self.rows))
        where = np.array([self.rows.get(key, -1) for key in keys], np.int64)
        known, dropped = where >= 0, sum(-1 not in key and key not in self.rows for key in keys)
        rows, values, events = where[known], numbers.value[known], numbers.event[known].astype(np.int64)
        judged = self.reference.update(rows, values, events, numbers.offsets, numbers.times_ms)
        hits: list[tuple[int, int, int, float, float]] = []
        for number, (bank, (_, raw, _)) in enumerate(zip(self.banks, BANKS, strict=True)):
            chosen = np.arange(len(rows)) if raw else np.flatnonzero(judged.ready)
            found = bank.update(rows[chosen], (values if raw else judged.z)[chosen])
            columns = (chosen[found.place], found.direction, found.statistic, found.threshold)
            hits += [(place, number, *said) for place, *said in zip(*(c.tolist() for c in columns), strict=True)]
        hits.sort()
        learned = [self.reference.at(int(rows[place])) for place, *_ in hits]
        marks, standards, asked = np.array([place for place, *_ in hits], np.int64), list[Any](), list[Asked]()
        for (place, _, way, *_), one in zip(hits, learned, strict=True):
            ready = one.n >= WARMUP and one.last_offset <= numbers.offsets[events[place]]
            seen = (one.n, one.mean, one.std, one.first_offset, one.last_offset, one.first_time_ms, one.last_time_ms)
            standards.append(seen if ready else None)
            asked.append(Asked(way, 0, one.n, one.mean - one.centre, one.std) if ready else Asked(way))
        places = events, numbers.offsets, numbers.times_ms
        changes = self.history.update(rows, judged.away, judged.ready, *places, marks, asked)
        told = []
        for (place, number, *said), one, standard, change in zip(hits, learned, standards, changes, strict=True):
            told.append((int(events[place]), number, int(rows[place]), edge(said, one.centre, standard, change)))
        return told, dropped


def edge(said: list[Any], centre: float, standard: Any, change: Change | None) -> tuple[Any, ...]:
    if change is None:
        return (*said, standard, None, None, None, TIERLESS)
    before, after = (
        None if recent is None else (recent.n, recent.mean + centre, *recent[2:])
        for recent in (change.before, change.after)
    )
    assert after is not None
    before = standard if change.usual else before
    way = said[0] if before is None else int(after[1] > before[1]) - int(after[1] < before[1])
    return (way, *said[1:], before, after, None if change.usual else standard, change.onset, TIERLESS)


class Swept:
    """All in one, compiled; without a history the way of a table that other banks look at, too."""

    def __init__(self, with_history: bool, show: bool) -> None:
        assert native is not None
        self.keys: dict[tuple[int, int], int] = {}
        self.index, self.with_history, self.show = native.RowIndex(), with_history, show
        self.reference, self.history = CompiledReference(WARMUP, keep=True), CompiledHistory()
        twins: dict[type[Params], Any] = {Adwin: CompiledAdwin, PageHinkley: CompiledPageHinkley}
        self.banks: list[Bank] = [twins[type(params)](params) for params, *_ in BANKS]

    def all(self) -> list[Any]:
        return [self.reference, self.history, *self.banks]

    def step(self, numbers: Numbers) -> tuple[list[Finding], int]:
        assert native is not None
        columns: list[Any] = []
        found: list[Finding] = []
        begin: int | None = 0
        every, total = False, 0
        for part in self.all():
            part.resize(len(self.keys))
        while begin is not None:
            banks = [
                (bank.core, number, raw, wanted)
                for number, (bank, (_, raw, wanted)) in enumerate(zip(self.banks, BANKS, strict=True))
                if isinstance(bank, SWEPT)
            ]
            parts = self.index, self.reference.core, self.history.core if self.with_history else None
            given = [*numbers[:4]], numbers.value, [*numbers[5:]], begin, every, self.show
            begin, (placed, dropped), hits, shown = native.sweep(parts, banks, *given)
            assert (shown is not None) == self.show
            assert shown is None or placed == len(shown[0][0])
            total += dropped
            found += hits if self.with_history else self.with_rows(hits, shown)
            columns.append(shown)
            if begin is not None:
                self.learn(numbers)
                every = True
        if not self.with_history:
            self.feed(numbers, columns, found)
        return [f for f in found if BANKS[f[1]][2] in (None, f[3][0])], total

    def learn(self, numbers: Numbers) -> None:
        *_, unknown = self.index.find(*numbers[:5])
        for place in unknown.tolist():
            key = numbers.group_of_event[numbers.event[place]], numbers.member_of_name[numbers.name[place]]
            if len(self.keys) < ROWS_MAX:
                row = self.keys[key] = len(self.keys)
                self.index.put(int(key[0]), int(key[1]), row)
        for part in self.all():
            part.resize(len(self.keys))

    def with_rows(self, hits: Any, shown: Any) -> list[Finding]:
        """Hits with event and row from the column of their very call."""
        (rows, _, events), _ = shown
        return [(int(events[place]), number, int(rows[place]), said[:3]) for place, number, said in hits]

    def feed(self, numbers: Numbers, columns: list[Any], found: list[Finding]) -> None:
        """What Python does of the history where the sweep has none; only its state is looked at."""
        for (rows, _, events), (ready, _, away) in columns:
            self.history.update(rows, away, ready, events, numbers.offsets, numbers.times_ms)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("with_history", "show"), [(True, False), (True, True), (False, True)])
def test_it_is_the_same_as_its_parts(with_history: bool, show: bool, seed: int) -> None:
    rng, parts, swept = np.random.default_rng(seed), Parts(), Swept(with_history, show)
    begin, count, turned_away, handed_out = 0, 0, 0, 0
    for events in (1, 300, 2, 40, 700):
        numbers = batch(rng, begin, events)
        wanted, dropped = parts.step(numbers)
        if not with_history:  # The evidence is made of them later, and with it the direction.
            wanted = [(event, number, row, edge[:3]) for event, number, row, edge in wanted]
        wanted = [f for f in wanted if BANKS[f[1]][2] in (None, f[3][0])]
        told, also_dropped = swept.step(numbers)
        assert sorted(told, key=lambda f: f[:3]) == sorted(wanted, key=lambda f: f[:3])
        assert dropped == also_dropped
        samples = [(row, sample.tobytes()) for row, sample in parts.reference.completed()]
        assert [(row, sample.tobytes()) for row, sample in swept.reference.completed()] == samples
        handed_out += len(samples)
        for one, other in zip(swept.all(), parts.all(), strict=True):
            same_bits(one.dump(), other.dump())
        begin, count, turned_away = begin + events, count + len(told), turned_away + dropped
    assert len({number for _, number, *_ in told}) == len(BANKS)
    assert count > 40
    assert turned_away
    assert handed_out == ROWS_MAX


def test_without_a_history_the_directions_of_all_hits_are_told() -> None:
    """Whether one is wanted is known only with its evidence."""
    swept, other = Swept(False, True), Swept(True, True)
    numbers = batch(np.random.default_rng(1), 0, 800)
    assert native is not None
    swept.learn(numbers)
    parts = swept.index, swept.reference.core, None
    banks = [(bank.core, 0, raw, 1) for bank, (_, raw, _) in zip(swept.banks, BANKS, strict=True)]  # type: ignore[attr-defined]
    *_, hits, _ = native.sweep(parts, banks, [*numbers[:4]], numbers.value, [*numbers[5:]], 0, True, True)
    assert {said[0] for *_, said in hits} == {-1, 1}
    found, _ = other.step(numbers)
    assert 0 < len(found) < len(hits)


def test_a_bad_call_changes_nothing() -> None:
    swept, numbers = Swept(False, True), batch(np.random.default_rng(2), 0, 50)
    assert native is not None
    swept.learn(numbers)
    before = [part.dump() for part in swept.all()]
    banks = [(bank.core, 0, False, None) for bank in swept.banks]  # type: ignore[attr-defined]
    parts = swept.index, swept.reference.core, None
    given = [*numbers[:4]], numbers.value, [*numbers[5:]], 0, True
    with pytest.raises(ValueError, match="without a history"):
        native.sweep(parts, banks, *given, False)
    short = CompiledHistory()
    short.resize(1)
    with pytest.raises(ValueError, match="a row that does not exist"):
        native.sweep((swept.index, swept.reference.core, short.core), banks, *given, True)
    codes = [*numbers[:2], numbers.event[::-1].copy(), numbers.name]
    with pytest.raises(ValueError, match="do not ascend"):
        native.sweep(parts, banks, codes, *given[1:], True)
    for part, state in zip(swept.all(), before, strict=True):
        same_bits(part.dump(), state)
