"""What a look at the cluster finds: nobody, topics that come and go, and the same name with another id."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from streamer.config.load import load_text
from streamer.kafka.cluster_watch import MISSES, ClusterWatch
from streamer.kafka.connection_trouble import Trouble
from streamer.port import LogDown, Surroundings, Topic
from tests.kafka.mock_cluster import MockCluster
from tests.kafka.world import MakeTopics
from tests.waiting import PATIENCE_S, until


def config(brokers: str, events: str = "in") -> Any:
    return load_text(f"version: 1\nkafka: {{brokers: '{brokers}'}}\ntopics: {{events: [{events}]}}\n", "x", {})


def seen_by(watch: ClusterWatch, done: Callable[[Surroundings], bool]) -> Surroundings:
    """What it sees once that is so."""
    return until(lambda: [seen for seen in [watch.seen] if done(seen)], lambda: watch.seen)[0]


def test_one_miss_is_an_election_two_are_an_outage_and_an_answer_ends_it() -> None:
    answers: list[Surroundings | None] = [Surroundings(None, {"in": Topic(1, "a")}), *[None] * MISSES, Surroundings()]
    told: list[Surroundings] = []

    def look() -> Surroundings:
        if len(told) >= len(answers):
            threading.Event().wait()  # Nothing more is looked at.
        answer = answers[len(told)]
        if answer is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "nobody"))
        return answer

    watch = ClusterWatch(config("there:1"), told.append, every_s=0.0, look=look)
    seen_by(watch, lambda seen: len(told) == len(answers))
    watch.close()
    assert [seen.down is None for seen in told] == [True, *[True] * (MISSES - 1), False, True]
    assert told[MISSES].down == "no broker of there:1 answers: nobody"
    assert told[MISSES].topics == {"in": Topic(1, "a")}, "what was there is still the best that is known"


def test_an_answer_that_does_not_come_is_none_and_what_is_no_brokers_fault_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once either ended the thread in silence, and whoever waited for a look of it waited for ever."""
    ended, looks = list[BaseException | None](), [0]

    def look() -> Surroundings:
        looks[0] += 1
        if looks[0] > 3:
            raise RuntimeError("a surprise")
        raise TimeoutError

    monkeypatch.setattr(threading, "excepthook", lambda args: ended.append(args.exc_value))
    watch = ClusterWatch(config("there:1"), every_s=0.0, look=look)
    until(lambda: ended)
    assert watch.seen.down == "no broker of there:1 answers: it takes too long"
    assert str(ended[0]) == "a surprise"


@pytest.mark.parametrize("error", [TimeoutError(), KafkaException(KafkaError(KafkaError._TRANSPORT))], ids=str)
def test_a_look_for_rights_that_nobody_answers_ends_nothing(error: Exception) -> None:
    def lacks(config: Any, seconds: float) -> Trouble | None:
        raise error

    watch = ClusterWatch(config("there:1"), every_s=0.01, look=Surroundings, waits=lambda: True, lacks=lacks)
    seen_by(watch, lambda seen: watch.looks > 3)
    watch.close()


def test_rights_are_looked_for_while_something_waits_and_seldom() -> None:
    waits, looks = [False], [0]

    def lacks(config: Any, seconds: float) -> Trouble | None:
        looks[0] += 1
        return Trouble("not_authorized", "we lack Read", "kafka-acls")

    told: list[Surroundings] = []
    hidden = Surroundings(None, {})
    watch = ClusterWatch(config("there:1"), told.append, 0.01, lambda: hidden, waits=lambda: waits[0], lacks=lacks)
    seen_by(watch, lambda seen: len(told) > 3)
    assert looks == [0], "all is well"
    waits[0] = True
    seen_by(watch, lambda seen: seen.lacking == "we lack Read; kafka-acls")
    seen_by(watch, lambda seen: len(told) > 20)
    assert looks == [1], "once a minute"
    waits[0] = False
    seen_by(watch, lambda seen: seen.lacking is None)
    waits[0] = True
    seen_by(watch, lambda seen: seen.lacking is not None)
    assert looks == [2], "it began anew"
    hidden = Surroundings(None, {}, frozenset({"in"}))
    waits[0] = False
    seen_by(watch, lambda seen: looks == [3])
    seen_by(watch, lambda seen: seen.hidden == {"in"} and seen.lacking is not None)
    watch.close()
    assert looks == [3]


