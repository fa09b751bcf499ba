"""What the worker says of a commit whose outcome was unknown."""

from __future__ import annotations

import random

import pytest

from streamer.config.load import load_text
from streamer.engine.task import Tasks
from streamer.service.worker import Worker
from tests.sim.broker import Broker, SimLog
from tests.sim.campaign import CONFIG, make_log

AT = ("inferences", 0)


@pytest.mark.parametrize(("fault", "drained"), [("lost-ack", True), ("stall-never", False), ("abort", False)])
def test_drained_means_that_the_last_commit_landed(fault: str, drained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_text(CONFIG, "x", {})
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: make_log(random.Random(2), 0, 100)}
    log = SimLog(broker, "w0")
    worker = Worker(config, Tasks(config), log, lambda: 0.0, lambda: 0, lambda *a, **k: None)
    while AT not in worker.owned or worker.owned[AT].task.position < 50:
        worker.step(0.0)
    if fault == "stall-never":  # Every EndTxn gets lost: each outcome is unknown, and each settles as not landed.
        monkeypatch.setattr(broker, "end", lambda transaction, commit: setattr(transaction, "state", "aborted"))
        fault = "stall"
    broker.faults = {fault: 1.0}
    assert worker.drain() is drained
    committed = broker.committed.get(AT)
    assert (committed is not None and committed.offset == worker.owned[AT].task.position) is drained
