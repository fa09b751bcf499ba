"""Mutated messages: none may crash the decoder, every one is used or rejected. `make soak` has a million of them."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace as replace_of
from typing import Any

import numpy as np
import orjson

from schemas.events.batch import ODD_REASONS, REASONS, Record
from schemas.events.fields import Reading
from schemas.events.native_json import compile_fields, decode
from schemas.records.dead_letter import RECORD_BYTES_MAX, dead_letter
from tests.schemas.events.samples import STRICT

MESSAGES = int(os.environ.get("DRIFTLINE_FUZZ", "40000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "20260102"))
BATCH = 500
RECORD_MS = (-1, 1_700_000_000_000, 1_800_000_000_000)

EVENTS: list[dict[str, Any]] = [
    {
        "model": "fraud",
        "model_version": 7,
        "event_id": "5c0a2f6e-8c2b",
        "time": "2026-01-02T03:04:05.678Z",
        "features": {"amount": 12.5, "country": "NL", "new": True, "age": None, "é": -0.0},
        "prediction": {"label": "ok", "confidence": 0.9, "scores": {"ok": 0.9, "bad": 0.1}, "logits": [1.5, -2]},
        "latency_ms": 12,
        "status": 200,
        "caller": "web",
        "segment": {"country": "NL", "tier": 2},
    },
    {"model": "churn", "time": 1700000000.5, "features": {"visits": 3}, "prediction": {"value": 0.4}},
    {"model": "m", "event_id": 18446744073709551615, "features": {f"f{i}": i * 0.5 for i in range(10)}},
]
SEEDS = [orjson.dumps(event) for event in EVENTS]
TOKENS = [
    b"NaN", b"Infinity", b"1e400", b"-1e-400", b"9" * 25, b"9" * 5000, b"null", b"true", b"[" * 30, b"{}", b'""',
    b"\\ud800", b"\\u0000", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b",", b":", b'"', b"}", b"\\", b"-",
    b'{"model":', b"[" * 2000, b'"a":1,"a":2,', "\u202e".encode(), b"1700000000000", b"0001-01-01T00:00:00+23:59",
]  # fmt: skip
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, -0.0, 2**63, 2**64 - 1, -(2**63), 1e308, 5e-324, "", "x", "x" * 257, "\u0000", "é",
    [], {}, [1], [[]], {"a": 1}, {"": None}, {"x" * 300: 1}, [None] * 2001, "2026-02-30T00:00:00Z", "1e5", 1e10, 9e9,
    {str(i): i for i in range(2001)},
]  # fmt: skip
ODD = [orjson.dumps(value) for value in ODD_VALUES]
KEYS = [None, b"", *(b"%d" % i for i in range(20)), b"\xff"]


def flip(rng: random.Random, value: bytes) -> bytes:
    out = bytearray(value)
    for _ in range(rng.randint(1, 3)):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncate(rng: random.Random, value: bytes) -> bytes:
    return value[: rng.randrange(len(value) + 1)]


def insert(rng: random.Random, value: bytes) -> bytes:
    at = rng.randrange(len(value) + 1)
    return value[:at] + rng.choice(TOKENS) + value[at + rng.choice((0, 0, 1, 4)) :]


def splice(rng: random.Random, value: bytes) -> bytes:
    other = rng.choice(SEEDS)
    return value[: rng.randrange(len(value) + 1)] + other[rng.randrange(len(other)) :]


def replace(rng: random.Random, value: bytes) -> bytes:
    return rng.choice(TOKENS)


def structure(rng: random.Random, value: bytes) -> bytes:
    """Stays JSON: some place of an event becomes, gains or loses something odd."""
    event = orjson.loads(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 2)):
        place = event
        while isinstance(place, dict) and place:
            name = rng.choice(list(place))
            if isinstance(place[name], dict) and rng.random() < 0.6:
                place = place[name]
                continue
            action = rng.random()
            if action < 0.15:
                del place[name]
            elif action < 0.3:
                place[rng.choice(["new", "", "label", "scores", "features"])] = orjson.loads(rng.choice(ODD))
            else:
                place[name] = orjson.loads(rng.choice(ODD))
            break
    return orjson.dumps(event)


MUTATIONS: dict[Callable[[random.Random, bytes], bytes], int] = {
    flip: 20,
    truncate: 10,
    insert: 20,
    splice: 10,
    replace: 1,
    structure: 30,
}
UNREACHED = {"too_large", "unreadable_batch", "killed_the_process"}
OF_A_MAPPING = {"undecodable", "no_rows", "unknown_schema", "unusable_schema", "wrong_dimension", "about_nothing"}
CHOICES = [mutation for mutation, weight in MUTATIONS.items() for _ in range(weight)]


def mutate(rng: random.Random) -> bytes:
    value = rng.choice(CHOICES)(rng, rng.choice(SEEDS))
    return rng.choice(CHOICES)(rng, value) if rng.random() < 0.2 else value


def headers(rng: random.Random) -> tuple[tuple[str, bytes | None], ...]:
    """Mostly good ones, or nothing else would be reached."""
    latency = rng.choice(TOKENS) if rng.random() < 0.1 else b"12.5"
    return ("v", rng.choice(KEYS)), ("ms", latency), ("t", b"1700000000")


def test_mutated_messages_are_used_or_rejected() -> None:
    rng = random.Random(SEED)
    mapped = compile_fields(
        {"model": "/model", "version": "header:v", "latency_ms": "header:ms", "event_id": "key", "time": "header:t"},
        ["/features/age", "/prediction/logits/1", "/segment"],
        reading=Reading(strict=True),
    )
    counts: Counter[str] = Counter()
    for start in range(0, MESSAGES, BATCH):
        fields = mapped if start % (2 * BATCH) else STRICT
        records = [
            Record(
                start + i,
                rng.choice(RECORD_MS),
                rng.choice(KEYS),
                mutate(rng),
                headers(rng),
            )
            for i in range(BATCH)
        ]
        batch = decode(records, fields, "t")
        assert len(batch.offsets) + len(batch.rejects) == BATCH
        seen = sorted(batch.offsets.tolist() + [reject.record.offset for reject in batch.rejects])
        assert seen == list(range(start, start + BATCH))
        assert np.isfinite(batch.numbers.value).all()
        lenient = decode(records, replace_of(fields, reading=Reading()), "t")
        assert len(lenient.offsets) + len(lenient.rejects) == BATCH
        assert set(batch.offsets.tolist()) <= set(lenient.offsets.tolist())
        assert {r.reason for r in lenient.rejects} & set(ODD_REASONS) <= {"bad_utf8", "wrong_type"}, (
            "those of the model"
        )
        counts["used"] += len(batch.offsets)
        for reject in batch.rejects:
            counts[reject.reason] += 1
            assert len(reject.detail) <= 80
            _, value, why = dead_letter("t", 0, reject)
            assert len(value or b"") + sum(len(v or b"") for _, v in why) <= RECORD_BYTES_MAX
    assert sum(counts.values()) == MESSAGES
    assert counts["used"] > MESSAGES // 5, "the fuzzer must reach past the parser"
    assert set(counts) == set(REASONS) - UNREACHED - OF_A_MAPPING | {"used"}, counts
