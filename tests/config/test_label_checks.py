"""What is about labels needs the section that has them."""

from __future__ import annotations

from streamer.config.label_checks import labels_are_asked_for
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
