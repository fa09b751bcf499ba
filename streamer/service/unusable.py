"""Records that cannot be used are told of before anybody misses their alerts: which share of the last minute, why,
where the last one stands, and what it most likely is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.events.batch import Reject
from schemas.events.guess import guess
from streamer.port import Partition

WINDOW_S = 60.0
AT_ONCE = 20
"""Records of which not one is used: that is no bad minute, that is a wrong format or pointer."""


class Sample(NamedTuple):
    """The last record of a topic that could not be read. Never a value of it."""

    reason: str
    detail: str
    place: str
    hint: str


class Account(NamedTuple):
    """What became of a topic's records."""

    consumed: int = 0
    used: int = 0
    rejected: int = 0
    late: int = 0

    def since(self, before: Account) -> Account:
        return Account(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def shares(self) -> dict[str, float]:
        """Of all that was consumed, by what is wrong."""
        whole = max(self.consumed, 1)
        return {"rejected": self.rejected / whole, "late": self.late / whole}


def sample(partition: Partition, last: Reject) -> Sample:
    place = f"{partition[0]}[{partition[1]}]@{last.record.offset}"
    return Sample(last.reason, last.detail, place, guess(last.record.value or b""))


def bytes_of(rejects: Iterable[Reject]) -> int:
    """Of the values that go to the dead letters."""
    return sum(len(reject.record.value or b"") for reject in rejects)


class Unusable:
    """The accounts of the last minute, by topic."""

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self._seen: dict[str, deque[tuple[float, Account]]] = {}

    def note(self, topic: str, now_s: float, total: Account) -> Account:
        """The topic's account so far, as counters have it; its account of the last minute."""
        seen = self._seen.setdefault(topic, deque([(now_s, Account())] if not total.consumed else []))
        seen.append((now_s, total))
        while len(seen) > 1 and now_s - seen[1][0] >= WINDOW_S:
            seen.popleft()
        return total.since(seen[0][1])

    def verdict(self, topic: str, now_s: float, account: Account, last: Sample | None) -> str | None:
        """What is wrong with the topic's records, in words; None while it is within the bound, or too early to say."""
        seen = self._seen.get(topic)
        if not account.consumed or seen is None:
            return None
        nothing = account.consumed >= AT_ONCE and not account.used
        whole = now_s - seen[0][0] >= WINDOW_S
        for what, share in account.shares.items():
            if share > self.bound and (whole or nothing):
                count = account.rejected if what == "rejected" else account.late
                return _words(topic, what, count, account.consumed, last)
        return None


WHAT = {
    "rejected": "cannot be read and went to the dead letters",
    "late": "came too late (limits.lateness) and were not used",
}


def _words(topic: str, what: str, count: int, consumed: int, last: Sample | None) -> str:
    words = f"{topic}: {count} of {consumed} records of the last minute {WHAT[what]}"
    if what != "rejected" or last is None:
        return words
    hint = f"; it looks like {last.hint}" if last.hint else ""
    detail = f" ({last.detail})" if last.detail else ""
    return f"{words}; the last: {last.place}, {last.reason}{detail}{hint}"


def together(verdicts: Mapping[str, str | None]) -> str | None:
    """Of all topics, as one reason."""
    return "; ".join(words for words in verdicts.values() if words) or None
