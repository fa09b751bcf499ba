"""Monitors that compare what is of one kind with each other: one host, shard, region or caller that differs from its
peers now. What they are held to is in `detectors/peers.py`; nothing is learned, so that the first window has a verdict.

Peers are told apart by the last field of `by`; those before it they share, and so they do the signal's member. Only who
had values for about as long of a window as the others is compared in it: a trend of all within it would else be told
as the difference of whoever came later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from detectors.extremes import DAY_MS
from detectors.peer_windows import NO_SET, Closed, PeerWindows, Sums, correlation, deviations, means
from detectors.peers import Fit, angle, apart, inflated, limit_of, outlying, shift_of_peer, shift_of_share
from detectors.reference import Judged
from schemas.events.batch import Batch
from streamer.config.detect import DetectPeers
from streamer.monitors.base import MonitorBase, MonitorSpec
from streamer.monitors.evidence import Evidence, evidence, span
from streamer.monitors.finding import BREACH, CLEAR, NEITHER, Finding
from streamer.monitors.window_outcomes import Outcomes, forgotten, note, outcomes_of, plain
from streamer.monitors.words import label_of, quantity, tell_apart
from streamer.series.table import Key
from streamer.signals.columns import F64, I64, Column
from streamer.signals.kinds import phrase_of

ASIDE = 8
"""Who came later, or left earlier, than most by more than such a part of a window is not compared."""
FLAT, TOLERANCE = 1e-9, 1e-3
"""Where values do not differ at all, a deviation is taken for such a part of their size."""
CHANCE_MAX = 0.05
WAYS = {"up": 1, "down": -1, "both": 0}


class Group(NamedTuple):
    """The peers that are compared in a window: their places in it, levels, errors; and a deviation of single values."""

    places: I64
    levels: F64
    errors: F64
    unit: float


class Met(NamedTuple):
    """A set's newest window with a verdict: what its peers have between them, up to which chance one of them is told,
    and the error of each row.
    """

    fit: Fit
    chance: float
    unit: float
    errors: dict[int, float]


class PeersMonitor(MonitorBase):
    """Windows of time that all peers share; one who is outside of what the others have between them, as a level."""

    windowed = True
    over = "no longer differs"

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectPeers)
        window_ms = self.config.windows.time_ms
        assert window_ms is not None
        self.detect, self.shares = self.config.detect, not self.table.signal.scaled
        self.way = WAYS[self.detect.direction]
        self.window_ms = window_ms
        self.windows = PeerWindows(window_ms, made.lateness_ms)
        self.sets: dict[Key, int] = {}
        self.set_of: list[int] = []  # by row
        self.outcomes: Outcomes = {}
        self.last: dict[int, Met] = {}  # by set, for what is detectable; not state

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        self._resize()
        kept = slice(column.past, None)  # What is past is of no window that is open.
        rows, values, events = column.rows[kept], column.values[kept], column.events[kept]
        if (np.diff(events) < 0).any():  # A column has its values group by group, and one clock is of all groups.
            order = np.argsort(events, kind="stable")
            rows, values, events = rows[order], values[order], events[order]
        closed, late = self.windows.update(rows, values, batch.offsets[events], batch.times_ms[events])
        for row in late.tolist():
            note(self.outcomes, self._model(row), "late")
        return [finding for window in closed for finding in self._judge(window, int(events[window.closed_by]))]

    def _model(self, row: int) -> str:
        return self.table.keys[row][0][0]

    def _judge(self, window: Closed, event: int) -> list[Finding]:
        """A finding for each peer that had a value in the window."""
        group, rows, found = self._compared(window.sums), window.rows.tolist(), list[Finding]()
        signals = dict.fromkeys(range(len(rows)), NEITHER)
        met: Met | None = None
        if len(group.places) >= self.detect.min_peers:
            chance = self.chance(rows[0], len(group.places))
            fit, verdicts = self._verdicts(group, chance)
            signals |= dict(zip(group.places.tolist(), verdicts, strict=True))
            errors = dict(zip(window.rows[group.places].tolist(), group.errors.tolist(), strict=True))
            met = self.last[window.set] = Met(fit, chance, group.unit, errors)
        member = {place: i for i, place in enumerate(group.places.tolist())} if met is not None else {}
        apart = [i for place, i in member.items() if signals[place] != BREACH]
        for place, row in enumerate(rows):
            ended = "evaluated" if place in member else "insufficient"
            note(self.outcomes, self._model(row), ended)
            told = None
            if self.shows(signals[place]):
                one = member.get(place)
                others = None if one is None else group.places[[i for i in apart if i != one]]
                said = None if one is None or met is None else self._apart(group, one, met)
                told = self._told(window, place, others, None if met is None else met.fit, said)
            found.append(Finding(event, self.order, row, signals[place], told, ended))
        return found

    def _compared(self, sums: Sums) -> Group:
        """Who can be compared, by the events and the time that each had."""
        places = np.flatnonzero(sums["n"] >= self.detect.min_count)
        if len(places):
            aside = self.windows.window_ms / ASIDE
            fine = np.ones(len(places), bool)
            for end in ("first_ms", "last_ms"):
                fine &= np.abs(sums[end][places] - np.median(sums[end][places])) <= aside
            places = places[fine]
        mine = {name: values[places] for name, values in sums.items()}
        n = mine["n"].astype(np.float64)
        if not len(places):
            return Group(places, n, n, 1.0)
        spread = inflated(correlation(mine, alike=self.shares))
        if self.shares:  # Counted are as many as would be as sure, were each by itself (Rao & Scott 1992).
            n = n / spread
            return Group(places, angle(means(mine) * n, n), 1.0 / np.sqrt(n), 1.0)
        levels, own = means(mine), deviations(mine)
        usual = float(np.median(own))
        size = float(np.abs(np.median(levels)))
        unit = usual if usual > FLAT * size else TOLERANCE * size
        # Whose values happen to lie close together is no surer of its mean than the others are.
        return Group(places, levels, np.maximum(own, usual) * np.sqrt(spread / n), unit)

    def chance(self, row: int, peers: int) -> float:
        """Up to which one of so many is told of a window of the set that the row is of: each has its share of what the
        monitor may tell falsely of their model; where it is not known how many live a set has that of a series.
        """
        living, part = self.table.living.of(row), self.part
        a_day = part.rate() if part.given or living < 1 else min(part.rate(living) * peers, part.rate(1))
        return min(a_day * self.window_ms / DAY_MS, CHANCE_MAX)

    def _verdicts(self, group: Group, chance: float) -> tuple[Fit, list[str]]:
        """What the peers that are left have between them, and what of each is to be said."""
        found = outlying(group.levels, group.errors, chance, self.way, self.shares)
        signals = [CLEAR] * len(group.places)
        for one in found.nearly:
            signals[one] = NEITHER
        effects = np.abs(apart(group.levels, found.fit.centre, self.shares)) / (group.unit or 1.0)
        for one in found.out:
            signals[one] = BREACH if effects[one] >= self.detect.effect else NEITHER
        return found.fit, signals

    def _apart(self, group: Group, one: int, met: Met) -> tuple[float, float, float]:
        """Of one peer: deviations from the others, how many are allowed, and its effect."""
        fit = met.fit
        away, error = float(apart(group.levels[one : one + 1], fit.centre, self.shares)[0]), float(group.errors[one])
        scale = fit.scale(error * error)
        most = limit_of(fit, met.chance, self.way)
        size = away / scale if scale > 0.0 else float(np.sign(away)) * 2.0 * most
        return size, most, away / (group.unit or 1.0)

    def _told(
        self, window: Closed, place: int, others: I64 | None, fit: Fit | None, said: tuple[float, float, float] | None
    ) -> Evidence:
        """The evidence of one peer's window; `others`: those that it was compared with."""
        mine, averages = {name: values[place].item() for name, values in window.sums.items()}, means(window.sums)
        value, end_ms = float(averages[place]), window.start_ms + self.windows.window_ms
        shown: dict[str, Any] = {"n": mine["n"], "value": value, "expected": None, "deviations": None}
        statistic, most, effect = said or (0.0, None, None)
        absolute = None
        if others is not None and fit is not None and len(others):
            # Of shares that of all their events together: the fit's has none that is nothing.
            n = window.sums["n"][others]
            expected = float(np.average(averages[others], weights=n)) if self.shares else fit.centre
            ends = [float(averages[others].min()), float(averages[others].max())]
            shown |= {"expected": expected, "deviations": statistic, "peers": len(others), "range": ends}
            absolute = value - expected
        shown |= span(mine["first_offset"], mine["last_offset"], window.start_ms, end_ms)
        told = evidence(int(np.sign(statistic)), statistic, most, None, None, shown)
        told["finding"]["effect"] = {"absolute": absolute, "deviations": effect}
        return told

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        window, signal = told["evidence"]["window"], labels["signal"]
        share = bool(phrase_of(signal, 0))
        value, expected = tell_apart(window["value"], window["expected"], share)
        low, high = tell_apart(window["range"][0], window["range"][1], share)
        field = self.table.by[-1].rpartition(".")[2]
        who = labels.get(label_of(self.table.by[-1]))
        text = f"{field} {who} differs from its {window['peers']} peers" if who else f"what has no {field} differs"
        return f"{text}: {quantity(signal)} {value}, peers {expected} ({low} to {high})"

    def detectable(self, row: int, sign: int) -> float | None:
        """By how much a row must be off to be told in most windows, in units of the signal."""
        self._resize()
        met = self.last.get(self.set_of[row])
        if met is None or row not in met.errors or self.way * sign < 0:
            return None
        shift = max(shift_of_peer(met.fit, met.errors[row], met.chance, self.way), self.detect.effect * met.unit)
        return shift_of_share(met.fit.centre, shift, sign) if self.shares else shift

    def ended(self) -> Outcomes:
        return self.outcomes

    def _resize(self) -> None:
        """The sets of rows that are new. Those that stand for several members are compared with nobody."""
        keys = self.table.keys
        if len(self.set_of) < len(keys):
            for group, member in keys[len(self.set_of) :]:
                mixed = member in self.table.signal.spec.others and self.table.signal.every
                self.set_of.append(NO_SET if mixed else self.sets.setdefault((group[:-1], member), len(self.sets)))
            self.windows.resize(np.array(self.set_of, np.int64))

    def retain(self, rows: I64) -> None:
        self._resize()
        known = [(row, self.set_of[row]) for row in rows.tolist()]
        number = {old: i for i, old in enumerate(dict.fromkeys(old for _, old in known if old != NO_SET))}
        self.set_of = [number.get(old, NO_SET) for _, old in known]
        self.sets = {key: number[old] for key, old in self.sets.items() if old in number}
        self.windows.retain(rows, np.array(self.set_of, np.int64))
        self.last = {}

    def forget(self, models: Collection[str]) -> None:
        self.outcomes = forgotten(self.outcomes, models)

    def dump(self) -> Any:
        self._resize()  # However the log was cut.
        return {"windows": self.windows.dump(), "verdicts": plain(self.outcomes)}

    def load(self, state: Any) -> None:
        self._resize()
        self.windows.load(state["windows"])
        self.outcomes = outcomes_of(state["verdicts"])
