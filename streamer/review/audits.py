"""The audit of the least confident, model by model: which events of a window are looked at, what verdicts say of them,
and whether the model is worse than it says of itself. See `detectors/audit.py`.

A window is one of the clock that the queue has, so it holds the events that came while it was open. What a window may
ask is shared by the models that were in it, four parts for the least confident and one for the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from detectors.audit import AuditTest, Stratum, WindowAudit, population_error
from detectors.estimated_error import Share
from detectors.lowest import Offered
from streamer.config.review import Audit
from streamer.review.asked import MODELS_MAX, Truth
from streamer.review.candidates import Spot, spots
from streamer.review.queue import CONTROL, RANKED

LOWEST, RANDOM = "lowest", "random"
KINDS = (RANKED, CONTROL, LOWEST, RANDOM)


class Wanted(NamedTuple):
    """One event of a window that is to be looked at: one of `chosen`, which stand for `of`."""

    model: str
    begin_ms: int  # of the window
    spot: Spot
    kind: str
    chosen: int
    of: int


@dataclass(slots=True)
class Window:
    """What is known of the least confident (first) and of the others."""

    events: tuple[int, int]
    asked: tuple[int, int]
    answered: list[int] = field(default_factory=lambda: [0, 0])
    wrong: list[int] = field(default_factory=lambda: [0, 0])
    estimated: float = 0.0  # mean error that the model's confidence says, of all
    version: int = 0

    def error(self) -> Share | None:
        """Of all events of the window."""
        return population_error([Stratum(*one) for one in zip(self.events, self.answered, self.wrong, strict=True)])


class Ended(NamedTuple):
    """A window of a model of which more is known than when it was told last."""

    model: str
    begin_ms: int
    window: Window
    test: AuditTest


class Audits:
    """Those of one partition. `most`: items that a window of it may ask."""

    def __init__(self, config: Audit, most: int, ttl_ms: int) -> None:
        self.config, self.most, self.ttl_ms = config, most, ttl_ms
        self.begin_ms: int | None = None  # of the open window
        self.open: dict[str, WindowAudit] = {}
        self.sums: dict[str, float] = {}  # of the errors that confidence says, of its events
        self.windows: dict[tuple[int, str], Window] = {}
        self.tests: dict[str, AuditTest] = {}
        # Offset, time and, of one that moved, home of the event with whose verdict a test did.
        self.fired: dict[str, tuple[int, int, int | None]] = {}
        self.changed: dict[tuple[int, str], None] = {}
        self.left_out = 0  # events of models beyond MODELS_MAX

    def begin_of(self, clock_ms: int) -> int:
        return clock_ms // self.config.window_ms * self.config.window_ms

    def offer(self, model: str, events: Offered) -> None:
        """Events of a model in the open window, by their confidence."""
        if model not in self.open:
            if len(self.open) >= MODELS_MAX:
                self.left_out += len(events.number)
                return
            self.open[model] = WindowAudit(self.config.share, self.config.control, self.most)
            self.sums[model] = 0.0
        self.open[model].offer(events)
        self.sums[model] = float(np.add.accumulate(np.r_[self.sums[model], 1.0 - events.number])[-1])

    def turn(self, clock_ms: int) -> list[Wanted]:
        """What is to be looked at, if another window begins."""
        begin_ms = self.begin_of(clock_ms)
        if self.begin_ms is None:
            self.begin_ms = begin_ms
        if begin_ms <= self.begin_ms:
            return []
        found: list[Wanted] = []
        share = self.most // max(len(self.open), 1)
        for model, audit in self.open.items():
            if share:
                found += self._chosen(model, audit, share)
        self.open, self.sums, self.begin_ms = {}, {}, begin_ms
        return found

    def _chosen(self, model: str, audit: WindowAudit, share: int) -> list[Wanted]:
        assert self.begin_ms is not None
        others = max(share // 5, 1) if share > 1 else 0
        audit.most = share - others
        n, lowest, control, _ = audit.selection()
        lowest, control = (one.take(np.flatnonzero(one.id)) for one in (lowest, control))  # 0 is one that was erased.
        control = control.take(np.arange(min(others, len(control.number))))
        parts = {LOWEST: (lowest, len(lowest.number)), RANDOM: (control, n - len(lowest.number))}
        events, asked = (len(lowest.number), parts[RANDOM][1]), (len(lowest.number), len(control.number))
        window = Window(events, asked, estimated=self.sums[model] / n)
        self.windows[self.begin_ms, model] = window
        self.changed[self.begin_ms, model] = None
        return [
            Wanted(model, self.begin_ms, spot, kind, len(chosen.number), of)
            for kind, (chosen, of) in parts.items()
            for spot in spots(chosen.offset, chosen.row)
        ]

    def held(self) -> Iterator[Spot]:
        """Where all candidates of the open window are."""
        for audit in self.open.values():
            for kept in (audit.lowest, audit.drawn):
                items = kept.items()
                yield from spots(items.offset, items.row)

    def erase(self, ids: Any) -> bool:
        """Ask about none of these events; whether one of them was known."""
        return any([kept.blank(ids) for audit in self.open.values() for kept in (audit.lowest, audit.drawn)])

    def answered(self, truth: Truth) -> None:
        """What is true of an item; of the audit's if it was asked for that."""
        purpose, model = truth.item.purpose, truth.item.model
        if purpose is None:
            return
        window = self.windows.get((purpose.begin_ms, model))
        if window is not None:
            part = 0 if purpose.lowest else 1
            window.answered[part] += 1
            window.wrong[part] += truth.wrong
            self.changed[purpose.begin_ms, model] = None
        if purpose.estimated is None:
            return
        test = self.tests.setdefault(model, AuditTest(self.config.alpha))
        if model in self.fired:  # It has said what it has to say; what is bet from there on only grows.
            return
        test.add(np.array([purpose.estimated]), np.array([truth.wrong]))
        if test.told_at:
            self.fired[model] = truth.item.offset, truth.item.time_ms, truth.item.home

    def tell(self, clock_ms: int) -> Iterator[Ended]:
        """Windows of which more is known than before; those that no verdict comes to any more are forgotten."""
        for begin_ms, model in sorted(self.changed):
            window = self.windows[begin_ms, model]
            window.version += 1
            yield Ended(model, begin_ms, window, self.tests.get(model) or AuditTest(self.config.alpha))
        self.changed = {}
        border = clock_ms - self.config.window_ms - 2 * self.ttl_ms
        self.windows = {key: one for key, one in self.windows.items() if key[0] >= border}

    def restart(self, model: str) -> None:
        """A new test of a model whose last one has fired."""
        self.tests.pop(model, None)
        self.fired.pop(model, None)

    def dump(self) -> dict[str, Any]:
        return {
            "window_ms": self.config.window_ms,
            "begin_ms": self.begin_ms,
            "most": self.most,
            "open": [
                [model, self.sums[model], audit.dump(), audit.lowest.capacity] for model, audit in self.open.items()
            ],
            "windows": [
                [
                    *key,
                    list(one.events),
                    list(one.asked),
                    list(one.answered),
                    list(one.wrong),
                    one.estimated,
                    one.version,
                ]
                for key, one in self.windows.items()
            ],
            "fired": [[model, *at] for model, at in self.fired.items()],
            "tests": [[model, test.alpha, test.dump()] for model, test in self.tests.items()],
            "changed": [list(key) for key in self.changed],
            "left_out": self.left_out,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Into a new one. An open window of another length or budget begins anew."""
        if (state["window_ms"], state["most"]) == (self.config.window_ms, self.most):
            self.begin_ms = None if state["begin_ms"] is None else int(state["begin_ms"])
            for model, total, dumped, *more in state["open"]:
                most = int(more[0]) if more else self.most  # Of one that came from where there was less room.
                audit = self.open[str(model)] = WindowAudit(self.config.share, self.config.control, most)
                audit.load(dumped)
                self.sums[str(model)] = float(total)
        for begin_ms, model, events, asked, answered, wrong, estimated, version in state["windows"]:
            pairs = [[int(count) for count in pair] for pair in (events, asked, answered, wrong)]
            of, sent = (pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1])
            window = Window(of, sent, pairs[2], pairs[3], float(estimated), int(version))
            self.windows[int(begin_ms), str(model)] = window
        for model, alpha, dumped in state["tests"]:
            test = AuditTest(float(alpha))
            test.load(dumped)
            if alpha == self.config.alpha:
                self.tests[str(model)] = test
        fired = {
            str(model): (int(offset), int(time_ms), more[0] if more else None)
            for model, offset, time_ms, *more in state["fired"]
        }
        self.fired = {model: at for model, at in fired.items() if model in self.tests}
        self.changed = {(int(begin_ms), str(model)): None for begin_ms, model in state["changed"]}
        self.left_out = int(state["left_out"])
