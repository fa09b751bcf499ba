"""Monitors whose findings are edges: a drift detector looks for the moment at which a series changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from detectors import Bank, Hits, Params, Scan
from detectors.adwin import AdwinBank
from detectors.bank import renumbered
from detectors.compiled import CompiledAdwin, CompiledPageHinkley
from detectors.page_hinkley import PageHinkleyBank
from detectors.reference import CLIP, Judged
from detectors.river_bank import RiverBank
from detectors.scan import ScanBank
from detectors.shiryaev_roberts import ShiryaevRobertsBank
from detectors.standing import Standing, standings
from schemas.events.batch import Batch
from streamer.config.reference_file import Series
from streamer.monitors.base import Hit, Monitor, MonitorBase, MonitorSpec
from streamer.monitors.evidence import (
    Evidence,
    Summary,
    by_then,
    edge_of,
    question_of,
    returned,
    spread_moved,
    standard_of,
    summary_of,
)
from streamer.monitors.finding import DRIFT, Finding
from streamer.monitors.following import Begun, Following, begun_by
from streamer.monitors.pinned_past import SLOW_PAST, deviations_of, past_of
from streamer.monitors.words import deviations, from_to, lost, quantity, to
from streamer.series.table import SeriesTable
from streamer.signals.columns import F64, I64, Column
from streamer.signals.kinds import phrase_of, turned

LOOKS = 10
"""A series whose edge is open is looked at so many times within `keep_firing_for`, or less often."""
RAISED = AdwinBank, CompiledAdwin, PageHinkleyBank, CompiledPageHinkley, ShiryaevRobertsBank
"""Banks that begin anew with an alarm: if it is held since it is weak they never get to a strong one."""
DIRECTIONS: dict[str, int] = {"up": 1, "down": -1}


class EdgeMonitor(MonitorBase):
    """A drift detector over the standardised values (or, `raw`, the values as they are) of one table."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        detect = self.config.detect
        self.bank: Bank = made.parts.bank(self.params(made))
        self.raw = detect.raw
        lasts_ms = self.config.keep_firing_for_ms
        fades_ms = max(lasts_ms, 1) if self.config.resolves == "faded" else None
        self.following: Following | None = Following(lasts_ms // LOOKS, fades_ms)
        self.normal: dict[int, Summary] = {}
        self.shares: dict[str, float] = {}  # by model where it was lowered; what was learned is the state

    def params(self, made: MonitorSpec) -> Params:
        """What its bank is given."""
        return self.config.detect.params()

    def grow(self) -> None:
        """The bank gets the rows that the table has."""
        before = self.bank.rows
        super().grow()
        if self.shares and self.bank.rows > before:
            self.share()

    def share(self) -> None:
        if self.shares and isinstance(self.bank, RAISED):
            self.bank.resize(len(self.table.keys))
            shares = [self.shares.get(group[0], 1.0) for group, _ in self.table.keys]
            self.bank.raise_thresholds(1.0 / np.array(shares, np.float64))

    def lower_share(self, model: str, share: float) -> bool:
        """The threshold is in inverse proportion to it, see `detectors/precision.py`."""
        if not isinstance(self.bank, RAISED):
            return False
        self.shares[model] = share
        self.share()
        return True

    def hits(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        self.grow()
        if self.raw or judged.ready.all():
            found = self.bank.update(column.rows, column.values if self.raw else judged.z)
            places = found.place
        else:
            chosen = np.flatnonzero(judged.ready)
            found = self.bank.update(column.rows[chosen], judged.z[chosen])
            places = chosen[found.place]
        return hits_of(places, found)

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        signal, before, after = labels["signal"], told["evidence"]["before"], told["evidence"]["after"]
        if before and after:
            moved = told["finding"]["effect"]["deviations"]
            sure = f" ({deviations(moved)})" if moved is not None else ""
            went = f"{quantity(signal)} went {from_to(signal, before['mean'], after['mean'])}{sure}"
            return lost(signal, before["mean"], after["mean"]) + went
        return f"{quantity(signal)} moved{to(signal, after['mean'])}" if after else f"{quantity(signal)} changed"

    def standing(self) -> Sequence[Standing]:
        self.grow()
        return standings(self.config.detect.params(), self.bank.dump(), self.by_row())

    def by_row(self) -> F64:
        """See `standings`: how many times its own threshold each row must pass."""
        lowered = self.shares if isinstance(self.bank, RAISED) else {}
        return np.array([1.0 / lowered.get(group[0], 1.0) for group, _ in self.table.keys], np.float64)

    def rates(self) -> F64:
        """By row the false alarms a day that it may have by now."""
        return np.array([self.rate(row) for row in range(len(self.table.keys))], np.float64)

    def accept(self, row: int, level: Summary) -> bool:
        """Standardised values are cut a few deviations from the reference: beyond, another change would not show. And
        the deviations of any change would be those of before. A candidate leaves the reference to those that it shares
        it with.
        """
        renews = self.table.signal.scaled and not self.config.shadow
        if not renews:
            self.normal[row] = level
        return renews

    def seed(self, given: Mapping[int, Series]) -> None:
        """The bank begins as if it had seen the reference, and so judges the first value."""
        self.bank.resize(len(self.table.keys))
        for row, one in sorted(given.items()):
            values = past_of(one)[: SLOW_PAST if isinstance(self.bank, RiverBank) else None]
            if not self.raw and self.table.signal.scaled:
                values = deviations_of(values, one)
            self.bank.update(np.full(len(values), row, np.int64), self.past(values))

    def past(self, values: F64) -> F64:
        """What the bank is given of a pinned reference."""
        return values if self.raw or not self.table.signal.scaled else np.clip(values, -CLIP, CLIP)

    def retain(self, rows: I64) -> None:
        super().retain(rows)
        if self.following is not None:
            self.following.retain(rows)
        self.normal = renumbered(self.normal, rows)

    def dump(self) -> Any:
        normal = [[row, *level] for row, level in sorted(self.normal.items())]
        following = self.following.dump() if self.following is not None else []
        return {"bank": self.bank.dump(), "following": following, "normal": normal}

    def load(self, state: Any) -> None:
        self.bank.resize(len(self.table.keys))
        self.bank.load(state["bank"])
        if self.following is not None:
            self.following.load(state["following"], len(self.table.keys))
        self.normal = {int(row): summary_of(level) for row, *level in state["normal"]}
        if any(not 0 <= row < len(self.table.keys) for row in self.normal):
            raise ValueError("a level of a series that there is not")


def hits_of(places: I64, found: Hits) -> list[Hit]:
    """What a bank has found, at these places of the column."""
    if not len(places):
        return []
    columns = (places, *found[1:])
    return list(map(Hit._make, zip(*(c.tolist() for c in columns), strict=True)))


class RankMonitor(EdgeMonitor):
    """The ranks tell any change, so what moved need not be the mean: where the spread did, that is said."""

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        signal, before, after = labels["signal"], told["evidence"]["before"], told["evidence"]["after"]
        moved = told["finding"]["effect"]["deviations"]
        number = moved is not None and not phrase_of(signal, 0)
        if number and spread_moved(before["std"], after["std"], after["n"], moved):
            return f"standard deviation of {signal} went {from_to(signal, before['std'], after['std'])}"
        return super().sentence(labels, told)


class ScanMonitor(EdgeMonitor):
    """Rare ones that come close together: how close is a matter of the budget."""

    def params(self, made: MonitorSpec) -> Params:
        params = super().params(made)
        assert isinstance(params, Scan)
        return replace(params, rate=made.part.rate())

    def share(self) -> None:
        self.bank.resize(len(self.table.keys))
        assert isinstance(self.bank, ScanBank)
        self.bank.share(self.rates())

    def by_row(self) -> F64:
        assert isinstance(self.bank, ScanBank)
        return self.bank.chances

    def accept(self, row: int, level: Summary) -> bool:
        """What is the normal by now is rare no more, or rare in another way."""
        self.bank.forget(row)
        return super().accept(row, level)


class OccurrenceMonitor(EdgeMonitor):
    """What must not happen even once: nothing is told that moved, and there is no before to go back to."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        self.following = None

    def seed(self, given: Mapping[int, Series]) -> None:
        """It compares with nothing."""

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        signal = labels["signal"]
        return turned(signal, told["finding"]["statistic"]) or f"events {phrase_of(signal, 1)}"


def wanted_of(monitor: Monitor) -> int | None:
    """The direction that the config asks for; None for both."""
    return DIRECTIONS.get(monitor.config.detect.direction)


def step_table(
    batch: Batch, table: SeriesTable, column: Column, judged: Judged, monitors: Sequence[Monitor], now: I64
) -> list[Finding]:
    """Feed one column to the monitors of its table. `now`: the clock of each event's model."""
    learn(table, monitors)
    hits = [(hit, monitor) for monitor in monitors for hit in monitor.hits(batch, column, judged)]
    found = [finding for monitor in monitors for finding in monitor.findings(batch, column, judged)]
    edges = edge_findings(batch, table, column, judged, hits)
    return found + edges + stretches(batch, lambda: column, monitors, edges, now)


def learn(table: SeriesTable, monitors: Sequence[Monitor]) -> None:
    """Hand out the warm-ups that are over by now: the table has one sample of each row, and all learn from that."""
    samples = table.completed()
    for monitor in monitors if samples else ():
        monitor.learn(samples)


def edge_findings(
    batch: Batch, table: SeriesTable, column: Column, judged: Judged, hits: list[tuple[Hit, Monitor]]
) -> list[Finding]:
    """Feed the column to the table's history, and make findings of the hits: the evidence of each is what the history
    was at its event, whatever follows in the batch.
    """
    hits.sort(key=lambda hit: (hit[0].place, hit[1].order))
    asked = [standard_at(batch, table, column, monitor, hit.place) for hit, monitor in hits]
    questions = [
        question_of(table, row, hit.direction, hit.age, standard)
        for (hit, _), (row, standard) in zip(hits, asked, strict=True)
    ]
    changes = table.remember(batch, column, judged, np.array([hit.place for hit, _ in hits], np.int64), questions)
    found = []
    for (hit, monitor), (row, standard), change in zip(hits, asked, changes, strict=True):
        told = edge_of(table, row, hit[1:4], standard, change, hit.tier)
        wanted = wanted_of(monitor)
        if wanted in (None, told[0]) and not returned(told, wanted):
            found.append(Finding(int(column.events[hit.place]), monitor.order, row, DRIFT, told))
    return found


def standard_at(
    batch: Batch, table: SeriesTable, column: Column, monitor: Monitor, place: int
) -> tuple[int, Summary | Evidence | None]:
    """The row of a value, and what it was compared with there: a level of it that was accepted, or its reference."""
    row = int(column.rows[place])
    return row, monitor.normal.get(row) or standard_of(table, row, by_then(batch, int(column.events[place])))


def accept(monitor: Monitor, siblings: Sequence[Monitor], row: int, opened: int, level: Summary) -> None:
    """A level that lasted since `opened` is the normal of a monitor's row. Where it must be learned anew, all monitors
    of the table (`siblings`) begin anew in it, once: another of them may have accepted the same level before.
    """
    table = monitor.table
    if monitor.accept(row, level) and table.learned(row).first_offset <= opened:
        table.renew(row)
        for sibling in siblings:
            sibling.renew(row)


def followed(monitors: Sequence[Monitor]) -> bool:
    """Whether somebody wants to see the values of some row."""
    return any(monitor.following is not None and monitor.following.open for monitor in monitors)


def stretches(
    batch: Batch, column: Callable[[], Column], monitors: Sequence[Monitor], edges: Sequence[Finding], now: I64
) -> list[Finding]:
    """Where the series stand by now in which an edge was found."""
    begun, wanted, found = begun_by(edges), list[tuple[int, Following, Begun]](), list[Finding]()
    for monitor in monitors:
        if (following := monitor.following) is not None:
            own = following.lasting(batch, now, begun.get(monitor.order, {}))
            if following.open or own:
                wanted.append((monitor.order, following, own))
    shown = column() if wanted else None
    for order, following, own in wanted:
        assert shown is not None
        found += following.step(batch, shown, order, own)
    return found
