"""The compiled decoder against the Python one, on anything: same columns, same rejects, to the last bit."""

from __future__ import annotations

import os
import random
import re
from dataclasses import fields as fields_of
from datetime import UTC
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.core import native
from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder, expressible
from schemas.events.fields import Reading
from schemas.events.native_json import Fields, compile_fields, decode
from tests.schemas.events.samples import check as check_batch
from tests.schemas.events.samples import rows
from tests.schemas.events.strategies import GOOD, LOOSE, NESTED
from tests.schemas.events.test_fuzz import KEYS, TOKENS, flip, headers, mutate

pytestmark = pytest.mark.skipif(native is None, reason="the compiled core was not built")

MESSAGES = int(os.environ.get("DRIFTLINE_FUZZ", "100000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "20261123"))
MAPPED = {
    "model": "/meta/model",
    "version": "header:v",
    "latency_ms": "header:ms",
    "event_id": "key",
    "time": "header:t",
    "caller": "topic",
    "features": "/features",
    "segment": "/meta/seg",
}
MAPPINGS: dict[str, Fields] = {
    "plain": compile_fields({}),
    "extra": compile_fields({}, ["/other", "/meta/deep/x", "/meta/deep/y~1z", "/prediction/raw"]),
    "mapped": compile_fields(MAPPED, ["/model", "/prediction/extra"]),
    "short": compile_fields({}, message_bytes=120),
    "strict": compile_fields({}, reading=Reading(strict=True)),
    "arrays": compile_fields(
        {"value": "/out/0", "caller": "/out/2/name", "features": "/in/1"}, ["/out/1", "/in/0/x", "/tags/0"]
    ),
    "value": compile_fields({"value": "/prediction"}, ["/other"], reading=Reading(zone=UTC, names=("a", "b"), array=2)),
}


def flat(batch: Batch) -> dict[str, Any]:
    """Everything a batch holds, floats as their bits."""
    out: dict[str, Any] = {}
    for field in fields_of(batch):
        value = getattr(batch, field.name)
        parts = value if field.name in ("numbers", "texts", "nulls") else [value]
        out[field.name] = [(a.dtype.str, a.tobytes()) if isinstance(a, np.ndarray) else a for a in parts]
    return out


def check(decoder: Decoder, records: list[Record], topic: str = "t") -> Batch:
    """What Python took has its codes behind the others; all else is the same."""
    expected, before = decode(records, decoder.fields, topic), decoder.fallbacks
    found = decoder(records, topic)
    assert (rows(found), found.rejects, found.odd) == (rows(expected), expected.rejects, expected.odd)
    check_batch(found, len(records))
    if decoder.fallbacks == before:
        assert flat(found) == flat(expected)
    return expected


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_mutated_messages(mapping: str) -> None:
    decoder = Decoder(MAPPINGS[mapping])
    assert decoder.core is not None
    rng, start, native_only, accepted = random.Random(f"{SEED} {mapping}"), 0, 0, 0
    while start < MESSAGES // len(MAPPINGS):
        size, before = rng.choice((1, 4, 25)), decoder.fallbacks
        batch = check(decoder, [any_record(rng, start + i, mapping) for i in range(size)])
        native_only += len(batch.offsets) - (decoder.fallbacks - before)
        accepted += len(batch.offsets)
        start += size
    assert accepted > start // 20, "the fuzzer must reach past the parser"
    least = 0.4 if mapping == "value" else 0.6  # Where a number is wanted, most of these have an object.
    assert native_only > least * accepted, "most good events must be compared"


def any_record(rng: random.Random, offset: int, mapping: str) -> Record:
    time_ms = rng.choice((-1, 1_700_000_000_000, 1_800_000_000_000))
    value = filled(rng) if rng.random() < 0.4 else mutate(rng)
    return Record(offset, time_ms, rng.choice(KEYS), reshape(rng, mapping, value), headers(rng))


SHAPES = [
    '{"model": <t>, "model_version": <v>, "time": <p>, "event_id": <t>, "features": {"a": <n>, "b": <v>,'
    ' "\u00e9": <n>}, "unread": <v>, "prediction": {"label": <t>, "confidence": <n>,'
    ' "scores": {"x": <n>}, "logits": [<n>, <n>]}}',
    '{"model":<t>,"features":{"a":<n>,"b":<n>,"c":<n>},"latency_ms":<p>,"segment":{"s":<t>},"long":"0123456789",'
    '"caller":<t>,"status":<t>}',
    '{"features":{"c":<n>,"a":<n>},"model":<t>}',
    '{"model":<t>,"features":{"a":{"b":<n>,"c":{"d":<v>,"e":[<n>,<e>]}},"x":<n>,"y":[<e>,<n>],"z":<v>},"status":<t>}',
    '{"model":<t>,"features":[<n>,<v>,{"a":<n>,"b":{"a":<v>}},[<e>,<n>]],"prediction":<n>}',
    '{"model":<t>,"out":[<n>,<e>,{"name":<t>}],"in":[{"x":<v>,"y":<v>},{"a":<n>,"b":[<n>,<e>]}],"tags":[<v>,<v>]}',
]
"""Events of one producer: literals, and values that `filled` puts between them."""
POOLS = {
    "n": [
        "1.25",
        "-0.5",
        "0.123456",
        "-3.1234567",
        "2.12345678",
        "9.1e3",
        "-7.25E-2",
        "-0.0",
        "12.5",
        "0.1234567e1",
        "7",
    ],
    "t": ['"web"', '"caf\u00e9"', '"a\\nb"', '"a text that is longer than a word"', '"m"'],
    "p": ["1700000000", "1700000000.25", "12.5", "1.5e3"],
}
POOLS["e"] = [*POOLS["n"], "null", "true"]
POOLS["v"] = [*POOLS["n"], *POOLS["t"], "null", "true", "false"]


def filled(rng: random.Random) -> bytes:
    """An event of a shape that others have, too, mostly a good one: what the decoder reads without looking at keys."""
    odd, share = NUMBERS + TEXTS, rng.choice((0.0, 0.0, 0.05))
    pools = {kind: odd if rng.random() < share else pool for kind, pool in POOLS.items()}
    value = re.sub("<(.)>", lambda found: rng.choice(pools[found[1]]), rng.choice(SHAPES)).encode()
    return flip(rng, value) if rng.random() < 0.1 else value


def reshape(rng: random.Random, mapping: str, value: bytes) -> bytes:
    """The message; for the mapped fields its model and segment move below `meta`."""
    if mapping == "mapped" and rng.random() < 0.7:
        meta = b'{"meta":{"model":"m","seg":{"a":1,"b":2.5}},' if rng.random() < 0.9 else b'{"meta":{"model":"m"},'
        value = meta + value[1:]
    if mapping == "extra" and rng.random() < 0.5:
        deep = rng.choice([b'{"x":1}', b'{"x":null,"y/z":"t"}', b"null", b"3", b"[1]", b'{"y/z":[1]}'])
        value = b'{"other":' + rng.choice(TOKENS[6:14]) + b',"meta":{"deep":' + deep + b"}," + value[1:]
    return value


@given(st.lists(LOOSE | GOOD | NESTED, min_size=1, max_size=8), st.sampled_from(sorted(MAPPINGS)))
def test_any_events(events: list[Any], mapping: str) -> None:
    records = [Record(i, -1, b"k", orjson.dumps(event), (("v", b"1"),)) for i, event in enumerate(events)]
    check(Decoder(MAPPINGS[mapping]), records)


NUMBERS = [
    "0", "-0", "-0.0", "0.0", "1", "-1", "01", "-", "+1", "1.", ".5", "1e5", "1E+05", "1e", "1e+",
    "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
    "18446744073709551616", "1e22", "1e23", "123456789012345678e-20", "0.1", "1.7976931348623157e308", "1e308", "1e309",
    "1.7976931348623159e308", "5e-324", "2e-324", "2.4703282292062328e-324", "1e-400", "0e999999", "9007199254740993",
    "9007199254740993.0", "0." + "0" * 400 + "1", "1" * 400, "1" * 308, "0.30000000000000004", "1e99999999999999999999",
    "1x", "1 ", "tru", "true", "nul", "null", "NaN", "Infinity", "0x1", "1_0", "1e5.5", "--1", "1e-", "0e-0", "8.5e+00",
]  # fmt: skip
TEXTS = [
    '""',
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"' + "x" * 300 + '"',
    "[1]",
    "{}",
    '{"a":1}',
    '"',
    "",
    '"\t"',
    '"\\u0041"',
    "1,2",
]
TIMES = [
    "2026-01-02T03:04:05Z", "2026-01-02t03:04:05.6789z", "2026-01-02 03:04:05+23:59", "2026-01-02T03:04:05-00:00",
    "2024-02-29T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2000-02-29T23:59:59.999999999Z",
    "1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01", "1969-12-31T23:59:59.9999Z", "2200-12-31T23:59:59.999Z",
    "2201-01-01T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:60Z", "2026-01-02T03:04:05", "2026-01-02",
    "2026-01-02T03:04:05.Z", "20260102T030405Z", "2026-01-02T03:04Z", "2026-01-02 03:04:05 UTC", "1790000000",
    "2026-01-02T03:04:05+01", "2026-01-02T03:04:05,25+0100", "1790000000.5", "1790000000000", "12345",
    "2026-01-02T03:04:05,5Z", "2026-01-02T03:04:05+24:00", "2026-13-02T03:04:05Z",
    "0000-01-02T03:04:05Z", "2026-W01-1T03:04:05Z", "٢٠٢٦-01-02T03:04:05Z", "2026-01-02T03:04:05+0100", "", "Z",
]  # fmt: skip
EPOCHS = [
    "0", "1", "-1", "1700000000", "1700000000.5", "9999999999", "10000000000", "9999999999.9999", "9999999999999",
    "10000000000000", "9999999999999999", "10000000000000000", "18446744073709551615", "18446744073709551616", "1e19",
    "1700000000.0005", "1700000000.0015", "-0.0", "1e-9", "7289654400", "7289654399.9996", "0.0005", "0.0015",
]  # fmt: skip


def test_every_edge_of_numbers_and_times() -> None:
    """One record each, so that no fallback can hide a difference."""
    decoder = Decoder(MAPPINGS["plain"])
    texts = [f'{{"model":"m","features":{{"a":{n}}}}}' for n in NUMBERS]
    texts += [f'{{"model":"m","model_version":{n},"segment":{{"s":{n}}}}}' for n in NUMBERS]
    texts += [f'{{"model":"m","event_id":{n}}}' for n in NUMBERS]
    texts += [f'{{"model":"m","prediction":{{"label":{n},"scores":{{"a":{n},"b":1}}}},"status":{n}}}' for n in NUMBERS]
    texts += [f'{{"model":"m","time":{n}}}' for n in [*EPOCHS, *NUMBERS]]
    texts += [f'{{"model":"m","time":"{t}"}}' for t in TIMES]
    texts += [
        f'{{"model":"m","x":{"[" * d}{"]" * d}}}' for d in (1, 50, 99, 100, 101, 1000, 1022, 1023, 1024, 1025, 3000)
    ]
    texts += [
        f'{{"model":"{m}"}}' for m in ("", "é" * 256, "é" * 257, "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\ude00")
    ]
    texts += [f'{{"model":"m","features":{{"a":"{"é" * n}"}}}}' for n in (255, 256, 257, 3000)]
    texts += [f'{{"model":"m","features":{{"{"é" * n}":1}}}}' for n in (255, 256, 257)]
    texts += [
        f'{{"model":"m","features":{{{",".join(f"{chr(34)}f{i}{chr(34)}:1" for i in range(n))}}}}}'
        for n in (2000, 2001)
    ]
    texts += [f'{{"model":"m","event_id":"{"é" * (n % 2)}{"x" * n}"}}' for n in range(300)]
    texts += ['{"model":"a","model":"b"}', '{"model":"a","features":{"x":1,"x":2}}', '{"a":1,"a":2,"model":"m"}']
    texts += ['{"model":"m"} ', ' {"model":"m"}', '{"model":"m"},', '{"model":"m",}', '{"model":"m" "x":1}', "{}", "[]"]
    for i, text in enumerate(texts):
        check(decoder, [Record(i, (-1, 0, 1_700_000_000_000)[i % 3], None, text.encode())])


def deep(depth: int, leaf: str) -> str:
    return '{"a":' * (depth + 1) + leaf + "}" * (depth + 1)


def ones(count: int) -> str:
    return f"[{','.join('1' * count)}]"


def wide(count: int) -> str:
    return orjson.dumps({"a": {str(i): i for i in range(count)}}).decode()


def long(length: int) -> str:
    return orjson.dumps({"a": {"x" * length: 1}}).decode()


N = '{"model":"m","features":%s}'
WITHIN = [
    '{"a":{"b":1,"c":{"d":2.5,"e":"t"}},"x":3}', '{"a":[1,2.5,null,true]}', '[1,"t",null,{"a":1},[1,2]]', "[]", "[1]",
    '{"a":[1],"b":{"c":[1]}}', '{"x":1,"a":{"b":null,"c":"x","d":true}}', '{"a.b":1,"a":{"c":2}}',
    '{"\\u0061":{"\\u0062":1}}', '{"a":{"":1},"":{"a":2}}', '{"é":{"é":1}}',
    deep(8, "1"), deep(7, "[1,2]"),
    f'{{"a":{ones(100)}}}', wide(2000),
    long(254),
]  # fmt: skip
ODD_WITHIN = [
    '{"a":{}}', '{"a":[]}', '{"a":{"b":{}}}', '{"a":{"b":[]}}', '{"a":[1,"t"]}', '{"a":[1,[2]]}', '{"a":[{"b":1}]}',
    '{"a":[1,NaN]}', '{"a":{"b":Infinity,"c":1}}', '{"a":{"b":1},"a":{"c":2}}', '{"a":{"b":1,"b":2}}',
    '{"a":{"b":1},"a.b":2}', '{"a.b":2,"a":{"b":1}}', '{"a":[1],"a.0":2}', '{"a":{"b":1},"a":2}', '{"a":1,"a":{"b":2}}',
    '{"a":{"b":{"c":1},"b":{"d":1}}}', '{"a":[1],"a":[2,3]}', '{"a":{"b":1},"\\u0061":2}',
    deep(9, "1"), f'{{"a":{ones(101)}}}',
    wide(2001), long(255),
    ones(2001), "[1,NaN]", "[[]]", '{"a":[1,]}', '{"a":{"b":1,}}', '{"a":[1}', '{"a":{"b":1]}',
]  # fmt: skip


def test_features_within_features() -> None:
    """Each twice, and then among others: read key by key, by its shape, and after another shape."""
    decoder = Decoder(MAPPINGS["plain"])
    for features in WITHIN * 2:
        check(decoder, [Record(i, -1, None, (N % features).encode()) for i in range(3)])
    assert decoder.fallbacks == 0
    for features, other in zip(ODD_WITHIN, WITHIN * 2, strict=False):
        texts = [features, other, features, "1", other]
        check(decoder, [Record(i, -1, None, (N % text).encode()) for i, text in enumerate(texts)])
        check(Decoder(MAPPINGS["strict"]), [Record(0, -1, None, (N % features).encode())])
    two = Decoder(compile_fields({}, reading=Reading(names=("b", "1", "b"), array=2)))
    for features in ("[1,2]", "[1,2,3]", "[1]", "[[1,2]]", "[[1,2,3]]", "[1,{},3]"):
        check(two, [Record(i, -1, None, (N % features).encode()) for i in range(2)])


def test_of_an_array_of_numbers_a_text_is_odd_whatever_was_there_before() -> None:
    decoder = Decoder(MAPPINGS["plain"])
    values = ['1,"t"', "1,null", "1,2", '"t",2', "true,2", "1,NaN", "1,2,3"]
    batch = check(decoder, [Record(i, -1, None, (N % f'{{"a":[{v}],"b":1}}').encode()) for i, v in enumerate(values)])
    assert [(one.event, one.field, one.reason) for one in batch.odd] == [
        (0, "features.a", "wrong_type"), (3, "features.a", "wrong_type"), (5, "features.a.1", "not_finite"),
    ]  # fmt: skip


def test_pointers_into_arrays() -> None:
    fields = compile_fields({"value": "/out/0", "label": "/out/10", "features": "/in/1"}, ["/tags/0", "/deep/0/x/1"])
    decoder = Decoder(fields)
    assert decoder.core is not None
    outs = ["[1.5]", "[1,2]", "[]", "null", "[null]", '{"0":2}', f"[{'1,' * 10}3]", "[[1]]", '["t"]', "3", "[1,{},[2]]"]
    deep = ["[]", '[{"x":[1,2]}]', '[{"x":[1]}]', '{"0":{"x":{"1":5}}}', "[[1]]", "7", '[{"x":3}]', '[{"x":[1,[2]]}]']
    for i, out in enumerate(outs):
        for other in deep:
            text = f'{{"model":"m","out":{out},"in":[{i},{{"a":{i}}}],"tags":{out},"deep":{other}}}'
            check(decoder, [Record(place, -1, None, text.encode()) for place in range(2)])
    good = '{"model":"m","out":[1.5,2],"in":[0,{"a":[1,2]}],"tags":["x"],"deep":[{"x":[0,1]}]}'
    before = decoder.fallbacks
    check(decoder, [Record(i, -1, None, good.encode()) for i in range(3)])
    assert decoder.fallbacks == before


def test_floats_are_written_as_python_writes_them() -> None:
    rng = random.Random(1)
    decoder = Decoder(MAPPINGS["plain"])
    floats = [rng.uniform(-1, 1) * 10.0 ** rng.randint(-320, 308) for _ in range(10_000)]
    # Between 1e13 and 2^53 some floats lie just between two shortest decimals; Python takes the even one.
    floats += [rng.uniform(1e13, 2.0**53) for _ in range(10_000)]
    floats += [float(10**e) for e in range(20)] + [10.0**-e for e in range(8)] + [9999999999999998.0, 123456.0, 1e16]
    for begin in range(0, len(floats), 500):
        part = [v for v in floats[begin : begin + 500] if v == v]
        check(
            decoder,
            [Record(i, -1, None, f'{{"model":"m","model_version":{v!r}}}'.encode()) for i, v in enumerate(part)],
        )
    assert decoder.fallbacks == 0


def test_numbers_are_rounded_correctly() -> None:
    """Also those that lie between two floats, where one digit more or less decides."""
    rng = random.Random(2)
    digits = [str(rng.randrange(10 ** rng.randrange(1, 21))) for _ in range(20_000)]
    texts = [f"0.{'0' * rng.randrange(12)}{d}" for d in digits] + [f"{int(d)}.{rng.randrange(100)}" for d in digits]
    texts += [f"{int(d)}e-{rng.randrange(40)}" for d in digits] + [repr(rng.gauss(0.0, 1.0)) for _ in digits]
    for _ in digits:
        between = format(Decimal(2 * rng.randrange(2**52, 2**53) + 1) / 2 ** rng.randrange(1, 8), "f")
        texts += [between, between[:-1] + rng.choice("019")]
    decoder = Decoder(MAPPINGS["plain"])
    for begin in range(0, len(texts), 1000):
        part = texts[begin : begin + 1000]
        members = ",".join(f'"{i}":{text}' for i, text in enumerate(part))
        batch = check(decoder, [Record(0, -1, None, f'{{"model":"m","features":{{{members}}}}}'.encode())])
        assert batch.numbers.value.tolist() == [float(text) for text in part]
    assert decoder.fallbacks == 0


def test_records_without_a_plain_value() -> None:
    values: list[Any] = [
        None,
        b"",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"model":"m"}',
        b'{"model":"\xed\xa0\x80"}',
        b'"\x00"',
    ]
    check(Decoder(MAPPINGS["plain"]), [Record(i, -1, None, value) for i, value in enumerate(values)])


def test_what_it_learnt_of_names_does_not_show() -> None:
    """The tables of names outlive a batch; the batches must not."""
    decoder = Decoder(MAPPINGS["plain"])
    orders = ['"a":1,"b":2,"c":3', '"c":1,"a":2', '"b":1', '"a":1,"b":null,"\\u0061b":3', '"a":1,"b":2,"c":3']
    for order in orders * 2:
        records = [Record(i, -1, None, f'{{"model":"m","features":{{{order}}}}}'.encode()) for i in range(3)]
        check(decoder, records)


def test_what_it_learnt_of_shapes_does_not_show() -> None:
    """More shapes than are remembered, in turn and at random; the same event again behind each of them."""
    decoder, rng = Decoder(MAPPINGS["extra"]), random.Random(3)
    shapes = [f'{{"other": %s, "model": "m", "features": {{"f{i}": %s, "g": %s}}}}' for i in range(20)]
    turns = [shape for shape in shapes for _ in range(3)] * 2 + rng.choices(shapes, k=200)
    values = [tuple(rng.choice(POOLS["v"]) for _ in range(3)) for _ in turns]
    records = [Record(i, -1, None, (s % v).encode()) for i, (s, v) in enumerate(zip(turns, values, strict=True))]
    for begin in range(0, len(records), 50):
        batch = check(decoder, records[begin : begin + 50])
        assert len(batch.offsets) == len(records[begin : begin + 50])
    assert decoder.fallbacks == 0


def test_mappings_it_cannot_express_are_left_to_python() -> None:
    for mapping, extra in (
        ({"features": ""}, []),
        ({}, ["/features/age"]),
        ({}, ["/prediction/logits/1"]),
        ({"value": "/prediction/label"}, []),
    ):
        assert not expressible(compile_fields(mapping, extra))
    assert all(expressible(fields) for fields in MAPPINGS.values())


@pytest.mark.parametrize("compiled", [False, native is not None])
def test_what_the_log_could_not_unpack_is_not_called_empty(compiled: bool) -> None:
    records = [
        Record(3, 5, None, b'{"model":"m"}'),
        Record(4, -1, None, None, unreadable="_BAD_COMPRESSION"),
        Record(5, -1, None, None),
        Record(6, 5, None, b'{"model":"m"}'),
        Record(9, -1, None, None, unreadable="no memory", skipped_from=7),
    ]
    batch = Decoder(compile_fields({}), compiled)(records, "in")
    assert (batch.offsets.tolist(), batch.next_offset) == ([3, 6], 10)
    told = [(r.record.offset, r.records, r.reason, r.detail) for r in batch.rejects]
    skipped = (9, 3, "killed_the_process", "no memory")
    assert told == [(4, 1, "unreadable_batch", "_BAD_COMPRESSION"), (5, 1, "empty", ""), skipped]
