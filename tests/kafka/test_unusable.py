"""Records that cannot be used on a real broker: one alert per partition, whatever is killed, and said aloud."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.events.batch import Record
from streamer.config.load import load_config
from tests.kafka.service import beats_of, produce, wait_committed
from tests.kafka.test_outages import readyz
from tests.kafka.test_service import PARTITIONS, Setup
from tests.sim.campaign import oracle, ticks_of
from tests.waiting import until

pytestmark = pytest.mark.broker

COUNT = 2_000


def test_a_topic_of_csv_is_told_once_per_partition_through_kills(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    setup = Setup(broker, make_topics, tmp_path, 40, "heartbeat: {interval: 1s}")
    now_ms = int(time.time() * 1000)
    logs = {n: [Record(i, now_ms + i, None, b"fraud,99.5,NL") for i in range(COUNT)] for n in range(PARTITIONS)}
    for half in (slice(0, COUNT // 2), slice(COUNT // 2, COUNT)):
        produce(broker, setup.events, {n: records[half] for n, records in logs.items()})
        with setup.run() as service:
            time.sleep(random.SystemRandom().uniform(2.0, 4.0))
            service.kill()
    setup.log = tmp_path / "last.log"  # Of the one whose address is asked for.
    with setup.run() as service:
        until(lambda: service.lines("starting"), "up")
        until(lambda: "of 20 records cannot be read" in readyz(service)[1], "said on /readyz")
        status, reason = readyz(service)
        assert (status, "it looks like comma-separated text (CSV)" in reason) == (503, True)
        wait_committed(broker, setup.group, setup.events, dict.fromkeys(logs, COUNT))
        assert service.stop() == 0, setup.log.read_text()[-2000:]
    alerts = [json.loads(value) for value in setup.published()]
    assert len(alerts) == PARTITIONS
    places = {(a["data"]["alert"]["labels"]["partition"], a["data"]["trigger"]["offset"]) for a in alerts}
    assert places == {(f"{setup.events}[{n}]", 19) for n in range(PARTITIONS)}
    config, expected = load_config(setup.path, {}), []
    beats = beats_of(broker, setup.beats, PARTITIONS)
    for n, records in logs.items():
        task = oracle(config, (setup.events, n), records, ticks_of(beats[n]))
        expected += [out.value for out in task.outbox if out.topic == "alerts"]
    assert sorted(expected) == sorted(setup.published())
