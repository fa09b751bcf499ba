"""Plain counters to metrics: once a second, what is ours counts from where it became ours, what went leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.alerts.unusable import Account
from streamer.alerts.unusable_record import RecordAlerts
from streamer.config.load import load_text
from streamer.engine.figures import Counter
from streamer.engine.room import Fullness
from streamer.engine.school import School
from streamer.engine.tasks import OwnRecords
from streamer.engine.unwatched import Unwatched
from streamer.monitors.base import Gauge
from streamer.monitors.detectable import Drift, Series
from streamer.port import Parts, Snapshot, Staged, Surroundings, Topic
from streamer.service import reporting
from streamer.service.connection import Outages
from streamer.service.health import Health
from streamer.service.metrics import OTHER as OTHER_MODELS
from streamer.service.metrics import Metrics
from streamer.service.partitions import LivePartition, Staging, Stats
from streamer.service.reporting import INTERVAL_S, MODELS_MAX, ROOM_INTERVAL_S, Reporter, unkeyed
from tests.signals.events import HEAD

AT, OTHER = ("in", 0), ("in", 1)
CONFIG = load_text(HEAD + "monitors: {m: {signal: value, detect: {kind: adwin}}}\n", "x", {})


class Stage:
    """What a reporter asks of a task."""

    def __init__(self, used: int = 0) -> None:
        self.partition, self.position, self.series, self.used = AT, 0, 3, used
        self.record_alerts = RecordAlerts(CONFIG, AT, 0, {})
        self.history, self.monitors = SimpleNamespace(over=True), {}
        self.parts: Parts | None = None
        self.met: list[str] = []
        self.full: list[Fullness] = []
        self.blind: list[Unwatched] = []
        self.open: dict[tuple[str, str, str], int] = {}
        self.incidents: dict[str, int] = {}
        self.figures: list[tuple[str, Gauge]] = []

    def counters(self) -> Iterator[Counter]:
        yield Counter("events_total", {"topic": "in", "result": "used"}, self.used)

    def fullness(self) -> list[Fullness]:
        return self.full

    def unwatched(self) -> list[Unwatched]:
        return self.blind

    def gauges(self) -> Iterator[tuple[str, Gauge]]:
        yield from self.figures

    def detectable(self, most: int) -> Iterator[tuple[Series, list[Drift]]]:
        yield Series("fraud", "m", "value"), [Drift("1h", "up", 0.25, 1.5)]

    def models(self) -> list[str]:
        return self.met

    def school(self) -> dict[str, School]:
        return {}

    def open_incidents(self) -> dict[str, int]:
        return self.incidents

    def alerts(self) -> dict[tuple[str, str, str], int]:
        return self.open


class Service:
    """A worker with fake tasks, its reporter, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now_s, time=lambda: 1_700_000_000.0)
        monkeypatch.setattr(reporting, "time", clock)
        self.marks: dict[Any, Any] = {}
        self.seen = Surroundings()
        self.told: list[tuple[str, dict[str, object]]] = []
        self.held_back_s, self.staging = 0.0, dict[Any, Staging]()
        self.worker: Any = SimpleNamespace(
            config=CONFIG,
            notify=lambda event, partition, **fields: self.told.append((event, fields)),
            stats=Stats(),
            owned={},
            restoring={},
            log=SimpleNamespace(
                watermarks=self.marks.get,
                waiting=lambda: None,
                throttled=lambda: self.held_back_s,
                surroundings=lambda: self.seen,
            ),
            decode=None,
            restorer=SimpleNamespace(grown={}),
            stager=SimpleNamespace(under_way=lambda: self.staging),
        )
        self.metrics = Metrics()
        self.health, self.said = Health(lambda: self.now_s), list[tuple[Any, ...]]()
        outages = Outages(self.health, lambda *said, **fields: self.said.append((*said, fields)), lambda: self.now_s)
        self.reporter = Reporter([self.worker], self.metrics, outages)

    def own(self, at: tuple[str, int], stage: Any) -> LivePartition:
        live = self.worker.owned[at] = LivePartition(stage, None, None, 0, 0.0, self.now_s)
        return live

    def report(self, passed_s: float = INTERVAL_S) -> None:
        self.now_s += passed_s
        self.reporter.after_step()

    def get(self, name: Any, **labels: str) -> float | None:
        return self.metrics.get(name, **labels)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch)


def test_the_loop_is_alive_at_every_step_and_told_of_once_a_second(service: Service) -> None:
    service.report()
    service.worker.stats.rebalances = 7
    service.report(INTERVAL_S / 2)
    assert service.get("rebalances_total") == 0
    assert service.health.live() == {"worker_loop": None}
    service.report(INTERVAL_S / 2)
    assert service.get("rebalances_total") == 7


