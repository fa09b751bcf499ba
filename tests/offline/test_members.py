"""Members of a sample: pointers of the config that no record has are named, others are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.fields import FIELDS
from streamer.offline.members import PATHS_MAX, Members, Place, places
from tests.offline.samples import configured, estimated, said

EVENT = {
    "model": "fraud",
    "time": 1_700_000_000,
    "input": {"amount": 1.0, "a/b~c": 2},
    "meta": {"svc": "pay", "optout": False},
    "rows": [{"x": 1}],
    "nothing": None,
}
MAPPED = "fields: {features: /input}\n"


def unmet(more: str, folder: Path, event: dict[str, Any] | None = None) -> dict[str, str]:
    return said(estimated(more, folder, [event or EVENT] * 3), "not-in-sample")


@pytest.mark.parametrize(
    ("more", "place", "near"),
    [
        ("fields: {features: /inputt}\n", "fields.features", "Did you mean '/input'?"),
        ("fields: {features: /input, caller: /svc}\n", "fields.caller", "Did you mean '/meta/svc'?"),
        (MAPPED + "anomaly: {score: /quite/otherwise, score_max: 1}\n", "anomaly.score", "Known: /input/amount, "),
        (MAPPED + "ood: {score: /input/amunt, score_max: 1}\n", "ood.score", "Did you mean '/input/amount'?"),
        (
            MAPPED + "checks: {value: {same_as: /input/amont}}\n",
            "checks.value.same_as",
            "Did you mean '/input/amount'?",
        ),
        (MAPPED + "privacy: {opt_out: /opt_out}\n", "privacy.opt_out", "Did you mean '/meta/optout'?"),
    ],
)
def test_a_place_that_no_record_has_is_named_with_the_nearest(more: str, place: str, near: str, tmp_path: Path) -> None:
    found = unmet(more, tmp_path)
    assert list(found) == [place]
    assert found[place].startswith("no record of the sample has '/")
    assert near in found[place]


@pytest.mark.parametrize(
    "more",
    [
        MAPPED,
        "fields: {features: /input, caller: /meta/svc, version: /nothing, label: header:x, event_id: key}\n",
        "fields: {features: /rows/0}\n",
        'fields: {features: ""}\n',
        MAPPED + "privacy: {opt_out: /gdpr/erased}\nprobes: {golden: /synthetic}\nfeedback: {}\n",
        MAPPED + "anomaly: {score: /input/a~1b~0c, score_max: 1}\n",
        "monitors: {m: {signal: traffic, detect: {kind: level}}}\n",
    ],
)
def test_of_places_that_are_there_or_need_not_be_nothing_is_said(more: str, tmp_path: Path) -> None:
    assert unmet(more, tmp_path) == {}


def test_features_that_nobody_mapped_are_looked_for(tmp_path: Path) -> None:
    assert unmet("", tmp_path)["fields.features"] == (
        "no record of the sample has '/features', where features are by default, so none is watched. "
        "Did you mean 'fields: {features: /input}'?"
    )
    flat = {"model": "m", "time": 1_700_000_000, "amount": 1.0, "country": "NL"}
    assert (
        "members of the event itself (/amount, /country): 'fields: {features: \"\"}'"
        in (unmet("", tmp_path, flat)["fields.features"])
    )
    assert unmet("", tmp_path, {"model": "m", "prediction": {"label": "x"}}) == {}


def test_one_record_that_has_it_is_enough(tmp_path: Path) -> None:
    found = estimated("fields: {caller: /who}\n", tmp_path, [*[{"model": "m"}] * 3000, {"model": "m", "who": "x"}])
    assert said(found, "not-in-sample") == {}


def test_every_section_that_points_into_an_event_is_looked_at() -> None:
    mapped = ", ".join(f"{name}: /x/{name}" for name in FIELDS)
    more = (
        f"fields: {{{mapped}}}\nanomaly: {{score: /x/1, score_max: 1}}\nood: {{score: /x/2, score_max: 1}}\n"
        "checks: {value: {same_as: /x/3}}\nprivacy: {opt_out: /x/4}\nprobes: {golden: /x/5}\n"
        "feedback: {action: /x/6, event_id: /x/7}\nlabels: {event_id: /x/8, label: /x/9}\n"
    )
    found = list(places(configured(more)))
    assert {place.pointer for place in found} == {f"/x/{name}" for name in (*FIELDS, *range(1, 10))}
    assert {place.path[0] for place in found if place.rare} == {"privacy", "probes", "feedback", "labels"}
    own = "feedback: {topic: clicks}\nlabels: {topic: truths}\n"
    assert not [place for place in places(configured(own)) if place.rare], "they are in other topics"


def test_labels_find_their_inference_by_an_id_that_is_there(tmp_path: Path) -> None:
    assert unmet("labels: {}\n", tmp_path)["fields.event_id"].startswith("no record of the sample has '/event_id'.")
    named = {"model": "m", "features": {"a": 1}, "event_id": "e", "label": {"event_id": "e", "value": 1}}
    assert unmet("labels: {}\n", tmp_path, named) == {}


def test_what_is_remembered_is_bounded() -> None:
    members = Members([Place(("fields", "label"), "/x")])
    many = b'{"model": "m", "deep": {"a": {"b": {"c": {"d": 1}}}}, %s}'
    for first in range(0, 3 * PATHS_MAX, 100):
        names = b", ".join(b'"n%d": 1' % i for i in range(first, first + 100))
        members.look([Record(0, -1, None, many % names), Record(1, -1, None, b"[1]"), Record(2, -1, None, b"\xff")])
    assert len(members.kinds) == PATHS_MAX
    assert "/deep/a/b/c" in members.kinds
    assert "/deep/a/b/c/d" not in members.kinds
    assert members.of_kind("object")[0] == "/deep"
