"""The loop of a bridge over a log in memory and a receiver that fails as receivers do: nothing lost, order kept."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from schemas.events.batch import Record
from streamer.bridges.answers import Answer
from streamer.bridges.kinds import Request
from streamer.config.load import load_text
from streamer.kafka.group_reader import Place, Turn
from streamer.port import Partition
from streamer.service.bridge import CHECKS, QUEUE_MAX, Delivering, World, bridge_figures
from streamer.service.health import Health
from tests.bridges.samples import changed, incidents, of, records
from tests.bridges.test_kinds import TEXT

AT: Partition = ("al", 0)
CONFIG = load_text(TEXT % ("", "alerts", "alerts"), "x", {})
OK, DOWN, BUSY, BAD = Answer(200), Answer(0, "Connection refused"), Answer(429, "", "7"), Answer(400, "no such thing")


class Topic:
    """A partition, and the offset that is committed: what a reader of it is handed, and keeps."""

    def __init__(self, values: list[bytes | None] | None = None) -> None:
        self.values = [one.value for one in records()] if values is None else values
        self.committed: int | None = None
        self.low, self.at, self.came, self.ended, self.held = 0, 0, False, False, False
        self.gone: list[Partition] = []
        self.assigned, self.trouble = 1, None

    def rejoin(self) -> None:
        """Another process takes over from what was committed."""
        self.at, self.came, self.ended, self.held, self.gone = self.low, False, False, False, []

    def poll(self, limit: int, wait_s: float) -> Turn:
        gone, self.gone = self.gone, []
        came = {} if self.came else {AT: Place(self.committed, self.low, len(self.values))}
        self.came = True
        end = self.at if self.held else min(len(self.values), self.at + limit)
        found = [(AT, Record(n, 999_999_000 + n, None, self.values[n])) for n in range(self.at, end)]
        self.at = end
        ended = [AT] if end == len(self.values) and not self.ended else []
        self.ended = self.ended or bool(ended)
        return Turn(gone, came, found, ended)

    def hold(self, paused: bool) -> None:
        self.held = paused

    def done(self, partition: Partition, offset: int) -> None:
        assert offset >= (self.committed or 0), "what is done with is done with"
        self.committed = offset


class Bench:
    """A bridge, its topic, a clock that only goes when told, and a receiver with answers in turn, then OK."""

    def __init__(self, kind: str, topic: Topic, *answers: Answer) -> None:
        self.topic, self.answers, self.sent = topic, list(answers), list[Request]()
        self.now_s, self.lines = 1_000_000.0, list[dict[str, Any]]()
        self.health, self.figures = Health(checks=CHECKS), bridge_figures()
        self.bridge = Delivering(
            kind,
            CONFIG.bridges.there()[kind],
            None,
            topic,  # type: ignore[arg-type]
            self.post,
            World(self.say, lambda: self.now_s, lambda: int(1000 * self.now_s), lambda: 1.0),
            self.health,
            self.figures,
        )

    def say(self, level: str, event: str, /, **fields: object) -> None:
        self.lines.append({"event": event, **fields})

    def post(self, request: Request) -> Answer:
        answer = self.answers.pop(0) if self.answers else OK
        if answer.status == 200:
            self.sent.append(request)
        return answer

    def steps(self, count: int = 1, seconds: float = 0.0) -> Bench:
        for _ in range(count):
            self.bridge.step()
            self.now_s += seconds
        return self

    def ids(self) -> list[str]:
        return [orjson.loads(one.body)["id"] for one in self.sent]

    def events(self) -> list[Any]:
        return [line["event"] for line in self.lines]


def ids() -> list[str]:
    return [one.id for one in records()]


def from_zero() -> Topic:
    topic = Topic()
    topic.committed = 0
    return topic


def test_everything_is_delivered_in_order_and_then_committed() -> None:
    bench = Bench("webhook", from_zero()).steps(2)
    assert bench.ids() == ids()
    assert bench.topic.committed == len(ids())
    assert bench.figures.get("bridge_records_total", result="delivered") == len(ids())
    assert bench.health.page("readyz") == (True, "ok\n")


def test_while_the_receiver_is_away_all_waits_and_nothing_is_lost() -> None:
    bench = Bench("webhook", from_zero(), OK, OK, DOWN, DOWN, DOWN, Answer(503), Answer(404)).steps()
    assert (bench.ids(), bench.topic.committed) == (ids()[:2], 2)
    well, why = bench.health.page("readyz")
    assert (well, "receiver: Connection refused; tried 1 times" in why) == (False, True)
    bench.steps(40, 0.25)  # Ten seconds: it was tried after 1, 3 and 7.
    assert (len(bench.answers), bench.topic.committed) == (1, 2)
    bench.steps(200, 0.5)
    assert bench.ids() == ids()
    assert bench.topic.committed == len(ids())
    assert bench.events() == ["receiver_away"] * 5 + ["receiver_back"]
    assert bench.health.page("readyz")[0]


def test_a_receiver_is_not_asked_before_it_wants_to_be() -> None:
    bench = Bench("webhook", from_zero(), BUSY).steps(13, 0.5)
    assert bench.sent == []
    bench.steps(3, 0.5)
    assert bench.ids() == ids()


def test_what_is_refused_for_good_holds_nothing_up() -> None:
    bench = Bench("webhook", from_zero(), OK, BAD).steps(2)
    assert bench.ids() == [ids()[0], *ids()[2:]]
    assert bench.topic.committed == len(ids())
    assert bench.figures.get("bridge_records_total", result="refused") == 1
    [line] = bench.lines
    assert (line["event"], line["id"], line["status"]) == ("bridge_refused", ids()[1], 400)
    assert not any("sentence" in str(value) for value in line.values())


@pytest.mark.parametrize("seed", range(5))
def test_killed_anywhere_each_is_told_at_least_once_and_those_of_a_key_in_order(seed: int) -> None:
    draw, topic, told = random.Random(seed), from_zero(), list[str]()
    for _ in range(12):  # Processes; the last ones live on.
        topic.rejoin()
        answers = [draw.choice([OK, OK, DOWN, BUSY]) for _ in range(draw.randrange(6))]
        bench = Bench("webhook", topic, *answers).steps(1)
        told += bench.ids()
        if draw.random() < 0.5:  # It died before its commit landed.
            topic.committed = max(0, (topic.committed or 0) - draw.randrange(3))
    topic.rejoin()
    told += Bench("webhook", topic).steps(2).ids()
    firsts = list(dict.fromkeys(told))
    assert firsts == ids()
    assert topic.committed == len(ids())


def test_a_first_start_tells_what_fires_and_not_what_is_over() -> None:
    bench = Bench("slack", Topic(), DOWN).steps(1)
    assert (bench.sent, bench.topic.committed) == ([], None)
    bench.steps(4, 1.0)
    fires = ["FIRING  fraud: amount-shape", "FIRING  fraud: nulls"]
    assert [orjson.loads(one.body)["blocks"][0]["text"]["text"] for one in bench.sent] == fires
    assert bench.topic.committed == len(ids())
    bench.topic.rejoin()
    assert Bench("slack", bench.topic).steps(3).sent == []


def test_a_first_start_that_ends_half_way_begins_again() -> None:
    topic = Topic()
    assert len(Bench("webhook", topic, OK, OK, DOWN).steps(2).sent) == 2
    assert topic.committed is None
    topic.rejoin()
    assert len(Bench("webhook", topic).steps(2).sent) == 4  # Two alerts and two incidents.
    assert topic.committed == len(ids())


def test_an_empty_topic_is_begun_with_at_once() -> None:
    topic = Topic([])
    bench = Bench("webhook", topic).steps(2)
    assert topic.committed == 0
    topic.values += [of("nulls")[0].value]
    assert bench.steps(2).ids() == [of("nulls")[0].id]


# Alertmanager


def alerts_of(request: Request) -> list[str]:
    return [one["labels"]["monitor"] for one in orjson.loads(request.body)]


def test_alertmanager_is_told_again_of_what_fires_by_the_wall_clock() -> None:
    bench = Bench("alertmanager", from_zero()).steps(2)
    news = [alerts_of(one) for one in bench.sent]
    assert news == [["amount-mean"], ["amount-shape"], ["amount-mean"], ["nulls"], ["amount-shape", "nulls"]]
    bench.steps(59, 1.0)
    assert len(bench.sent) == 5
    bench.steps(4, 1.0)
    assert [alerts_of(one) for one in bench.sent[5:]] == [["amount-shape", "nulls"]]
    [one, _] = orjson.loads(bench.sent[-1].body)
    assert one["endsAt"].startswith("1970-01-12T13:51:")  # Four minutes after 1,000,000 s and one minute.


def test_after_a_restart_what_fires_is_known_again_and_only_when_all_is_read() -> None:
    topic = from_zero()
    Bench("alertmanager", topic).steps(2)
    topic.rejoin()
    bench = Bench("alertmanager", topic)
    topic.held = True  # Nothing of the history has come yet, and Alertmanager hears nothing of half of it.
    topic.ended = True
    bench.steps(1)
    assert bench.sent == []
    topic.held = topic.ended = False
    bench.steps(2)
    assert [alerts_of(one) for one in bench.sent] == [["amount-shape", "nulls"]]


def test_what_is_over_is_told_once_and_never_again() -> None:
    topic = from_zero()
    over = changed(of("nulls")[0], id="over", data__status="resolved", data__alert__endsAt="2026-01-01T00:09:00Z")
    topic.values.append(over)
    bench = Bench("alertmanager", topic).steps(2)
    assert orjson.loads(bench.sent[4].body)[0]["endsAt"] == "1970-01-12T13:46:40.000Z"  # Not ahead of its clock.
    assert [alerts_of(one) for one in bench.sent[5:]] == [["amount-shape"]]


def test_while_alertmanager_is_away_what_fires_is_told_as_it_is_by_then() -> None:
    bench = Bench("alertmanager", from_zero()).steps(2)
    bench.answers = [DOWN, DOWN]
    bench.steps(61, 1.0)
    assert len(bench.sent) == 5
    bench.topic.values.append(changed(of("nulls")[0], id="over", data__status="resolved"))
    bench.steps(10, 1.0)
    assert [alerts_of(one) for one in bench.sent[5:]] == [["nulls"], ["amount-shape"]]


def test_an_alert_that_nobody_resolves_any_more_is_let_go() -> None:
    bench = Bench("alertmanager", from_zero())
    bench.steps(2)
    assert bench.figures.get("bridge_forgotten_total") == 0
    bench.now_s += 9 * 86400
    bench.steps(2)
    assert bench.figures.get("bridge_forgotten_total") == 4  # Two alerts, and two incidents.
    assert bench.events() == ["alert_forgotten"] * 4
    assert len(bench.sent) == 5


def test_many_are_told_in_portions() -> None:
    fired = of("nulls")[0]
    values: list[bytes | None] = [
        changed(fired, id=f"{n}", correlationid=f"{n}", data__fingerprint=f"{n}") for n in range(250)
    ]
    topic = Topic(values)
    topic.committed = len(values)
    bench = Bench("alertmanager", topic).steps(4)
    assert [len(alerts_of(one)) for one in bench.sent] == [100, 100, 50]


# Partitions and places


def test_a_partition_that_goes_takes_what_waits_along() -> None:
    bench = Bench("webhook", from_zero(), DOWN).steps(1)
    assert len(bench.bridge.queue) == len(ids())
    bench.topic.gone = [AT]
    bench.topic.at = len(bench.topic.values)
    bench.steps(3, 1.0)
    assert (len(bench.bridge.queue), bench.bridge.ledgers, bench.sent) == (0, {}, [])


def test_no_more_is_read_than_may_wait() -> None:
    fired = of("nulls")[0]
    topic = Topic([changed(fired, id=f"{n}", data__fingerprint=f"{n}") for n in range(QUEUE_MAX + 500)])
    topic.committed = 0
    bench = Bench("webhook", topic, *[DOWN] * 10).steps(20)
    assert topic.held
    assert QUEUE_MAX <= len(bench.bridge.queue) < QUEUE_MAX + 300
    bench.answers = []
    bench.steps(30, 1.0)
    assert (len(bench.sent), topic.held, topic.committed) == (QUEUE_MAX + 500, False, QUEUE_MAX + 500)


def test_a_topic_that_was_made_anew_is_told_as_at_a_first_start() -> None:
    topic = Topic()
    topic.committed = 5000
    bench = Bench("slack", topic)
    topic.done = lambda partition, offset: setattr(topic, "committed", offset)  # type: ignore[method-assign]
    bench.steps(2)
    assert bench.events() == ["offsets_begin_anew"]
    assert (len(bench.sent), topic.committed) == (2, len(ids()))


def test_records_that_were_deleted_untold_are_spoken_of() -> None:
    topic = Topic()
    topic.committed, topic.low, topic.at = 1, 4, 4
    bench = Bench("webhook", topic).steps(2)
    assert [(line["event"], line["first"], line["last"]) for line in bench.lines] == [("records_lost", 1, 3)]
    assert bench.ids() == ids()[4:]


@pytest.mark.parametrize("kind", ["alertmanager", "slack", "pagerduty"])
def test_a_record_that_is_not_as_ours_are_is_passed_over(kind: str) -> None:
    topic = Topic([changed(of("amount-mean")[0], data__alert__annotations=7), of("amount-shape")[0].value])
    topic.committed = 0
    bench = Bench(kind, topic).steps(3)
    assert (bench.figures.get("bridge_records_total", result="unread"), topic.committed) == (1, 2)
    assert bench.events() == ["bridge_unread"]
    assert len(bench.sent) == (2 if kind == "alertmanager" else 1)
    topic.rejoin()  # Now it is history.
    assert len(Bench(kind, topic).steps(3).sent) == (kind == "alertmanager")


def test_what_is_not_told_is_counted_and_committed() -> None:
    topic = from_zero()
    topic.values += [None, b"?", topic.values[-1]]
    bench = Bench("pagerduty", topic).steps(3)
    counted = {
        name: bench.figures.get("bridge_records_total", result=name) for name in ("unwanted", "repeated", "unread")
    }
    assert counted == {"unwanted": 5, "repeated": 1, "unread": 1}
    assert topic.committed == len(topic.values)
    assert len(incidents()) == 3


def test_it_is_ready_once_the_group_has_spoken_and_the_history_is_read() -> None:
    topic = from_zero()
    bench = Bench("webhook", topic)
    assert "assigned: the group has not" in bench.health.page("readyz")[1]
    topic.assigned, topic.trouble = None, "in: TOPIC_AUTHORIZATION_FAILED"  # type: ignore[assignment]
    bench.steps()
    assert "broker: in: TOPIC_AUTHORIZATION_FAILED" in bench.health.page("readyz")[1]
