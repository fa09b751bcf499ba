"""Events for property tests: LOOSE ones that may be anything near an event, GOOD ones, and NESTED features."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = st.text(max_size=4)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES
)
ANY = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
LOOSE = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["a", "b", "", None, 3]),
        "model_version": LEAVES,
        "time": st.sampled_from([1700000000, 1e12, "2023-11-14T22:13:20Z", "x", -1, None]),
        "event_id": LEAVES,
        "features": st.dictionaries(NAMES, LEAVES, max_size=4) | ANY,
        "prediction": st.fixed_dictionaries(
            {},
            optional={
                "label": LEAVES,
                "value": LEAVES,
                "confidence": LEAVES,
                "scores": st.dictionaries(NAMES, LEAVES, max_size=3),
                "logits": st.lists(LEAVES, max_size=3),
            },
        )
        | ANY,
        "latency_ms": LEAVES,
        "status": LEAVES,
        "caller": LEAVES,
        "segment": st.dictionaries(NAMES, LEAVES, max_size=3) | ANY,
        "other": ANY,
    },
)
GOOD = st.fixed_dictionaries(
    {"model": st.sampled_from("ab")},
    optional={
        "model_version": st.sampled_from(["1", 2, 3.5]),
        "features": st.dictionaries(NAMES, LEAVES, max_size=4),
        "prediction": st.fixed_dictionaries({}, optional={"scores": st.dictionaries(NAMES, st.floats(0, 1))}),
        "segment": st.dictionaries(NAMES, NAMES, max_size=2),
    },
)
SHORT = st.sampled_from(["a", "b", "a.b", "0", "a.0", ""])
"""Names that meet: a member of an object has the name of another feature."""
WITHIN = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.just("t"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=12,
)
NESTED = st.fixed_dictionaries(
    {"model": st.just("m"), "features": st.dictionaries(SHORT, WITHIN, max_size=4) | st.lists(WITHIN, max_size=4)},
    optional={"out": WITHIN, "in": WITHIN, "tags": WITHIN},
)
