"""People beside the monitors: which events they are asked to look at, what they say of them, and what follows from it.

The clock is the newest event time of the partition's models, or the last tick where that is later: it cuts the slots of
the queue and the windows of the audit, so a backlog is not asked about as if all of its days were today.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.lowest import Offered
from detectors.shiryaev_roberts import mixed
from schemas.events.batch import Batch
from schemas.events.convert import id_hash
from schemas.records.agreement import AgreementFacts, render_agreement
from schemas.records.audit import AuditFacts, render_audit
from schemas.records.envelope import HEADERS
from schemas.records.review import ItemFacts, Place, render_item, review_id
from streamer.alerts import agreement_record, audit_record
from streamer.alerts.agreement_record import AgreementAlerts
from streamer.alerts.alert import Notice
from streamer.alerts.audit_record import AuditAlerts
from streamer.config.review import CALIBRATION, Review
from streamer.engine.companion import Seen, Surroundings
from streamer.engine.figures import Counter
from streamer.port import Out
from streamer.review import moved
from streamer.review.alarms import OpenAlerts, Shown, figures_of
from streamer.review.asked import MODELS_MAX, Asked, Item, Purpose, Truth
from streamer.review.audits import KINDS, LOWEST, Audits, Wanted
from streamer.review.candidates import Candidates, Known, Spot, id_of, place_of
from streamer.review.figures import agreement_facts, audit_facts
from streamer.review.held_against import HeldAgainst
from streamer.review.queue import RIGHT, Events, Figures, ReviewQueue, Terms
from streamer.review.queue import Item as Queued
from streamer.review.reviewers import Reviewers, without_names
from streamer.signals.columns import I64, Bool, groups_of
from streamer.signals.grammar import BY_PATHS
from streamer.signals.roles import EVENT_NAME, Population, populations
from streamer.signals.verdicts import item_verdicts


class Offers(NamedTuple):
    """Events of a batch that may be asked about."""

    at: I64  # where they are in the batch
    events: Events
    figures: Figures

    def between(self, begin: int, end: int) -> Offers:
        events, figures = ([column[begin:end] for column in part] for part in (self.events, self.figures))
        return Offers(self.at[begin:end], Events._make(events), Figures._make(figures))


class Ask(NamedTuple):
    """One of them that is."""

    spot: Spot
    kind: str
    reasons: tuple[str, ...]
    question: str
    chosen: int
    of: int
    asked_ms: int


class Reviewing:
    """Of one partition: its part of the budget. See `Beside`."""

    def __init__(self, around: Surroundings, config: Review) -> None:
        self.around, self.config = around, config
        number, reserve = around.partition[1], config.reserve
        budget = config.part(number, config.budget - reserve)
        most = config.part(number, config.audit.most) if config.audit is not None else 0
        terms = Terms(budget, config.per_ms, config.control, config.slots) if budget else None
        self.queue = ReviewQueue(terms) if terms is not None else None
        self.audits = Audits(config.audit, most, config.ttl_ms) if config.audit is not None and most else None
        made_of = around.config, around.partition, around.generation, config.ttl_ms, around.emitted
        self.alarms, self.fallen = AuditAlerts(*made_of), AgreementAlerts(*made_of)
        self.reviewers = Reviewers(config.agreement_alpha, MODELS_MAX) if config.agreement_alpha else None
        self.hashed = around.config.verdicts is not None and around.config.verdicts.hash_reviewers
        self.named = EVENT_NAME in around.config.roles()
        self.candidates = Candidates(config.fields, not self.named)
        self.asked, self.alerts = Asked(config.settle_ms, self.reviewers), OpenAlerts()
        self.by_order = list(around.monitors.values())
        self.clock_ms = 0
        self.counts = dict.fromkeys(KINDS, 0)
        self.repeated = 0  # events that were chosen and were asked about already
        self.no_share = 0  # those of a partition that has no part of the budget

    def take(self, seen: Seen) -> Iterable[Out]:
        return ()

    def heard(self, notices: Sequence[Notice]) -> None:
        self.alerts.heard(notices, self.around.monitors)

    def judged(self, seen: Seen, shown: Shown) -> Iterable[Out]:
        batch, chosen = seen.batch, populations(seen.batch, seen.used)[Population.INFERENCES]
        figures = figures_of(batch, chosen, shown, self.by_order, self.alerts, self.around.grouping)
        offered, outs, begin = Offers(np.flatnonzero(chosen), self._events(seen, chosen), figures), list[Out](), 0
        for verdict in item_verdicts(batch, seen.used, seen.sent_ms, self.hashed):
            end = int(np.searchsorted(offered.at, verdict.event))
            outs += self._offer(batch, offered.between(begin, end))
            self.asked.take(verdict, max(self.clock_ms, seen.now.item(verdict.event)))
            begin = end
        outs += self._offer(batch, offered.between(begin, len(offered.at)))
        if len(offered.at):
            self.candidates.keep(self._held(), batch)
        return outs

    def _events(self, seen: Seen, chosen: Bool) -> Events:
        """What the queue takes of the chosen events, at the times of the clock."""
        batch, at = seen.batch, np.flatnonzero(chosen)
        clock = np.maximum.accumulate(np.maximum(seen.now[at], self.clock_ms))
        rows = np.zeros(len(at), np.int64) if batch.rows is None else batch.rows[at].astype(np.int64)
        groups = groups_of(batch, chosen, tuple(self.config.by), BY_PATHS, self.around.grouping)
        strata = np.array([id_hash("\0".join(key), "") >> 1 for key in groups.keys] or [0], np.int64)
        of_model = np.zeros(len(batch.strings) + 1, np.uint64)
        for code in np.unique(batch.model[at]).tolist():
            of_model[code] = moved.number_of(batch.strings[code])
        place = mixed((batch.offsets[at].astype(np.uint64) << np.uint64(16)) ^ rows.astype(np.uint64))
        ids = np.where(batch.event_id[at] == 0, place, batch.event_id[at]) ^ of_model[batch.model[at]]
        return Events(clock, batch.offsets[at], rows, ids, strata[groups.of_event[at]], of_model[batch.model[at]])

    def _offer(self, batch: Batch, offered: Offers) -> Iterator[Out]:
        """Items of the slots and windows that end in these events."""
        if len(offered.at) and self.queue is None:
            self.no_share += len(offered.at)
        for part in self._pieces(offered):
            self.clock_ms = part.events.time_ms.item(0)
            wanted = self.audits.turn(self.clock_ms) if self.audits is not None else []
            yield from self._wanted(wanted, batch, part.at.item(0))
            if self.queue is not None:
                yield from self._queued(self.queue.offer(part.events, part.figures), batch)
            self.clock_ms = part.events.time_ms.item(-1)
            if self.audits is not None:
                self._audit(self.audits, batch, part)

    def _pieces(self, offered: Offers) -> Iterator[Offers]:
        """Cut where a window of the audit ends."""
        windows = offered.events.time_ms // (self.audits.config.window_ms if self.audits is not None else 1 << 62)
        borders = [0, *(np.flatnonzero(np.diff(windows)) + 1).tolist(), len(windows)]
        for begin, end in zip(borders, borders[1:], strict=False):
            if begin < end:
                yield offered.between(begin, end)

    def _audit(self, audits: Audits, batch: Batch, part: Offers) -> None:
        confidence = np.asarray(part.figures.confidence, np.float64)
        sure = np.flatnonzero((confidence >= 0.0) & (confidence <= 1.0))
        models, events = batch.model[part.at[sure]], part.events
        zeros = np.zeros(len(confidence), np.int64)
        offered = Offered(confidence, events.offset, events.row, events.id, zeros).take(sure)
        codes, first = np.unique(models, return_index=True)
        for code in codes[np.argsort(first)].tolist():
            audits.offer(batch.strings[code], offered.take(np.flatnonzero(models == code)))

    def _held(self) -> Iterator[Spot]:
        if self.queue is not None:
            yield from self.queue.held()
        if self.audits is not None:
            yield from self.audits.held()

    def tick(self, offset: int, time_ms: int) -> Iterable[Out]:
        self.alerts.settle()
        self.clock_ms = max(self.clock_ms, time_ms)
        outs = [*self._wanted(self.audits.turn(self.clock_ms) if self.audits is not None else [])]
        outs += self._queued(self.queue.tick(self.clock_ms) if self.queue is not None else [])
        self.candidates.keep({*self._held()})
        for truth in self.asked.pass_time(self.clock_ms):
            self._true(truth)
        told, over = self.alarms.tick(offset, self.clock_ms)
        for model in over:
            if self.audits is not None:
                self.audits.restart(model)
        again, past = self.fallen.tick(offset, self.clock_ms)
        for reviewer in past:
            if self.reviewers is not None:
                self.reviewers.restart(reviewer)
        return [*outs, *told, *self._alarms(offset), *again, *self._fallen(offset), *self._records(offset)]

    def _queued(self, items: Sequence[Queued], batch: Batch | None = None) -> Iterator[Out]:
        known = self.candidates.of([(one.offset, one.row) for one in items], batch)
        for one in items:
            ask = Ask((one.offset, one.row), one.kind, one.reasons, one.asks, one.chosen, one.of, one.until_ms)
            yield from self._ask(ask, known[ask.spot], None)

    def _wanted(self, wanted: Sequence[Wanted], batch: Batch | None = None, event: int | None = None) -> Iterator[Out]:
        """Items of a window that ended before an event of the batch, or by now."""
        audit, known = self.config.audit, self.candidates.of([one.spot for one in wanted], batch)
        if audit is None:
            return
        held = HeldAgainst(self.around.calibrations if audit.against == CALIBRATION else None, event)
        for one in wanted:
            begin_ms, reasons = one.begin_ms, ("confidence",) if one.kind == LOWEST else ()
            end_ms, of = begin_ms + audit.window_ms, known[one.spot]
            purpose = Purpose(begin_ms, one.kind == LOWEST, held.error(one.model, of.confidence or 0.0))
            yield from self._ask(Ask(one.spot, one.kind, reasons, RIGHT, one.chosen, one.of, end_ms), of, purpose)

    def _ask(self, ask: Ask, known: Known, purpose: Purpose | None) -> Iterator[Out]:
        """The record of an item, unless it is asked about already."""
        (topic, number), generation = self.around.partition, self.around.generation
        (offset, row, home), until_ms = place_of(ask.spot), ask.asked_ms + self.config.ttl_ms
        number = number if home is None else home
        id = review_id(topic, generation, number, offset, row)
        item = Item(known.model, until_ms, offset, known.time_ms, purpose, self._id_of(known), home=home)
        fresh, truth = self.asked.ask(id, item)
        if truth is not None:
            self._true(truth)
        if not fresh:
            self.repeated += 1
            return
        self.counts[ask.kind] += 1
        here = Place(topic, number, offset, row if row else -1)
        place, ordered = (here, None) if known.origin is None else (Place(*known.origin), here)
        event = {"id" if self.named else "id_hash": known.name} if known.name else {}
        when = ask.asked_ms, until_ms, ask.kind, ask.reasons, ask.question, ask.chosen, ask.of
        values = {name: value for name, value in known.values if value is not None}
        source = self.around.config.kafka.group
        facts = ItemFacts(id, known.model, source, *when, event, known.time_ms, place, ordered, values)
        yield Out("review", *render_item(facts), HEADERS)

    def _id_of(self, known: Known) -> int:
        return id_of(known.name, not self.named)

    def erase(self, event_id: int, models: Collection[str]) -> tuple[bool, list[Out]]:
        """An item that waits leaves a record without a value in its place."""
        ids = np.array([event_id ^ id_hash(model, "model") for model in models], np.uint64)
        held = [part.erase(ids) for part in (self.queue, self.audits) if part is not None]
        gone, known = self.asked.erase(event_id), self.candidates.erase(event_id)
        return known or any(held) or bool(gone), [Out("review", id.encode(), None, HEADERS) for id in gone]

    def _true(self, truth: Truth) -> None:
        if self.audits is not None:
            self.audits.answered(truth)

    def _alarms(self, offset: int) -> Iterator[Out]:
        """The alerts of tests that have fired since the last tick."""
        for model, (at, time_ms, home) in self.audits.fired.items() if self.audits is not None else ():
            if self.audits is not None and model not in self.alarms.open:
                number, test = self.alarms.numbers.get(model, 0) + 1, self.audits.tests[model]
                found, when = (test.verdicts, test.wrong, test.expected, test.evidence), (self.clock_ms, test.alpha)
                yield self.alarms.fire(model, audit_record.Alarm(number, at, time_ms, *found, *when, home=home), offset)

    def _fallen(self, offset: int) -> Iterator[Out]:
        """The alerts of reviewers whose agreement was found to have fallen since the last tick."""
        for key, at in self.reviewers.fallen.items() if self.reviewers is not None else ():
            if self.reviewers is not None and key not in self.fallen.open:
                number, test = self.fallen.numbers.get(key, 0) + 1, self.reviewers.tests[key[0]][key[1]]
                when = self.clock_ms, test.alpha
                found = (*test.since, test.first.misses, at.others, test.evidence)
                alarm = agreement_record.Alarm(number, at.offset, at.time_ms, *found, *when, home=at.home)
                yield self.fallen.fire(key, alarm, offset)

    def _records(self, offset: int) -> Iterator[Out]:
        """What audits and agreement amount to by now, where verdicts have come."""
        around, place = self.around, (self.around.config.kafka.group, *self.around.partition, offset)
        outs = []
        for one in self.audits.tell(self.clock_ms) if self.audits is not None else ():
            end_ms = one.begin_ms + self.config.audit.window_ms if self.config.audit is not None else 0
            facts = audit_facts(one.window, one.test)
            what = AuditFacts(one.model, *place, one.begin_ms, end_ms, one.window.version, facts, around.generation)
            outs.append(render_audit(what))
        for model, version, agreement in self.asked.agreed():
            told = self.clock_ms, version, agreement_facts(agreement), around.generation
            outs.append(render_agreement(AgreementFacts(model, *place, *told)))
        if around.config.topics.windows is not None:
            yield from (Out("windows", *record, HEADERS) for record in outs)

    def counters(self, topic: str) -> Iterator[Counter]:
        for kind, count in self.counts.items():
            yield Counter("review_items_total", {"topic": topic, "kind": kind}, count)
        for outcome, count in self.asked.outcomes.items():
            yield Counter("review_outcomes_total", {"topic": topic, "outcome": outcome}, count)
        for result, count in self.asked.results.items():
            yield Counter("verdicts_total", {"topic": topic, "result": result}, count)
        yield Counter("review_no_share_total", {"topic": topic}, self.no_share)
        yield Counter(
            "review_uncompared_total", {"topic": topic}, 0 if self.reviewers is None else self.reviewers.beyond
        )

    def dump(self) -> dict[str, Any]:
        terms = self.queue.terms if self.queue is not None else None
        return {
            "terms": None if terms is None else [terms.budget, terms.per_ms, terms.control, terms.slots],
            "queue": None if self.queue is None else self.queue.dump(),
            "audits": None if self.audits is None else self.audits.dump(),
            "alarms": self.alarms.dump(),
            "reviewers": None if self.reviewers is None else self.reviewers.dump(),
            "fallen": self.fallen.dump(),
            "hashed": self.hashed,
            "candidates": self.candidates.dump(),
            "asked": self.asked.dump(),
            "alerts": self.alerts.dump(),
            "clock_ms": self.clock_ms,
            "counts": list(self.counts.items()),
            "others": [self.repeated, self.no_share],
        }

    def models(self) -> Collection[str]:
        found = {item.model for item in self.asked.items.values()}
        found |= {known.model for known in self.candidates.known.values()}
        audited = () if self.audits is None else (*self.audits.open, *self.audits.tests)
        tested = () if self.reviewers is None else self.reviewers.tests
        told = (*self.alarms.open, *(model for model, _ in self.fallen.open))
        return {*found, *self.asked.agreements, *audited, *tested, *told}

    def leave(self, models: Collection[str], lost: Collection[str]) -> None:
        if self.queue is not None:
            moved.events_leave(self.queue, self.candidates.known, models)
        if self.audits is not None:
            moved.audits_leave(self.audits, models)
        moved.candidates_leave(self.candidates, models)
        moved.asked_leave(self.asked, models, lost)
        moved.alerts_leave(self.alerts, models)
        moved.alarms_leave(self.alarms, models)
        moved.alarms_leave(self.fallen, models)
        if self.reviewers is not None:
            moved.reviewers_leave(self.reviewers, models)

    def join(self, other: Reviewing, models: Collection[str]) -> None:
        """With no models but these."""
        way = moved.Way(other.around.partition[1], self.around.partition[1])
        if self.queue is not None and other.queue is not None:
            moved.events_join(self.queue, other.queue, way)
        elif other.queue is not None:
            self.no_share += other.queue.events
        if self.audits is not None and other.audits is not None:
            moved.audits_join(self.audits, other.audits, way)
        moved.candidates_join(self.candidates, other.candidates, way)
        self.candidates.keep({*self._held()})
        moved.asked_join(self.asked, other.asked, way)
        moved.alerts_join(self.alerts, other.alerts)
        moved.alarms_join(self.alarms, other.alarms, way)
        moved.alarms_join(self.fallen, other.fallen, way)
        if self.reviewers is not None and other.reviewers is not None:
            moved.reviewers_join(self.reviewers, other.reviewers, way)
        self.clock_ms = self.clock_ms or other.clock_ms

    def load(self, state: Mapping[str, Any]) -> None:
        """Into a new one. Under another budget the open slot begins anew."""
        if self.hashed and not state.get("hashed"):
            state = without_names(state)
        terms = self.queue.terms if self.queue is not None else None
        own = None if terms is None else [terms.budget, terms.per_ms, terms.control, terms.slots]
        if self.queue is not None and state["queue"] is not None and state["terms"] == own:
            self.queue.load(state["queue"])
        if self.audits is not None and state["audits"] is not None:
            self.audits.load(state["audits"])
        self.alarms.load(state["alarms"])
        if self.reviewers is not None and state.get("reviewers") is not None:  # Older snapshots have none.
            self.reviewers.load(state["reviewers"])
        self.fallen.load(state.get("fallen") or self.fallen.dump())
        self.candidates.load(state["candidates"])
        self.asked.load(state["asked"])
        self.alerts.load(state["alerts"])
        self.clock_ms = int(state["clock_ms"])
        self.counts |= {str(kind): int(count) for kind, count in state["counts"]}
        self.repeated, self.no_share = map(int, state["others"])
        self.candidates.keep({*self._held()})


def review_of(around: Surroundings) -> Reviewing | None:
    review = around.config.review
    return None if review is None else Reviewing(around, review)
