"""The banks of `schemas/native` behind the same interface and with the same dumps as the Python ones beside them.

Python keeps what happens seldom: checking a state that comes from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors import (
    adwin,
    cusum,
    distribution,
    envelope,
    envelope_state,
    extremes,
    history,
    page_hinkley,
    reference,
    shiryaev_roberts,
)
from detectors.bank import DIRECTION, F64, HUGE, I64, Bool, Hits, State, ageless, array_of, check_values
from detectors.distribution import Closed
from detectors.envelope import Envelope
from detectors.history import NO_MARKS
from detectors.last_change import Asked, Change, Recent
from detectors.params import Adwin, PageHinkley
from detectors.reference import CLIP, PLACES, STATS, Judged, Learned
from detectors.shiryaev_roberts import SCALARS, TABLES, ShiryaevRobertsBank, hits_with_age
from schemas.core import native

if TYPE_CHECKING:
    from schemas import _native


class Rows(Protocol):
    """What every core has."""

    @property
    def rows(self) -> int: ...

    def resize(self, rows: int) -> None: ...

    def retain(self, rows: I64) -> None: ...


class ForgettingRows(Rows, Protocol):
    """What a core has whose rows can begin anew."""

    def forget(self, row: int) -> None: ...


class Compiled:
    """What every wrapper does: hold the core."""

    core: Rows

    @property
    def rows(self) -> int:
        return self.core.rows

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        self.core.resize(rows)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.core.retain(rows)


class Forgetting(Compiled):
    """A wrapper whose rows can begin anew."""

    core: ForgettingRows

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        self.core.forget(row)


class CompiledAdwin(Forgetting):
    """`detectors.adwin.AdwinBank`."""

    core: _native.Adwin

    def __init__(self, params: Adwin) -> None:
        assert native is not None
        self.params = params
        wanted = DIRECTION[params.direction]
        self.core = native.Adwin(
            params.delta,
            params.clock,
            params.max_buckets,
            params.min_window_length,
            params.grace_period,
            1 in wanted,
            -1 in wanted,
        )

    def raise_thresholds(self, times: F64) -> None:
        """See `AdwinBank.raise_thresholds`."""
        self.core.raise_thresholds(times)

    def update(self, rows: I64, values: F64) -> Hits:
        return ageless(*self.core.update(rows, values))

    def dump(self) -> dict[str, NDArray[Any]]:
        (total, variance, width), (tick, levels, buckets), detected, (sums, variances) = self.core.dump()
        scalars = {"total": total, "variance": variance, "width": width, "tick": tick}
        ragged = {"buckets": buckets, "bucket_sums": sums, "bucket_variances": variances}
        return {**scalars, "detected": detected, "levels": levels, **ragged}

    def load(self, state: State) -> None:
        found = adwin.checked_state(state, self.params)
        self.core.load(
            [found[name] for name in ("total", "variance", "width")],
            [found[name] for name in ("tick", "levels", "buckets")],
            found["detected"],
            [found[name] for name in ("bucket_sums", "bucket_variances")],
        )


def limits_at(rate: float) -> tuple[float, float]:
    """Of a row with so many false alarms a day: how many deviations of the daily extremes a limit of averages is away,
    and how unlikely sums of ones are to go beyond theirs.
    """
    return extremes.beyond(extremes.odds(rate, envelope.TESTS)), extremes.odds(rate, cusum.TESTS)


class CompiledEnvelope(Forgetting):
    """`detectors.envelope.EnvelopeBank`."""

    core: _native.Envelope

    def __init__(self, params: Envelope) -> None:
        assert native is not None
        sides = params.direction != "down", params.direction != "up"
        self.shares = params.shares
        floors = envelope.floors_of(params).tolist()
        self.core = native.Envelope(limits_at(params.rate), floors, *sides, params.shares)

    def update(self, rows: I64, values: F64, times_ms: I64 | None = None) -> Hits:
        hits, ages, tiers = self.core.update(
            rows, values, np.zeros(len(rows), np.int64) if times_ms is None else times_ms
        )
        return Hits(*hits, ages, tiers)

    def share(self, rates: F64) -> None:
        """See `EnvelopeBank.share`."""
        known, place = np.unique(rates, return_inverse=True)
        self.core.share(np.array([limits_at(rate) for rate in known.tolist()], np.float64)[place].ravel())

    def in_school(self, row: int) -> bool:
        return bool(self.core.days_left()[row])

    def days_left(self) -> I64:
        return self.core.days_left()

    def tiers(self) -> NDArray[np.int8]:
        return self.core.tiers()

    def dump(self) -> dict[str, NDArray[Any]]:
        ints, floats = self.core.dump()
        flat = zip((*envelope_state.INTS, *envelope_state.FLOATS), (*ints, *floats), strict=True)
        shaped = {name: array.reshape(self.rows, *envelope_state.SHAPES[name]) for name, array in flat}
        shaped |= {name: shaped[name].astype(np.uint8) for name in envelope_state.SMALL}
        return envelope_state.packed(shaped, self.shares)

    def load(self, state: State) -> None:
        found = envelope_state.unpacked(state, self.shares)
        flat = {name: np.ascontiguousarray(array).ravel() for name, array in found.items()}
        flat |= {name: flat[name].astype(np.int64) for name in envelope_state.SMALL}
        self.core.load([flat[name] for name in envelope_state.INTS], [flat[name] for name in envelope_state.FLOATS])


class CompiledPageHinkley(Forgetting):
    """`detectors.page_hinkley.PageHinkleyBank`."""

    core: _native.PageHinkley

    def __init__(self, params: PageHinkley) -> None:
        assert native is not None
        sides = params.direction != "down", params.direction != "up"
        self.core = native.PageHinkley(params.min_instances, params.delta, params.threshold, params.alpha, *sides)

    def raise_thresholds(self, times: F64) -> None:
        """See `PageHinkleyBank.raise_thresholds`."""
        self.core.raise_thresholds(times)

    def update(self, rows: I64, values: F64) -> Hits:
        return ageless(*self.core.update(rows, values))

    def dump(self) -> dict[str, NDArray[Any]]:
        return dict(zip(page_hinkley.FIELDS, self.core.dump(), strict=True))

    def load(self, state: State) -> None:
        found = page_hinkley.checked_state(state)
        self.core.load([found[name] for name in page_hinkley.FIELDS])


class CompiledReference(Forgetting):
    """`detectors.reference.Reference`."""

    core: _native.Reference

    def __init__(self, warmup: int, scale: bool = True, keep: bool = False) -> None:
        assert native is not None
        reference.check_warmup(warmup)
        self.warmup, self.keep = warmup, keep
        self.core = native.Reference(warmup, scale, CLIP, HUGE, keep)

    def at(self, row: int) -> Learned:
        n, stats, places = self.core.at(row)
        return Learned._make((n, *stats, *places))

    def update(self, rows: I64, values: F64, events: I64, offsets: I64, times_ms: I64) -> Judged:
        m = len(rows)
        judged = Judged(np.empty(m, bool), np.empty(m), np.empty(m))
        self.core.update(rows, values, events, offsets, times_ms, *judged)
        return judged

    def heard(self) -> tuple[I64, I64]:
        return self.core.heard()

    def completed(self) -> list[tuple[int, F64]]:
        return self.core.completed()

    def far(self, rows: I64, judged: Judged, beyond: float) -> I64:
        return self.core.far(rows, judged.away, judged.ready, beyond)

    def dump(self) -> dict[str, NDArray[Any]]:
        n, stats, places = self.core.dump()
        columns = dict(zip((*STATS, *PLACES), (*stats, *places), strict=True))
        return {"n": n, **columns, "waiting": self.core.dump_waiting()}

    def load(self, state: State) -> None:
        found = reference.checked_state(state, self.warmup)
        stats, places = [found[name] for name in STATS], [found[name] for name in PLACES]
        self.core.load(found["n"], stats, places, found["waiting"])


class CompiledHistory(Forgetting):
    """`detectors.history.History`."""

    core: _native.History

    def __init__(self) -> None:
        assert native is not None
        self.core = native.History(HUGE)

    def update(
        self,
        rows: I64,
        values: F64,
        ready: Bool,
        events: I64,
        offsets: I64,
        times_ms: I64,
        marks: I64 = NO_MARKS,
        asked: Sequence[Asked] = (),
    ) -> list[Change | None]:
        return list(map(change_of, self.core.update(rows, values, ready, events, offsets, times_ms, marks, asked)))

    def heard(self) -> tuple[I64, I64, I64]:
        return self.core.heard()

    def changed(self, row: int, asked: Asked) -> Change | None:
        return change_of(self.core.changed(row, asked))

    def dump(self) -> dict[str, NDArray[Any]]:
        latest, sums, since = self.core.dump()
        names = *history.LATEST, *history.SUMS, *history.PLACES
        return dict(zip(names, (*latest, *sums, *map(history.narrow, since)), strict=True))

    def load(self, state: State) -> None:
        latest, count = history.latest_of(state), (np.size(state.get("total", 0.0)),)
        sums = [array_of(state, name, "f8", count) for name in history.SUMS]
        since = [history.place_of(state, name, count).astype(np.int64) for name in history.PLACES]
        self.core.load([*latest.values()], sums, since)


def change_of(found: _native.Change | None) -> Change | None:
    if found is None:
        return None
    before, usual, after, onset = found
    return Change(None if before is None else Recent(*before), usual, Recent(*after), onset)


class CompiledDistribution(Compiled):
    """`detectors.distribution.Distribution`."""

    core: _native.Distribution

    def __init__(self, warmup: int, bins: int, window: int, coded: bool = False) -> None:
        assert native is not None
        distribution.check_shape(warmup, bins, window)
        self.warmup, self.bins, self.window = warmup, bins, window
        self.core = native.Distribution(warmup, bins, window, coded)

    def learned(self, rows: I64) -> Bool:
        return self.core.learned(rows)

    def learn(self, row: int, values: F64) -> None:
        self.core.learn(row, values)

    def update(self, rows: I64, values: F64, chosen: Bool, events: I64, offsets: I64, times_ms: I64) -> list[Closed]:
        found = self.core.update(rows, values, chosen, events, offsets, times_ms)
        return [Closed(place, row, tuple(counts), *rest) for place, row, counts, *rest in found]

    def bins_of(self, row: int) -> tuple[list[float], list[int]]:
        learned, edges, counts = self.core.bins_of(row)
        edges = [edge for edge in edges if edge < np.inf]
        return edges, counts[: len(edges) + 1] if learned else []

    def dump(self) -> dict[str, NDArray[Any]]:
        (*latest, reference, counts), learned, edges = self.core.dump()
        return {
            **dict(zip(distribution.LATEST, (*latest, learned), strict=True)),
            "edges": edges.reshape(-1, self.bins - 1),
            "reference": reference.reshape(-1, self.bins),
            "counts": counts.reshape(-1, self.bins),
        }

    def load(self, state: State) -> None:
        found = distribution.checked_state(state, self.bins, self.window)
        flat = {name: np.ascontiguousarray(array).ravel() for name, array in found.items()}
        learned, edges = flat.pop("learned"), flat.pop("edges")
        self.core.load([flat[name] for name in ("seen", *distribution.PLACES, "reference", "counts")], learned, edges)


class CompiledShiryaevRoberts(ShiryaevRobertsBank):
    """`detectors.shiryaev_roberts.ShiryaevRobertsBank`: its arrays and all that is seldom, with a compiled step."""

    def update(self, rows: I64, values: F64) -> Hits:
        """See `Bank.update`."""
        assert native is not None
        check_values(rows, values)
        bets, state, column = self.bets, self.state, (np.ascontiguousarray(rows), values + 0.0)
        tables = bets.scores, bets.rests, bets.plain, bets.atom, shiryaev_roberts.FACTOR
        scalars, wide = (tuple(state[name] for name in names) for names in (SCALARS, TABLES))
        params = self.params.arl, self.params.direction == "both"
        found: list[shiryaev_roberts.Found] = []
        begin = 0
        while (seldom := native.bet_on_ranks(scalars, wide, tables, params, column, begin)) is not None:
            place, evidence = seldom
            row = int(rows[place])
            if evidence >= self.limit(row):  # Of a threshold that was raised the core does not know.
                found += self.alarm(place, row, evidence)
            if self.full(row):
                self.settle(row)
            begin = place + 1
        return hits_with_age(found)


SWEPT = (CompiledAdwin, CompiledEnvelope, CompiledPageHinkley)
"""Banks that the compiled sweep over a table takes along."""
