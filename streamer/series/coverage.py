"""Whether the interval of an estimated error has held what labels then showed: by window and group, and how often.

An interval that only inputs can move out of place is worth what it was worth so far. So each window whose labels are
there is judged by the interval that it was told with, once, and again by the same when more labels came: a window
counts as one, as long as its labels are waited for. Where labels of half of the window are there, the others' chance is
added to the interval (a finite population); of fewer nothing is said.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from math import hypot, sqrt
from typing import Any

from detectors.counts import DEVIATE, beta_interval, clopper_pearson

Place = tuple[int, tuple[str, ...]]
"""The number of what windows are told by, and the group."""
LEAST_LABELLED = 0.5
"""Of a window's estimated predictions, so that it is judged."""
PROMISED, DOUBT = 0.9, 0.001
"""The interval is not to be trusted where it would have to cover less than that, but for such a chance. Of 2,000 lives
of 2,000 windows that are covered as often as it says (95 %) none was ever called so, the newest 24, 48 or 720 windows
looked at after each. Of 200 that are covered to 80 % nearly all were, half of them within 160 windows (2026-11-29).
"""


class ByWindow:
    """A value of plain parts for some groups of some windows. `of`: by where the window begins."""

    def __init__(self) -> None:
        self.of: dict[int, dict[Place, Any]] = {}

    def drop(self, begin_ms: int) -> None:
        """The window is told no more."""
        self.of.pop(begin_ms, None)

    def forget(self, models: Collection[str], windows: Container[int]) -> None:
        """Nothing is known of these models, nor of windows but these."""
        for begin, made in list(self.of.items()):
            self.of[begin] = {place: one for place, one in made.items() if place[1][0] not in models}
            if begin not in windows or not self.of[begin]:
                del self.of[begin]

    def join(self, other: ByWindow, models: Collection[str]) -> None:
        """Go on with these models of another one."""
        for begin, made in other.of.items():
            if found := {place: one for place, one in made.items() if place[1][0] in models}:
                self.of.setdefault(begin, {}).update(found)

    def dump(self) -> list[Any]:
        return [
            [begin, [[number, list(group), made[number, group]] for number, group in sorted(made)]]
            for begin, made in sorted(self.of.items())
        ]

    def load(self, state: Any, windows: Container[int]) -> None:
        """Into an empty one, of these windows."""
        for begin, made in state:
            if int(begin) in windows:
                self.of[int(begin)] = {(int(n), tuple(map(str, group))): one for n, group, one in made}


class Coverage(ByWindow):
    """True where the interval of a window held. `totals`: by place, windows and those that did."""

    def __init__(self) -> None:
        super().__init__()
        self.totals: dict[Place, list[int]] = {}

    def judge(self, begin_ms: int, place: Place, estimate: Mapping[str, Any] | None, labelled: int, wrong: int) -> None:
        """What labels of the estimated predictions of a window say by now."""
        if estimate is None or labelled < LEAST_LABELLED * estimate["n"]:
            return
        before = self.of.setdefault(begin_ms, {}).get(place)
        now = self.of[begin_ms][place] = held(estimate, labelled, wrong)
        total = self.totals.setdefault(place, [0, 0])
        total[0] += before is None
        total[1] += now - bool(before)

    def facts(self, place: Place) -> dict[str, Any] | None:
        """How often the interval held so far; None where nothing could be judged."""
        windows, count = self.totals.get(place, (0, 0))
        if not windows:
            return None
        told = {"windows": windows, "count": count, "share": count / windows}
        return {**told, "interval": list(clopper_pearson(count, windows)), "trusted": trusted(windows, count)}

    def drop(self, begin_ms: int) -> None:
        for place, one in self.of.get(begin_ms, {}).items():
            total = self.totals[place]
            total[0] -= 1
            total[1] -= one
            if not total[0]:
                del self.totals[place]
        super().drop(begin_ms)

    def forget(self, models: Collection[str], windows: Container[int]) -> None:
        super().forget(models, windows)
        self._count()

    def join(self, other: ByWindow, models: Collection[str]) -> None:
        super().join(other, models)
        self._count()

    def load(self, state: Any, windows: Container[int]) -> None:
        super().load(state, windows)
        self.of = {begin: {place: bool(one) for place, one in made.items()} for begin, made in self.of.items()}
        self._count()

    def _count(self) -> None:
        self.totals = {}
        for place, one in self._all():
            total = self.totals.setdefault(place, [0, 0])
            total[0] += 1
            total[1] += one

    def _all(self) -> Iterator[tuple[Place, bool]]:
        for made in self.of.values():
            yield from made.items()


def held(estimate: Mapping[str, Any], labelled: int, wrong: int) -> bool:
    """Whether the interval of so many predictions holds what labels of a part of them say.

    >>> estimate = {"n": 100, "share": 0.1, "interval": [0.05, 0.16]}
    >>> [held(estimate, 100, 16), held(estimate, 100, 17), held(estimate, 50, 9), held(estimate, 50, 20)]
    [True, False, True, False]
    """
    n, share, (low, high) = max(estimate["n"], labelled), estimate["share"], estimate["interval"]
    rate = (wrong + 0.5) / (labelled + 1.0)
    left = DEVIATE * sqrt(rate * (1.0 - rate) / labelled * (n - labelled) / max(n - 1, 1))
    below, above = hypot(share - low, left), hypot(high - share, left)
    return bool(share - below - 1e-9 <= wrong / labelled <= share + above + 1e-9)


def trusted(windows: int, count: int) -> bool:
    """Whether so many of the windows may have been covered by an interval that covers as often as is promised.

    >>> [trusted(3, 0), trusted(4, 0), trusted(100, 82), trusted(100, 79), trusted(48, 48)]
    [True, False, True, False, True]
    """
    return beta_interval(count + 1.0, float(windows - count), DOUBT)[1] >= PROMISED


def with_coverage(estimate: Mapping[str, Any], facts: Mapping[str, Any] | None) -> dict[str, Any]:
    """An estimate as it is told: with how often such intervals held, and a word where they are not to be trusted."""
    if facts is None:
        return dict(estimate)
    text = estimate["text"] if facts["trusted"] else f"{estimate['text']} {doubt_of(facts)}"
    return {**estimate, "text": text, "covered": dict(facts)}


def doubt_of(facts: Mapping[str, Any]) -> str:
    """What to say of an interval that is not to be trusted."""
    outside = facts["windows"] - facts["count"]
    return (
        f"The error was outside of such an interval in {outside:,} of {facts['windows']:,} windows whose labels are "
        "there: it is not to be trusted here."
    )
