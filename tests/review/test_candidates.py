"""What items say of their event: its id as text or as hash, and of values only what is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from schemas.events.convert import id_hash
from streamer.review.candidates import Candidates, events_at
from streamer.signals.roles import EVENT_NAME
from tests.signals.events import HEAD, batch_of

TEXT = HEAD + "verdicts: {topic: said}\nreview: {topic: asked}\n"
FIELDS = ["features.a", "label", "features.none"]
EVENTS = [
    {"event_id": f"e{n}", "features": {"a": float(n), "secret": 1.0}, "prediction": {"label": "yes", "confidence": 0.5}}
    for n in range(4)
]
BATCH = replace(batch_of([*EVENTS, {"event_id": 17}, {}], TEXT), aliases={EVENT_NAME: "/event_id"})
SPOTS = [(n, 0) for n in range(6)]


def test_of_an_event_its_place_id_and_wanted_values_are_kept() -> None:
    known = Candidates(FIELDS, hashed=False).of(SPOTS, BATCH)
    assert [one.name for one in known.values()] == ["e0", "e1", "e2", "e3", "17", ""]
    assert known[2, 0].values == (("features.a", 2.0), ("label", "yes"), ("features.none", None))
    assert (known[2, 0].model, known[2, 0].confidence, known[5, 0].confidence) == ("m", 0.5, None)
    hashed = Candidates([], hashed=True).of(SPOTS, BATCH)
    assert hashed[1, 0].name == f"{id_hash('e1', ''):016x}"
    assert hashed[5, 0].name == ""
    assert hashed[1, 0].values == ()


def test_nobody_is_known_who_cannot_be_chosen_any_more() -> None:
    some = Candidates(FIELDS, hashed=False)
    some.keep(SPOTS, BATCH)
    some.keep([(1, 0), (3, 0)])
    assert [*some.known] == [(1, 0), (3, 0)]
    again = Candidates(FIELDS, hashed=False)
    again.load(some.dump())
    assert again.known == some.known
    fewer = Candidates(["label"], hashed=False)
    fewer.load(some.dump())
    assert fewer.known[1, 0].values == (("label", "yes"),), "what is not asked for any more is forgotten"


def test_events_of_one_record_are_told_apart_by_their_row() -> None:
    batch = replace(BATCH, offsets=np.array([3, 3, 3, 8, 8, 9]), rows=np.array([0, 1, 5, 0, 1, 0], np.int32))
    assert events_at(batch, [(3, 0), (9, 0), (3, 5), (8, 1)]) == [0, 5, 2, 4]
    assert events_at(BATCH, [(4, 0), (1, 0)]) == [4, 1]
    assert events_at(batch, []) == []
