"""The account of a sample: what became of every record, where the first of each kind is, and the likely cause."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import REASONS
from streamer.engine.admission import RESULTS
from streamer.offline.account import ASIDE, HINTS, MODELS_SHOWN, PATHS, UNREADABLE, no_such_model
from tests.offline.samples import estimated, said

START_S = 1_700_000_000


def event(i: int, **more: Any) -> dict[str, Any]:
    return {"model": "fraud", "time": START_S + i, "features": {"a": i % 7}, **more}


GOOD = [event(i) for i in range(20)]


def test_every_record_is_in_the_account(tmp_path: Path) -> None:
    records = [*GOOD, event(19, event_id="x"), event(19, event_id="x"), b"", b"{", b"{}"]
    account = estimated("", tmp_path, records).account
    assert account.counts == {"used": 21, "late": 0, "duplicate": 1, "filtered": 0, "dead_lettered": 3}
    assert account.consumed == len(records)
    assert account.sum() == "25 records = 21 used + 0 late + 1 duplicate + 0 filtered + 3 rejected"
    assert account.sum(" of the sample").startswith("25 records of the sample = 21 used + ")
    assert {(r.reason, r.records, r.offset) for r in account.rejected} == {
        ("empty", 1, 22),
        ("bad_json", 1, 23),
        ("missing_model", 1, 24),
    }


def test_few_rejects_are_no_doubt_and_many_are_with_the_likely_cause(tmp_path: Path) -> None:
    assert said(estimated("", tmp_path, [*GOOD, b"fraud,1"])) == {}
    csv = said(estimated("", tmp_path, [*GOOD, *[b"fraud,1"] * 5]))
    assert list(csv) == ["topics.events"]
    assert csv["topics.events"].startswith("5 of 25 records of the sample are rejected: the value is not one RFC 8259")
    assert "most likely comma-separated text (CSV): Driftline reads JSON" in csv["topics.events"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"\x00\x00\x00\x00\x07\x06fraud\xff", "most likely Avro or Protobuf of a schema registry"),
        (gzip.compress(json.dumps(event(1)).encode(), mtime=0)[:9], "most likely gzip (1f 8b)"),
        (b"fraud,99.5,NL", "most likely comma-separated text"),
        (b"[1, 2]", "the JSON text is not an object"),
        (b"{}", "fields: {model: /POINTER}"),
    ],
)
def test_a_sample_of_which_nothing_is_used_is_an_error(value: bytes, words: str, tmp_path: Path) -> None:
    found = estimated("", tmp_path, [value] * 7)
    assert (found.account.used, found.account.consumed, found.models) == (0, 7, 0)
    [why] = said(found, "nothing-used").values()
    assert why.startswith("of 7 records of the sample none is used: 7 are rejected (")
    assert any(words in sentence for sentence in said(found, "not-used").values())


def test_a_sample_of_values_alone_has_no_headers(tmp_path: Path) -> None:
    [words] = said(estimated('fields: {model: "header:x-model"}\n', tmp_path, GOOD), "not-used").values()
    assert "kcat -C -J" in words


def test_a_sample_without_records_is_one_of_which_nothing_is_used(tmp_path: Path) -> None:
    assert said(estimated("", tmp_path, [])) == {"": "the sample has no records."}


def test_what_is_set_aside_says_why(tmp_path: Path) -> None:
    twice = estimated("", tmp_path, [event(0, event_id="x"), *(event(i, event_id="x") for i in range(9))])
    assert said(twice, "not-used")["limits"].startswith("9 of 10 records of the sample are duplicate: their event_id")
    own = "monitors: {m: {model: frad, signal: value, detect: {kind: adwin}}}\n"
    filtered = estimated(own, tmp_path, GOOD)
    assert said(filtered, "nothing-used") == {"": "of 20 records of the sample none is used: 20 are filtered."}
    assert said(filtered, "not-used") == {
        "monitors": "20 of 20 records of the sample are filtered: no monitor is about their model (fraud)."
    }
    many = [event(i, model=f"m{i}") for i in range(20)]
    assert f", and {20 - MODELS_SHOWN} more" not in said(estimated(own, tmp_path, many), "not-used")["monitors"]
    assert f" and {20 - MODELS_SHOWN} more)" in said(estimated(own, tmp_path, many), "not-used")["monitors"]
    away = estimated("privacy: {opt_out: /out}\n", tmp_path, [event(i, out=True) for i in range(5)])
    assert "they opted out" in said(away, "not-used")["limits"]


def test_a_model_that_nobody_has_is_told_with_those_there_are(tmp_path: Path) -> None:
    assert no_such_model("froud-*", ["fraud-eu", "fraud-us"]) == (
        "no event of the sample is of model 'froud-*'. Known: fraud-eu, fraud-us."
    )
    assert no_such_model("frod", ["fraud"]) == "no event of the sample is of model 'frod'. Did you mean 'fraud'?"
    own = "monitors: {m: {model: ['o*', p], signal: features.a, detect: {kind: adwin}}}\nstandard: false\n"
    found = said(estimated(own, tmp_path, [event(i, model=f"{'op'[i % 2]}") for i in range(20)]), "not-used")
    assert found == {}


def test_the_tables_are_about_what_there_is() -> None:
    assert set(ASIDE) == set(RESULTS) - {"used", "dead_lettered"}
    assert set(HINTS) | set(UNREADABLE) == set(REASONS)
    assert set(PATHS) <= set(REASONS)


def test_scores_without_labels_are_told_where_to_get_them(tmp_path: Path) -> None:
    found = said(estimated("", tmp_path, [event(i, prediction={"scores": [0.2, 0.8]}) for i in range(20)]), "odd-field")
    assert "of a list name the places: mapping: {names: {/POINTER: [LABEL, ...]}}" in found["fields.scores"]
