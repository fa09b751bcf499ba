"""What a task counts: every counter is a metric of the catalogue with its labels, and they add up."""

from __future__ import annotations

import random
from typing import get_args

import pytest

from streamer.config.load import load_text
from streamer.engine.figures import Counter, Name, counters
from streamer.engine.task import Task
from streamer.monitors.window_outcomes import ENDS
from streamer.service.catalogue import CATALOGUE
from tests.engine.tasks import run
from tests.sim.campaign import CONFIG, make_log

PEOPLE = "verdicts: {topic: said}\nreview: {topic: asked}\ncontrol: {topic: steer}\nfalse_alarms: {learn: propose}\n"


@pytest.fixture(scope="module")
def task() -> Task:
    return run(
        load_text(CONFIG.replace(", order: topic", "") + PEOPLE + "mapping: {pair: {within: 1s}}\n", "x", {}),
        make_log(random.Random(4), 0, 500),
    )


def test_every_counter_is_a_metric_with_its_labels(task: Task) -> None:
    found = list(task.counters())
    assert {counter.name for counter in found} == set(get_args(Name))
    for counter in found:
        spec = CATALOGUE[counter.name]
        assert spec.kind == "counter"
        assert set(counter.labels) == set(spec.labels), counter
        assert all(not closed or counter.labels[label] in closed for label, closed in spec.labels.items()), counter
    keys = [(counter.name, str(counter.labels)) for counter in found]
    assert len(set(keys)) == len(keys), "a pair of name and labels is counted once"


def total(found: list[Counter], name: str) -> int:
    return sum(counter.value for counter in found if counter.name == name)


def test_the_counts_add_up(task: Task) -> None:
    found = list(task.counters())
    assert task.pairs is not None
    assert total(found, "events_total") == total(found, "records_consumed_total") == 500 - len(task.pairs.open)
    dead = [c.value for c in found if c.name == "events_total" and c.labels["result"] == "dead_lettered"]
    assert [total(found, "records_failed_total")] == dead
    alerts = [out for out in task.outbox if out.topic == "alerts"]
    assert total(found, "alerts_emitted_total") == len(alerts) > 0
    incidents = [out for out in task.outbox if out.topic == "incidents"]
    assert total(found, "incidents_emitted_total") == len(incidents) > 0
    by_monitor = {c.labels["monitor"]: c.value for c in found if c.name == "detections_total"}
    assert by_monitor == task.book.detections
    ended: dict[str, int] = dict.fromkeys(ENDS, 0)
    for monitor in task.by_order:
        for counts in monitor.ended().values():
            for how, count in counts.items():
                ended[how] += count
    assert total(found, "windows_total") == sum(ended.values()) > 0
    windows = [c for c in found if c.name == "windows_total"]
    assert {c.labels["monitor"] for c in windows} == {m.name for m in task.by_order if m.windowed}


def test_a_task_that_saw_nothing_has_counted_nothing() -> None:
    fresh = Task(load_text(CONFIG.replace(", order: topic", "") + PEOPLE, "x", {}), ("inferences", 0), 0)
    found = list(fresh.counters())
    assert {counter.value for counter in found} == {0}
    assert {counter.name for counter in found} == {
        "events_total", "events_muted_total", "records_consumed_total",
        "series_dropped_total", "series_evicted_total", "windows_total", "feedback_total", "feedback_awaited_total",
        "labels_received_total", "labels_total", "labels_awaited_total", "labels_uncalibrated_total",
        "review_items_total", "review_outcomes_total", "review_no_share_total", "review_uncompared_total",
        "verdicts_total", "erasures_total",
        "control_commands_total", "alerts_held_total", "alert_verdicts_total",
    }  # fmt: skip
    told = {("firing", "info"): 2}, {("resolved", "info"): 4}, {("opened", "info"): 1}
    again = list(counters("inferences", fresh.admission, [], [], {"m": 9}, {"m": 3}, *told))
    assert again[-4:] == [
        Counter("detections_total", {"monitor": "m"}, 3),
        Counter("alerts_emitted_total", {"status": "firing", "severity": "info"}, 2),
        Counter("shadow_alerts_emitted_total", {"status": "resolved", "severity": "info"}, 4),
        Counter("incidents_emitted_total", {"change": "opened", "severity": "info"}, 1),
    ]
