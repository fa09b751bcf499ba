"""References from a file: pinned from the first event on; what they do not know learns by its warm-up."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_config, load_text
from streamer.config.model import Config
from streamer.config.reference_file import References
from streamer.engine.engines import COMPILED, PYTHON
from streamer.engine.references import LEAST, VALUES_MAX, Pool, seed, seed_again
from streamer.engine.task import Task
from streamer.offline.reference_build import build as learn_from
from streamer.port import Tick
from tests.engine.referenced import build, configured, event, invoke
from tests.signals.events import HEAD, batch_of

AT = ("inferences", 0)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path)


def run(
    config: Config, events: list[dict[str, Any]], size: int = 500, task: Task | None = None, begin: int = 0
) -> Task:
    task = task or Task(config, AT, begin)
    for first in range(0, len(events), size):
        part = enumerate(events[first : first + size], begin + first)
        task.step(decode([Record(i, -1, None, json.dumps(e).encode()) for i, e in part], fields_of(config), AT[0]))
    return task


def firing(task: Task) -> list[dict[str, Any]]:
    found = [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "alerts"]
    return [alert for alert in found if alert["status"] == "firing"]


def test_drift_from_the_first_event_on_is_found_only_with_a_given_reference(built: Path) -> None:
    rng = random.Random(2)
    events = [event(rng, i, shift=30.0, country="NL") for i in range(1000)]
    assert firing(run(configured(built), events)) == []
    found = {alert["alert"]["labels"]["monitor"]: alert for alert in firing(run(configured(built, "ref.json"), events))}
    assert set(found) == {"shape", "mix", "mean"}
    assert found["mean"]["trigger"]["offset"] < 100
    assert found["mean"]["evidence"]["before"]["source"] == str(built / "good.jsonl")
    before = found["shape"]["evidence"]["before"]
    assert (before["n"], before["source"]) == (3000, str(built / "good.jsonl"))
    assert 99 < before["mean"] < 101
    assert found["shape"]["replay"]["ranges"][0]["from"] == 0
    assert found["mix"]["evidence"]["window"]["moved"][0]["bin"] in ("NL", "DE")


ADWIN, RANKS, ENVELOPE = "{kind: adwin}", "{kind: shiryaev_roberts}", "{kind: envelope}"
KINDS = ADWIN, RANKS, ENVELOPE, "{kind: page_hinkley}", "{kind: river, name: KSWIN}"
PINNED = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
reference: {warmup: 400REFERENCE}
monitors:
"""


def pinned(folder: Path, kind: str, draw: Any) -> Config:
    """A config with a file of references that were drawn so."""
    signal = {labelled: "label.y", nulled: "missing.amount"}.get(draw, "features.amount")
    monitors = f"  m: {{signal: {signal}, detect: {kind}}}\n"
    (folder / "learn.yaml").write_text(PINNED.replace("REFERENCE", "") + monitors)
    (folder / "pinned.yaml").write_text(PINNED.replace("REFERENCE", ", file: pinned.json") + monitors)
    (folder / "good.jsonl").write_text("".join(json.dumps(draw(random.Random(i), False)) + "\n" for i in range(2500)))
    given = "-c", folder / "learn.yaml", "--input", folder / "good.jsonl", "-o", folder / "pinned.json"
    assert invoke("build", *given).exit_code == 0
    return load_config(folder / "pinned.yaml", {})


def labelled(rng: random.Random, faulty: bool) -> dict[str, Any]:
    return {"model": "m", "prediction": {"label": "y" if rng.random() < (0.25 if faulty else 0.1) else "n"}}


def priced(rng: random.Random, faulty: bool) -> dict[str, Any]:
    return {"model": "m", "features": {"amount": rng.lognormvariate(3, 1) * (2.5 if faulty else 1)}}


def nulled(rng: random.Random, faulty: bool) -> dict[str, Any]:
    return {"model": "m", "features": {"amount": None if rng.random() < (0.2 if faulty else 0.01) else 1.0}}


