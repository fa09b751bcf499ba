"""Commands on a real broker, by the command line and over a SIGKILL: each is obeyed and answered once, and a reader of
the ordered log who was never disturbed comes to the same.
"""

from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.events.batch import Record
from streamer.commands.cli import main
from tests.engine.commands import command
from tests.kafka.service import Service, produce, read_all, wait_committed, wait_ordered
from tests.kafka.test_ordered import data_of, wait_committed_once
from tests.kafka.test_sides import told
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

BASE_S, PARTITIONS = 1_700_000_000, 3
CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", instance: w0, client: {{session.timeout.ms: 6000}}}}
topics:
  {{events: [{events}], ordered: {ordered}, alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}}}
control: {{topic: {control}}}
reference: {{warmup: 100}}
heartbeat: {{interval: 1s}}
monitors:
  mean: {{signal: features.a, detect: {{kind: adwin}}, accept_after: 30d, keep_firing_for: 1h}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0", control: true}}
"""


def events(begin: int, end: int, mean: float) -> dict[int, list[Record]]:
    rng = random.Random(begin)
    made = [
        {"model": "fraud", "time": BASE_S + number, "features": {"a": rng.gauss(mean, 5.0)}}
        for number in range(begin, end)
    ]
    return {0: [Record(0, 1000 * one["time"], b"fraud", json.dumps(one).encode()) for one in made]}  # type: ignore[operator]


def say(path: Path, *given: str, code: int = 0) -> str:
    who = ["-c", str(path), "--by", "ada", "--why", "known"]
    said = CliRunner().invoke(main, ["alerts", *given, *who])
    assert said.exit_code == code, said.output
    return said.stdout


def on_the_page(service: Service, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    """What the page says to this, once it knows what it is about."""
    address, text = service.lines("starting")[-1]["listen"], None if body is None else json.dumps(body).encode()

    def told() -> dict[str, Any] | None:
        asked = urllib.request.Request(f"http://{address}{path}", text, {"X-Driftline": "page"})
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError:
            return None

    found = until(told, service.log.read_text)
    assert found is not None
    return found


def answered(service: Service, id: str) -> str:
    """What the page shows that became of a command."""

    def said() -> list[dict[str, Any]]:
        return [one for one in on_the_page(service, "/api/overview")["said"] if one["id"] == id]

    return str(until(said, service.log.read_text)[0]["sentence"])


def test_commands_are_obeyed_once_through_a_kill(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    names = {"events": make_topics("in", partitions=PARTITIONS)[0], "control": make_topics("co", partitions=1)[0]}
    roles = ("ordered", "alerts", "state", "dead", "beats")
    own = dict(zip(roles, make_topics("or", "al", "st", "dl", "hb", partitions=PARTITIONS), strict=True))
    group, path = f"g-{names['events']}", tmp_path / "driftline.yaml"
    path.write_text(CONFIG.format(broker=broker, group=group, **names, **own))
    with Service(path, tmp_path / "service.log") as service:
        wait_committed_once(broker, own["beats"])
        produce(broker, names["events"], events(0, 500, 100.0))
        produce(broker, names["events"], events(500, 900, 140.0))
        wait_committed(broker, group, names["events"], {0: 900})
        fired = until(lambda: read_all(broker, own["alerts"], PARTITIONS))
        [alert] = [json.loads(m.value()) for m in fired if b"io.driftline.alert.firing" in m.value()]
        assert say(path, "ack", alert["id"], "--id", "c1") == "fraud: ada acknowledged 1 alert (mean): known.\n"
        assert "could not ack: that alert is over" not in say(path, "mute", alert["id"], "--for", "10m", "--id", "c2")
        assert "it is not" not in say(path, "unack", alert["correlationid"], "--id", "c3")
        given = {"do": "ack", "by": "eve", "why": "seen on the page", "alert": alert["correlationid"]}
        by_page = on_the_page(service, "/api/act", given)["id"]
        assert answered(service, by_page) == "fraud: eve acknowledged 1 alert (mean): seen on the page."
        service.kill()
    again = [Record(0, 1000 * BASE_S, b"fraud", command("ack", id, monitor="mean")) for id in ("c1", "c4", "c4")]
    produce(broker, names["control"], {0: again})
    with Service(path, tmp_path / "service.log") as service:
        assert "accepted as the normal 1 alert (mean)" in say(path, "accept", alert["id"], "--id", "c5")
        assert "that alert is over" in say(path, "ack", alert["id"], "--id", "c6", code=1)
        produce(broker, names["events"], events(900, 1400, 140.0))
        wait_committed(broker, group, names["events"], {0: 1400})
        wait_committed(broker, group, names["control"], {0: 9})
        wait_ordered(broker, group, own["ordered"], PARTITIONS)
        assert service.stop() == 0
    log: dict[int, list[Record]] = {number: [] for number in range(PARTITIONS)}
    for message in read_all(broker, own["ordered"], PARTITIONS):
        log[message.partition()].append(Record(message.offset(), message.timestamp()[1], None, message.value()))
    [task] = told(broker, path, own, log)
    assert {c.labels["result"]: c.value for c in task.counters() if c.name == "control_commands_total" and c.value} == {
        "applied": 6, "duplicate": 2, "over": 1
    }  # fmt: skip
    answers = [m for m in read_all(broker, own["alerts"], PARTITIONS) if b"io.driftline.control." in m.value()]
    wanted = [out.value for out in task.outbox if out.topic == "control"]
    assert sorted(m.value() for m in answers) == sorted(filter(None, wanted))
    assert {data_of(m)["command"]["id"]: data_of(m)["status"] for m in answers} == {
        **dict.fromkeys(("c1", "c2", "c3", by_page, "c4", "c5"), "applied"), "c6": "refused"
    }  # fmt: skip
    assert not read_all(broker, own["dead"], PARTITIONS)
