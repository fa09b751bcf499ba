"""Derived numbers: each against its definition, and as columns of a batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.signals.derived import enriched, entropy, margin, ratio
from tests.later import Later
from tests.signals.events import batch_of, firing

stats = Later("scipy.stats")

scores = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1), max_size=4)


@settings(max_examples=60)
@given(st.lists(scores, max_size=8))
def test_entropy_and_margin(many: list[dict[str, float]]) -> None:
    batch = batch_of([{"prediction": {"scores": one}} for one in many])
    events, bits = entropy(batch)
    wanted = {i: stats.entropy(list(one.values()), base=2) for i, one in enumerate(many) if sum(one.values()) > 0}
    assert events.tolist() == list(wanted)
    np.testing.assert_allclose(bits, list(wanted.values()), atol=1e-9)
    events, apart = margin(batch)
    pairs = {i: sorted(one.values())[-2:] for i, one in enumerate(many) if len(one) > 1}
    assert events.tolist() == list(pairs)
    assert apart.tolist() == [high - low for low, high in pairs.values()]


def test_a_margin_that_overflows_is_none() -> None:
    """Found by review: one such event stopped its partition for good."""
    kinds = "sure: {signal: margin, detect: {kind: adwin}}, raw: {signal: margin, detect: {kind: adwin, raw: true}}"
    events = [{"prediction": {"scores": {"a": 1e308, "b": low}}} for low in (-1e308, -1.0, 1e307)]
    assert margin(batch_of(events))[0].tolist() == [1, 2]
    assert firing(f"monitors: {{{kinds}}}\n", events) == []


def test_a_ratio_needs_both_numbers_and_a_finite_quotient() -> None:
    features = [{"a": 6, "b": 3}, {"a": 1}, {"a": 1, "b": 0}, {"b": 2}, {"a": 0, "b": 2}, {"a": "x", "b": 1}]
    batch = batch_of([{"features": one} for one in features])
    events, values = ratio("features.a", "features.b")(batch)
    assert (events.tolist(), values.tolist()) == ([0, 4], [2.0, 0.0])
    more = enriched(batch, {"r": ratio("features.a", "features.b")})
    assert more.names == (*batch.names, "r")
    assert (np.diff(more.numbers.event) >= 0).all()
    mine = more.numbers.name == more.names.index("r")
    assert more.numbers.value[mine].tolist() == [2.0, 0.0]
    assert len(more.numbers.event) == len(batch.numbers.event) + 2
