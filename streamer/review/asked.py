"""Items that were asked about, and the verdicts on them: joined by the item's id until its ttl is over.

Every verdict on an item ends in one of RESULTS, every item in one of OUTCOMES, or it is open. What people say of an
item becomes the truth when the first verdict is `settle_ms` old and all who are sure say the same; where they do not,
none of it is truth. That is looked at when time passes, at ticks, so that no cutting of the log shows. What comes later
changes the agreement of the reviewers, and nothing else.

Memory: the items that a budget allows within a ttl, and of each the verdicts of REVIEWERS_MAX.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from detectors.agreement import REVIEWERS_MAX, Agreement
from schemas.events.convert import id_hash
from streamer.review.reviewers import Reviewers
from streamer.signals.verdicts import RIGHT, UNSURE, WRONG, Verdict

CATEGORIES = {RIGHT: 0, WRONG: 1, UNSURE: 2}
RESULTS = ("matched", "conflicting", "duplicate", "changed", "unmatched", "unusable", "beyond")
"""matched: it is about an item and contradicts nobody. conflicting: another reviewer says otherwise. duplicate: the
same reviewer says it again. changed: the same reviewer says otherwise than before, and that holds. unmatched: no item
of this id is open. unusable: it says nothing that is known, or nobody says it. beyond: the item has had REVIEWERS_MAX
reviewers.
"""
OUTCOMES = ("right", "wrong", "conflicting", "unsure", "unanswered", "erased")
"""Of items: what is the truth; reviewers contradict each other; nobody was sure; nobody said anything within the ttl;
the event's id was erased before that.
"""
MODELS_MAX = 32
"""Models of a partition whose reviewers are compared, and that are audited."""


class Purpose(NamedTuple):
    """What an item is asked for by the audit: of which window, as one of the least confident or of the others."""

    begin_ms: int
    lowest: bool
    estimated: float | None  # the error that it is held against; None where nothing is known of it


def purpose_of(begin_ms: Any, lowest: Any, estimated: Any) -> Purpose:
    """Of a snapshot."""
    return Purpose(int(begin_ms), bool(lowest), None if estimated is None else float(estimated))


@dataclass(slots=True)
class Item:
    model: str
    until_ms: int
    offset: int
    time_ms: int
    purpose: Purpose | None = None
    event_id: int = 0  # the hash of it
    said: dict[str, str] = field(default_factory=dict)  # by reviewer
    first_ms: int | None = None  # by the clock, when the first verdict came
    outcome: str = ""
    home: int | None = None  # the partition of its offset, where its model has moved to another since


class Truth(NamedTuple):
    """An item about which all who are sure say the same."""

    id: str
    item: Item
    wrong: bool


class Asked:
    """Those of one partition, the oldest first. `reviewers`: who is told what was said of each that is decided."""

    def __init__(self, settle_ms: int, reviewers: Reviewers | None = None) -> None:
        self.settle_ms, self.reviewers = settle_ms, reviewers
        self.items: dict[str, Item] = {}
        self.results = dict.fromkeys(RESULTS, 0)
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.agreements: dict[str, Agreement] = {}
        self.changed: dict[str, None] = {}  # models with new verdicts since it was told
        self.versions: dict[str, int] = {}  # told so far

    def ask(self, id: str, item: Item) -> tuple[bool, Truth | None]:
        """Whether it is a new item: an open one is not asked for twice, and has the purpose of both. And what is true
        of it, where that is known already.
        """
        known = self.items.get(id)
        if known is None:
            self.items[id] = item
            return True, None
        if known.purpose is not None or item.purpose is None:
            return False, None
        known.purpose = item.purpose
        return False, Truth(id, known, known.outcome == WRONG) if known.outcome in (RIGHT, WRONG) else None

    def take(self, verdict: Verdict, clock_ms: int) -> str:
        """What becomes of a verdict."""
        result = self._take(verdict, clock_ms)
        self.results[result] += 1
        return result

    def _take(self, verdict: Verdict, clock_ms: int) -> str:
        if not verdict.said:
            return "unusable"
        item = self.items.get(verdict.about)
        if item is None or item.model != verdict.model or clock_ms > item.until_ms:
            return "unmatched"
        before = item.said.get(verdict.reviewer)
        if before == verdict.said:
            return "duplicate"
        if before is None and len(item.said) >= REVIEWERS_MAX:
            return "beyond"
        others = {said for who, said in item.said.items() if who != verdict.reviewer} - {UNSURE}
        self._compare(verdict, item)
        item.said[verdict.reviewer] = verdict.said
        item.first_ms = clock_ms if item.first_ms is None else item.first_ms
        if before is not None:
            return "changed"
        return "conflicting" if verdict.said != UNSURE and others - {verdict.said} else "matched"

    def _compare(self, verdict: Verdict, item: Item) -> None:
        """Tell the agreement of the model's reviewers of one more verdict on an item."""
        if verdict.model not in self.agreements and len(self.agreements) >= MODELS_MAX:
            return
        agreement = self.agreements.setdefault(verdict.model, Agreement(len(CATEGORIES)))
        before = [(who, CATEGORIES[said]) for who, said in item.said.items()]
        after = [one for one in before if one[0] != verdict.reviewer] + [(verdict.reviewer, CATEGORIES[verdict.said])]
        agreement.replace(id_hash(verdict.about, ""), before, after)
        self.changed[verdict.model] = None

    def pass_time(self, clock_ms: int) -> Iterator[Truth]:
        """What is settled by now, in the order in which it was asked; what is over is forgotten."""
        for id, item in list(self.items.items()):
            over = clock_ms > item.until_ms
            due = item.first_ms is not None and item.first_ms + self.settle_ms <= clock_ms
            if not item.outcome and (over or due):
                sure = set(item.said.values()) - {UNSURE}
                if len(sure) == 1:
                    item.outcome = sure.pop()
                    yield Truth(id, item, item.outcome == WRONG)
                elif sure:
                    item.outcome = "conflicting"
                elif over:
                    item.outcome = "unsure" if item.said else "unanswered"
                if item.outcome:
                    self.outcomes[item.outcome] += 1
                    if self.reviewers is not None and len(item.said) > 1:
                        self.reviewers.decided(item.model, item.said, (item.offset, item.time_ms), item.home)
            if over:
                del self.items[id]

    def erase(self, event_id: int) -> list[str]:
        """Forget the items about an event; their ids."""
        gone = [id for id, item in self.items.items() if item.event_id == event_id and event_id]
        for id in gone:
            self.outcomes["erased"] += not self.items.pop(id).outcome
        return gone

    def agreed(self) -> Iterator[tuple[str, int, Agreement]]:
        """Models of which verdicts came since this was asked, the version of what is told, and it."""
        for model in self.changed:
            self.versions[model] = version = self.versions.get(model, 0) + 1
            yield model, version, self.agreements[model]
        self.changed = {}

    def dump(self) -> dict[str, Any]:
        return {
            "items": [
                [id, item.model, item.until_ms, item.offset, item.time_ms,
                 None if item.purpose is None else list(item.purpose),
                 [list(pair) for pair in item.said.items()], item.first_ms, item.outcome, item.event_id, item.home]
                for id, item in self.items.items()
            ],
            "results": list(self.results.items()),
            "outcomes": list(self.outcomes.items()),
            "agreements": [
                [model, self.versions.get(model, 0), one.dump()]
                for model, one in self.agreements.items()
            ],
            "changed": list(self.changed),
        }  # fmt: skip

    def load(self, state: Mapping[str, Any]) -> None:
        """Into a new one."""
        for id, model, until_ms, offset, time_ms, purpose, said, first_ms, outcome, *more in state["items"]:
            why = None if purpose is None else purpose_of(*purpose)
            item = Item(str(model), int(until_ms), int(offset), int(time_ms), why, int(more[0]) if more else 0)
            item.said = {str(who): str(what) for who, what in said}
            item.first_ms, item.outcome = None if first_ms is None else int(first_ms), str(outcome)
            if not set(item.said.values()) <= set(CATEGORIES) or item.outcome not in ("", *OUTCOMES):
                raise ValueError("verdicts that cannot be")
            item.home = None if len(more) < 2 or more[1] is None else int(more[1])  # Older snapshots have none.
            self.items[str(id)] = item
        self.results |= {str(name): int(count) for name, count in state["results"]}
        self.outcomes |= {str(name): int(count) for name, count in state["outcomes"]}
        for model, version, dumped in state["agreements"]:
            agreement = Agreement(len(CATEGORIES))
            agreement.load(dumped)
            self.agreements[str(model)], self.versions[str(model)] = agreement, int(version)
        self.changed = dict.fromkeys(map(str, state["changed"]))
