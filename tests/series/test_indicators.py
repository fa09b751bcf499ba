"""0/1 values of members: a late text was 0 before, and those beyond the bound are one member."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from streamer.series import indicators
from streamer.signals import kinds
from streamer.signals.kinds import KINDS, LABELS_MAX, LABELS_MAX_BEFORE
from tests.series.tables import grouped, in_parts, table_of
from tests.signals.events import HEAD, batch_of, firing

ENGINES = [PYTHON, *([COMPILED] if COMPILED is not None else [])]
WARMUP = 5
OTHER = "other"
"""A class like any other."""


def values_of(events: list[dict[str, Any]], size: int, engine: Engine) -> dict[tuple[str, str], list[float]]:
    """All values that each label of each caller was given, in their order."""
    table = table_of("label.*", ("caller",), warmup=WARMUP, engine=engine)
    found: dict[tuple[str, str], list[float]] = {}
    for begin in range(0, len(events), size):
        batch = batch_of(events[begin : begin + size], begin=begin)
        column = table.column(batch, grouped(table, batch))
        assert not column.values[: column.past].any()
        table.remember(batch, column, table.judge(batch, column))
        for row, value in zip(column.rows.tolist(), column.values.tolist(), strict=True):
            (_, caller), label = table.keys[row]
            found.setdefault((caller, label), []).append(value)
    return found


def plainly(events: list[dict[str, Any]], most: int) -> dict[tuple[str, str], list[float]]:
    """The same by its definition: what of a group's events each label is, those before it as far as they count."""
    found: dict[tuple[str, str], list[float]] = {}
    further = f"other (labels beyond the first {most})"
    for caller in "xy":
        own: list[str] = []
        said: list[str] = []
        for event in events:
            label = event.get("prediction", {}).get("label")
            if label is None or event["caller"] != caller:
                continue
            if label not in own and len(own) - (further in own) >= most:
                label = further
            if label not in own:
                own.append(label)
                found[caller, label] = [0.0] * min(len(said), WARMUP + 3)
            said.append(label)
            for known in own:
                found[caller, known].append(float(known == label))
    return found


LABELS = st.none() | st.sampled_from([*"abcde", OTHER])
EVENTS = st.lists(st.tuples(st.sampled_from("xy"), LABELS), max_size=40)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@settings(max_examples=60)
@given(told=EVENTS, size=st.integers(1, 11))
def test_a_label_was_zero_before_it_came_wherever_the_log_is_cut(
    engine: Engine, told: list[tuple[str, str | None]], size: int
) -> None:
    events = [{"caller": c, **({"prediction": {"label": text}} if text else {})} for c, text in told]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indicators, "PAST_MAX", 3)
        patch.setitem(kinds.KINDS, "label", KINDS["label"]._replace(members_max=3))
        assert values_of(events, size, engine) == plainly(events, 3)


SHARE = "monitors: {share: {signal: label.*, detect: {kind: adwin}}}\n"


