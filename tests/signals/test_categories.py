"""Texts as numbers: what the warm-up has shown has a number of its own, all else shares one."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.signals import categories as module
from streamer.signals.categories import (
    CODES,
    FEW,
    NAMES_MAX,
    SHARE_OTHER,
    SHARE_UNSEEN,
    UNSEEN,
    Categories,
    Known,
    texts_under,
)
from streamer.signals.columns import group, groups_of
from streamer.signals.grammar import parse_signal
from tests.signals.events import batch_of, firing


def made(warmup: int, rows: int = 2, share: float = SHARE_OTHER) -> Categories:
    categories = Categories(warmup, share)
    categories.resize(rows)
    return categories


def plainly(events: list[tuple[int, int]], warmup: int) -> list[float]:
    """The numbers by their definition, one event after the other; behind the warm-up -1 where nothing is said."""
    warm: list[list[int]] = [[], []]
    numbers = []
    for row, text in events:
        had = warm[row]
        order = list(dict.fromkeys([*had, text] if len(had) < warmup else had))
        if len(had) < warmup:
            numbers.append(float(min(order.index(text), CODES)))
            had.append(text)
            continue
        counts = Counter(had)
        once, quarter = [t for t in order if counts[t] == 1], had[warmup - warmup // 4 :]
        late = len({t for t in quarter if t not in had[: warmup - warmup // 4]})
        if (len(once) > max(FEW, SHARE_OTHER * warmup) or late > max(FEW, SHARE_OTHER * warmup / 4)) or (
            late > max(2, warmup // 200) and late > len(once)
        ):
            numbers.append(-1.0)
        elif text not in order:
            numbers.append(float(UNSEEN))
        else:
            chance = len(once) > max(FEW, SHARE_UNSEEN * warmup)
            several = [t for t in order if counts[t] > 1 or not chance][:CODES]
            numbers.append(float(several.index(text) if text in several else CODES))
    return numbers


AT = 1_000
"""Of the first value; in this hour nothing may be of a day."""
TEXTS = tuple(f"t{i}" for i in range(200))
TOLD = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 79) | st.integers(0, 3)), max_size=160)
MANY = [(0, text) for text in range(80)] * 3


@given(TOLD, st.integers(1, 100), st.integers(1, 40))
@example([*MANY, (0, 100)], 160, 30)  # More texts than are numbered.
@example([(0, text) for text in range(150)], 100, 7)  # Ids.
@example([(0, text // 10) for text in range(200)], 100, 7)  # Sessions.
@example([(0, text % 4) for text in range(95)] + [(0, text) for text in range(90, 110)], 100, 7)
def test_numbers_are_by_first_appearance_in_the_warm_up_however_the_log_is_cut(
    events: list[tuple[int, int]], warmup: int, size: int
) -> None:
    categories = made(warmup)
    found: list[float] = []
    for begin in range(0, len(events), size):
        part = events[begin : begin + size]
        rows, texts = (np.array([event[k] for event in part], np.int64) for k in (0, 1))
        numbers, said = categories.encode(rows, texts, TEXTS, AT + np.arange(begin, begin + len(part)))
        assert (said == (numbers >= 0)).all()
        found += numbers.tolist()
        again = made(warmup, 0)
        again.load(categories.dump(), 2)
        assert (repr(again.dump()), again.names(1)) == (repr(categories.dump()), categories.names(1))
        categories = again
    assert found == plainly(events, warmup)


def test_names_by_number_and_the_last_for_all_others() -> None:
    categories = made(5, 1)
    categories.encode(np.zeros(5, np.int64), np.array([9, 7, 3, 7, 3]), TEXTS, AT + np.arange(5))
    assert categories.names(0) == ["t9", "t7", "t3", *[""] * (CODES - 3), "other"]
    assert categories.settled(0, np.array([0.0, 1, 2, 1, 2])).tolist() == [0, 1, 2, 1, 2]


def test_of_many_that_came_once_none_has_a_share_to_compare_with() -> None:
    categories = made(100, 1)
    texts = np.array([*range(8), *[100, 101] * 46])
    sample = categories.encode(np.zeros(100, np.int64), texts, TEXTS, AT + np.arange(100))[0]
    assert categories.names(0) == ["t100", "t101", *[""] * (CODES - 2), "other"]
    assert categories.settled(0, sample).tolist() == [*[CODES] * 8, *[0, 1] * 46]


def drawn(kind: str, rng: random.Random, n: int) -> list[str]:
    """Texts of a healthy stream that goes on like this."""
    name, _, size = kind.partition(" ")
    many = int(size or 1)
    weights = [1.0 / (k + 1) if name == "zipf" else 1.0 for k in range(many)]
    if name == "id":
        return [f"u{rng.getrandbits(60)}" for _ in range(n)]
    if name == "session":
        return [f"s{i // many}" for i in range(n)]
    return [f"c{k}" for k in rng.choices(range(many), weights, k=n)]


@pytest.mark.parametrize(
    ("kind", "watched"),
    [
        *((kind, (True, True)) for kind in ("even 2", "even 20", "even 60", "zipf 10", "zipf 50")),
        *((kind, (True, False)) for kind in ("even 150", "zipf 100")),
        *((kind, (False, False)) for kind in ("id", "session 2", "session 10", "even 500", "even 5000", "zipf 500")),
    ],
)
def test_what_brings_new_texts_all_the_time_is_no_category(kind: str, watched: tuple[bool, bool]) -> None:
    """Whether the histogram of it is watched, and whether what is unseen is."""
    for seed in range(5):
        known = Known()
        for text in drawn(kind, random.Random(seed), 500):
            known.learn(text, 500)
        assert (known.is_category(SHARE_OTHER), known.is_category(SHARE_UNSEEN)) == watched, seed
        if not watched[0]:
            assert known.names == {}, "nothing of free texts is worth a place"


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NAMES_MAX", 4)
    known = Known()
    for i in range(40):
        known.learn(f"c{i % 5}", 40)
        assert len(known.names) <= 4
    assert not known.is_category(SHARE_OTHER)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ([[]], "do not fit"),
        ([["a"], ["b", "b"]], "invalid"),
        ([["a"], [str(i) for i in range(NAMES_MAX + 1)]], "invalid"),
        ([[], [["a"], np.array([1, 2]), 3, 0, 0, False, 0]], "counts"),
        ([[], [["a"], np.array([2]), 1, 0, 0, False, 0]], "counts"),
    ],
)
def test_a_state_that_no_dump_made_is_refused(state: Any, why: str) -> None:
    categories = made(5, 0)
    with pytest.raises(ValueError, match=why):
        categories.load(state, 2)
    assert categories.dump() == []


def test_a_snapshot_of_before_has_the_first_names_alone() -> None:
    categories = made(5, 0)
    categories.load([["a", "b"], [str(i) for i in range(CODES)], []], 3)
    rows, texts = np.array([0, 0, 1, 2]), np.array([0, 1, 0, 0])
    assert categories.encode(rows, texts, ("b", "new"), AT + np.arange(4))[0].tolist() == [1.0, UNSEEN, -1.0, 0.0]


def test_texts_under_a_signal_are_those_of_used_events() -> None:
    batch = batch_of([{"features": {"a": "x", "b": "y", "n": 1}}, {"features": {"a": "z"}, "caller": "x"}, {}])
    groups = groups_of(batch, np.array([True, True, False]), (), {}, group)

    def told(text: str) -> list[tuple[int, int, str]]:
        events, names, texts = (array.tolist() for array in texts_under(batch, groups, parse_signal(text)))
        return [(event, name, batch.strings[code]) for event, name, code in zip(events, names, texts, strict=True)]

    a, b = batch.names.index("features.a"), batch.names.index("features.b")
    assert told("category.*") == [(0, a, "x"), (0, b, "y"), (1, a, "z")]
    assert told("category.b") == [(0, 0, "y")]
    assert told("new_caller") == [(1, 0, "x")]
    assert told("category.none") == []


def test_a_new_label_version_or_caller_is_named_at_its_first_event() -> None:
    text = """monitors:
  caller: {signal: new_caller, detect: {kind: occurrence}}
  label: {signal: new_label, detect: {kind: occurrence}}
  version: {signal: new_version, detect: {kind: occurrence}}
