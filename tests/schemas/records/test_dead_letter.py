"""Dead letters: nothing is lost below the limit, nothing exceeds it."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.batch import Record, Reject, Whole
from schemas.events.fields import Reading
from schemas.events.native_json import compile_fields, decode
from schemas.records.dead_letter import PART_BYTES_MAX, RECORD_BYTES_MAX, dead_letter

STRICT = compile_fields({}, reading=Reading(strict=True))


def letter(reason: str = "bad_json", detail: str = "char 3", **record: Any) -> Any:
    return dead_letter("in", 4, Reject(Record(**{"offset": 9, "time_ms": 5, "key": None, "value": b"{", **record}),
                                       reason, detail))  # fmt: skip


def size(key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]) -> int:
    return len(key or b"") + len(value or b"") + sum(len(n.encode()) + len(v or b"") for n, v in headers)


def test_the_record_travels_as_it_was() -> None:
    headers = (("trace", b"\xff"), ("trace", None))
    key, value, out = letter(key=b"\x00k", value=b"{\xff", headers=headers)
    assert (key, value) == (b"\x00k", b"{\xff")
    assert out == (
        *headers,
        ("driftline.error.reason", b"bad_json"),
        ("driftline.error.detail", b"char 3"),
        ("driftline.error.topic", b"in"),
        ("driftline.error.partition", b"4"),
        ("driftline.error.offset", b"9"),
        ("driftline.error.time_ms", b"5"),
    )


def test_a_tombstone_stays_a_tombstone() -> None:
    key, value, out = letter("empty", "", key=b"k", value=None, time_ms=-1)
    assert (key, value) == (b"k", None)
    assert dict(out)["driftline.error.time_ms"] == b"-1"


def test_a_dead_letter_of_a_topic_that_was_made_anew_says_how_often() -> None:
    """Topic, partition and offset name two records then."""
    reject = Reject(Record(9, 5, None, b"{"), "bad_json", "char 3")
    before, after = dead_letter("in", 4, reject), dead_letter("in", 4, reject, 2)
    assert after == (*before[:2], (*before[2], ("driftline.error.generation", b"2")))
    assert dead_letter("in", 4, reject, 0) == before


def test_a_dead_letter_fed_back_does_not_grow() -> None:
    key, value, out = letter(headers=(("trace", b"1"),))
    again = letter(key=key, value=value, headers=out)
    assert again == (key, value, out)


def test_a_batch_that_was_skipped_has_one_letter_that_names_its_offsets() -> None:
    key, value, out = letter("killed_the_process", "no memory", offset=9, value=None, skipped_from=4)
    headers = dict(out)
    assert (key, value) == (None, None)
    assert (headers["driftline.error.offset"], headers["driftline.error.last_offset"]) == (b"4", b"9")
    assert "driftline.error.last_offset" not in dict(letter()[2])


def test_a_large_value_is_cut_and_identified() -> None:
    original = b"x" * RECORD_BYTES_MAX
    key, value, out = letter("too_large", value=original, key=b"k", headers=(("trace", b"1"),))
    assert (key, value) == (b"k", original[:PART_BYTES_MAX])
    found = dict(out)
    assert found["trace"] == b"1"
    assert found["driftline.error.truncated"] == b"true"
    assert found["driftline.error.size"] == b"900000"
    assert found["driftline.error.sha256"] == hashlib.sha256(original).hexdigest().encode()


def test_what_only_its_beginning_was_handed_over_of_is_identified_by_the_whole() -> None:
    original = b"x" * (2 * RECORD_BYTES_MAX)
    whole = Whole(len(original), hashlib.sha256(original).hexdigest())
    cut = letter("too_large", value=original[: RECORD_BYTES_MAX + 1], key=b"k", whole=whole)
    assert cut == letter("too_large", value=original, key=b"k")
    batch = decode([Record(3, 1, None, original[: (1 << 20) + 1], (), whole)], STRICT, "in")
    assert [r.detail for r in batch.rejects] == ["1800000 bytes, the limit is 1048576"]


def test_a_large_key_or_headers_are_dropped() -> None:
    key, value, out = letter(key=b"k" * RECORD_BYTES_MAX, value=b"{", headers=(("trace", b"1"),))
    assert (key, value, dict(out)["trace"]) == (None, b"{", b"1")
    many = tuple((f"h{i}", b"x" * 100) for i in range(10_000))
    key, value, out = letter(key=b"k", value=b"{", headers=many)
    assert (key, value, len(out)) == (b"k", b"{", 9)
    empty = (("", None),) * 100_000
    assert len(letter(headers=empty)[2]) == 9, "headers of no bytes have framing"
    key, value, out = letter(key=b"k", value=None, headers=many)
    assert value is None
    assert dict(out)["driftline.error.size"] == b"0"


def test_just_below_the_limit_nothing_is_cut() -> None:
    room = RECORD_BYTES_MAX - size(*letter(value=b"")) - 6 * 10
    assert len(letter(value=b"x" * room)[1]) == room
    assert len(letter(value=b"x" * (room + 1))[1]) == PART_BYTES_MAX


SIZES = st.sampled_from([None, 0, 1, 65_536, 65_537, 500_000, 899_999, 900_000, 2_000_000])


@settings(max_examples=50)
@given(SIZES, SIZES, st.lists(st.tuples(st.text(max_size=5), SIZES), max_size=3))
def test_never_over_the_limit(key: int | None, value: int | None, headers: list[tuple[str, int | None]]) -> None:
    def fill(count: int | None) -> bytes | None:
        return None if count is None else b"x" * count

    out = letter(key=fill(key), value=fill(value), headers=tuple((name, fill(n)) for name, n in headers))
    assert size(*out) <= RECORD_BYTES_MAX
    assert (out[1] is None) == (value is None)
    original = size(fill(key), fill(value), tuple((name, fill(n)) for name, n in headers))
    assert ("driftline.error.truncated" in dict(out[2])) == (original > RECORD_BYTES_MAX - 300)


def test_of_decode() -> None:
    batch = decode([Record(1, -1, b"k", b'{"model":"m","features":{"\\n\xc3\xa9":[]}}')], STRICT, "t")
    headers = dict(dead_letter("t", 0, batch.rejects[0])[2])
    assert headers["driftline.error.reason"] == b"wrong_type"
    assert headers["driftline.error.detail"] == "/features/\\u000aé".encode()
