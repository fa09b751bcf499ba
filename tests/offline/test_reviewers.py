"""Reviewers of a scenario: what they say is the truth but for their mistakes, the same however the stream is cut."""

from __future__ import annotations

from typing import Any

import orjson

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.offline.reviewers import Answers, Items, Person, Reviewers
from streamer.port import Out

TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
verdicts: {topic: said, reviewer: header:who}
review: {topic: asked}
"""
EVENTS = [Record(n, 1000 * n, None, orjson.dumps({"wrong": n % 2 == 0 and "true"})) for n in range(1000)]


def item(number: int, kind: str = "ranked", reasons: tuple[str, ...] = ("evidence",)) -> dict[str, Any]:
    return {"review_id": f"i{number}", "model": "m", "kind": kind, "reasons": reasons, "event": {"offset": number}}


def answers(changed: bool = True, **people: Any) -> Answers:
    return Answers(Reviewers.model_validate({"people": people}), load_text(TEXT, "x", {}), 1, changed, EVENTS)


def said(found: list[Record]) -> list[tuple[str, str, str]]:
    values = [orjson.loads(record.value or b"") for record in found]
    who = [(record.headers[0][1] or b"").decode() for record in found]
    return [(one["review_id"], name, one["verdict"]) for one, name in zip(values, who, strict=True)]


def outs(*numbers: int) -> list[Out]:
    items = [Out("review", b"k", orjson.dumps({"data": item(number)})) for number in numbers]
    return [Out("review", b"gone", None), Out("alerts", None, b"{}"), *items]


def test_without_mistakes_the_truth_is_said_and_offsets_go_on() -> None:
    one = answers(ann={})
    assert said(one.to(outs(2, 3))) == [("i2", "ann", "wrong"), ("i3", "ann", "right")]
    assert [record.offset for record in one.to(outs(4, 5))] == [2, 3]


def test_mistakes_and_who_does_not_look_and_who_gets_careless() -> None:
    careless: dict[str, Any] = {"from": 500, "later": 0.5}
    for changed, most in ((True, 300), (False, 0)):
        found = said(answers(changed, ann=careless).to(outs(*range(1000))))
        wrong = [int(id[1:]) for id, _, verdict in found if (verdict == "wrong") != (int(id[1:]) % 2 == 0)]
        assert (200 if most else 0) <= len(wrong) <= most
        assert all(number >= 500 for number in wrong)
    some = said(answers(ann={}, bob={"share": 0.3, "mistakes": 1.0}).to(outs(*range(1000))))
    of_bob = [one for one in some if one[1] == "bob"]
    assert 200 < len(of_bob) < 400
    assert all((verdict == "right") == (int(id[1:]) % 2 == 0) for id, _, verdict in of_bob)
    assert Person.model_validate({"from": 5}).wrong_by(9, True) == 0.0


def test_items_that_did_not_come_are_told() -> None:
    came = [item(1), item(7, "control", ()), item(9)]
    assert not [*Items(kind="ranked", reason="evidence", within=[0, 5], count=[1, 1]).wrong(came)]
    [told] = Items(kind="ranked", count=[3, 4]).wrong(came)
    assert told == "expected items, kind ranked, count [3, 4]: came 2 of 3"
