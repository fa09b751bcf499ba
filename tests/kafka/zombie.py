"""A member that a test stops and continues: takes its partition, says READY, and on a line of input commits.

Run as a program: JSON of the settings as its one argument. The test sends SIGSTOP, a line, SIGCONT: the commit is the
first thing the process does after its sleep, at the same time as its heartbeat learns the truth.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streamer.config import model as cfg
from streamer.kafka.log import KafkaLog
from streamer.port import Assigned, Committed, Lost, Out, Records, Snapshot, Staged
from tests.waiting import until


def say(text: str) -> None:
    print(text, flush=True)


def run(options: dict[str, Any]) -> None:
    config: Any = SimpleNamespace(
        kafka=SimpleNamespace(**options["kafka"]),
        topics=cfg.Topics.model_validate(options["topics"]),
        limits=cfg.Limits(),
    )
    log = KafkaLog(config, logging.getLogger("zombie"))
    if options["unguarded"]:  # The mutant: what the broker alone would stop.
        log._publisher._membership = lambda: log._consumer.consumer_group_metadata()
    partition = (config.topics.events[0], 0)
    while Assigned(partition) not in log.poll(10, 0.1, lambda _: None):
        pass
    log.start(partition, 0)
    while not any(isinstance(e, Records) for e in log.poll(10, 0.1, lambda _: None)):
        pass
    say("READY " + log.commit([], {partition: Committed(1, None)}, {}).outcome.value)
    delay = float(sys.stdin.readline())
    time.sleep(delay)
    if options["stages"]:
        snapshot, root = Snapshot(5, 0, "c0ffee", b"zombie"), Committed(1, None)
        say(log.stage(partition, snapshot, Staged(), 1, root)[0].value)
    else:
        say(log.commit([Out("alerts", None, b"zombie")], {partition: Committed(5, None)}, {}).outcome.value)
    until(lambda: Lost(partition) in log.poll(10, 0.1, lambda _: None))
    say("LOST")
    os._exit(0)  # Its group has an heir already; leaving could hang.


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
