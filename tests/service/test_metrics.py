"""The catalogue, and what a scrape of it says."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamer.service.metrics import (
    LABEL_MAX,
    MODEL_SERIES_MAX,
    OTHER,
    PREFIX,
    Metrics,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def scrape(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(sample name without prefix, sorted labels) -> value."""
    text = metrics.expose()[0].decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    return {(s.name.removeprefix(PREFIX), tuple(sorted(s.labels.items()))): s.value for s in samples}


def test_mypy_refuses_a_name_that_is_not_in_the_table(tmp_path: Path) -> None:
    script = tmp_path / "wrong.py"
    script.write_text(
        "from streamer.service.metrics import Metrics\n"
        "Metrics().inc('records_consumed_total', 5, topic='x')\n"
        "Metrics().inc('records_eaten_total', 5)\n"
        "Metrics().set('rebalances_total', 5)\n"
    )
    cache = tmp_path / "cache"
    if (REPOSITORY / ".mypy_cache").is_dir():  # Of `make lint`: nothing but the script is looked at then.
        shutil.copytree(REPOSITORY / ".mypy_cache", cache)
    command = [sys.executable, "-m", "mypy", f"--cache-dir={cache}", str(script)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    errors = [line for line in result.stdout.splitlines() if "error" in line and "wrong.py" in line]
    assert [line.split(":")[1] for line in errors] == ["3", "4"], result.stdout


def test_counters_gauges_and_histograms_are_scraped() -> None:
    metrics = Metrics()
    metrics.inc("records_consumed_total", 5, topic="x")
    metrics.inc("records_consumed_total", topic="x")
    metrics.set("consumer_lag_records", 7, topic="x", partition="0")
    for seconds in (0.001, 0.004, 0.2, 99.0):
        metrics.observe("processing_seconds", seconds)
    found = scrape(metrics)
    assert found["records_consumed_total", (("topic", "x"),)] == 6
    assert found["consumer_lag_records", (("partition", "0"), ("topic", "x"))] == 7
    assert found["processing_seconds_bucket", (("le", "0.001"),)] == 1
    assert found["processing_seconds_bucket", (("le", "0.005"),)] == 2
    assert found["processing_seconds_bucket", (("le", "2.5"),)] == 3
    assert found["processing_seconds_bucket", (("le", "+Inf"),)] == 4
    assert found["processing_seconds_count", ()] == 4
    assert found["processing_seconds_sum", ()] == pytest.approx(99.205)
    assert metrics.get("records_consumed_total", topic="x") == 6
    assert metrics.get("records_consumed_total", topic="y") is None


def test_total_follows_the_core_and_never_goes_down() -> None:
    metrics = Metrics()
    values = []
    for core in (3, 10, 4, 10, 11):  # 4: the core was restored from a snapshot and counts again
        metrics.total("detections_total", core, monitor="m")
        values.append(metrics.get("detections_total", monitor="m"))
    assert values == [3, 10, 10, 10, 11]


def test_a_counter_cannot_be_decreased() -> None:
    with pytest.raises(ValueError, match="never goes down"):
        Metrics().inc("rebalances_total", -1)


@pytest.mark.parametrize("labels", [{}, {"topic": "x", "more": "y"}, {"partition": "0"}])
def test_wrong_labels_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="takes the labels"):
        Metrics().inc("records_consumed_total", 1, **labels)


def test_closed_labels_begin_at_zero_so_that_the_first_increase_is_seen() -> None:
    metrics = Metrics()
    found = scrape(metrics)
    assert found["state_lost_total", (("policy", "rebaseline"),)] == 0
    assert found["thread_failures_total", (("thread", "watch"),)] == 0
    assert found["rebalances_total", ()] == 0
    assert found["commit_seconds_count", ()] == 0
    assert not [key for key in found if key[0] == "events_total"]
    metrics.inc("events_total", 2, topic="x", result="late")
    found = scrape(metrics)
    assert found["events_total", (("result", "late"), ("topic", "x"))] == 2
    assert found["events_total", (("result", "duplicate"), ("topic", "x"))] == 0


