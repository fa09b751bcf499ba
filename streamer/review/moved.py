"""What people are asked to look at when its model moves to another partition: items and verdicts on them, events that
may still be chosen, open audits and reviewers with what verdicts told of them so far, and alerts
of these.

Budgets are of partitions and stay there with what was asked of them, so no day has more items than it may. An event
that was not chosen yet is chosen, or not, where its model is now, in the slot or window that is open there. The control
share stays a random sample of each partition's events: of the two that become one, what lies above the lower of their
limits is let go. Items keep their ids, their times and the place of their event, alerts theirs; all counts stay where
they are.

Where the new partition has no share of the budget nothing more is chosen. A window of an audit that is over there, or
has not begun, is let go with its count in `left_out`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from detectors.audit import WindowAudit
from detectors.lowest import Lowest, Offered
from schemas.events.convert import id_hash
from streamer.alerts.verdict_alerts import A, K, VerdictAlerts
from streamer.review.alarms import OpenAlerts
from streamer.review.asked import MODELS_MAX, Asked
from streamer.review.audits import Audits
from streamer.review.candidates import HOME_BITS, Candidates, Known, Spot, place_of, spots
from streamer.review.queue import OTHER, STRATA_MAX, ReviewQueue
from streamer.review.reviewers import Reviewers


class Way(NamedTuple):
    """From a partition to another."""

    source: int
    number: int

    def home(self, home: int | None) -> int | None:
        """Where something is from, as it is said there: None for itself."""
        of = self.source if home is None else home
        return None if of == self.number else of

    def spot(self, spot: Spot) -> Spot:
        """Where an event is, as it is said there."""
        offset, row, home = place_of(spot)
        of = self.home(home)
        return offset, row if of is None else row + (of + 1 << HOME_BITS)

    def events(self, events: Offered) -> Offered:
        rows = [self.spot(spot)[1] for spot in spots(events.offset, events.row)]
        return events._replace(row=np.array(rows, np.int64))


def number_of(model: str) -> int:
    """As events in the queue have it."""
    return id_hash(model, "model")


def events_leave(queue: ReviewQueue, known: Mapping[Spot, Known], models: Collection[str]) -> None:
    """Forget the candidates of these models."""
    queue.ranked = {stratum: _without(kept, known, models) for stratum, kept in queue.ranked.items()}
    queue.ranked = {stratum: kept for stratum, kept in queue.ranked.items() if kept.size}
    queue.limit = _known_to(queue)
    queue.control = _without(queue.control, known, models)
    for model in models:
        queue.events -= queue.of_model.pop(number_of(model), 0)


def _known_to(queue: ReviewQueue) -> float:
    """Up to which of the numbers that draw the control share all events are known."""
    queue.control.items()  # From then on it has its limit.
    return min(queue.limit, queue.control.limit)


def _without(kept: Lowest, known: Mapping[Spot, Known], models: Collection[str]) -> Lowest:
    items, made = kept.items(), Lowest(kept.capacity)
    stays = [spot not in known or known[spot].model not in models for spot in spots(items.offset, items.row)]
    made.offer(items.take(np.flatnonzero(np.array(stays, bool))))
    return made


def events_join(queue: ReviewQueue, other: ReviewQueue, way: Way) -> None:
    """Go on with all candidates of another partition, in the slot that is open here."""
    queue.slot = other.slot if queue.slot is None else queue.slot
    for stratum, kept in other.ranked.items():
        room = stratum in queue.ranked or len(queue.ranked) < STRATA_MAX
        mine = queue.ranked.setdefault(stratum if room else OTHER, Lowest(queue.capacity))
        mine.offer(way.events(kept.items()))
    queue.limit = min(_known_to(queue), _known_to(other))
    drawn, queue.control = (queue.control.items(), way.events(other.control.items())), Lowest(3 * queue.capacity)
    for items in drawn:
        queue.control.offer(items.take(np.flatnonzero(items.number <= queue.limit)))
    queue.events += other.events
    for model, count in other.of_model.items():
        queue.of_model[model] = queue.of_model.get(model, 0) + count
    queue.asked = {**dict.fromkeys(id for id in other.asked if id not in queue.asked), **queue.asked}
    while len(queue.asked) > queue.capacity:
        del queue.asked[next(iter(queue.asked))]


def audits_leave(audits: Audits, models: Collection[str]) -> None:
    for named in (audits.open, audits.sums, audits.tests, audits.fired):
        for model in models:
            named.pop(model, None)
    audits.windows = {key: one for key, one in audits.windows.items() if key[1] not in models}
    audits.changed = {key: None for key in audits.changed if key[1] not in models}


def audits_join(audits: Audits, other: Audits, way: Way) -> None:
    """Go on with all audits of another partition."""
    audits.begin_ms = other.begin_ms if audits.begin_ms is None else audits.begin_ms
    for model, audit in other.open.items():
        if audits.begin_ms != other.begin_ms or len(audits.open) >= MODELS_MAX:
            audits.left_out += audit.lowest.seen
            continue
        audits.open[model], audits.sums[model] = _moved(audit, way), other.sums[model]
    audits.windows |= other.windows
    audits.changed |= other.changed
    audits.tests |= other.tests
    fired = {model: (offset, time_ms, way.home(home)) for model, (offset, time_ms, home) in other.fired.items()}
    audits.fired |= fired


def _moved(audit: WindowAudit, way: Way) -> WindowAudit:
    made = WindowAudit(audit.share, audit.control, audit.lowest.capacity)
    for new, old in ((made.lowest, audit.lowest), (made.drawn, audit.drawn)):
        new.offer(way.events(old.items()))
        new.seen = old.seen
    return made


def asked_leave(asked: Asked, models: Collection[str], lost: Collection[str]) -> None:
    """Forget the items of these models; nobody waits for verdicts on those of the `lost` ones."""
    for id, item in list(asked.items.items()):
        if item.model in models:
            asked.outcomes["unanswered"] += item.model in lost and not item.outcome
            del asked.items[id]
    for model in models:
        for named in (asked.agreements, asked.versions, asked.changed):
            named.pop(model, None)


def asked_join(asked: Asked, other: Asked, way: Way) -> None:
    """Go on with all items of another partition."""
    for id, item in other.items.items():
        item.home = way.home(item.home)
        asked.items[id] = item
    for model, agreement in other.agreements.items():
        if len(asked.agreements) < MODELS_MAX:
            asked.agreements[model] = agreement
            asked.versions[model] = other.versions.get(model, 0)
            if model in other.changed:
                asked.changed[model] = None


def candidates_leave(candidates: Candidates, models: Collection[str]) -> None:
    candidates.known = {spot: known for spot, known in candidates.known.items() if known.model not in models}


def candidates_join(candidates: Candidates, other: Candidates, way: Way) -> None:
    candidates.known |= {way.spot(spot): known for spot, known in other.known.items()}


def alerts_leave(alerts: OpenAlerts, models: Collection[str]) -> None:
    alerts.settle()
    alerts.open = {group: count for group, count in alerts.open.items() if group[1][0] not in models}


def alerts_join(alerts: OpenAlerts, other: OpenAlerts) -> None:
    alerts.settle()
    alerts.open |= other.open


def reviewers_leave(reviewers: Reviewers, models: Collection[str]) -> None:
    reviewers.tests = {model: own for model, own in reviewers.tests.items() if model not in models}
    reviewers.fallen = {key: at for key, at in reviewers.fallen.items() if key[0] not in models}


def reviewers_join(reviewers: Reviewers, other: Reviewers, way: Way) -> None:
    """Go on with all tests of another partition; of whom there is no room for, none is begun."""
    for model, own in other.tests.items():
        if len(reviewers.tests) < reviewers.most:
            reviewers.tests[model] = own
    fallen = {key: at._replace(home=way.home(at.home)) for key, at in other.fallen.items()}
    reviewers.fallen |= {key: at for key, at in fallen.items() if key[0] in reviewers.tests}


def alarms_leave(alarms: VerdictAlerts[K, A], models: Collection[str]) -> None:
    for named in (alarms.open, alarms.numbers):
        for key in [key for key in named if model_of(key) in models]:
            del named[key]


def alarms_join(alarms: VerdictAlerts[K, A], other: VerdictAlerts[K, A], way: Way) -> None:
    for key, alarm in other.open.items():
        alarm.home = way.home(alarm.home)
        alarms.open[key] = alarm
    alarms.numbers |= other.numbers


def model_of(key: str | tuple[str, str]) -> str:
    return key if isinstance(key, str) else key[0]
