"""Records whose schemas are not known wait, whatever else happens, and nothing comes of it but time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.registered import Schema, Schemas
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.tasks import Tasks
from streamer.kafka.schema_registry import ASK_AGAIN_S, NoSchema
from streamer.port import LogDown, Partition
from streamer.service.metrics import Metrics
from streamer.service.partitions import Stats
from streamer.service.waiting import GIVEN_UP_S, Answers, Asking, Fetch, SchemaLog, report, waiting
from streamer.service.worker import Worker
from tests.sim.broker import Broker, SimLog
from tests.sim.campaign import CONFIG, Campaign, by_partition, make_log, oracle

AT: Partition = ("inferences", 0)
TEXT = CONFIG + "schema_registry: {url: http://registry:8081}\n"
UNKNOWN = 66
IDS = 6


class InPlace:
    """A registry that answers at once, as whoever tests has it."""

    def submit(self, work: Callable[[Fetch, list[int]], Answers], fetch: Fetch, numbers: list[int]) -> Future[Answers]:
        future: Future[Answers] = Future()
        future.set_result(work(fetch, numbers))
        return future


class Registry:
    """`down`: it does not answer."""

    def __init__(self) -> None:
        self.down, self.asked = False, Counter[int]()

    def schema(self, number: int) -> Schema:
        self.asked[number] += 1
        if self.down:
            raise LogDown("schema registry: Connection refused", "schema_registry_away", "start it")
        if number == UNKNOWN:
            raise NoSchema("there is none")
        return Schema("JSON", "")


def framed(rng: random.Random, records: Iterable[Record]) -> list[Record]:
    """Events as JSON of a registry, with newer and newer schemas; some of none."""
    found = []
    for record in records:
        if record.value is not None and record.value[:1] == b"{" and rng.random() < 0.9:
            number = UNKNOWN if rng.random() < 0.02 else record.offset * IDS // 260
            record = record._replace(value=b"\0" + number.to_bytes(4, "big") + record.value)
        found.append(record)
    return found


def configured() -> Config:
    return load_text(TEXT, "sim.yaml", {})


def all_known() -> Config:
    """For the oracle."""
    config = configured()
    assert config.schemas is not None
    for number in range(IDS + 1):
        config.schemas.learn(number, Schema("JSON", ""))
    config.schemas.refuse(UNKNOWN, "there is none")
    return config


def logged(config: Config, log: Any, registry: Registry, clock: Callable[[], float], stats: Stats, notify: Any) -> Any:
    assert config.schemas is not None
    return SchemaLog(log, Asking(config.schemas, registry.schema, InPlace(), clock, stats), stats, notify)


class Framed(Campaign):
    """The simulator's schedule of crashes, zombies and rebalances, and a registry that comes and goes."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.registry, self.config = Registry(), all_known()
        self.full = {p: framed(random.Random(seed), records) for p, records in self.full.items()}
        self.broker.logs = {p: self.full[p][: len(log)] for p, log in self.broker.logs.items()}

    def start(self, instance: str) -> None:
        config, stats = configured(), Stats()  # Whoever starts knows no schema.
        self.logs[instance] = SimLog(self.broker, instance)
        log = logged(config, self.logs[instance], self.registry, lambda: self.now_s, stats, self.note)
        self.workers[instance] = Worker(
            config, Tasks(config), log, lambda: self.now_s, self.wall_ms, self.note, self.pool, stats
        )

    def turn(self) -> None:
        if self.rng.random() < 0.03:
            self.registry.down = not self.registry.down
        super().turn()


@pytest.mark.parametrize("seed", range(2))
def test_a_registry_that_comes_and_goes_changes_nothing_of_what_is_published(seed: int) -> None:
    campaign = Framed(seed)
    calm = campaign.act
    waited = Counter[str]()

    def act(instance: str) -> None:
        if len(campaign.broker.logs[campaign.partitions[0]]) == len(campaign.full[campaign.partitions[0]]):
            campaign.registry.down = campaign.registry.down and campaign.rng.random() < 0.9
        calm(instance)
        worker = campaign.workers.get(instance)
        waited.update(["held"] * bool(worker and worker.stats.held))

    campaign.act = act  # type: ignore[method-assign]
    campaign.run()
    campaign.check()
    assert waited["held"] > 3, "nobody ever waited"
    assert campaign.notes.count("waits_for_schema") > 1


