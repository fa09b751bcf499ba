"""What the decoder must find: each pointer that a config names, once, and the fields where the config has them."""

from __future__ import annotations

import pytest

from schemas.events.fields import FIELDS
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from tests.config.samples import LEAST

EVERY = """
anomaly: {score: /own/anomaly, score_max: 3}
ood: {score: /own/ood, score_max: 3}
checks: {features.a: {same_as: /again/a}, confidence: {min: 0}}
feedback: {action: /did, event_id: /about}
privacy: {opt_out: /out}
probes: {golden: /golden}
monitors:
  pointer: {signal: /x, detect: {kind: adwin}}
  twice: {signal: /x, by: [version], detect: {kind: page_hinkley}}
  aggregate: {signal: p95(/y), detect: {kind: level}}
  ratio: {signal: "mean(ratio(/z, value))", detect: {kind: level}}
  none: {signal: features.*, detect: {kind: adwin}}
"""


def pointers(text: str) -> list[str]:
    return [selector.text for selector in fields_of(load_text(LEAST + text, "x", {})).extra]


def test_every_pointer_that_anything_names_is_found_once() -> None:
    roles = ["/did", "/about", "/out", "/golden"]
    found = pointers(EVERY)
    assert sorted(found) == sorted(["/x", "/y", "/z", "/own/anomaly", "/own/ood", "/again/a", *roles])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("feedback: {}\n", ["/feedback/action", "/feedback/event_id"]),
        ("privacy: {opt_out: /p}\nprobes: {golden: /p}\n", ["/p"]),
        ("probes: {golden: /x}\nmonitors: {m: {signal: /x, detect: {kind: adwin}}}\n", ["/x"]),
    ],
)
def test_what_nobody_names_is_not_decoded_and_what_two_name_once(text: str, found: list[str]) -> None:
    assert pointers(text) == found


def test_fields_are_where_the_config_has_them() -> None:
    plain = fields_of(load_text(LEAST, "x", {}))
    assert plain.plain
    assert plain.texts == tuple(field.pointer for field in FIELDS.values())
    moved = fields_of(
        load_text(LEAST + "fields: {model: topic, caller: /who}\nlimits: {message_bytes: 2KiB}\n", "x", {})
    )
    assert not moved.plain
    assert dict(zip(FIELDS, moved.texts, strict=True))["caller"] == "/who"
    assert (moved.message_bytes, plain.message_bytes) == (2048, 1 << 20)
