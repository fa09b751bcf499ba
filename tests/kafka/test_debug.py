"""`kafka.client: {debug: all}` on a real broker: thousands of lines more, and not one producer more."""

from __future__ import annotations

import json
import logging
import urllib.request
from pathlib import Path

import pytest

from schemas.events.batch import Record
from streamer.port import Committed, Outcome, Snapshot
from streamer.service.json_logs import CoordinatorWatch
from tests.kafka.service import Service, produce, wait_committed
from tests.kafka.world import MakeTopics, World, alert, owner
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.broker
COMMITS = 6


class Lines(logging.Handler):
    """How many lines librdkafka wrote, and which facilities they are of."""

    def __init__(self) -> None:
        super().__init__()
        self.count, self.facilities = 0, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and len(record.args) == 3:
            self.count += 1
            self.facilities.add(str(record.args[0]))


@pytest.mark.parametrize("client", [{}, {"debug": "all"}, {"log_level": 3}], ids=["plain", "debug", "quiet"])
def test_the_producer_outlives_the_chatter_of_its_log(world: World, client: dict[str, str | int]) -> None:
    logger, lines, watch = logging.getLogger("test"), Lines(), CoordinatorWatch()
    logger.addHandler(lines)
    logger.setLevel(logging.DEBUG)
    try:
        log = owner(world, watch=watch, **client)
        producers = [log._transactions._producer]
        for n in range(1, COMMITS + 1):
            at = {(world.events, 0): Committed(n, None)}, {(world.events, 0): Snapshot(n, 0, "c0ffee", b"blob")}
            world.produce(1)
            assert log.commit([alert(f"a{n}")], *at).outcome is Outcome.DONE
            log.poll(10, 0.1, lambda _: None)
            producers.append(log._transactions._producer)
        assert all(producer is producers[0] for producer in producers), watch.last
        assert world.values(world.alerts) == [b"a%d" % n for n in range(1, COMMITS + 1)]
        assert (lines.count > 1000, "FAIL" in lines.facilities) == (("debug" in client),) * 2
    finally:
        logger.removeHandler(lines)
        logger.setLevel(logging.NOTSET)


def test_the_service_shows_what_debug_asks_for_and_keeps_its_producer(
    broker: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    names = make_topics("events", "alerts", "state", "dead", "beats")
    roles = dict(zip(("alerts", "state", "dead_letter", "heartbeats"), names[1:], strict=True))
    path = tmp_path / "drift.yaml"
    text = f"version: 1\nkafka: {{brokers: '{broker}', group: g-{names[0]}, client: {{debug: all}}}}\n"
    topics = ", ".join(f"{role}: {name}" for role, name in roles.items())
    path.write_text(f"{text}topics: {{events: [{names[0]}], {topics}}}\nserver: {{listen: '127.0.0.1:0'}}\n"
                    "commit: {interval: 200ms, snapshot_interval: 400ms}\n")  # fmt: skip
    event = json.dumps({"model": "m", "features": {"a": 1}}).encode()
    with Service(path, tmp_path / "log") as service:
        for n in range(COMMITS):
            produce(broker, names[0], {0: [Record(n, -1, None, event)] * 5})
            wait_committed(broker, f"g-{names[0]}", names[0], {0: 5 * (n + 1)})
        [starting] = service.lines("starting")
        with urllib.request.urlopen(f"http://{starting['listen']}/metrics", timeout=PATIENCE_S) as answer:
            metrics = answer.read().decode()
        assert service.stop() == 0
    assert "driftline_producer_recreated_total 0.0" in metrics
    shown = service.lines("librdkafka")
    assert {"FAIL", "TXNAPI", "SEND"} <= {line["fac"] for line in shown if line["level"] == "debug"}
    assert not any("suppressed" in line for line in shown if line["level"] == "debug")
