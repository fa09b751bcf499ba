"""Series tables: rows by key in the order of the log, their bound, and what a snapshot keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.series.row_cache import BEYOND, FULL
from streamer.signals.checks import Check
from streamer.signals.kinds import FAMILY_MAX, LABELS_MAX
from tests.series.tables import Value, grouped, in_parts, plain, table_of
from tests.signals.events import batch_of

ENGINES = [PYTHON, *([COMPILED] if COMPILED is not None else [])]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)

FEATURES = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 3))
EVENTS = st.lists(st.fixed_dictionaries({"caller": st.sampled_from("xy"), "features": FEATURES}), max_size=25)


@engines
@settings(max_examples=40)
@given(events=EVENTS, size=st.integers(1, 9))
def test_numbers_have_a_row_per_group_and_name(engine: Engine, events: list[dict[str, Any]], size: int) -> None:
    expected: list[Value] = []
    for number, event in enumerate(events):
        own = sorted((name, value) for name, value in event["features"].items() if value is not None)
        expected += [(("m", event["caller"]), f"features.{name}", number, float(value)) for name, value in own]
    table = table_of("features.*", ("caller",), engine=engine)
    assert in_parts(table, events, size) == expected
    assert table.keys == list(dict.fromkeys((group, member) for group, member, _, _ in by_log(events)))
    assert table.reference.rows == table.history.rows == len(table.keys)


def by_log(events: list[dict[str, Any]]) -> list[Value]:
    """In the order in which the log shows the values, also within an event."""
    return [
        (("m", event["caller"]), f"features.{name}", number, float(value))
        for number, event in enumerate(events)
        for name, value in event["features"].items()
        if value is not None
    ]


@settings(max_examples=40)
@given(EVENTS, st.integers(1, 9))
def test_every_event_says_of_every_feature_its_group_knows_whether_it_is_missing(
    events: list[dict[str, Any]], size: int
) -> None:
    known: dict[str, dict[str, None]] = {"x": {}, "y": {}}
    expected: list[Value] = []
    for number, event in enumerate(events):
        names = known[event["caller"]]
        names.update(dict.fromkeys(event["features"]))
        for name in sorted(names):
            missing = event["features"].get(name) is None
            expected.append((("m", event["caller"]), f"features.{name}", number, float(missing)))
    assert in_parts(table_of("missing.*", ("caller",)), events, size) == expected


def test_one_missing_feature_is_watched_from_the_first_event_of_its_group_on() -> None:
    events: list[dict[str, Any]] = [{"features": {"b": 1}}, {"features": {"a": None}}, {"features": {"a": 3}}]
    found = in_parts(table_of("missing.a"), events, 2)
    assert [(event, value) for _, _, event, value in found] == [(0, 1.0), (1, 1.0), (2, 0.0)]


@engines
def test_a_full_table_makes_no_more_rows_and_counts_what_it_drops(engine: Engine) -> None:
    table = table_of("features.*", ("caller",), rows=3, engine=engine)
    events = [{"caller": f"c{i % 5}", "features": {"a": 1.0}} for i in range(20)]
    assert len(in_parts(table, events, 7)) == 12
    assert (len(table.keys), table.dropped) == (3, 8)
    assert set(table.members) == {("m", f"c{i}") for i in range(3)}, "names it has no row for must not pile up"
    assert [table.row(("m", "c9"), "features.a"), table.row(("m", "c0"), "features.a")] == [FULL, 0]


@engines
@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("signal", ["score.*", "score.c*", "logit.*"])
def test_a_group_has_so_many_scores_and_no_more(engine: Engine, signal: str, size: int) -> None:
    """Those without a row are named, and not counted as values that the table had no room for."""
    table = table_of(signal, ("caller",), engine=engine)
    logits = [float(i) for i in range(FAMILY_MAX + 3)]
    prediction = {"scores": {f"c{i}": n for i, n in enumerate(logits)}, "logits": logits}
    events = [{"caller": "xy"[i % 2], "features": {"a": 1.0}, "prediction": prediction} for i in range(20)]
    found = in_parts(table, events, size)
    base, name = ("scores", "c") if signal.startswith("score") else ("logits", "")
    first = [f"prediction.{base}.{name}{i}" for i in range(FAMILY_MAX)]
    assert sorted({member for _, member, _, _ in found}) == sorted(first)
    assert (len(found), table.dropped) == (20 * FAMILY_MAX, 0)
    further = [f"prediction.{base}.{name}{i}" for i in range(FAMILY_MAX, FAMILY_MAX + 3)]
    assert {key: list(names) for key, names in table.beyond.items()} == {("m", caller): further for caller in "xy"}
    assert table.row(("m", "x"), further[0]) == BEYOND
    again = table_of(signal, ("caller",), engine=engine)
    again.load(table.dump())
    assert in_parts(again, events[:2], size) == found[: 2 * FAMILY_MAX]


def test_a_group_has_so_many_labels_and_no_more() -> None:
    table = table_of("label.*", ("caller",), rows=1000)
    events = [{"caller": "xy"[i % 2], "prediction": {"label": f"l{i // 2}"}} for i in range(2 * LABELS_MAX + 10)]
    in_parts(table, events, 11)
    own = [*(f"l{i}" for i in range(LABELS_MAX)), f"other (labels beyond the first {LABELS_MAX})"]
    assert {key: [table.keys[row][1] for row in rows] for key, rows in table.members.items()} == {
        ("m", "x"): own,
        ("m", "y"): own,
    }
    assert table.dropped == 0
    assert {key: list(names) for key, names in table.beyond.items()} == {
        ("m", caller): [f"l{i}" for i in range(LABELS_MAX, LABELS_MAX + 5)] for caller in "xy"
    }


def test_only_the_events_of_its_model_are_its_own() -> None:
    table = table_of("features.a", model="other")
    batch = batch_of([{"features": {"a": 1}}, {"model": "other", "features": {"a": 2}}, {"features": {"a": 3}}])
    assert plain(table, table.column(batch, grouped(table, batch))) == [(("other",), "features.a", 1, 2.0)]
    nobody = batch_of([{"features": {"a": 1}}])
    assert plain(table, table.column(nobody, grouped(table, nobody))) == []


def test_categories_are_numbers_and_unseen_ones_are_ones() -> None:
    events = [{"features": {"c": text}} for text in "ababa" + "cba"]
    batch = batch_of(events)
    for signal, expected in (("category.c", [0, 1, 0, 1, 0, 63, 1, 0]), ("unseen.c", [0, 0, 0, 0, 0, 1, 0, 0])):
        table = table_of(signal, warmup=5)
        column = table.column(batch, grouped(table, batch))
        assert column.values.tolist() == expected


@engines
@pytest.mark.parametrize("signal", ["features.*", "missing.*", "category.*", "label.*"])
def test_a_snapshot_is_taken_up_where_it_was_made(engine: Engine, signal: str) -> None:
    def step(table: Any, begin: int) -> list[Value]:
        events = [
            {"features": {"a": float(i * 7 % 11), "c": "xyz"[i % 3]}, "prediction": {"label": "yn"[i % 2]}}
            for i in range(begin, begin + 20)
        ]
        batch = batch_of(events)
        column = table.column(batch, grouped(table, batch))
        judged = table.judge(batch, column)
        table.remember(batch, column, judged)
        return plain(table, column)

    table, again = (table_of(signal, warmup=12, engine=engine) for _ in range(2))
    step(table, 0)
    again.load(table.dump())
    assert [again.keys, again.members, again.index] == [table.keys, table.members, table.index]
    assert step(again, 20) == step(table, 20)
    assert repr(again.dump()) == repr(table.dump())
    smaller = table_of(signal, warmup=12, rows=1, engine=engine)
    smaller.load(table.dump())
    assert smaller.keys == table.keys, "old rows stay, only new ones are refused"
    assert smaller.row(("m",), "new") == -1
    with pytest.raises(ValueError, match="differ in length|do not fit|state array|rows|length"):
        table_of(signal, warmup=12, engine=engine).load({**table.dump(), "keys": [*table.keys, [["m"], "new"]]})


def test_tables_that_mean_the_same_have_one_identity_and_others_have_another() -> None:
    strict = {"features.a": Check("number", None, None, None, None, False)}
    tables = [
        table_of("features.*"),
        table_of("features.*", ("version",)),
        table_of("features.*", model="m"),
        table_of("features.*", warmup=6),
        table_of("features.*", given="0123"),
        table_of("features.a"),
        table_of("invalid.a"),
        table_of("invalid.a", checks=strict),
    ]
    assert len({table.identity for table in tables}) == len(tables)
    assert table_of("features.*", checks=strict).identity == tables[0].identity, "checks are nothing to a number"
    assert (tables[1].name, tables[2].name) == ("number features.* by version", "number features.* of m")


def test_where_the_log_must_be_read_from() -> None:
    numbers, rule = table_of("features.*"), table_of("anomaly")
    rule.origin = numbers
    batch = batch_of([{"features": {"a": float(i)}} for i in range(3)] + [{"features": {"b": 1.0}}])
    column = numbers.column(batch, grouped(numbers, batch))
    numbers.judge(batch, column)
    assert [numbers.first_offset(row) for row in (0, 1)] == [0, 3]
    rule.row(("m",), "anomaly")
    rule.resize()
    assert rule.first_offset(0) == 0, "it is judged by both"
    numbers.begin(batch, np.array([2, 3]))
    numbers.begin(batch, np.array([0]))
    assert (numbers.since, numbers.first_offset(1)) == (2, 2), "what a rule remembers began there"
    numbers.pinned, numbers.began, numbers.since = {1: {}}, {1: 77}, None
    assert (numbers.first_offset(0), numbers.first_offset(1)) == (0, 77)