def labels(shares: dict[str, float], n: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    names = rng.choices(list(shares), list(shares.values()), k=n)
    return [{"prediction": {"label": name}} for name in names]


OLDER = f"other (labels beyond the first {LABELS_MAX_BEFORE})"
FURTHER = f"other (labels beyond the first {LABELS_MAX})"
EVEN = {f"l{i}": 1.0 for i in range(LABELS_MAX + 8)}


def fired(events: list[dict[str, Any]], text: str = SHARE) -> set[str]:
    return {alert["alert"]["labels"]["signal"] for alert in firing(text, events)}


@pytest.mark.parametrize("seed", range(3))
def test_a_label_beyond_the_bound_is_watched_with_the_others(seed: int) -> None:
    last = labels(EVEN, 40, 99)[0]["prediction"]["label"]
    first = [{"prediction": {"label": name}} for name in EVEN]  # So that the last one has no place of its own.
    assert last in EVEN
    healthy = first + labels(EVEN, 3000, seed)
    assert fired(healthy) == set()
    more = labels(EVEN | {f"l{LABELS_MAX + 7}": 0.43 * len(EVEN)}, 800, seed + 10)
    assert f"label.{FURTHER}" in fired(healthy[:1500] + more)


def test_new_labels_beyond_the_bound_are_an_alert_in_words_and_a_class_called_other_is_not_meant() -> None:
    known = [*(f"l{i}" for i in range(LABELS_MAX - 1)), OTHER]
    healthy = [{"prediction": {"label": known[i % LABELS_MAX]}} for i in range(3000)]
    assert firing(SHARE, healthy) == []
    late = [{"prediction": {"label": f"new{i % 9}" if i % 3 else known[i % LABELS_MAX]}} for i in range(300)]
    [alert] = [a for a in firing(SHARE, healthy + late) if a["alert"]["labels"]["signal"] == f"label.{FURTHER}"]
    assert f"share of label {FURTHER} went from 0.0% to" in alert["sentence"]


def test_what_an_older_snapshot_called_other_goes_on_under_its_new_name() -> None:
    events = labels(EVEN, 400, 1)
    table = table_of("label.*", warmup=WARMUP)
    in_parts(table, events, 100)
    state = table.dump()
    older = {**state, "keys": [[g, "other" if m == FURTHER else m] for g, m in state["keys"]]}
    older["beyond"] = older.pop("further")
    again = table_of("label.*", warmup=WARMUP)
    again.load(older)
    assert again.keys == table.keys
    assert list(again.beyond) == list(table.beyond)


def test_a_group_that_was_full_in_an_older_snapshot_stays_as_it_is() -> None:
    """What was among the others there is no new label, and would be told as one."""
    table = table_of("label.*", warmup=WARMUP)
    known = [*(f"l{i}" for i in range(LABELS_MAX_BEFORE)), OLDER]
    in_parts(table, [{"prediction": {"label": name}} for name in known[:-1]], 100)
    state = table.dump()
    assert table.row(("m",), OLDER) == LABELS_MAX_BEFORE
    table.resize()
    state = table.dump()
    again = table_of("label.*", warmup=WARMUP)
    again.load(state)
    in_parts(again, labels(EVEN, 400, 1), 100)
    assert [member for _, member in again.keys] == known
    assert "l40" in again.beyond["m",]


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_a_new_class_is_found_by_its_name(share: float) -> None:
    healthy = labels({"a": 0.7, "b": 0.3}, 4000, 1)
    late = labels({"a": 0.7, "b": 0.3, "new": share / (1 - share)}, int(60 / share), 2)
    assert fired(healthy) == set()
    assert "label.new" in fired(healthy + late)


def test_what_was_before_is_in_no_window_that_is_open() -> None:
    """A window tells of its own events alone; what it is compared with had none of the new label."""
    healthy = labels({"a": 1.0}, 250, 1)
    text = (
        "monitors: {share: {signal: label.*, window: {events: 100}, detect: {kind: share, change: 1, chance: 0.01}}}\n"
    )
    late = [{"prediction": {"label": "new" if i % 10 == 0 else "a"}} for i in range(210)]
    [alert] = firing(text, healthy + late)
    assert alert["alert"]["labels"]["signal"] == "label.new"
    assert alert["evidence"]["window"]["n"] == 100
    assert alert["evidence"]["window"]["count"] == 10
    assert alert["evidence"]["before"]["mean"] == 0.0


def test_a_late_label_hangs_on_all_that_its_group_had() -> None:
    task = Task(load_text(HEAD + SHARE, "x", {}), ("inferences", 0), 0)
    task.step(batch_of([*labels({"a": 1.0}, 300, 1), *labels({"new": 1.0}, 50, 1)]))
    [table] = task.tables.values()
    assert [table.first_offset(row) for row in (0, 1)] == [0, 0]
    assert table.learned(1).n == 100
    again = Task.load(task.config, ("inferences", 0), task.dump())
    assert again.dump() == task.dump()