"""
    healthy = [{"model_version": "1", "caller": "app", "prediction": {"label": "ab"[i % 2]}} for i in range(400)]
    assert firing(text, healthy) == []
    changed = [*healthy[:300], {"model_version": "2", "caller": "x", "prediction": {"label": "c"}}, *healthy[301:]]
    assert [(a["alert"]["labels"]["signal"], a["trigger"]["offset"]) for a in firing(text, changed)] == [
        ("new_caller", 300),
        ("new_label", 300),
        ("new_version", 300),
    ]


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_a_label_that_never_was_is_told_by_its_first_few(share: float) -> None:
    text = "monitors:\n  rare: {signal: label.*, detect: {kind: scan}}\n"
    delays = []
    for seed in range(5):
        draw = random.Random(seed)
        labels = ["no" if draw.random() < 0.9 else "yes" for _ in range(7_000)]
        late = [*labels[:6_000], *("new" if draw.random() < share else label for label in labels[6_000:])]
        assert firing(text, [{"prediction": {"label": label}} for label in labels]) == []
        told = firing(text, [{"prediction": {"label": label}} for label in late])
        assert [one["alert"]["labels"]["signal"] for one in told] == ["label.new"]
        delays.append(told[0]["trigger"]["offset"] - 6_000)
    assert sorted(delays)[2] < 6.0 / share, "in the median by the sixth"
    assert max(delays) < 15.0 / share