def often_zero(rng: random.Random, faulty: bool) -> dict[str, Any]:
    return {"model": "m", "features": {"amount": float(rng.random() < 0.3) * rng.gauss(9, 1) + 4.0 * faulty}}


CASES = [
    *((kind, labelled) for kind in (ADWIN, "{kind: page_hinkley, delta: 0.05, threshold: 20}", RANKS, ENVELOPE)),
    *((kind, priced) for kind in (ADWIN, "{kind: page_hinkley}", RANKS)),
    *((kind, often_zero) for kind in (ADWIN, "{kind: page_hinkley}", RANKS)),
    *((ENVELOPE, draw) for draw in (often_zero, nulled)),
]


@pytest.mark.parametrize(("kind", "draw"), CASES)
def test_every_detector_judges_by_a_pinned_reference_from_the_first_value(tmp_path: Path, kind: str, draw: Any) -> None:
    config = pinned(tmp_path, kind, draw)
    for number in range(3):
        for faulty in (True, False):
            rng = random.Random(f"{number} {faulty}")
            found = firing(run(config, [draw(rng, faulty) for _ in range(1200)], 1200))
            assert bool(found) is faulty, (number, found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pinned_past_is_the_same_bytes_with_and_without_the_compiled_core(tmp_path: Path, kind: str) -> None:
    config = pinned(tmp_path, kind, priced)
    states = {Task(config, AT, 0, engine=engine).dump() for engine in (PYTHON, COMPILED or PYTHON)}
    assert len(states) == 1


def test_a_file_without_quantiles_pins_as_much_as_it_knows(tmp_path: Path) -> None:
    config = pinned(tmp_path, ADWIN, priced)
    kept = json.loads((tmp_path / "pinned.json").read_text())
    del kept["tables"][0]["series"][0]["quantiles"]
    (tmp_path / "pinned.json").write_text(json.dumps(kept))
    older = load_config(tmp_path / "pinned.yaml", {})
    events = [priced(random.Random(i), True) for i in range(1200)]
    assert firing(run(older, events)) == []
    assert firing(run(config, events)) != []


def test_healthy_events_are_healthy_and_what_the_file_does_not_know_learns(built: Path) -> None:
    rng = random.Random(3)
    events = [event(rng, i) for i in range(3000)]
    for e in events:
        e["features"]["new"] = rng.gauss(0, 1)
    task = run(configured(built, "ref.json"), events)
    assert firing(task) == []
    table = next(t for t in task.tables.values() if t.signal.kind == "number")
    rows = {member: row for row, (_, member) in enumerate(table.keys)}
    assert list(table.pinned) == [rows["features.amount"]]
    assert table.reference.at(rows["features.new"]).n == 400


@pytest.mark.parametrize("size", [1, 37])
def test_cuts_and_snapshots_change_nothing(built: Path, size: int) -> None:
    config, rng = configured(built, "ref.json"), random.Random(4)
    events = [event(rng, i, shift=15.0 if i > 300 else 0.0) for i in range(900)]
    whole, cut = run(config, events), run(config, events, size)
    assert cut.outbox == whole.outbox
    assert cut.dump() == whole.dump()
    first = run(config, events[:250])
    second = run(config, events[250:], task=Task.load(config, AT, first.dump()), begin=250)
    assert first.outbox + second.outbox == whole.outbox
    assert second.dump() == whole.dump()
    assert len(whole.outbox) >= 2


def test_another_file_is_another_config_and_begins_anew(built: Path) -> None:
    one, rng = configured(built, "ref.json"), random.Random(5)
    task = run(one, [event(rng, i) for i in range(300)])
    text = (built / "ref.json").read_text()
    (built / "refs.json").write_text(text.replace('"n": 3000', '"n": 2999'))
    other = configured(built, "refs.json")
    assert other.config_hash != one.config_hash
    assert Task.load(one, AT, task.dump()).monitors_reset == []
    again = Task.load(other, AT, task.dump())
    assert set(again.monitors_reset) == set(other.effective_monitors())
    assert any(table.pinned for table in again.tables.values())
    (built / "copy.json").write_text(text)
    assert configured(built, "copy.json").config_hash == one.config_hash


def learning(events: list[dict[str, Any]], warmup: int = 10_000) -> Task:
    head = HEAD.replace("warmup: 100", f"warmup: {warmup}")
    text = f"{head}monitors:\n  m: {{signal: features.*, detect: {{kind: adwin}}}}\n"
    task = Task(load_text(text + "  n: {signal: events, detect: {kind: silence}}\n", "x", {}), AT, 0)
    task.step(batch_of(events))
    return task


def pooled(*tasks: Task, values_max: int = VALUES_MAX) -> References:
    pool = Pool(values_max)
    for number, task in enumerate(tasks):
        pool.drain((AT[0], number), task.watching.watched(task.tables.values()))
    return pool.references("some events", "c0ffee")


def test_what_is_exported_is_what_was_learned_of_series_with_enough_values() -> None:
    events = [{"features": {"a": float(i), **({"few": 1.0} if i < LEAST - 1 else {})}} for i in range(101)]
    made = pooled(learning(events))
    [table] = made.tables
    [series] = table.series
    assert (made.source, made.config, table.signal) == ("some events", "c0ffee", "number features.*")
    assert (series.key, series.member, series.n, series.offsets) == (["m"], "features.a", 101, [0, 100])
    assert (series.centre, series.mean, series.categories) == (50.0, 50.0, None)


def test_a_series_in_several_partitions_is_one_of_all_their_values() -> None:
    parts = ((1.0, 40), (2.0, 60), (3.0, 20))
    tasks = [learning([{"features": {"a": value}} for _ in range(count)]) for value, count in parts]
    [table] = pooled(*tasks).tables
    assert [(series.n, series.mean) for series in table.series] == [(120, 220 / 120)]
    few = [learning([{"features": {"a": float(n)}} for _ in range(LEAST // 3)]) for n in range(3)]
    assert pooled(*few).tables[0].series[0].n == LEAST
    assert pooled(*few[:2]).tables == []


def test_a_table_that_was_drained_goes_on_learning() -> None:
    task = learning([{"features": {"a": float(i)}} for i in range(40)])
    pool = Pool()
    for _ in range(2):
        pool.drain(AT, task.watching.watched(task.tables.values()))
    task.step(batch_of([{"features": {"a": float(i)}} for i in range(40, 100)], begin=40))
    pool.drain(AT, task.watching.watched(task.tables.values()))
    [series] = pool.references("s", "c").tables[0].series
    assert (series.n, series.mean, series.offsets) == (100, 49.5, [0, 99])


@pytest.mark.parametrize(
    ("lengths", "most", "kept"),
    [
        ((400, 60, 400), 300, (120, 60, 120)),
        ((10, 10, 10), 300, (10, 10, 10)),
        ((500,), 300, (300,)),
        ((1, 2, 1000, 1000), 100, (1, 2, 48, 48)),
        ((7, 7, 7), 10, (3, 3, 3)),
    ],
)
def test_of_too_many_values_short_partitions_leave_their_room_to_others(
    lengths: tuple[int, ...], most: int, kept: tuple[int, ...]
) -> None:
    tasks = [learning([{"features": {"a": float(n)}} for _ in range(length)]) for n, length in enumerate(lengths)]
    pool = Pool(most)
    for number, task in enumerate(tasks):
        pool.drain((AT[0], number), task.watching.watched(task.tables.values()))
    [(_, _, series)] = [table for table in pool.tables.values() if table[0].signal.kind == "number"]
    [one] = series.values()
    assert tuple(map(len, one.parts.values())) == kept


def test_rows_of_a_file_are_there_and_ready_before_the_first_event() -> None:
    task = learning([{"features": {"a": float(i)}} for i in range(100)])
    made = pooled(task)
    fresh = learning([], warmup=100)
    seed(made, fresh.watching.watched(fresh.tables.values()))
    [table] = [table for table in fresh.tables.values() if table.signal.kind == "number"]
    assert table.keys == [(("m",), "features.a")]
    learned = table.reference.at(0)
    assert (learned.n, learned.mean, learned.first_offset, learned.last_offset) == (100, 49.5, -1, -1)
    assert (table.pinned[0]["source"], table.pinned[0]["n"]) == ("some events", 100)
    table.pinned = {}
    seed_again(made, [(table, [])], [table.identity])
    assert table.pinned[0]["mean"] == 49.5


def file_for(monitor: str, events: list[dict[str, Any]]) -> References:
    records = [Record(i, i, None, json.dumps({"model": "m", **e}).encode()) for i, e in enumerate(events)]
    return learn_from(load_text(f"{HEAD}monitors: {{x: {monitor}}}\n", "x", {}), [(AT, records)], "s").references


def reading(text: str, references: References) -> Task:
    config = load_text(f"{HEAD}monitors:\n{text}", "x", {})
    config._given, config._given_hash = references, "c0ffee"
    return Task(config, AT, 0)


def test_a_model_that_only_the_file_knows_stops_nobody() -> None:
    """Of two models of a file a partition may have one, or none."""
    made = file_for("{signal: features.*, detect: {kind: adwin}}", [{"features": {"a": i % 7}} for i in range(100)])
    task = reading("  x: {signal: features.*, detect: {kind: adwin}}\n", made)
    task.step(batch_of([{"model": "other", "features": {"a": 1}}]))
    task.tick(Tick(1, 0, caught_up=True))
    beats = [json.loads(out.value or b"") for out in task.outbox if out.topic == "heartbeats"]
    assert [(b["data"]["model"], b["data"]["series"]) for b in beats] == [("other", {"ready": 0, "warming": 1})]


CITIES = [f"c{i}" for i in range(90)]


@pytest.mark.parametrize("built_for", ["category.*", "unseen.*", "category.city", "anomaly"])
@pytest.mark.parametrize("kind", ["page_hinkley", "adwin"])
def test_what_is_in_the_file_is_never_unseen_whatever_signal_it_was_built_for(built_for: str, kind: str) -> None:
    events = [{"features": {"city": city, "a": float(i % 7)}} for i, city in enumerate(CITIES * 5)]
    detect = {"anomaly": kind, "unseen.*": kind}.get(built_for, "distribution")
    made = file_for(f"{{signal: {built_for}, detect: {{kind: {detect}}}}}", events)
    window = "window: {events: 50}, detect: {kind: fraction, max: 0.05}"
    task = reading(f"  odd: {{signal: anomaly, {window}}}\n  new: {{signal: unseen.city, {window}}}\n", made)
    task.step(batch_of(events))
    assert [alert for alert in task.outbox if alert.topic == "alerts"] == []
    task.step(batch_of([{"features": {"city": f"new{i % 3}"}} for i in range(60)], begin=len(events)))
    told = [alert["alert"]["labels"]["monitor"] for alert in firing(task)]
    assert told == ["odd", "new"], "from the first event on"


def test_one_feature_of_the_file_is_one_of_all_and_the_other_way_round() -> None:
    events = [{"features": {"a": float(i % 7), "b": float(i % 5)}} for i in range(200)]
    for built_for, asked, members in (
        ("features.a", "features.*", ["features.a"]),
        ("features.*", "features.b", ["features.b"]),
        ("features.*", "features.?", ["features.a", "features.b"]),
        ("features.*", "missing.*", []),
    ):
        one = "{signal: '%s', detect: {kind: adwin}}"
        made = file_for(one % built_for, events)
        task = reading(f"  x: {one % asked}\n", made)
        [table] = task.tables.values()
        assert [member for _, member in table.keys] == members
        assert sorted(table.pinned) == list(range(len(members)))
