"""What the service waits for, in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streamer.config.model import Topics
from streamer.port import Parts, Snapshot, Surroundings, Topic
from streamer.service.health import CHECKS
from streamer.service.partitions import Staging, Stats, Trouble
from streamer.service.readiness import (
    COMMITS_LATE_S,
    NAMED_MAX,
    UNREAD_AFTER_S,
    missing,
    of_parts,
    of_surroundings,
    of_worker,
    of_workers,
    slow_snapshots,
    unread_seconds,
)

NAMES = {"alerts": "al", "state": "st", "heartbeats": "hb", "dead_letter": "dl"}
TOPICS = Topics.model_validate({"events": ["in"], **NAMES})
ALL = {name: Topic(1, "x") for name in ("in", "al", "st", "hb", "dl")}


def worker(**more: Any) -> Any:
    log = SimpleNamespace(waiting=lambda: more.get("waiting"), throttled=lambda: more.get("throttled", 0.0))
    stats, stager = Stats(trouble=more.get("trouble", {})), SimpleNamespace(under_way=lambda: more.get("staging", {}))
    parts = {"restoring": more.get("restoring", {}), "owned": more.get("owned", {}), "stats": stats, "stager": stager}
    return SimpleNamespace(**parts, log=log)


def waits(now_s: float = 0.0, **more: Any) -> dict[str, str]:
    return {check: why for check, why in of_worker(worker(**more), now_s).items() if why is not None}


def test_a_topic_of_its_own_that_lacks_is_named_with_its_key() -> None:
    own = Topics.model_validate({"events": ["in"], **NAMES}).beside({"feedback": "clicks"})
    assert missing(ALL, own) == "no topic clicks (feedback.topic): whoever sends the events has to create it"


def test_all_is_well() -> None:
    assert waits() == {}
    assert set(of_worker(worker(), 0.0)) == {"assigned", "restored", "commits", "schemas"}


def test_what_both_stages_wait_for_is_said_once() -> None:
    away = worker(waiting="no entry")
    assert of_workers([away, away], 0.0)["assigned"] == "no entry"
    assert of_workers([away, worker(waiting="full")], 0.0)["assigned"] == "no entry; full"
    assert of_workers([worker(), worker()], 0.0)["assigned"] is None


def test_the_group_has_the_word_while_nothing_is_ours() -> None:
    assert waits(waiting="no entry") == {"assigned": "no entry"}
    assert waits(waiting="no entry", owned={("in", 0): None}) == {}


def test_what_is_restored_is_named_up_to_a_bound_with_what_is_in_the_way() -> None:
    two = {("in", 1): None, ("in", 0): None}
    assert waits(restoring=two)["restored"] == "restoring in[0], in[1]"
    trouble = {"restores": Trouble("no answer", 0.0, 0.0, 0.1)}
    assert waits(restoring=two, trouble=trouble)["restored"] == "restoring in[0], in[1]: no answer"
    many = waits(restoring={("in", n): None for n in range(NAMED_MAX + 3)})["restored"]
    assert many.endswith("in[5] and 3 more")


def test_commits_are_late_after_a_while() -> None:
    trouble = {"commits": Trouble("no producer", 10.0, 0.0, 0.1)}
    assert waits(10.0 + COMMITS_LATE_S / 2, trouble=trouble) == {}
    assert waits(10.0 + COMMITS_LATE_S, trouble=trouble) == {"commits": "nothing is published: no producer"}
    held_back = waits(10.0 + COMMITS_LATE_S, trouble=trouble, throttled=2.34)["commits"]
    assert held_back.endswith("no producer; a quota of the broker (producer_byte_rate) holds our writes back by 2.3 s")


def test_snapshots_that_do_not_get_on_are_named_up_to_a_bound_with_the_reason() -> None:
    staging = {("in", number): Staging(Snapshot(5, 0, "c", bytes(2_500_000))) for number in range(NAMED_MAX + 2)}
    assert slow_snapshots(worker(staging=staging)) is None
    assert slow_snapshots(worker(throttled=1.0)) is None
    told = slow_snapshots(worker(staging=staging, trouble={"snapshots": Trouble("no answer", 0.0, 0.0, 0.1)}))
    assert told is not None
    assert told.startswith("in[0] 2.5 MB, 0 of its parts written, in[1] 2.5 MB")
    assert told.endswith("and 2 more: no answer")


def test_who_makes_a_topic_that_is_missing_is_said() -> None:
    assert missing(None, TOPICS) is None, "nobody has looked yet"
    assert missing(ALL, TOPICS) is None
    gone = missing({name: topic for name, topic in ALL.items() if name not in ("in", "al")}, TOPICS)
    assert gone is not None
    assert "no topic in (topics.events): whoever sends the events" in gone
    assert "no topic al (topics.alerts): `driftline topics apply" in gone


def test_without_a_broker_nothing_is_said_of_topics() -> None:
    silent = {"rights": None, "topics": None}
    assert (
        of_surroundings(Surroundings("nobody", {}, frozenset({"in"}), "no"), TOPICS)
        == {"broker_seen": "nobody"} | silent
    )
    assert of_surroundings(Surroundings(None, ALL), TOPICS) == {"broker_seen": None, "all_read": None} | silent


def test_what_nobody_reads_for_long_is_named_with_its_group_and_what_to_do() -> None:
    late, lately = {("or", 1): UNREAD_AFTER_S + 1, ("or", 0): 70.0}, {("in", 0): UNREAD_AFTER_S - 1}
    seen = Surroundings(None, ALL, overlooked={"g": lately, "g-ordered": late | {("or", 2): 5.0}})
    told = of_surroundings(seen, TOPICS)["all_read"]
    assert told is not None
    assert told.startswith("nobody in the group g-ordered reads or[0], or[1], for 70 s: ")
    assert of_surroundings(seen._replace(overlooked={"g": lately}), TOPICS)["all_read"] is None
    assert "all_read" not in of_surroundings(seen._replace(down="nobody"), TOPICS), "it is as it was, as far as we know"
    assert unread_seconds(seen.overlooked)["in", "0"] == UNREAD_AFTER_S - 1, "the metric has it from the first"
    assert CHECKS.keys() >= of_surroundings(seen, TOPICS).keys()


def test_a_topic_that_we_may_not_see_is_not_called_missing() -> None:
    seen = Surroundings(
        None, {name: topic for name, topic in ALL.items() if name not in ("al", "st")}, frozenset({"al"})
    )
    found = of_surroundings(seen, TOPICS)
    assert found["rights"] == "we may not see al: an access rule is missing, `driftline doctor` says which"
    assert "no topic st (topics.state): " in (found["topics"] or "")
    assert of_surroundings(seen._replace(lacking="Write on al"), TOPICS)["rights"] == "Write on al"


def test_a_pattern_that_matches_nothing_is_waited_for_only_where_nothing_else_is_read() -> None:
    alone = Topics.model_validate({"events": ["^x-.*"], **NAMES})
    assert missing(ALL, alone) == "no topic matches ^x-.* (topics.events)"
    assert missing(ALL | {"x-1": Topic(1, "x")}, alone) is None
    assert missing(ALL, Topics.model_validate({"events": ["in", "^x-.*"], **NAMES})) is None


@pytest.mark.parametrize(
    ("parts", "there", "said"),
    [
        (None, 3, None),
        (Parts(2, 2), 2, None),
        (Parts(2, 3), 3, None),
        (Parts(2, 2), None, None),
        (Parts(2, 2), 3, "has 3 partitions, not 2: models stay in 2 of them; driftline topics repartition"),
        (Parts(3, 3), 2, "has 2 partitions, models are in 3: nothing lands"),
    ],
)
def test_an_ordered_log_of_another_size_is_told(parts: Parts | None, there: int | None, said: str | None) -> None:
    told = of_parts(parts, "drift-ordered", there)
    assert (said is None) == (told == {})
    assert said is None or told["drift-ordered"].startswith(said)