def test_what_the_shell_counted(service: Service) -> None:
    stats = service.worker.stats
    stats.rebalances, stats.recovered, stats.commits = 2, 1, {"done": 5, "aborted": 1}
    stats.state_lost, stats.bytes_consumed = {"halt": 1}, {"in": 900}
    stats.timings = [("commit_seconds", 0.2), ("commit_seconds", 0.3), ("restore_seconds", 4.0)]
    service.worker.restoring = {OTHER: None}
    service.report()
    assert service.get("commits_total", group=CONFIG.kafka.group, outcome="done") == 5
    assert service.get("state_lost_total", policy="halt") == 1
    assert service.get("producer_recreated_total") == 1
    assert service.get("bytes_consumed_total", topic="in") == 900
    assert "driftline_commit_seconds_sum 0.5" in service.metrics.expose()[0].decode()
    assert stats.timings == [], "taken away, or they would be observed again"
    assert service.health.ready()["restored"] == "restoring in[1]"
    service.worker.restoring = {}
    service.report()
    assert service.health.ready()["restored"] is None


def test_a_task_counts_from_where_it_became_ours(service: Service) -> None:
    """What its snapshot and replay had counted was counted by the one before us."""
    stage = Stage(used=500)
    service.own(AT, stage)
    service.report(0.0)
    stage.used = 520
    service.report()
    assert service.get("events_total", topic="in", result="used") == 20
    assert service.get("assigned_partitions") == 1
    again = Stage(used=100)
    service.own(AT, again)
    service.report()
    again.used = 103
    service.report()
    assert service.get("events_total", topic="in", result="used") == 23


def test_where_a_partition_stands(service: Service) -> None:
    stage = Stage()
    stage.position = 40
    live = service.own(AT, stage)
    live.snapshot_bytes, live.newest_ms = 7000, 1_699_999_990_000
    service.report()
    labels = {"topic": "in", "partition": "0"}
    assert service.get("consumer_lag_records", **labels) is None, "nobody has heard of an end yet"
    service.marks[AT] = (0, 100)
    service.report()
    assert service.get("consumer_lag_records", **labels) == 60
    service.marks[AT] = (90, 100)
    service.report()
    assert service.get("consumer_lag_records", **labels) == 10, "what is retained no more is nobody's lag"
    service.marks[AT] = (0, 30)
    service.report()
    assert service.get("consumer_lag_records", **labels) == 0
    assert service.get("snapshot_age_seconds", **labels) == 4 * INTERVAL_S
    assert (service.get("state_bytes", **labels), service.get("series", **labels)) == (7000, 3)
    assert service.get("event_lag_seconds", **labels) == 10.0
    assert service.get("last_record_timestamp_seconds", **labels) == 1_699_999_990.0


def test_a_partition_that_went_leaves_no_gauge(service: Service) -> None:
    service.own(AT, Stage())
    service.own(OTHER, Stage())
    service.report()
    del service.worker.owned[AT]
    service.report()
    assert service.get("series", topic="in", partition="0") is None
    assert service.get("series", topic="in", partition="1") == 3
    assert service.get("assigned_partitions") == 1
    assert set(service.reporter.known) == {OTHER}


def test_alerts_and_windows_of_all_partitions_together(service: Service) -> None:
    one, other = Stage(), Stage()
    one.open = {("m", "fraud", "firing"): 2, ("m", "churn", "pending"): 1}
    other.open = {("m", "spam", "firing"): 1}
    one.incidents, other.incidents = {"fraud": 1}, {"fraud": 1, "spam": 2}
    one.figures = [("m", Gauge("anomaly_fraction", "fraud", 0.25))]
    service.own(AT, one)
    service.own(OTHER, other)
    service.report()
    active = {
        (model, state): service.get("alerts_active", model=model, monitor="m", state=state)
        for model in ("fraud", "churn", "spam")
        for state in ("pending", "firing", "fading")
    }
    assert {key for key, count in active.items() if count} == {
        ("fraud", "firing"),
        ("churn", "pending"),
        ("spam", "firing"),
    }
    assert active["fraud", "firing"] == 2
    assert service.get("anomaly_fraction", monitor="m", model="fraud") == 0.25
    assert [service.get("incidents_open", model=model) for model in ("fraud", "spam")] == [2, 2]
    one.open = other.open = {}
    one.incidents = other.incidents = {}
    service.report()
    assert [service.get("incidents_open", model=model) for model in ("fraud", "spam")] == [0, 0]
    gone = service.get("alerts_active", model="fraud", monitor="m", state="firing")
    assert gone == 0, "an alert that is over is not left standing"


def test_models_beyond_the_bound_share_a_name_and_none_of_their_alerts_is_lost(service: Service) -> None:
    stage = Stage()
    stage.open = {("m", f"model-{i}", "firing"): 2 for i in range(MODELS_MAX + 50)} | {("m", "over", "quiet"): 1}
    service.own(AT, stage)
    for _ in range(2):
        service.report()
        assert service.get("alerts_active", model=OTHER_MODELS, monitor="m", state="firing") == 100
        assert service.get("alerts_active", model="model-7", monitor="m", state="firing") == 2
        lines = service.metrics.expose()[0].decode().splitlines()
        assert sum(line.startswith("driftline_alerts_active{") for line in lines) == MODELS_MAX + 1


