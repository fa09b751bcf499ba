"""Features that appear: named at their first event, once the first events of a group have shown what there is."""

from __future__ import annotations

from tests.signals.events import firing


def test_a_feature_that_appears_is_named_once_and_those_of_the_warm_up_never() -> None:
    text = """monitors: {more: {signal: new_feature.*, detect: {kind: occurrence}, severity: info}}
"""
    healthy = [{"features": {"a": 1.0, **({"seldom": None} if i % 20 == 0 else {})}} for i in range(300)]
    assert firing(text, healthy) == []
    changed = [*healthy[:200], *({"features": {"a": 1.0, "b": None}} for _ in range(100))]
    [alert] = firing(text, changed)
    assert alert["alert"]["labels"]["signal"] == "new_feature.b"
    assert alert["sentence"].startswith("m: events have the feature b, which the reference never saw;")
