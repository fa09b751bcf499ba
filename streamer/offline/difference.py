"""What another config would have told of the same history: which episodes are gained, lost, or moved.

Two episodes are the same where monitor, series and model are, and their onsets lie within a tolerance: a detector that
is quicker finds the same drift, and says so a little earlier. Each has one partner at most, the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from streamer.offline.episodes import Episode
from streamer.offline.times import long

TOLD = (("found_ms", "found"), ("ended_ms", "over"))


class Moved(NamedTuple):
    """An episode in both, told otherwise."""

    before: Episode
    after: Episode

    def words(self) -> str:
        """`found 5m earlier, over 1h later, critical instead of warning`"""
        told = []
        for field, what in TOLD:
            old, new = getattr(self.before, field), getattr(self.after, field)
            if old != new and (old is None or new is None):
                told.append("no longer over at the end" if new is None else "now over at the end")
            elif old != new:
                told.append(f"{what} {long(abs(new - old))} {'earlier' if new < old else 'later'}")
        if self.before.severity != self.after.severity:
            told.append(f"{self.after.severity} instead of {self.before.severity}")
        return ", ".join(told)


class Difference(NamedTuple):
    """Of alerts, or of incidents; each in the order of onsets."""

    same: int
    moved: list[Moved]
    gained: list[Episode]
    lost: list[Episode]

    def __bool__(self) -> bool:
        return bool(self.moved or self.gained or self.lost)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        moved = [{"before": a.plain(), "after": b.plain(), "how": Moved(a, b).words()} for a, b in self.moved]
        both = {"gained": [one.plain() for one in self.gained], "lost": [one.plain() for one in self.lost]}
        return {"same": self.same, "moved": moved, **both}


def difference(before: Iterable[Episode], after: Iterable[Episode], tolerance_ms: int) -> Difference:
    """What is different after a change of config."""
    sides = tuple[dict[tuple[str, str, str], list[Episode]], ...](({}, {}))
    for side, episodes in zip(sides, (before, after), strict=True):
        for one in sorted(episodes, key=lambda one: one.onset_ms):
            side.setdefault(one.key, []).append(one)
    same, moved, gained, lost = 0, list[Moved](), list[Episode](), list[Episode]()
    for key in dict.fromkeys((*sides[0], *sides[1])):
        old, new = sides[0].get(key, []), sides[1].get(key, [])
        pairs = _paired(old, new, tolerance_ms)
        for i, j in pairs.items():
            pair = Moved(old[i], new[j])
            if pair.words():
                moved.append(pair)
            else:
                same += 1
        lost += [one for i, one in enumerate(old) if i not in pairs]
        taken = set(pairs.values())
        gained += [one for j, one in enumerate(new) if j not in taken]
    moved.sort(key=lambda pair: pair.after.onset_ms)
    return Difference(same, moved, *(sorted(side, key=lambda one: one.onset_ms) for side in (gained, lost)))


def _paired(old: list[Episode], new: list[Episode], tolerance_ms: int) -> dict[int, int]:
    """The partner of each that has one; who is nearest comes first. Both ascend by onset."""
    near, low = list[tuple[int, int, int, int]](), 0
    for i, one in enumerate(old):
        while low < len(new) and new[low].onset_ms < one.onset_ms - tolerance_ms:
            low += 1
        for j in range(low, len(new)):
            if new[j].onset_ms > one.onset_ms + tolerance_ms:
                break
            near.append((abs(new[j].onset_ms - one.onset_ms), abs(new[j].found_ms - one.found_ms), i, j))
    pairs, taken = dict[int, int](), set[int]()
    for *_, i, j in sorted(near):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs
