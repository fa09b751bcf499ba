"""The broker dies and comes back under two running instances: no exit, nothing lost, nothing twice, both said so."""

from __future__ import annotations

import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.broker.broker import Broker
from tests.broker.topics import topic_maker
from tests.kafka.service import Service, produce, wait_committed
from tests.kafka.test_service import MORE, PARTITIONS, Setup, check_against_oracle
from tests.sim.campaign import make_log
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

OUTAGES = [float(text) for text in os.environ.get("DRIFTLINE_OUTAGES", "4").split(",")]
"""Seconds without a broker, one outage after another; `DRIFTLINE_OUTAGES=5,40,120,600` is the long campaign."""
LENGTH = 4_000
STATIC = ", instance: worker-0, client: {session.timeout.ms: 6000}"


@pytest.fixture
def mortal() -> Iterator[Broker]:
    """A broker of this test's own, since others would not survive it."""
    with Broker() as broker:
        yield broker


def readyz(service: Service) -> tuple[int, str]:
    return get(service, "/readyz")


def get(service: Service, path: str) -> tuple[int, str]:
    address = service.lines("starting")[0]["listen"]
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def instance(setup: Setup, number: int) -> Service:
    path = setup.path.with_name(f"worker-{number}.yaml")
    text = setup.path.read_text()
    assert STATIC in text
    path.write_text(text.replace("instance: worker-0", f"instance: worker-{number}"))
    return Service(path, setup.log.with_name(f"worker-{number}.log"))


def test_a_broker_that_dies_and_comes_back_costs_nothing(mortal: Broker, tmp_path: Path) -> None:
    setup = Setup(mortal.bootstrap, topic_maker(mortal.bootstrap), tmp_path, 40, MORE)
    logs = {n: make_log(random.Random(n), n, LENGTH) for n in range(PARTITIONS)}
    step = LENGTH // (2 * len(OUTAGES) + 1)
    fed = 0

    def feed(to: int) -> None:
        nonlocal fed
        produce(setup.broker, setup.events, {n: records[fed:to] for n, records in logs.items()})
        fed = to

    with ExitStack() as stack:
        services = [stack.enter_context(instance(setup, number)) for number in (1, 2)]
        until(lambda: all(s.lines("partition_ready") for s in services), "both instances have partitions")
        for seconds in OUTAGES:
            feed(fed + step)
            time.sleep(1.0)
            feed(fed + step)  # Some of it is in a transaction when the broker dies.
            mortal.crash()
            down_s = time.monotonic()
            until(lambda: all(readyz(s)[0] == 503 for s in services), "503 while there is no broker")
            for service in services:
                until(lambda s=service: "refused" in readyz(s)[1], "why")
                assert get(service, "/livez") == (200, "ok\n")
            time.sleep(max(0.0, down_s + seconds - time.monotonic()))
            assert [s.process.poll() for s in services] == [None, None]
            assert all(get(s, "/livez") == (200, "ok\n") for s in services)
            mortal.start()
            back_s = time.monotonic()
            until(lambda: all(readyz(s)[0] == 200 for s in services), "ready again")
            print(f"{seconds:g} s without a broker, ready {time.monotonic() - back_s:.1f} s after its return")
        feed(LENGTH)
        wait_committed(setup.broker, setup.group, setup.events, dict.fromkeys(logs, LENGTH))
        assert [s.stop() for s in services] == [0, 0]
    check_against_oracle(setup, logs, LENGTH, [service.config for service in services])
    for service in services:
        waits = [line for line in service.lines("waiting") if line["check"] == "broker_seen"]
        assert len(OUTAGES) <= len(waits) <= sum(2 + seconds / 60 for seconds in OUTAGES), waits
