"""Records of several packed events, and their answers in records of their own, under everything that can fail."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections import Counter
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.engine import pairs
from streamer.engine.task import Task
from streamer.series import pending
from tests.sim import campaign
from tests.sim.campaign import make_log, run_seed
from tests.sim.test_simulation import FIRST, SEEDS

MAPPED = """
fields: {event_id: /id, features: /in, label: /out/label, scores: /out/scores}
mapping:
  decode: {/in: [base64, gzip, json]}
  each: [/in, /out]
  pair: {within: 3s, most: 9}
"""


def packed(value: object) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), 1, mtime=0)).decode()


def mapped(rng: random.Random, partition: int, length: int) -> list[Record]:
    """Requests, whose one to three rows are packed, and their answers: records of their own that come soon, too late
    or never. Some records are poison, and some cannot be unpacked or taken apart.
    """
    plain = iter(make_log(rng, partition, 3 * length))
    values, answers = list[bytes | None](), list[dict[str, Any]]()
    while len(values) < length:
        if answers and rng.random() < 0.45:
            values.append(json.dumps(answers.pop(rng.randrange(min(len(answers), 3)))).encode())
            continue
        record = next(plain)
        event = json.loads(record.value or b"") if b"features" in (record.value or b"") and record.key is None else None
        if event is None:
            values.append(record.value)
            continue
        rows = [event["features"]] * rng.randint(1, 3)
        about = {"model": event["model"], "model_version": event["model_version"], "id": f"{partition}-{len(values)}"}
        about["time"] = 1_700_000_000 + len(values) / 4
        broken = rng.random() < 0.03
        asked = {**about, "in": "H4sI" if broken else packed(rows), "secret": event.get("secret", False)}
        values.append(json.dumps(asked).encode())
        if rng.random() < 0.9:
            answers.append({**about, "out": [event["prediction"]] * len(rows), "status": event["status"]})
    return [Record(i, 1_700_000_000_000 + 250 * i, None, value) for i, value in enumerate(values)]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(SEEDS // 20, 1)))
def test_pairs_of_packed_rows_are_told_exactly_once_whatever_fails(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "CONFIG", campaign.CONFIG + MAPPED)
    monkeypatch.setattr(campaign, "make_log", mapped)
    monkeypatch.setattr(pairs, "YOUNG", 3 * (seed % 2))  # Most of those that wait do so for long.
    monkeypatch.setattr(pending, "BLOCK", 16)
    ran = run_seed(seed)
    tasks = [owned.task for w in ran.workers.values() for owned in w.owned.values()]
    found = Counter[str]()
    for counter in (one for owned in tasks for one in owned.counters()):
        found[counter.name, counter.labels.get("result") or counter.labels.get("reason")] += counter.value
    assert found["pairs_total", "paired"] > 100
    assert found["pairs_total", "alone"] > 10
    spilled = [owned.pairs.old.store for owned in tasks if isinstance(owned, Task) and owned.pairs is not None]
    assert sum(store.end for store in spilled) > 100
    assert found["records_failed_total", "undecodable"] > 0
    alerts = [json.loads(o.value or b"")["data"] for o in ran.broker.published() if o.topic == "alerts"]
    rows = {alert["row"] for alert in alerts if "row" in alert}
    assert 0 in rows
    assert max(rows) > 0
