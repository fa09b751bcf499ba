"""The record of records that cannot be used: it fits the schema of all alerts, and tells a person where and what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from schemas.events.batch import Record
from schemas.records.alert import fingerprint
from streamer.alerts.unusable import REJECTED, Episode, First, Found
from streamer.alerts.unusable_record import state_in_words
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.port import Partition, Tick
from tests.alerts import test_unusable as lives
from tests.engine.tasks import AT, LEAST

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "alert.v1.json").read_text()))
SECRET = "4929-1234-5678-9012"
MINUTE = 60_000
T0 = 1_700_000_000_000


def config(more: str = "") -> Config:
    return load_text(LEAST + "defaults: {repeat_interval: 2m" + more + "}\n", "x", {})


def values(*texts: bytes) -> list[Record]:
    return [Record(i, T0 + i, None, text) for i, text in enumerate(texts)]


def event(time_s: float) -> bytes:
    return json.dumps({"model": "fraud", "time": time_s}).encode()


def lived(made: Config, first: list[Record], at: Partition = AT) -> list[dict[str, Any]]:
    """All alerts of these records, a minute without any, and a minute with good ones."""
    tasks = Tasks(made)
    task: Task = tasks.new(at, 0)
    task.tick(Tick(0, T0 - MINUTE, True))
    task.step(tasks.decode(first, at[0]))
    task.tick(Tick(len(first), T0, True))
    task.tick(Tick(len(first), T0 + MINUTE, True))
    good = [record._replace(offset=len(first) + i) for i, record in enumerate(values(*[event(T0 / 1000)] * 3000))]
    task.step(tasks.decode(good, at[0]))
    task.tick(Tick(len(first) + len(good), T0 + 2 * MINUTE, True))
    outs = [out for out in task.outbox if out.topic == "alerts"]
    found = [orjson.loads(out.value or b"") for out in outs]
    assert [orjson.dumps(record) for record in found] == [out.value for out in outs]
    assert [out.key for out in outs] == [record["data"]["fingerprint"].encode() for record in found]
    return found


BAD = values(*[b"%s,99.5,NL" % SECRET.encode()] * 25, *[b'{"model": "%s", }' % SECRET.encode()] * 5, b"[]")


def test_it_fits_the_schema_of_all_alerts_and_alertmanager() -> None:
    found = lived(config(), BAD)
    assert [(r["data"]["status"], int(r["sequence"])) for r in found] == [("firing", 1), ("firing", 2), ("resolved", 3)]
    for record in found:
        SCHEMA.validate(record)
        labels = record["data"]["alert"]["labels"]
        assert labels == {
            "alertname": "RecordsUnusable",
            "severity": "warning",
            "monitor": "limits.unusable",
            "signal": "rejected",
            "topic": "inferences",
            "partition": "inferences[0]",
        }
        assert record["data"]["fingerprint"] == fingerprint(labels)
        assert record["data"]["alert"]["startsAt"] < record["data"]["alert"]["endsAt"]
        assert record["id"] == f"{fingerprint(labels)}-inferences-0-19-{int(record['sequence'])}"
    assert len({record["correlationid"] for record in found}) == 1


def test_it_names_reasons_first_place_and_what_it_looks_like_and_no_value() -> None:
    fired, renewed, resolved = (record["data"] for record in lived(config(), BAD))
    first = fired["records"]["first"]
    assert (first["topic"], first["partition"], first["offset"], first["reason"]) == ("inferences", 0, 0, "bad_json")
    assert first["hint"].startswith("comma-separated text (CSV)")
    assert fired["evidence"]["window"]["reasons"] == [{"reason": "bad_json", "count": 20}]
    assert (fired["statistic"], fired["threshold"]) == (1.0, 0.05)
    sentence = fired["sentence"]
    assert sentence.startswith(
        "inferences[0]: 20 of 20 records cannot be read and went to the dead letters (bad_json 20)"
    )
    assert "; the first: inferences[0]@0, bad_json (" in sentence
    assert sentence.endswith("; found by limits.unusable at inferences[0]@19.")
    assert "drift-dead-letter" in fired["alert"]["annotations"]["description"]
    assert "; still so (now 31 of 31), was found by" in renewed["sentence"]
    assert "; over (now 0 of 3,000), was found by" in resolved["sentence"]
    assert resolved["records"] == {"first": first, "now": {"n": 3000, "count": 0}}
    assert SECRET not in json.dumps([fired, renewed, resolved])


def test_the_share_of_a_minute_has_all_its_reasons_the_most_frequent_first() -> None:
    [fired, *_] = lived(config(), [*values(*[event(T0 / 1000)] * 30), *(r._replace(offset=30 + r.offset) for r in BAD)])
    window = fired["data"]["evidence"]["window"]
    assert (window["n"], window["count"], window["offsets"]) == (61, 31, [0, 60])
    reasons = [{"reason": "bad_json", "count": 30}, {"reason": "not_an_object", "count": 1}]
    assert window["reasons"] == reasons
    assert (fired["data"]["records"]["first"]["offset"], fired["data"]["trigger"]["offset"]) == (30, 60)
    SCHEMA.validate(fired)


def test_late_ones_are_told_by_what_makes_them_late() -> None:
    [fired, *_] = lived(config(), values(event(T0 / 1000), *[event(T0 / 1000 - 1200)] * 40))
    SCHEMA.validate(fired)
    data = fired["data"]
    assert (data["alert"]["labels"]["alertname"], data["alert"]["labels"]["signal"]) == ("RecordsLate", "late")
    assert "40 of 41 records came too late (limits.lateness) and were not used" in data["sentence"]
    assert data["records"]["first"]["offset"] == 1
    assert data["records"]["first"]["detail"] == "2023-11-14T21:53:20.000Z", "its event time"
    assert "more than 300 s" in data["alert"]["annotations"]["description"]


def test_an_open_alert_in_words_says_where_it_stands_now() -> None:
    found = Found(19, T0, 20, 20, (("bad_json", 20),), (0, 19, T0, T0), First(0, "bad_json", "line 1", "gzip"))
    words = "in[2]: 20 of 20 records cannot be read and went to the dead letters (bad_json 20); the first: in[2]@0, "
    words += "bad_json (line 1); it looks like gzip"
    assert state_in_words(("in", 2), REJECTED, Episode(1, found, 1, 0, 1, (20, 20))) == words
    assert state_in_words(("in", 2), REJECTED, Episode(1, found, 2, 0, 1, (7, 90))) == f"{words}; now 7 of 90"


def test_each_partition_has_an_alert_of_its_own() -> None:
    found = [lived(config(), BAD, ("inferences", number))[0]["data"]["fingerprint"] for number in range(3)]
    assert len(set(found)) == 3


def test_a_topic_that_was_made_anew_has_other_ids() -> None:
    tasks, ids = Tasks(config()), []
    for generation in (0, 2):
        task = tasks.new(AT, 0, generation)
        task.step(tasks.decode(BAD, AT[0]))
        ids.append(orjson.loads(next(out.value or b"" for out in task.outbox if out.topic == "alerts")))
    first, later = ids
    assert later["id"] == first["id"].replace("-inferences-", "-inferences~2-")
    assert later["data"]["fingerprint"] == first["data"]["fingerprint"]
    assert "--generation 2" in later["data"]["replay"]["command"]


def test_severity_and_repetition_are_those_that_monitors_share() -> None:
    found = lived(config(", severity: critical"), BAD)
    assert {record["data"]["alert"]["labels"]["severity"] for record in found} == {"critical"}
    assert [record["severitytext"] for record in found] == ["ERROR"] * 3
    hourly = lived(load_text(LEAST, "x", {}), BAD)
    assert [record["data"]["status"] for record in hourly] == ["firing", "resolved"]


@pytest.mark.parametrize("missing", ["monitor", "topic", "partition"])
def test_the_schema_wants_the_labels_that_subscribers_route_by(missing: str) -> None:
    record = lived(config(), BAD)[0]
    del record["data"]["alert"]["labels"][missing]
    with pytest.raises(jsonschema.ValidationError, match=missing):
        SCHEMA.validate(record)


def test_the_schema_wants_a_model_of_a_drift() -> None:
    record = lived(config(), BAD)[0]
    record["data"]["alert"]["labels"]["alertname"] = "ModelDrift"
    with pytest.raises(jsonschema.ValidationError, match="model"):
        SCHEMA.validate(record)


def test_a_share_at_the_bound_is_one_alert_until_it_is_away_from_it() -> None:
    life, fired = lives.Life(), []
    for bad in (7, 4, 6, 3, 8, 5, 2, 6, 2, 2, 4, 6, 0, 4):
        life.feed(*[lives.BAD] * bad, *[lives.GOOD] * (100 - bad))
        life.pass_time()
        fired.append(life.task.record_alerts.account.episodes["rejected"].found is not None)
    assert fired == [True] * 9 + [False] * 2 + [True] + [False] * 2
    assert [one["data"]["status"] for one in life.records()] == ["firing", "resolved"] * 2
