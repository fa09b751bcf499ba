from __future__ import annotations

from streamer.config.label_checks import inferences_are_no_labels, labels_are_asked_for
from streamer.config.load import check
from tests.config.samples import LEAST


def test_what_is_about_labels_needs_them() -> None:
    text = (
        "monitors: {m: {signal: realised_error, detect: {kind: adwin}}, t: {signal: truth.a, detect: {kind: adwin}}}\n"
    )
    assert [one.path for one in check((LEAST + text).encode(), "x", {})[1]] == [
        "monitors.m.signal",
        "monitors.t.signal",
    ]
    assert check((LEAST + "labels: {}\n" + text).encode(), "x", {})[1] == []
    assert list(labels_are_asked_for({"monitors": {"m": {"signal": "value"}}})) == []


def test_labels_are_told_from_inferences() -> None:
    same = "fields: {event_id: /label/event_id}\nlabels: {event_id: /label/event_id}\n"
    assert [one.path for one in check((LEAST + same).encode(), "x", {})[1]] == ["labels.event_id"]
    assert list(inferences_are_no_labels({"labels": {"event_id": "/event_id"}})) != []
    assert list(inferences_are_no_labels({"labels": {}})) == list(inferences_are_no_labels({})) == []