def test_what_is_nearly_full_is_a_note_for_as_long_as_it_is(service: Service) -> None:
    stage = Stage()
    service.own(AT, stage)
    stage.full = [Fullness("features.*", 95, 100, 0, 0), Fullness("models", 3, 100, 0, 0)]
    service.report()
    [(name, words)] = service.health.notes().items()
    assert name == "in[0] features.*"
    assert "nearly full, 95 of 100" in words
    assert not any(service.health.ready()[check] for check in ("commits", "topics", "records"))
    stage.full = []
    service.report()
    assert service.health.notes() != {}, "looked at now and then"
    service.report(ROOM_INTERVAL_S)
    assert service.health.notes() == {}


def test_what_is_not_watched_is_a_note_and_counted(service: Service) -> None:
    stage = Stage()
    service.own(AT, stage)
    stage.blind = [Unwatched("m", "unseen.id", "no_category", 1), Unwatched("m", "label.*", "together", 9)]
    service.report()
    notes = service.health.notes()
    assert set(notes) == {"m unseen.id", "m label.*"}
    assert "as of an id or a free text" in notes["m unseen.id"]
    for why, count in (("no_category", 1), ("together", 9)):
        assert service.get("unwatched", topic="in", partition="0", why=why) == count
    stage.blind = []
    service.report(ROOM_INTERVAL_S)
    assert service.health.notes() == {}


def test_the_share_of_records_that_cannot_be_used(service: Service) -> None:
    one, other = Stage(), Stage()
    service.own(AT, one)
    service.own(OTHER, other)
    one.record_alerts.account.window.account, other.record_alerts.account.before = (
        Account(10, 2, 6, 0),
        Account(30, 22, 0, 4),
    )
    service.report()
    assert service.get("unusable_ratio", topic="in", what="rejected") == 0.15
    assert service.get("unusable_ratio", topic="in", what="late") == 0.1
    assert service.health.ready()["records"] is None, "no alert is open"


def test_a_snapshot_that_a_quota_holds_back_is_a_detail_of_readyz(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    service.staging[AT] = Staging(Snapshot(5, 0, "c", bytes(14_000_000)), Staged(3, 16))
    service.report()
    assert "slow snapshots" not in service.health.notes(), "nothing is slow"
    service.held_back_s = 1.2
    service.report()
    told = service.health.notes()["slow snapshots"]
    assert told.startswith("in[0] 14.0 MB, 3 of 16 parts written; a quota of the broker (producer_byte_rate)")
    service.staging.clear()
    service.report()
    assert "slow snapshots" not in service.health.notes()


def test_what_would_be_found_is_shown_when_all_series_were_asked(service: Service) -> None:
    service.own(AT, Stage())
    labels = {"monitor": "m", "model": "fraud", "series": "value", "direction": "up", "horizon": "1h"}
    service.report()
    assert service.get("detectable_drift", **labels) is None
    service.report()
    assert service.get("detectable_drift", **labels) == 0.25


def test_who_else_writes_to_the_ordered_log_is_told_once_and_its_events_are_counted(service: Service) -> None:
    service.worker.decode = decode = OwnRecords(b"g", lambda records, topic: None)  # type: ignore[arg-type, return-value]
    service.report()
    assert service.get("ordered_skipped_total") == 0
    for events in (5, 7):
        decode.others, decode.skipped = {"before": events}, events
        service.report(ROOM_INTERVAL_S)
    assert service.get("ordered_skipped_total") == 12
    [(*_, told)] = [one for one in service.said if one[1] == "ordered_by_another_group"]
    assert told["what"].startswith("the group before has written to")
    service.worker.decode = OwnRecords(b"g", decode)
    service.report(ROOM_INTERVAL_S)
    assert service.get("ordered_skipped_total") == 12


def test_a_model_in_several_partitions_is_told_with_what_to_do() -> None:
    assert unkeyed({("a", 0): ["m"], ("b", 0): ["m"], ("a", 1): ["n"]}) == {}, "topics are apart"
    [(at, why)] = unkeyed({("a", 0): ["m", "n"], ("a", 1): ["m"], ("a", 4): ["m"]}).items()
    assert at == "a m"
    assert why.startswith("m is in 3 of our partitions of a, and watched in each by itself")
    assert why.endswith("set kafka.order: model")


def test_partitions_that_came_later_are_noted(service: Service) -> None:
    stage = Stage()
    stage.parts, service.worker.config = (
        Parts(2, 2),
        load_text(HEAD.replace("brokers:", "order: model, brokers:"), "x", {}),
    )
    service.own(AT, stage)
    service.seen = Surroundings(None, {"drift-ordered": Topic(3, "id")})
    service.worker.restorer.grown = {"in": "had 1", "drift-ordered": "of stage 2"}
    service.report()
    said = str(service.health.notes())
    assert "topics repartition" in said
    assert "had 1" in said
    assert "of stage 2" not in said
