"""Features that appear: named at their first event, once the first events of a group have shown what there is."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.series import new_features
from streamer.series.new_features import NewFeatures
from tests.series.tables import Value, grouped, plain, table_of
from tests.signals.events import batch_of, firing


def test_a_feature_that_appears_is_named_once_and_those_of_the_warm_up_never() -> None:
    text = """monitors: {more: {signal: new_feature.*, detect: {kind: occurrence}, severity: info}}
"""
    healthy = [{"features": {"a": 1.0, **({"seldom": None} if i % 20 == 0 else {})}} for i in range(300)]
    assert firing(text, healthy) == []
    changed = [*healthy[:200], *({"features": {"a": 1.0, "b": None}} for _ in range(100))]
    [alert] = firing(text, changed)
    assert alert["alert"]["labels"]["signal"] == "new_feature.b"
    assert alert["sentence"].startswith("m: events have the feature b, which the reference never saw;")


def told(events: list[dict[str, Any]], size: int, warmup: int = 4, rows: int = 100) -> tuple[list[Value], NewFeatures]:
    """The ones that the rule makes of events, cut in parts."""
    source, table = NewFeatures(warmup, rows), table_of("new_feature.*", ("caller",), rows=rows)
    found: list[Value] = []
    for begin in range(0, len(events), size):
        batch = batch_of(events[begin : begin + size])
        found += plain(table, source.column(batch, grouped(table, batch), table, {}), begin)
        again = NewFeatures(warmup, rows)
        again.load(source.dump())
        assert repr(again.dump()) == repr(source.dump())
        source = again
    return found, source


@pytest.mark.parametrize("size", [1, 3, 100])
def test_each_group_learns_from_its_own_first_events(size: int) -> None:
    events = [{"caller": "a", "features": {"x": 1, **({"y": None} if i == 3 else {})}} for i in range(6)]
    events += [{"caller": "b", "features": {"z": 1}} for _ in range(4)]
    events += [{"caller": "a", "features": {"x": 1, "z": None}}, {"caller": "b", "features": {"z": 1, "y": "text"}}]
    found, source = told(events, size)
    assert [(group, member, event) for group, member, event, _ in found] == [
        (("m", "a"), "features.z", 10),
        (("m", "b"), "features.y", 11),
    ]
    assert {value for *_, value in found} == {1.0}
    assert dict(source.seen) == {("m", "a"): 4, ("m", "b"): 4}


def test_a_single_feature_may_be_watched() -> None:
    source, table = NewFeatures(1, 10), table_of("new_feature.y")
    batch = batch_of([{"features": {"x": 1}}, {"features": {"y": 1, "z": 2}}])
    found = plain(table, source.column(batch, grouped(table, batch), table, {}))
    assert found == [(("m",), "features.y", 1, 1.0)]


def test_where_names_are_data_none_of_them_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_features, "NAMES_MAX", 10)
    events = [{"caller": "a", "features": {f"id{3 * i + k}": 1 for k in range(3)}} for i in range(8)]
    found, source = told(events, 3)
    assert found == []
    assert len(source.names["m", "a"] or ()) == 10


def test_a_full_table_counts_what_it_has_no_row_for() -> None:
    source, table = NewFeatures(1, 10), table_of("new_feature.*", rows=1)
    batch = batch_of([{"features": {"a": 1}}, {"features": {"b": 1, "c": 1}}, {"features": {"b": 1, "c": 1}}])
    assert len(plain(table, source.column(batch, grouped(table, batch), table, {}))) == 2
    assert table.dropped == 2


TOO_MANY = [["m"], 4, ["x"] * (new_features.NAMES_MAX + 1)]


@pytest.mark.parametrize("state", [[[["m"], 5, []]], [[["m"], -1, []]], [TOO_MANY]])
def test_a_state_that_no_dump_made_is_refused(state: Any) -> None:
    with pytest.raises(ValueError, match="features"):
        NewFeatures(4, 10).load({"groups": state, "places": {}})
