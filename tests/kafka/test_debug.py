"""`kafka.client: {debug: all}` on a real broker: thousands of lines more, and not one producer more."""

from __future__ import annotations

import logging

import pytest

from streamer.port import Committed, Outcome, Snapshot
from streamer.service.json_logs import CoordinatorWatch
from tests.kafka.world import World, alert, owner

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
