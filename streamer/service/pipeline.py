"""What the page shows of the way from input to outbox: of each partition where it stands and what becomes of its
records a second, of each stage all of that together, and what was published.

From heartbeats, from the times of published records, and from what the broker says of the groups; all of it is bounded.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from streamer.port import Partition

OVER_MS = 300_000
"""Rates are of so long, or of the last two heartbeats where these are further apart."""
PLACES_MAX, STEPS_MAX = 2_000, 10
"""Partitions that heartbeats come from, and heartbeats of each that are kept, some 5 KiB: of those that come more often
fewer.
"""
SHOWN = 200
"""Partitions that are listed, those that something is wrong with first."""
UNHEARD = 3
"""Heartbeats that did not come, after which a partition counts as silent."""
STATES = ("unread", "silent", "awaited", "behind", "read")
"""Of a partition, the gravest first; awaited is what is silent while we have not listened for so long ourselves."""


class Step(NamedTuple):
    """One heartbeat of a partition."""

    time_ms: int
    account: Mapping[str, int]
    windows: int  # that have ended, of all its models


class Pipeline:
    """Fed with heartbeats in the order of the log, and with what was published; `stands`: see `kafka/standing.py`."""

    def __init__(self) -> None:
        self.places: OrderedDict[Partition, dict[str, Any]] = OrderedDict()  # the newest heartbeat of each
        self.steps: dict[Partition, deque[Step]] = {}
        self.told: OrderedDict[int, int] = OrderedDict()  # alerts and incidents, by minute
        self.stands: Mapping[Partition, Any] = {}
        self.unknown: str | None = None  # why the broker says nothing of the groups
        self.letters: Mapping[str, Any] = {}  # see `kafka/dead_letters.py`

    def heartbeat(self, place: Partition, data: Mapping[str, Any]) -> None:
        """The first of a tick; those of the other models repeat it."""
        tick, account = data["tick"], data["account"]
        self.places[place] = {
            "offset": data["offset"],
            "time_ms": tick["time_ms"],
            "caught_up": tick["caught_up"],
            "account": account,
            "odd": data.get("odd_fields", []),
        }
        self.places.move_to_end(place)
        steps = self.steps.setdefault(place, deque(maxlen=STEPS_MAX))
        if steps and steps[-1].time_ms >= tick["time_ms"]:
            return
        if steps and any(account.get(name, 0) < count for name, count in steps[-1].account.items()):
            steps.clear()  # Its state was lost.
        windows = steps[-1].windows if steps else 0
        if len(steps) > 1 and steps[-1].time_ms - steps[-2].time_ms < OVER_MS // (STEPS_MAX - 2):
            steps.pop()
        steps.append(Step(tick["time_ms"], account, windows))
        while len(steps) > 2 and steps[0].time_ms < tick["time_ms"] - OVER_MS:
            steps.popleft()
        if len(self.places) > PLACES_MAX:
            del self.steps[self.places.popitem(last=False)[0]]

    def ended(self, place: Partition, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Windows of a model since its heartbeat before."""
        steps, more = self.steps[place], sum(after.values()) - sum(before.values())
        if steps and more > 0:
            steps[-1] = steps[-1]._replace(windows=steps[-1].windows + more)

    def published(self, time_ms: int | None, count: int = 1) -> None:
        """Alerts or incidents, at the time of their records."""
        if time_ms is not None and count:
            minute = time_ms // 60_000
            self.told[minute] = self.told.get(minute, 0) + count
            while len(self.told) > 2 * OVER_MS // 60_000:
                del self.told[min(self.told)]

    def shown(
        self, now_ms: int, interval_ms: int, began_ms: int = 0, unread: Collection[Partition] = ()
    ) -> dict[str, Any]:
        """interval_ms: from heartbeat to heartbeat. began_ms: when we began to listen. unread: by nobody, and for so
        long that /readyz says so.
        """
        quiet = "silent" if now_ms - began_ms > UNHEARD * interval_ms else "awaited"
        every = [
            self._row(place, self.places.get(place), now_ms - UNHEARD * interval_ms, quiet)
            for place in {**self.places, **self.stands, **dict.fromkeys(unread)}
        ]
        for row in every:
            if (row["topic"], row["partition"]) in unread:
                row["state"] = "unread"
        # A topic that is read no longer was heard of, too.
        rows = [row for row in every if not self.stands or row["stage"] is not None or row["state"] != quiet]
        rows.sort(key=lambda row: (STATES.index(row["state"]), row["topic"], row["partition"]))
        minute = now_ms // 60_000
        told = sum(count for at, count in self.told.items() if minute - OVER_MS // 60_000 <= at < minute)
        return {
            "stages": staged(rows, told * 1000 / OVER_MS),
            "partitions": rows[:SHOWN],
            "more": max(0, len(rows) - SHOWN),
            "wrong": {state: sum(row["state"] == state for row in rows) for state in STATES[:2]},
            "unknown": self.unknown,
            "dead": self.letters,
        }

    def _row(self, place: Partition, known: Mapping[str, Any] | None, least_ms: int, quiet: str) -> dict[str, Any]:
        """quiet: what it is whose newest heartbeat is older than that."""
        stand = self.stands.get(place)
        silent = known is None or known["time_ms"] < least_ms
        read = known is not None and (known["caught_up"] or (stand is not None and stand.lag == 0))  # Since then.
        state = quiet if silent else "read" if read else "behind"
        return {
            "topic": place[0],
            "partition": place[1],
            "state": state,
            "rates": None if silent else rates(self.steps[place]),
            **(known or {"offset": None, "time_ms": None, "account": {}, "odd": []}),
            **dict.fromkeys(("stage", "lag", "replayed", "snapshot_s")),
            **({} if stand is None else stand._asdict()),
        }


def rates(steps: deque[Step]) -> dict[str, float] | None:
    """A second, by what became of records, all that came in, and windows; None where nothing is to be compared."""
    if len(steps) < 2:
        return None
    first, last = steps[0], steps[-1]
    seconds = (last.time_ms - first.time_ms) / 1000
    found = {name: (count - first.account.get(name, 0)) / seconds for name, count in last.account.items()}
    return {**found, "in": sum(found.values()), "windows": (last.windows - first.windows) / seconds}


def staged(rows: Iterable[Mapping[str, Any]], told: float) -> list[dict[str, Any]]:
    """Of each stage the rates of all its partitions. What puts events in order has no windows and tells nothing.
    told: alerts and incidents a second.
    """
    found: dict[bool, dict[str, Any]] = {}
    for row in rows:
        if row["rates"] is not None:
            stage = found.setdefault("ordered" not in row["rates"], {"partitions": 0, "rates": {}})
            stage["partitions"] += 1
            for name, rate in row["rates"].items():
                stage["rates"][name] = stage["rates"].get(name, 0.0) + rate
    if True in found:
        found[True]["rates"]["told"] = told
    if False in found:
        del found[False]["rates"]["windows"]
    return [found[detects] for detects in sorted(found)]
