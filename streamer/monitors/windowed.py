"""Monitors whose findings are verdicts over windows: a share of ones against a limit, or against what is usual."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from detectors.bank import renumbered
from detectors.counts import clopper_pearson
from detectors.reference import Judged
from detectors.windows import FractionWindows, Window, wilson
from schemas.events.batch import Batch
from streamer.config.detect import Counted, DetectFraction, DetectShare
from streamer.monitors.base import Gauge, MonitorBase, MonitorSpec
from streamer.monitors.daily_limit import DailyLimit, load_of
from streamer.monitors.evidence import Evidence, before_of, by_then, evidence, span, tier_of
from streamer.monitors.finding import BREACH, CLEAR, NEITHER, Finding
from streamer.monitors.usual_shares import UsualShares
from streamer.monitors.window_outcomes import Outcomes, forgotten, note, outcomes_of, plain
from streamer.monitors.words import tell_apart
from streamer.signals.columns import I64, Column
from streamer.signals.kinds import phrase_of


class Judgement(NamedTuple):
    """What a window says: BREACH, CLEAR or NEITHER; which way (1 up, -1 down); the share that was the limit."""

    signal: str
    direction: int
    limit: float


class CountedMonitor(MonitorBase):
    """The share of ones in tumbling windows, as a level. What a window is compared with is a matter of the kind."""

    windowed = True

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        windows = self.config.windows
        self.windows = FractionWindows(windows.events, windows.time_ms, made.lateness_ms)
        self.last: dict[int, Window] = {}  # newest closed window per row, for the metrics; not state
        self.outcomes: Outcomes = {}

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        self.windows.resize(len(self.table.keys))
        if column.past:  # They are of no window that is open.
            kept = slice(column.past, None)
            column = column._replace(rows=column.rows[kept], values=column.values[kept], events=column.events[kept])
        offsets, times = batch.offsets[column.events], batch.times_ms[column.events]
        detect, found = self.config.detect, []
        assert isinstance(detect, Counted)
        least = min(detect.min_count, self.config.windows.events or detect.min_count)  # A full one is enough.
        for window in self.windows.update(column.rows, column.values, offsets, times, list(column.reasons)):
            self.last[window.row] = window
            time_ms = int(batch.times_ms[column.events[window.closed_by]])
            verdict = None if window.late or window.n < least else self.judge(window, time_ms)
            ended = "late" if window.late else "insufficient" if verdict is None else "evaluated"
            model = self.table.keys[window.row][0][0]
            note(self.outcomes, model, ended)
            note(self.outcomes, model, "skipped", window.skipped)
            event = int(column.events[window.closed_by])
            signal = verdict.signal if verdict is not None else NEITHER
            told = self.told(window, verdict, by_then(batch, event)) if self.shows(signal) else None
            found.append(Finding(event, self.order, window.row, signal, told, ended))
        return found

    def judge(self, window: Window, time_ms: int) -> Judgement | None:
        """The verdict of a window that is large enough, closed at that time; None where there is nothing yet to compare
        it with.
        """
        raise NotImplementedError

    def told(self, window: Window, verdict: Judgement | None, offset: int) -> Evidence:
        """The evidence of a window."""
        raise NotImplementedError

    def shown(
        self,
        window: Window,
        interval: tuple[float, float],
        direction: int,
        limit: float | None,
        offset: int,
        more: Mapping[str, Any] | None = None,
    ) -> Evidence:
        """The evidence of a window with the interval of its share."""
        counts = {
            "n": window.n,
            "count": window.hits,
            "fraction": window.hits / window.n,
            "interval": list(interval),
            "reasons": [{"reason": reason, "count": count} for reason, count in window.reasons],
            **span(window.first_offset, window.last_offset, window.start_ms, window.end_ms),
        }
        before = before_of(self.table, window.row, offset)
        return evidence(direction, window.hits / window.n, limit, before, None, counts, more)

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        window, limit = told["evidence"]["window"], told["finding"]["threshold"]
        does = phrase_of(labels["signal"], 1)
        share, most = tell_apart(window["fraction"], limit, share=True)
        text = f"{share} of {window['n']} events {does} (limit {most})"
        if window["reasons"]:
            top = window["reasons"][0]
            text += f", most often {top['reason']} ({top['count']})"
        return text

    def ended(self) -> Outcomes:
        return self.outcomes

    def retain(self, rows: I64) -> None:
        self.windows.resize(len(self.table.keys))
        self.windows.retain(rows)
        last = renumbered(self.last, rows)
        self.last = {row: window._replace(row=row) for row, window in last.items()}

    def forget(self, models: Collection[str]) -> None:
        self.outcomes = forgotten(self.outcomes, models)

    def gauges(self) -> Iterator[Gauge]:
        for row, window in self.last.items():
            model = self.table.keys[row][0][0]
            yield Gauge("anomaly_fraction", model, window.hits / window.n)
            yield Gauge("window_rows", model, window.n)

    def dump(self) -> Any:
        return {"windows": self.windows.dump(), "verdicts": plain(self.outcomes)}

    def load(self, state: Any) -> None:
        self.windows.resize(len(self.table.keys))
        self.windows.load(state["windows"])
        self.outcomes = outcomes_of(state["verdicts"])


class FractionMonitor(CountedMonitor):
    """Against a limit, with hysteresis: breach above `max`, clear below `clear`."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectFraction)
        self.detect = self.config.detect

        self.days = DailyLimit(self.rate)

    def judge(self, window: Window, time_ms: int) -> Judgement:
        fraction, detect = window.hits / window.n, self.detect
        if detect.days:
            self.days.resize(len(self.table.keys))
            load = load_of(window.start_ms, window.end_ms, window.n)
            beyond = self.days.beyond(window.row, fraction, time_ms, detect.max, load)
            signal, limit = self.days.calm.signal(window.row, beyond), self.days.of(window.row, detect.max)
            return Judgement(signal, 1, limit)
        below = CLEAR if fraction <= detect.clear_below else NEITHER
        return Judgement(BREACH if fraction > detect.max else below, 1, detect.max)

    def told(self, window: Window, verdict: Judgement | None, offset: int) -> Evidence:
        limit = self.detect.max if verdict is None else verdict.limit
        more = tier_of(self.days.in_school(window.row)) if self.detect.days and verdict is not None else None
        return self.shown(window, wilson(window.hits, window.n), 1, limit, offset, more)

    def days_left(self) -> I64:
        return self.days.days_left(len(self.table.keys)) if self.detect.days else super().days_left()

    def retain(self, rows: I64) -> None:
        super().retain(rows)
        self.days.resize(len(self.table.keys))
        self.days.retain(rows)

    def dump(self) -> Any:
        self.days.resize(len(self.table.keys))  # However the log was cut.
        return {**super().dump(), "days": self.days.dump()}

    def load(self, state: Any) -> None:
        super().load(state)
        self.days.load(state["days"])


class ShareMonitor(CountedMonitor):
    """Against the share that is usual: a breach is both large and beyond chance."""

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        assert isinstance(self.config.detect, DetectShare)
        self.detect = self.config.detect
        self.usual = UsualShares(self.table)

    def judge(self, window: Window, time_ms: int) -> Judgement | None:
        detect, fraction, usual = self.detect, window.hits / window.n, self.usual.before(window)
        if usual is None:
            return None
        up = fraction > usual.share
        limit = usual.share * (1.0 + detect.change if up else 1.0 - detect.change)
        wanted = {"up": up, "down": not up, "both": True}[detect.direction]
        far = fraction > limit if up else fraction < limit
        sides = 2.0 if detect.direction == "both" else 1.0
        breach = wanted and far and usual.chance(window.hits, window.n, up) * sides < detect.chance
        if not breach:
            self.usual.learn(window, usual)
        return Judgement(BREACH if breach else CLEAR, 1 if up else -1, limit)

    def told(self, window: Window, verdict: Judgement | None, offset: int) -> Evidence:
        direction, limit = (verdict.direction, verdict.limit) if verdict is not None else (0, None)
        return self.shown(window, clopper_pearson(window.hits, window.n), direction, limit, offset)

    def retain(self, rows: I64) -> None:
        super().retain(rows)
        self.usual.retain(rows)

    def dump(self) -> Any:
        return {**super().dump(), "usual": self.usual.dump()}

    def load(self, state: Any) -> None:
        super().load(state)
        self.usual.load(state["usual"])
