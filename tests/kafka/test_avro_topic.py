"""An Avro topic on a real broker: a shift, a registry that goes away and comes back, and SIGKILL in between."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.events.batch import Record
from tests.kafka.registry import running
from tests.kafka.service import ROOT, Service, committed, produce, read_all, wait_committed
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

Topics = Callable[..., list[str]]
CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{events}", instance: worker-0, client: {{session.timeout.ms: 6000}}}}
topics: {{events: [{events}], alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}}}
schema_registry: {{url: "{url}", timeout: 30s}}
reference: {{warmup: 200}}
monitors: {{mean: {{signal: features.amount, detect: {{kind: adwin, delta: 0.0002}}}}}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0"}}
"""
FIRST = [{"name": "amount", "type": ["null", "double"]}]
SECOND = [*FIRST, {"name": "country", "type": "string"}]
TIME = {"type": "long", "logicalType": "timestamp-millis"}
BEGIN_MS = 1_700_000_000_000
HALF = 1200


def schema(features: Any) -> dict[str, Any]:
    inner = {"type": "record", "name": "Features", "fields": features}
    fields = [("model", "string"), ("time", TIME), ("features", inner)]
    return {"type": "record", "name": "Event", "fields": [{"name": name, "type": kind} for name, kind in fields]}


def events(rng: random.Random, number: int, features: Any, begin: int, mean: float) -> list[Record]:
    parsed, found = fastavro.parse_schema(schema(features)), []
    for offset in range(begin, begin + HALF):
        data, time_ms = io.BytesIO(b"\0" + number.to_bytes(4, "big")), BEGIN_MS + offset * 1000
        data.seek(5)
        values = {"amount": rng.gauss(mean, 10), "country": "NL"}
        fastavro.schemaless_writer(data, parsed, {"model": "fraud", "time": time_ms, "features": values})
        found.append(Record(offset, time_ms, b"fraud", data.getvalue()))
    return found


def told(service: Service, event: str) -> dict[str, Any]:
    return until(lambda: service.lines(event), lambda: service.log.read_text()[-3000:])[-1]


def readiness(service: Service) -> str:
    address = told(service, "starting")["listen"]
    try:
        with urllib.request.urlopen(f"http://{address}/readyz?verbose", timeout=PATIENCE_S) as page:
            return str(page.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_a_shift_of_an_avro_topic_is_one_alert_whatever_becomes_of_the_registry(
    broker: str, make_topics: Topics, tmp_path: Path
) -> None:
    topics = dict(zip(("events", "alerts", "state", "dead", "beats"), make_topics(*"eashd", partitions=1), strict=True))
    path, rng = tmp_path / "driftline.yaml", random.Random(1)
    with running() as registry:
        path.write_text(CONFIG.format(broker=broker, url=registry.url, **topics))
        registry.ids = {1: {"schema": json.dumps(schema(FIRST))}, 2: {"schema": json.dumps(schema(SECOND))}}

        def wait(end: int) -> None:
            wait_committed(broker, topics["events"], topics["events"], {0: end})

        with Service(path, tmp_path / "1.log") as service:
            wait(0)
            produce(broker, topics["events"], {0: events(rng, 1, FIRST, 0, 100)})
            wait(HALF)
            registry.stop()
            produce(broker, topics["events"], {0: events(rng, 2, SECOND, HALF, 140)})
            # It may have waited for the first one, too.
            until(lambda: HALF in [line["offset"] for line in service.lines("waits_for_schema")], service.log.read_text)
            away = told(service, "schema_registry_away")
            assert "waits for schemas of the registry" in away["why"]
            assert "schema_registry.url" in away["why"]
            assert "[-] schemas: " in readiness(service)
            service.kill()
        with Service(path, tmp_path / "2.log") as service:
            told(service, "schema_registry_away")
            assert committed(broker, topics["events"], topics["events"], 1)[0][0] == HALF
            registry.start()
            wait(2 * HALF)
            until(lambda: "[+] schemas ok" in readiness(service), lambda: readiness(service))
            assert service.stop() == 0
        published = [message.value() for message in read_all(broker, topics["alerts"], 1)]
        command = [sys.executable, "-m", "streamer", "replay", "-c", str(path), "--topic", topics["events"]]
        again = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert read_all(broker, topics["dead"], 1) == []
    found = [json.loads(value) for value in published]
    [alert] = [one["data"] for one in found if one["type"] == "io.driftline.alert.firing.v1"]
    assert HALF <= alert["trigger"]["offset"] < HALF + 200
    assert alert["evidence"]["after"]["offsets"][0] >= HALF - 50
    assert again.stdout.splitlines() == published
    assert b"2,400 records = 2,400 used" in again.stderr