def test_models_beyond_the_cap_share_one_label() -> None:
    metrics = Metrics()
    for i in range(MODEL_SERIES_MAX + 50):
        metrics.set("anomaly_fraction", 0.5, monitor="m", model=f"model-{i}")
    metrics.set("anomaly_fraction", 0.25, monitor="m", model="model-3")
    found = {key: value for key, value in scrape(metrics).items() if key[0] == "anomaly_fraction"}
    assert len(found) == MODEL_SERIES_MAX + 1
    assert found["anomaly_fraction", (("model", OTHER), ("monitor", "m"))] == 0.5
    assert found["anomaly_fraction", (("model", "model-3"), ("monitor", "m"))] == 0.25


def test_label_values_are_cut_and_always_encodable() -> None:
    metrics = Metrics()
    metrics.set("window_rows", 1, monitor="m", model="\ud800" + "x" * 5000)
    metrics.set("window_rows", 2, monitor="m", model='a"b\\c\nd')
    models = [dict(labels)["model"] for name, labels in scrape(metrics) if name == "window_rows"]
    assert sorted(models, key=len) == ['a"b\\c\nd', "?" + "x" * (LABEL_MAX - 1)]


def test_a_partition_that_went_elsewhere_leaves_no_gauge_and_keeps_its_counters() -> None:
    metrics = Metrics()
    for partition in ("0", "1"):
        metrics.set("consumer_lag_records", 9, topic="x", partition=partition)
        metrics.set("state_bytes", 9, topic="x", partition=partition)
    metrics.inc("records_consumed_total", 4, topic="x")
    metrics.set("assigned_partitions", 2)
    metrics.forget(topic="x", partition="0")
    assert metrics.get("consumer_lag_records", topic="x", partition="0") is None
    assert metrics.get("state_bytes", topic="x", partition="1") == 9
    assert metrics.get("records_consumed_total", topic="x") == 4
    assert metrics.get("assigned_partitions") == 2


def test_two_instances_share_nothing() -> None:
    one, two = Metrics(), Metrics()
    one.inc("rebalances_total")
    assert two.get("rebalances_total") == 0


def test_openmetrics_where_it_is_asked_for_and_process_metrics_in_both() -> None:
    metrics = Metrics()
    metrics.inc("rebalances_total")
    plain, kind = metrics.expose("text/plain")
    assert kind.startswith("text/plain; version=0.0.4")
    body, kind = metrics.expose("application/openmetrics-text; version=1.0.0\r\n X-Evil: 1, text/plain;q=0.5")
    assert "\n" not in kind
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert b"driftline_rebalances_total 1.0" in body
    assert b"driftline_rebalances_total 1.0" in plain
    assert b"_created" not in plain
    if sys.platform == "linux":
        assert b"process_resident_memory_bytes" in plain


def test_scrapes_while_the_worker_writes() -> None:
    metrics = Metrics()
    stop = threading.Event()
    failures: list[BaseException] = []

    def reading() -> None:
        while not stop.is_set():
            try:
                metrics.expose()
            except BaseException as error:
                failures.append(error)

    readers = [threading.Thread(target=reading) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(2000):
        metrics.inc("records_consumed_total", topic=f"t{i % 300}")
        metrics.observe("commit_seconds", i / 100)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert sum(v for k, v in scrape(metrics).items() if k[0] == "records_consumed_total") == 2000


def test_a_gauge_is_replaced_as_a_whole_and_what_is_cut_to_the_same_name_adds_up() -> None:
    metrics, long = Metrics(), "m" * LABEL_MAX
    metrics.replace(
        "alerts_active", {("a", "m", "firing"): 1, (long + "1", "m", "firing"): 2, (long, "m", "firing"): 3}
    )
    assert metrics.get("alerts_active", model=long, monitor="m", state="firing") == 5
    metrics.replace("alerts_active", {})
    assert metrics.get("alerts_active", model="a", monitor="m", state="firing") is None
    with pytest.raises(ValueError, match="takes the labels"):
        metrics.replace("alerts_active", {("a", "m"): 1})
