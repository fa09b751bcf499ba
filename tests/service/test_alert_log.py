"""Alerts in the log: one line each, in words, when they have landed; a storm is bounded and counted."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import orjson

from schemas.events.batch import Record
from schemas.records.envelope import HEADERS
from streamer.config.load import load_text
from streamer.engine.tasks import Tasks
from streamer.port import Out
from streamer.service.alert_log import INTERVAL_S, LINES_MAX, AlertLog, line_of
from streamer.service.json_logs import get_logger, log, setup_logging
from streamer.service.worker import Worker
from tests.engine.tasks import run
from tests.sim import campaign
from tests.sim.broker import Broker, SimLog

AT = ("inferences", 0)


def found() -> list[Out]:
    config = load_text(campaign.CONFIG, "x", {})
    return [out for out in run(config, campaign.make_log(random.Random(3), 0, 500)).outbox if out.topic == "alerts"]


def test_each_alert_is_a_line_that_says_what_its_record_says() -> None:
    lines = [line_of(out.value or b"") for out in found()]
    assert {event for event, _ in lines} == {"alert_firing", "alert_renewed", "alert_resolved"}
    for (event, fields), out in zip(lines, found(), strict=True):
        record = orjson.loads(out.value or b"")
        assert (fields["sentence"], fields["id"]) == (record["data"]["sentence"], record["id"])
        assert fields["offset"] == record["data"]["changed"]["offset"]
        assert (event == "alert_resolved") == ("how" in fields)
        assert {fields["monitor"], fields["model"], fields["severity"]} <= set(
            record["data"]["alert"]["labels"].values()
        )


def test_an_alert_of_a_partition_has_no_model() -> None:
    config = load_text(campaign.CONFIG, "x", {})
    task = run(config, [Record(i, 1_700_000_000_000, None, b"x") for i in range(30)])
    [out] = [out for out in task.outbox if out.topic == "alerts"]
    event, fields = line_of(out.value or b"")
    assert (event, fields["monitor"], fields["offset"]) == ("alert_firing", "limits.unusable", 19)
    assert "model" not in fields


class Told:
    """What was notified, and a clock."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.now_s = 50.0
        self.log = AlertLog(lambda event, partition, **fields: self.lines.append((event, fields)), lambda: self.now_s)


def test_a_storm_is_bounded_and_what_was_left_out_is_counted() -> None:
    told = Told()
    one = found()[:1]
    told.log.landed(AT, [*one * (LINES_MAX + 30), Out("dead_letter", None, b"x", HEADERS)])
    told.log.landed(AT, one)
    assert [event for event, _ in told.lines] == ["alert_firing"] * LINES_MAX
    told.now_s += INTERVAL_S
    told.log.landed(AT, [])
    told.log.landed(AT, one)
    assert told.lines[LINES_MAX][1]["suppressed"] == 31
    assert [event for event, _ in told.lines[LINES_MAX:]] == ["alerts_suppressed", "alert_firing"]


def test_alerts_of_one_monitor_are_no_repeats_of_each_other() -> None:
    """The log keeps repeats of an event back; fifty features that drift at once are no repeats."""
    stream = io.StringIO()
    setup_logging(stream=stream, pretty=False)
    for number in range(50):
        fields = {"monitor": "m", "model": "fraud", "id": f"f00-{number}-1"}
        log(get_logger("driftline"), "info", "alert_firing", topic="t", partition=0, **fields)
    assert [json.loads(line)["id"] for line in stream.getvalue().splitlines()] == [f"f00-{n}-1" for n in range(50)]


def test_what_landed_is_told_once_whatever_became_of_the_commits_before() -> None:
    """The worker over the simulated broker, which refuses commits, loses acknowledgements, and stalls."""
    told: list[str] = []

    def notify(event: str, *_: Any, **fields: Any) -> None:
        if event.startswith("alert_"):
            told.append(fields["id"])

    config, broker = load_text(campaign.CONFIG, "x", {}), Broker(random.Random(1), [AT], {})
    broker.logs = {AT: campaign.make_log(random.Random(3), 0, 500)}
    now_s = 0.0
    worker = Worker(config, Tasks(config), SimLog(broker, "w0"), lambda: now_s, lambda: int(now_s * 1000), notify)
    broker.faults = {"abort": 0.3, "lost-ack": 0.2, "stall": 0.1}
    while AT not in broker.committed or broker.committed[AT].offset < 500:
        now_s += 0.7
        worker.step(0.0)
        landed = [json.loads(out.value or b"")["id"] for out in broker.published() if out.topic == "alerts"]
        assert told == landed[: len(told)], "nothing is told before it has landed"
    broker.faults = {}
    assert worker.drain()
    assert told == [json.loads(out.value or b"")["id"] for out in broker.published() if out.topic == "alerts"]
    assert len(told) > 10
    assert len(set(told)) == len(told)
    assert len(worker.stats.commits) > 1, "some were refused or unknown"
