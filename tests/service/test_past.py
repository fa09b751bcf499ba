"""What is shown of a model's past, from heartbeats and answers to commands of real tasks."""

from __future__ import annotations

import json
from typing import Any

from streamer.service.board import Board
from streamer.service.past import MARKS, RECENT, WORD_MAX, Past, cut
from tests.engine.commands import command, config_of, log_of, told, values
from tests.engine.test_recent import run
from tests.engine.test_recent import told as beats
from tests.service.test_board import fed

PLACE = ("m", "in", 0)


def beat(number: int, **more: Any) -> dict[str, Any]:
    return {"tick": {"number": number, "time_ms": 1_700_000_000_000 + 60_000 * number}, **more}


def test_events_by_10_s_are_of_all_partitions_and_of_two_hours() -> None:
    past = Past()
    past.heartbeat(PLACE, None, beat(1, recent={"from": "2023-11-14T22:00:00Z", "counts": [3, 1]}))
    past.heartbeat(("m", "in", 1), None, beat(1, recent={"from": "2023-11-14T22:00:10Z", "counts": [5, 7]}))
    assert (past.recent_of("m") or {})["counts"] == [3, 6, 7]
    later = beat(2, recent={"from": "2023-11-15T00:00:10Z", "counts": [1]})
    past.heartbeat(PLACE, beat(1), later)
    past.heartbeat(PLACE, later, later)
    found = past.recent_of("m") or {}
    assert (len(found["counts"]), found["counts"][0], found["counts"][-1]) == (RECENT, 7, 1)
    past.heartbeat(PLACE, beat(2), beat(3, recent={"from": "2023-11-14T20:00:00Z", "counts": [9]}))
    assert past.recent_of("m") == found, "what is older is left out"
    assert past.recent_of("n") is None
    past.heartbeat(PLACE, beat(3, events=1), beat(4, events=1))
    assert past.recent_of("m") == found, "nothing came"
    past.heartbeat(PLACE, beat(4, events=1), beat(5, events=9000))
    assert past.recent_of("m") is None, "it would have a hole"


def test_heartbeats_of_a_task_make_them_where_they_come_often_enough() -> None:
    past = Past()
    past.heartbeat(PLACE, None, beats(run([("m", at, "") for at in range(25)]))["m"])
    assert (past.recent_of("m") or {})["counts"] == [10, 10, 5]
    assert fed().past.recent_of("m") is None, "one in 500 s"


def test_versions_are_marks_once_for_all_partitions_and_again_when_they_come_back() -> None:
    past = Past()
    for partition, at in enumerate((60, 61)):
        later = [("m", 1000 * i, "6" if 9 <= i < 20 else "7") for i in range(1, 21)]
        facts = beats(run([("m", 0, "6"), ("m", at, "7"), *later]))["m"]
        past.heartbeat(("m", "in", partition), None, facts)
    assert [one["text"] for one in past.marks_of("m")] == [
        "version 7 came after 6",
        "version 6 came after 7",
        "version 7 came after 6",
    ]
    assert past.marks_of("m")[0]["time"] == "2023-11-14T22:01:00.000Z"
    assert past.marks_of("n") == []


def test_another_config_and_what_people_deployed_are_marks() -> None:
    config = config_of()
    given = command("deploy", "c1", by="ci", why="currency table of a long name")
    log = log_of(config, values((100.0, 600)), {300: [given], 301: [command("deploy", "c2", by="ci", why=None)]})
    board = Board()
    for out in told(config, log).outbox:
        board.take(out.value)
    [mark] = board.past.marks_of("fraud")
    assert mark["text"] == "ci deployed currency table of a long name"
    assert (mark["word"], len(mark["word"])) == ("currency table of a lon…", WORD_MAX)
    assert [one["sentence"] for one in board.said][1] == "fraud: ci deployed currency table of a long name."
    past = Past()
    past.heartbeat(PLACE, beat(1, config="a"), beat(2, config="b"))
    past.heartbeat(("m", "in", 1), beat(1, config="a"), beat(2, config="b"))
    past.heartbeat(PLACE, beat(2, config="b"), beat(3, config="b"))
    past.heartbeat(PLACE, beat(3), beat(4, config="b"))
    assert [one["word"] for one in past.marks_of("m")] == ["config"]


def test_marks_are_bounded() -> None:
    past = Past()
    for number in range(MARKS + 5):
        past.heartbeat(PLACE, beat(number, config=f"{number}"), beat(number + 1, config=f"{number + 1}"))
    assert len(past.marks_of("m")) == MARKS
    assert cut("x" * WORD_MAX) == "x" * WORD_MAX
    assert json.dumps(past.marks_of("m")[-1])