def test_who_is_not_there_to_tell_of_rights_is_asked_later() -> None:
    def lacks(config: Any, seconds: float) -> Trouble | None:
        raise LogDown("gone")

    watch = ClusterWatch(config("there:1"), every_s=0.01, look=Surroundings, waits=lambda: True, lacks=lacks)
    seen_by(watch, lambda seen: watch.looks > 3)
    watch.close()
    assert watch.seen.lacking is None


def test_a_port_that_refuses_is_told_in_its_own_words() -> None:
    watch = ClusterWatch(config("127.0.0.1:1"), every_s=0.0)
    why = seen_by(watch, lambda seen: seen.down is not None).down
    watch.close()
    assert why is not None
    assert "127.0.0.1:1" in why
    assert "refused" in why


def test_the_mock_cluster_has_topics_without_ids() -> None:
    with MockCluster("in") as cluster:
        watch = ClusterWatch(config(cluster.brokers), every_s=0.1)
        seen = seen_by(watch, lambda seen: bool(seen.topics))
        watch.close()
    assert seen.topics is not None
    assert seen.topics["in"].id == ""


def test_a_topic_that_a_pattern_matches_later_has_appeared() -> None:
    with MockCluster("in-a", "other") as cluster:
        watch = ClusterWatch(config(cluster.brokers, "'^in-.*'"), every_s=0.1)
        first = seen_by(watch, lambda seen: bool(seen.topics)).topics
        cluster.create("in-b")
        after = seen_by(watch, lambda seen: len(seen.topics or ()) == 2).topics
        watch.close()
    assert first == {"in-a": Topic(1, "", False)}
    assert after == {"in-a": Topic(1, "", False), "in-b": Topic(1, "", True)}


@pytest.mark.broker
def test_a_topic_that_is_deleted_and_made_anew_has_another_id(broker: str, make_topics: MakeTopics) -> None:
    [name] = make_topics("watched")
    watch = ClusterWatch(config(broker, name), every_s=0.1)
    before = seen_by(watch, lambda seen: name in (seen.topics or {})).topics
    admin = AdminClient({"bootstrap.servers": broker})
    admin.delete_topics([name])[name].result(PATIENCE_S)
    seen_by(watch, lambda seen: seen.topics is not None and name not in seen.topics)

    def made() -> bool:
        with contextlib.suppress(KafkaException):  # Its name is free a little later.
            admin.create_topics([NewTopic(name, 3, 1)])[name].result(PATIENCE_S)
            return True
        return False

    until(made)
    after = seen_by(watch, lambda seen: name in (seen.topics or {})).topics
    watch.close()
    assert before is not None
    assert after is not None
    assert (before[name].partitions, after[name].partitions) == (1, 3)
    assert before[name].id != after[name].id
    assert len(before[name].id) > 10


def test_who_waits_for_a_look_sleeps_until_it_is_there() -> None:
    """Without that a worker turned its loop some thousand times for each look of a slow broker."""
    goes_on = threading.Event()

    def look() -> Surroundings:
        goes_on.wait()
        return Surroundings(None, {})

    watch = ClusterWatch(config("there:1"), every_s=PATIENCE_S, look=look)
    began_s = time.monotonic()
    assert not any(watch.looked(1, 0.02) for _ in range(5))
    assert time.monotonic() - began_s >= 5 * 0.02
    threading.Timer(0.1, goes_on.set).start()
    assert watch.looked(1, PATIENCE_S)
    assert time.monotonic() - began_s < PATIENCE_S / 2, "it is woken, and does not sleep to the end"
    watch.close()


def test_what_a_topic_that_we_see_lacks_is_known_at_once_and_what_is_not_told_is_no_lack() -> None:
    given = config("b:1")
    seen = {"in": frozenset({"Read", "Describe"}), "drift-alerts": frozenset({"Read", "Describe"})}
    told = ClusterWatch._short_of(given, seen)
    assert told.startswith("our user lacks Write on topic drift-alerts; kafka-acls ")
    assert ClusterWatch._short_of(given, {}) == ""
