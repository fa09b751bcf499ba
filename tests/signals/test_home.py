"""What a value means whatever its type, and a batch with its values where they belong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Batch
from streamer.signals.home import Home, at_home, meaning
from tests.signals.events import batch_of


@pytest.mark.parametrize(
    ("text", "bits", "value"),
    [
        ("3.5", False, 3.5),
        ("-0", False, 0.0),
        ("1e3", False, 1000.0),
        ("1e999", False, None),
        ("NaN", False, None),
        ("007", False, None),
        (" 1", False, None),
        ("true", False, None),
        ("true", True, 1.0),
        ("FALSE", True, 0.0),
        ("yes", True, None),
    ],
)
def test_a_text_means_a_number_only_where_it_is_one(text: str, bits: bool, value: float | None) -> None:
    assert meaning(text, bits) == value


@pytest.mark.parametrize(
    ("texts", "bits", "given", "wanted"),
    [
        (None, False, ["2.5", "x", "true"], [2.5, None, None]),
        (None, True, ["true", "False", "1"], [1.0, 0.0, 1.0]),
        (["1", "2"], False, [1.0, 3.0, "1.0", "9.0", "1"], ["1", "3", "1", None, None]),
        (["1.0", "2.50"], False, [1.0, 2.5, "2.5"], ["1.0", "2.50", "2.50"]),
        (["true", "false"], True, [1.0, 0.0, 7.0, "0", "True"], ["true", "false", None, "false", "true"]),
        (["0", "1"], True, ["true", "false", 1.0, 7.0], ["1", "0", "1", "7"]),
    ],
)
def test_a_home_has_its_own_spelling_and_leaves_what_means_nothing_there(
    texts: list[str] | None, bits: bool, given: list[Any], wanted: list[Any]
) -> None:
    home = Home(bits) if texts is None else Home.of_texts(texts, bits)
    assert [home.of_text(v) if isinstance(v, str) else home.of_number(v) for v in given] == wanted


def shown(batch: Batch) -> list[tuple[int, str, Any]]:
    numbers = [(e, batch.names[n], v) for e, n, v in zip(*(c.tolist() for c in batch.numbers), strict=True)]
    texts = [(e, batch.names[n], batch.strings[t]) for e, n, t in zip(*(c.tolist() for c in batch.texts), strict=True)]
    return numbers + texts


def test_values_change_places_and_stay_in_the_order_of_the_events() -> None:
    values: list[dict[str, Any]] = [
        {"a": 1, "b": "x"},
        {"a": "2.5", "b": 7},
        {"a": "word", "b": 8},
        {"a": 3, "b": "7.0"},
    ]
    batch = batch_of([{"features": one} for one in values])
    homes = {5: Home(bits=False), 9: Home.of_texts(["7"], bits=False)}
    of_number = np.array([9 if batch.names[n] == "features.b" else -1 for n in batch.numbers.name])
    of_text = np.array([5 if batch.names[n] == "features.a" else 9 for n in batch.texts.name])
    found, came, events = at_home(batch, of_number, of_text, homes)
    a, b = "features.a", "features.b"
    texts = [(0, b, "x"), (1, b, "7"), (2, a, "word"), (2, b, "8"), (3, b, "7")]
    assert shown(found) == [(0, a, 1.0), (1, a, 2.5), (3, a, 3.0), *texts]
    assert sorted(zip(came.tolist(), events.tolist(), strict=True)) == [(5, 1), (9, 1), (9, 2), (9, 3)]
    assert found.strings[: len(batch.strings)] == batch.strings
    assert [column.dtype for column in (*found.numbers, *found.texts)] == [
        column.dtype for column in (*batch.numbers, *batch.texts)
    ]


def test_where_nothing_moves_the_batch_is_the_same() -> None:
    batch = batch_of([{"features": {"a": 1, "b": "x"}}])
    found, came, _ = at_home(batch, np.array([-1]), np.array([0]), {0: Home(bits=False)})
    assert found is batch
    assert not len(came)
