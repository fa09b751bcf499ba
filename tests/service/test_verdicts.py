"""Verdicts read back from their topic, however they came there: as verbs write them, and by a mapping of one's own."""

from __future__ import annotations

import json

import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.review.open_items import verdict_record
from streamer.service.board import VERDICTS_MAX, Board
from streamer.service.verdicts import Said, verdicts_of
from streamer.signals.verdicts import name_hash
from tests.service.test_board import LIVED_MS, asked

TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
verdicts: {topic: said%s}
"""


def board_of() -> Board:
    board = Board()
    for value in asked():
        board.take(value)
    return board


@pytest.mark.parametrize("places", ["", ", review_id: key, reviewer: header:who, verdict: /a/b"])
@pytest.mark.parametrize("hashed", [False, True])
def test_answers_are_read_as_the_config_says_where_they_are(places: str, hashed: bool) -> None:
    config = load_text(TEXT % (places + ", hash_reviewers: true" * hashed), "x", {})
    read = verdicts_of(config)
    assert read is not None
    board = board_of()
    first, *_ = waiting = board.waiting_items(LIVED_MS - 600_000)
    said = {"model": first["model"], "review_id": first["review_id"], "reviewer": "ada", "verdict": "wrong"}
    key, value, headers = verdict_record(config, said, LIVED_MS)
    records = [
        Record(0, LIVED_MS, key, value, tuple(headers)),
        Record(1, LIVED_MS, None, b"?"),
        Record(2, LIVED_MS, b"e1", None),
    ]
    board.heard(read.read(records))
    [answered] = board.answered_items()
    who = name_hash("ada") if hashed else "ada"
    assert answered["review_id"] == first["review_id"]
    assert [(one["by"], one["word"]) for one in answered["verdicts"]] == [(who, "wrong")]
    left = board.waiting_items(LIVED_MS - 600_000)
    assert [one["review_id"] for one in left] == [one["review_id"] for one in waiting[1:]]


def test_verdicts_on_an_alert_are_found_by_any_id_of_it() -> None:
    config = load_text(TEXT % "", "x", {})
    read = verdicts_of(config)
    assert read is not None
    said = [
        {"model": "m", "time": 1, "alert_id": "f-in-0-7-1", "reviewer": "ada", "verdict": "useful"},
        {
            "model": "m",
            "time": 2,
            "alert_id": "f-in-0-7",
            "reviewer": "bo",
            "verdict": "not useful",
            "reason": "expected",
        },
        {"model": "m", "time": 3, "alert_id": "f-in-0-70", "reviewer": "eve", "verdict": "useful"},
        {"model": "m", "time": 3, "alert_id": "f-in-0-7", "reviewer": "eve", "verdict": "perhaps"},
    ]
    found = read.read([Record(n, n, None, json.dumps(one).encode()) for n, one in enumerate(said)])
    board = Board()
    board.heard(found)
    told = [(one["by"], one["word"], one["reason"]) for one in board.verdicts_on("f-in-0-7")]
    assert told == [("ada", "useful", ""), ("bo", "not_useful", "expected")]


def test_the_last_word_of_each_counts_and_what_is_kept_is_bounded() -> None:
    board, first = board_of(), board_of().waiting_items(LIVED_MS - 600_000)[0]["review_id"]
    board.heard([Said(first, "ada", "right", "", "1"), Said(first, "ada", "wrong", "", "2")])
    assert [one["word"] for one in board.answered_items()[0]["verdicts"]] == ["wrong"]
    board.heard(Said(first, f"r{n}", "right", "", "3") for n in range(1000))
    assert len(board.verdicts[first]) < 100
    board.heard(Said(f"i{n}", "ada", "right", "", "4") for n in range(VERDICTS_MAX + 5))
    assert len(board.verdicts) == VERDICTS_MAX


def test_a_config_without_verdicts_reads_none() -> None:
    assert verdicts_of(load_text(TEXT.replace("verdicts: {topic: said%s}", ""), "x", {})) is None