def world(length: int = 120) -> tuple[Broker, Registry, Stats, list[float], Worker, list[tuple[str, Any]]]:
    config, stats, registry, now, notes = configured(), Stats(), Registry(), [0.0], list[tuple[str, Any]]()
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: framed(random.Random(2), make_log(random.Random(2), 0, length))}

    def notify(event: str, partition: Partition, **fields: Any) -> None:
        notes.append((event, fields))

    log = logged(config, SimLog(broker, "w0"), registry, lambda: now[0], stats, notify)
    worker = Worker(config, Tasks(config), log, lambda: now[0], lambda: int(now[0] * 1000), notify, None, stats)
    return broker, registry, stats, now, worker, notes


def test_who_waits_has_no_tick_and_says_for_what() -> None:
    broker, registry, stats, now, worker, notes = world()
    registry.down = True
    for _ in range(300):
        now[0] += 0.5
        worker.step(0.0)
    position = worker.owned[AT].task.position
    assert position < 10  # What comes before the first value of a schema.
    assert (stats.held, worker.owned[AT].task.ticks) == ({AT}, 0)
    assert stats.schemas_awaited is not None
    assert f"inferences[0]@{position} waits for schemas" in stats.schemas_awaited
    assert "Connection refused; start it" in stats.schemas_awaited
    assert registry.asked.total() < 90  # Every 2 s, and not at each step.
    [waits] = [fields for event, fields in notes if event == "waits_for_schema"]
    assert (waits["offset"], waits["schemas"]) == (2, [0, 1])  # The first whose schema is not known.
    registry.down = False
    for _ in range(300):
        now[0] += 0.5
        worker.step(0.0)
    assert (worker.owned[AT].task.position, stats.held, stats.schemas_awaited) == (120, set(), None)
    assert worker.owned[AT].task.ticks > 0
    assert worker.drain()
    letters = [dict(out.headers) for out in broker.published() if out.topic == "dead_letter"]
    unknown = [one for one in letters if one["driftline.error.reason"] == b"unknown_schema"]
    assert [one["driftline.error.detail"] for one in unknown] == [b"schema 66: there is none"] * len(unknown)
    wanted = [r.offset for r in broker.logs[AT] if (r.value or b"").startswith(b"\0\0\0\0\x42")]
    assert [int(one["driftline.error.offset"] or b"") for one in unknown] == wanted
    assert wanted
    expected = by_partition(oracle(all_known(), AT, broker.logs[AT]).outbox)
    assert by_partition(broker.published())["dead_letter", 0] == expected["dead_letter", 0]


def asking(registry: Registry) -> tuple[Asking, Stats, list[float]]:
    stats, now = Stats(), [0.0]
    return Asking(Schemas(), registry.schema, InPlace(), lambda: now[0], stats), stats, now


def test_an_id_that_nobody_knows_is_given_up_at_the_second_answer_and_not_for_ever() -> None:
    registry = Registry()
    one, stats, now = asking(registry)
    value = [b"\0\0\0\0\x42{}"]
    assert not one.ready(value)
    now[0] = ASK_AGAIN_S / 2
    assert not one.ready(value)
    assert registry.asked[UNKNOWN] == 1
    now[0] = ASK_AGAIN_S
    assert one.ready(value)
    assert (registry.asked[UNKNOWN], stats.registry) == (2, {"found": 0, "unknown": 1, "failed": 0})
    now[0] = ASK_AGAIN_S + GIVEN_UP_S - 1
    assert one.ready(value)
    now[0] += 1
    assert not one.ready(value)
    assert registry.asked[UNKNOWN] == 3


def test_a_schema_is_fetched_once() -> None:
    registry = Registry()
    one, stats, _ = asking(registry)
    assert all(one.ready([b"\0\0\0\0\1{}", b"\0\0\0\0\2{}", b"{}", None]) for _ in range(5))
    assert (registry.asked, stats.registry) == ({1: 1, 2: 1}, {"found": 2, "unknown": 0, "failed": 0})


def test_the_metrics_say_whether_it_answers() -> None:
    registry = Registry()
    one, stats, now = asking(registry)
    metrics, registry.down = Metrics(), True
    report(Stats(), None, metrics)
    assert metrics.get("schema_registry_up") is None
    one.ready([b"\0\0\0\0\1{}"])
    report(stats, one.schemas, metrics)
    assert metrics.get("schema_registry_up") == 0
    registry.down, now[0] = False, 9.0
    one.ready([b"\0\0\0\0\1{}"])
    report(stats, one.schemas, metrics)
    assert (metrics.get("schema_registry_up"), metrics.get("schemas")) == (1, 1)
    assert metrics.get("schema_fetches_total", outcome="failed") == 1


def test_without_a_registry_the_log_is_what_it_was() -> None:
    log = object()
    assert waiting(log, load_text(CONFIG, "x", {}), InPlace(), Stats(), print) is log
