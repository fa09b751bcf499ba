"""Topics whose records are not yet events, on a real broker: pairs of request and response over two partitions, and
batches of three rows. A shift in the middle is told at its record and row, whatever is killed meanwhile.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.offline.presets import text_of
from tests.kafka.service import produce, wait_committed
from tests.kafka.test_service import MORE, Setup, Topics, check_against_oracle
from tests.waiting import until

pytestmark = pytest.mark.broker

BEGIN_MS = 1_700_000_000_000
LENGTH, SHIFT, LEARNT, KILLED = 700, 400, 250, 450
"""Records of a partition, where the shift begins, how many are there before anybody comes, and before the kill."""
ROWS = 3


def rows(rng: random.Random, shifted: bool) -> list[dict[str, Any]]:
    return [
        {
            "amount": round(rng.gauss(160 if shifted else 100, 10), 2),
            "age": None if shifted and rng.random() < 0.6 else round(rng.lognormvariate(0, 1), 3),
        }
        for _ in range(ROWS)
    ]


def pairs(rng: random.Random, partition: int) -> list[Record]:
    """KServe's requests and answers, a few records apart. Of some ids the answer lies in the other partition, and of
    some there is none."""
    records, answers, apart = list[Record](), list[str](), 0
    while len(records) < LENGTH:
        offset = len(records)
        shifted = offset >= SHIFT
        if answers and (len(answers) > 4 or rng.random() < 0.5):
            ce_id = answers.pop(0)
            label = "leaves" if rng.random() < (0.8 if shifted else 0.2) else "stays"
            value: dict[str, Any] = {"predictions": [label] * ROWS}
        else:
            ce_id = f"{partition}-{offset}"
            value = {"instances": rows(rng, shifted)}
            if (chance := rng.random()) < 0.05:
                ce_id, apart = f"apart-{partition}-{apart}", apart + 1
                answers.append(f"apart-{1 - partition}-{apart - 1}")
            elif chance > 0.1:
                answers.append(ce_id)
        headers = [("ce_id", ce_id.encode()), ("ce_inferenceservicename", b"churn"), ("ce_endpoint", b"default")]
        records.append(Record(offset, BEGIN_MS + 250 * offset, b"churn", json.dumps(value).encode(), tuple(headers)))
    return records


def batches(rng: random.Random, partition: int) -> list[Record]:
    """Three rows a record, with their labels beside them."""
    records = []
    for offset in range(LENGTH):
        shifted = offset >= SHIFT
        labels = ["yes" if rng.random() < (0.8 if shifted else 0.2) else "no" for _ in range(ROWS)]
        value = {"model": f"m{partition}", "id": f"{partition}-{offset}", "rows": rows(rng, shifted), "labels": labels}
        records.append(Record(offset, BEGIN_MS + 250 * offset, b"m", json.dumps(value).encode()))
    return records


BATCHES = """
fields: {event_id: /id, features: /rows, label: /labels}
mapping: {each: [/rows, /labels]}
"""


@pytest.mark.parametrize(
    ("make", "mapping"),
    [(pairs, text_of("kserve-logger").replace("within: 1m", "within: 5s")), (batches, BATCHES)],
    ids=["pairs", "batches"],
)
def test_a_shift_is_told_at_its_record_and_row_through_kills(
    make: Callable[[random.Random, int], list[Record]], mapping: str, broker: str, make_topics: Topics, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    rng = random.Random(seed)
    setup = Setup(broker, make_topics, tmp_path, 120, MORE + mapping, partitions=2)
    logs = {n: make(rng, n) for n in range(2)}
    produce(broker, setup.events, {n: records[:LEARNT] for n, records in logs.items()})
    with setup.run() as service:
        until(lambda: len(service.lines("history_begins")) >= len(logs), lambda: setup.log.read_text()[-2000:])
        produce(broker, setup.events, {n: records[LEARNT:KILLED] for n, records in logs.items()})
        time.sleep(rng.uniform(0.0, 0.6))
        service.kill()
    produce(broker, setup.events, {n: records[KILLED:] for n, records in logs.items()})
    with setup.run() as service:
        wait_committed(broker, setup.group, setup.events, dict.fromkeys(logs, LENGTH))
        assert service.stop() == 0, setup.log.read_text()[-2000:]
    check_against_oracle(setup, logs, LENGTH, least=6)
    alerts = [one for one in (json.loads(value)["data"] for value in setup.published()) if "trigger" in one]
    told = {
        (one["trigger"]["partition"], one["row"])
        for one in alerts
        if one["alert"]["labels"]["monitor"] == "mean" and SHIFT <= one["trigger"]["offset"] < SHIFT + 100
    }
    assert {partition for partition, _ in told} == set(logs)
    assert {row for _, row in told} <= set(range(ROWS))
