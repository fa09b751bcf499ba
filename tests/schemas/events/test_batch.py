"""The batch and what is asked of it: columns of records, and what each event has under a name or an alias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.batch import (
    REASONS,
    Batch,
    Record,
    RecordColumns,
    columns_of,
    number_of_event,
    part_of,
    text_of_event,
)
from schemas.events.native_json import compile_fields, decode
from tests.schemas.events.samples import make

RECORDS = [Record(7, 100, b"k", b"a"), Record(9, -1, None, None), Record(10, 300, None, b"")]


def test_records_as_columns_and_back() -> None:
    columns = columns_of(RECORDS)
    assert list(columns) == RECORDS
    assert (len(columns), columns[1]) == (3, RECORDS[1])
    assert columns.values == (b"a", None, b"")
    assert columns.offsets.tolist() == [7, 9, 10]
    assert columns.times_ms.tolist() == [100, -1, 300]
    assert [array.dtype for array in (columns.offsets, columns.times_ms)] == [np.int64, np.int64]
    assert columns_of(columns) is columns, "nothing is copied twice"
    assert [len(columns_of([])), *columns_of([]).offsets.tolist()] == [0]


def test_a_record_is_only_made_when_it_is_asked_for() -> None:
    asked: list[int] = []

    def record(place: int) -> Record:
        asked.append(place)
        return RECORDS[place]

    whole = columns_of(RECORDS)
    lazy = RecordColumns(whole.values, whole.offsets, whole.times_ms, record)
    assert (len(lazy), asked) == (3, [])
    assert (lazy[-1], asked.pop()) == (RECORDS[-1], 2), "what makes records may know no place before the first"
    assert (lazy[2], asked) == (RECORDS[2], [2])
    assert (list(lazy), asked) == (RECORDS, [2, 0, 1, 2])
    assert (lazy[-1], asked[-1]) == (RECORDS[2], 2)  # Whoever makes them counts from the beginning.


def batch_of(*values: bytes) -> Batch:
    return decode([make(value, offset=i) for i, value in enumerate(values)], compile_fields({}, ["/x"]), "t")


EVENTS = (
    b'{"model":"m","model_version":"1","x":"one","latency_ms":3}',
    b'{"model":"m","x":2.5}',
    b'{"model":"m","model_version":"2","x":null,"caller":"app"}',
)


def texts(batch: Batch, name: str) -> list[str | None]:
    return [batch.strings[code] if code >= 0 else None for code in text_of_event(batch, name).tolist()]


def numbers(batch: Batch, name: str) -> list[float | None]:
    return [None if np.isnan(value) else value for value in number_of_event(batch, name).tolist()]


def test_what_each_event_has_under_a_name() -> None:
    batch = batch_of(*EVENTS)
    assert (texts(batch, "/x"), numbers(batch, "/x")) == (["one", None, None], [None, 2.5, None])
    assert texts(batch, "caller") == [None, None, "app"]
    assert numbers(batch, "latency_ms") == [3.0, None, None]
    assert texts(batch, "version") == ["1", None, "2"]
    assert (texts(batch, "nothing"), numbers(batch, "nothing")) == ([None] * 3, [None] * 3)


def test_an_alias_is_another_name_and_takes_none_away() -> None:
    plain = batch_of(*EVENTS)
    batch = replace(plain, aliases={"role": "/x", "other role": "/x", "who": "version", "lost": "nowhere"})
    for name in ("/x", "role", "other role"):
        assert (texts(batch, name), numbers(batch, name)) == (texts(plain, "/x"), numbers(plain, "/x"))
    assert texts(batch, "who") == ["1", None, "2"]
    assert texts(batch, "lost") == [None] * 3
    assert plain.aliases == {}


@pytest.mark.parametrize("cut", range(7))
def test_the_parts_of_a_batch_are_what_would_have_been_decoded_apart(cut: int) -> None:
    values = [*EVENTS[:2], b"{", *EVENTS[2:], b""]
    records = [make(value, offset=i) for i, value in enumerate(values)]
    fields = compile_fields({}, ["/x"])
    whole = decode(records, fields, "t")
    for begin, end in ((0, cut), (cut, 9)):
        part, apart = part_of(whole, begin, end), decode(records[begin:end], fields, "t")
        assert part.offsets.tolist() == apart.offsets.tolist()
        assert part.rejects == apart.rejects
        assert (part.strings, part.names) == (whole.strings, whole.names)
        for name in ("/x", "caller", "version"):
            assert texts(part, name) == texts(apart, name)
        for name in ("/x", "latency_ms"):
            assert numbers(part, name) == numbers(apart, name)
        assert [t.event.dtype for t in (part.numbers, part.texts, part.nulls)] == [np.int32] * 3
        assert part.nulls.event.tolist() == apart.nulls.event.tolist()


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["a", "b", 1, 2.5, None, True, "absent"]), max_size=8))
def test_an_event_has_a_text_or_a_number_or_neither(values: list[object]) -> None:
    events = [b'{"model":"m"%s}' % (b"" if v == "absent" else b',"x":%s' % orjson.dumps(v)) for v in values]
    batch = batch_of(*events)
    expected = [{True: "true"}.get(v, v) if isinstance(v, bool) else v for v in values]
    assert texts(batch, "/x") == [v if isinstance(v, str) and v != "absent" else None for v in expected]
    assert numbers(batch, "/x") == [float(v) if isinstance(v, int | float) else None for v in expected]


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_a_name_for_metrics_and_one_line_for_people(reason: str) -> None:
    assert reason.isidentifier()
    assert reason == reason.lower()
    assert "\n" not in REASONS[reason]
