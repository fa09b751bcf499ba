"""Another config while the service runs, on a real broker: by a signal, over HTTP, and one with a mistake between."""

from __future__ import annotations

import random
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.kafka.service import Service, produce, wait_committed
from tests.kafka.test_outages import readyz
from tests.kafka.test_service import MORE, PARTITIONS, Setup, check_against_oracle
from tests.kafka.world import MakeTopics
from tests.sim.campaign import make_log
from tests.waiting import PATIENCE_S, until

LENGTH, STEPS = 1_500, 3


def post(service: Service) -> int:
    address = service.lines("starting")[0]["listen"]
    with urllib.request.urlopen(f"http://{address}/-/reload", data=b"", timeout=PATIENCE_S) as answer:
        return int(answer.status)


@pytest.mark.broker
def test_what_is_decided_is_what_it_would_have_been(broker: str, make_topics: MakeTopics, tmp_path: Path) -> None:
    """Of a config that decides the same: nothing is lost or told twice where one ends and the other begins."""
    setup = Setup(broker, make_topics, tmp_path, 40, MORE)
    text = setup.path.read_text().replace('listen: "127.0.0.1:0"', 'listen: "127.0.0.1:0", control: true')
    setup.path.write_text(text)
    logs = {n: make_log(random.Random(n), n, LENGTH) for n in range(PARTITIONS)}
    parts = [{n: log[k * LENGTH // STEPS : (k + 1) * LENGTH // STEPS] for n, log in logs.items()} for k in range(STEPS)]
    with setup.run() as service:
        produce(broker, setup.events, parts[0])
        until(lambda: len(service.lines("partition_ready")) == PARTITIONS, "all partitions")

        setup.path.write_text("version: 1\nkafka: {}\n")
        service.process.send_signal(signal.SIGHUP)
        until(lambda: service.lines("config_refused"), "refused")
        until(lambda: readyz(service)[0] == 200, "a config with mistakes makes nothing unready")

        setup.path.write_text(text.replace("commit: {interval: 200ms", "commit: {interval: 300ms"))
        service.process.send_signal(signal.SIGHUP)
        produce(broker, setup.events, parts[1])
        until(lambda: len(service.lines("config_reloaded")) == 1, "by a signal")
        until(lambda: len(service.lines("partition_ready")) == 2 * PARTITIONS, "all partitions again")

        setup.path.write_text(text)
        assert post(service) == 202
        produce(broker, setup.events, parts[2])
        until(lambda: len(service.lines("config_reloaded")) == 2, "over HTTP")
        wait_committed(broker, setup.group, setup.events, dict.fromkeys(logs, LENGTH))
        assert service.stop() == 0
    check_against_oracle(setup, logs, LENGTH)
