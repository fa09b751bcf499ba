"""The config that events ask for: presets, fields by their names, what is left out and why; lint takes all of it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.offline.presets import config_text, names
from streamer.offline.suggest import Profile, comment, mapped, why_not, yaml_of
from streamer.offline.survey import Seen
from streamer.signals.grammar import matches
from tests.offline.test_presets import records

HEAD = config_text(None, "b:1", "inferences")


def of(events: Iterable[Any], time_ms: int = 5) -> list[Record]:
    return [Record(i, time_ms, None, json.dumps(event).encode()) for i, event in enumerate(events)]


def suggested(given: list[Record]) -> dict[str, Any]:
    """The YAML as it would be printed, which can be loaded."""
    found = mapped(HEAD, given, "inferences")
    least = load_text(HEAD, "x", {})
    before = load_text(yaml_of(HEAD, found, Profile(least).left()), "x", {})
    profile = Profile(before)
    profile.take(("inferences", 0), given)
    text = yaml_of(HEAD, found, profile.left())
    load_text(text, "x", {})
    made: dict[str, Any] = yaml.safe_load(text)
    return made


@pytest.mark.parametrize("name", names())
def test_each_preset_is_known_by_its_events(name: str) -> None:
    found = mapped(HEAD, records(name) * 3, "inferences")
    assert found.why[0].startswith(f"The preset {name} fits"), found.why


def event(i: int) -> dict[str, Any]:
    rng = random.Random(i)
    features = {
        "amount": rng.gauss(100, 10),
        "account": rng.randrange(10**9),
        "seq": i,
        "session": f"{rng.getrandbits(64):x}",
        "postcode": rng.choice([1011, 2511, 3511, 9711]),
        "country": rng.choice(["NL", "DE"]),
        "cents": rng.randrange(10**6),
    }
    return {"model": "m", "time": 1_767_571_200 + i * 60, "features": features, "prediction": {"label": "ok"}}


def test_a_native_event_needs_nothing_but_what_is_left_out() -> None:
    made = suggested(of(map(event, range(400))))
    assert "fields" not in made
    assert made["exclude"] == ["features.account", "features.seq", "features.session"]
    assert made["categorical"] == ["features.postcode"]


def test_fields_are_found_by_what_they_are_called() -> None:
    given = [
        {
            "modelName": "m",
            "meta": {"ts": "2026-01-05 00:00:00", "request_id": f"r{i}"},
            "inputs": one["features"],
            "response": {"prediction": "yes", "probability": 0.5 + i / 1000, "score": {"a": 1}},
            "duration_ms": i % 7,
        }
        for i, one in enumerate(map(event, range(200)))
    ]
    made = suggested(of(given))
    assert made["fields"] == {
        "features": "/inputs",
        "model": "/modelName",
        "time": "/meta/ts",
        "event_id": "/meta/request_id",
        "label": "/response/prediction",
        "confidence": "/response/probability",
        "latency_ms": "/duration_ms",
    }
    assert made["time_zone"] == "UTC"


def test_a_flat_event_without_a_model() -> None:
    given = [{"timestamp": e["time"], **e["features"], "prediction": "ok"} for e in map(event, range(300))]
    found = mapped(HEAD, of(given), "inferences")
    made = suggested(of(given))
    assert made["fields"] == {"time": "/timestamp", "label": "/prediction", "model": "=my-model", "features": ""}
    assert {"features.timestamp", "features.prediction", "features.account"} <= set(made["exclude"])
    assert any("called like a model" in line for line in found.why)


def test_a_name_may_be_told_by_the_object_that_it_is_in() -> None:
    given = [
        {"model": {"name": "m", "version": "2"}, "request": {"id": f"r{i}"}, "inputs": {"a": i}} for i in range(99)
    ]
    places = {"model": "/model/name", "version": "/model/version", "event_id": "/request/id", "features": "/inputs"}
    assert suggested(of(given))["fields"] == places


def test_what_may_be_the_model_is_named_at_any_depth() -> None:
    given = [{"meta": {"svc": {"name": "loans", "rev": f"v{i % 3}"}, "ok": True, "id": f"r{i}"}} for i in range(300)]
    why = mapped(HEAD, of(given), "inferences").why
    assert any(line.endswith("one of these: /meta/svc/name, /meta/svc/rev.") for line in why), why


def test_what_may_be_the_model_and_the_features_is_named() -> None:
    given = [{"svc": f"m{i % 3}", "req": f"r{i}", "ts": 1_767_600_000 + i, "in": {"a": i}} for i in range(300)]
    why = mapped(HEAD, of(given), "inferences").why
    assert any(line.endswith("behind the '='; or write where it is, if it is one of these: /svc.") for line in why)
    assert any(
        line.endswith("but for those of `exclude`; or write where it is, if it is one of these: /in.") for line in why
    )


def test_without_any_time_that_is_said() -> None:
    given = [{"model": "m", "features": {"a": i}} for i in range(50)]
    assert any("fields.time" in line for line in mapped(HEAD, of(given, time_ms=-1), "inferences").why)
    assert not any("fields.time" in line for line in mapped(HEAD, of(given), "inferences").why)
    dated = [{"model": "m", "features": {"a": i, "datetime": "2026-01-05T00:00:00Z"}} for i in range(50)]
    assert mapped(HEAD, of(dated, time_ms=-1), "inferences").part["fields"] == {"time": "/features/datetime"}


def test_a_time_is_known_by_its_values_where_nothing_is_called_so() -> None:
    at = range(1_790_000_000_123, 1_790_000_000_173)
    given = [{"model": "m", "features": {"a": ms % 7}, "n": ms % 99, "at": {"emitted": ms}} for ms in at]
    assert mapped(HEAD, of(given, time_ms=-1), "inferences").part["fields"] == {"time": "/at/emitted"}
    assert "fields" not in mapped(HEAD, of(given), "inferences").part, "records have a time of their own"
    assert "fields" not in mapped(HEAD, of(given[::-1], time_ms=-1), "inferences").part


def test_what_looks_like_an_id_but_is_not_called_like_one_is_only_said() -> None:
    given = of(map(event, range(400)))
    found = mapped(HEAD, given, "inferences")
    profile = Profile(load_text(HEAD, "x", {}))
    profile.take(("inferences", 0), given)
    left = profile.left()
    assert [note.partition(":")[0] for note in left.notes] == ["features.cents"]
    assert "# features.cents: whole numbers that hardly come twice." in yaml_of(HEAD, found, left)


@pytest.mark.parametrize(
    ("name", "seen", "why"),
    [
        ("features.a", Seen(words=0, sample=[float(i) for i in range(99)]), "only ever rises"),
        ("features.user-id", Seen(sample=[float(i * 7919 % 10_007) for i in range(99)]), "called like an id"),
        ("features.paid", Seen(sample=[float(i * 7919 % 10_007) for i in range(99)]), ""),
        ("features.a", Seen(sample=[1.0] * 99), ""),
        ("features.a", Seen(), ""),
        ("features.a", Seen(words=200, texts=Counter(f"{i}.5" for i in range(200))), "send numbers"),
        ("features.a", Seen(words=200, texts=Counter(f"t{i}" for i in range(200))), "hardly one comes twice"),
    ],
)
def test_why_not(name: str, seen: Seen, why: str) -> None:
    said = why_not(name, [seen])
    assert why in said if why else said == ""


def test_records_that_are_no_objects_are_no_reason_to_fail(tmp_path: Path) -> None:
    found = mapped(HEAD, [Record(0, 5, None, b"nonsense"), Record(1, 5, None, b"[1]")], "inferences")
    assert found.part["fields"]["model"] == "=my-model"


ODD_NAMES = (
    *("a b id", "ünï_id", "x: #z id", "- id", "'q\" id", "new\nline: id"),
    *("a.b.id", "[x] id", "true id", "\u2028id", "accountId"),
)


def test_names_of_any_kind_are_names_and_nothing_else() -> None:
    values = ({name: i * 7919 % 100_003 + j for j, name in enumerate(ODD_NAMES)} for i in range(200))
    given = of({"model": "m", "time": 1_767_571_200, "features": features} for features in values)
    found = suggested(given)["exclude"]
    assert len(found) == len(ODD_NAMES)
    assert all(matches(pattern, f"features.{name}") for pattern, name in zip(found, ODD_NAMES, strict=True))
    assert comment("model a\nkafka: {brokers: evil}") == "# model a kafka: {brokers: evil}"


def test_what_nothing_reads_is_named_for_who_knows_better() -> None:
    event = {"model": "m", "features": {"a": 1}, "out": {"verdict": "no", "prob": 0.5}, "host": "h"}
    records = [Record(n, 0, None, json.dumps(event).encode()) for n in range(50)]
    found = mapped(HEAD, records, "in")
    assert found.part["fields"]["confidence"] == "/out/prob"
    [told] = [line for line in found.why if line.startswith("Nothing reads")]
    assert told.startswith("Nothing reads /out/verdict (text), /host (text). If it is one of version, ")
    assert "label" in told
