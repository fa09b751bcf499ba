"""Alert records: whatever is in a notice stands in its record, and what is kept of an episode changes no byte."""

from __future__ import annotations

import json
import math
import random
import struct
from pathlib import Path

import jsonschema
import orjson
import pytest

from detectors.bank import TIERLESS
from streamer.alerts import alert_record
from streamer.alerts.alert import ACCEPTED, FADED, RECOVERED, Level, Moment, Notice, Opened
from streamer.alerts.alert_record import AlertRecords, episode_of, key_of, verdict
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import Edge, Summary
from streamer.signals.grammar import parse_signal
from tests.engine.tasks import alerts, run
from tests.sim import campaign

ROOT = Path(__file__).resolve().parents[2]

NASTY = 'é\u202e "q" \\ %(mark)s \u0001\b\f\n\r\t\u007f 😀'
CONFIG = """
version: 1
kafka: {brokers: "localhost:9092", group: "group"}
topics: {events: [in.put]}
monitors:
  m: {signal: SIGNAL, by: [version], description: "100 %", detect: {kind: adwin, delta: 0.002}}
"""
TIES = (0.5, 1.5, 2.5, 0.125, 0.25, 0.05, 0.15, 1234.5, 9999.5, 99995.0, 0.00012345, 0.0001, 1e16, 1e-5, 1e-6, 1e21)


def number(rng: random.Random) -> float:
    """Any finite number, mostly one that rounds in an interesting way."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(TIES) * rng.choice((1, -1))
    if kind == 1:
        return rng.choice((0.0, -0.0, 1.0, 5e-324, 1.7e308, -1.7e308))
    if kind == 2:
        return rng.randrange(-10_000, 10_000) / 2 ** rng.randrange(12)
    if kind == 3:
        return round(rng.gauss(0.0, 10.0 ** rng.randrange(-6, 7)), rng.randrange(8))
    if kind == 4:  # Half way between two texts of four digits or of one decimal, or a few floats beside it.
        digits, power = rng.choice(
            ((rng.randrange(1000, 10_000), rng.randrange(-310, 300)), (rng.randrange(10**9), -2))
        )
        value = (10 * digits + 5) * 10.0**power
        for _ in range(rng.randrange(3)):
            value = math.nextafter(value, rng.choice((0.0, math.inf)))
        return value * rng.choice((1, -1))
    value = struct.unpack("<d", rng.randbytes(8))[0]
    return float(value) if math.isfinite(value) else 0.0


def seen(rng: random.Random) -> Summary | None:
    if rng.random() < 0.2:
        return None
    places = (rng.randrange(10**6), rng.randrange(10**15), rng.randrange(2 * 10**12), rng.randrange(2 * 10**12))
    return rng.randrange(1000), number(rng), abs(number(rng)), *places


def notice(rng: random.Random, monitor: Monitor, row: int) -> Notice:
    statistic = rng.choice((number(rng), math.inf))
    edge: Edge = (rng.choice((-1, 0, 1)), statistic, number(rng), seen(rng), seen(rng), None, None, TIERLESS)
    opened = Opened(rng.randrange(10**12), rng.randrange(2 * 10**12), rng.randrange(10**12), edge)
    at = Moment(rng.randrange(10**12), rng.randrange(2 * 10**12), rng.randrange(2 * 10**12))
    status = rng.choice(("firing", "renewed", "resolved"))
    counts = rng.randrange(9), rng.randrange(10**6), rng.randrange(3)
    how = rng.choice((FADED, RECOVERED, ACCEPTED)) if status == "resolved" else ""
    now = seen(rng)
    level = Level(number(rng), number(rng), rng.random() < 0.5, now) if now is not None else None
    ends = rng.randrange(10**9), rng.randrange(2 * 10**12), how, level
    return Notice(status, monitor.name, row, *counts, opened, at, *ends)


def writer_of(signal: str, model: str) -> tuple[AlertRecords, Monitor]:
    task = Task(load_text(CONFIG.replace("SIGNAL", signal), "d.yaml", {}), ("in.put", 3), 0)
    monitor = task.monitors["m"]
    name = parse_signal(signal).path
    for version in ("", "v" + NASTY):
        monitor.table.row((model, version), name)
    return task.records, monitor


@pytest.mark.parametrize("signal", ["latency_ms", "/x y", "missing.amount"])
def test_a_record_says_what_its_notice_says_whatever_numbers_and_names_are_in_it(signal: str) -> None:
    rng = random.Random(f"edges of {signal}")
    records, monitor = writer_of(signal, "m" + NASTY)
    for _ in range(3000):
        found = notice(rng, monitor, rng.randrange(2))
        out = records.record(found)
        assert out.value is not None
        record = orjson.loads(out.value)
        assert orjson.dumps(record) == out.value, "one JSON text, written as orjson writes it"
        data, edge = record["data"], found.opened.evidence
        assert data["alert"]["labels"]["model"] == "m" + NASTY
        assert (data["status"], data["trigger"]["offset"], data["changed"]["offset"]) == (
            "resolved" if found.status == "resolved" else "firing",
            found.opened.offset,
            found.at.offset,
        )
        assert data["statistic"] == (edge[1] if math.isfinite(edge[1]) else None)
        for part, given in (("before", edge[3]), ("after", edge[4])):
            shown = data["evidence"][part]
            assert shown == given is None or (shown["n"], shown["mean"], shown["std"], *shown["offsets"]) == given[:5]
        assert (int(record["sequence"]), record["id"].rpartition("-")[2]) == (found.sequence, str(found.sequence))
        assert data["resolution"] == ({"how": found.how} if found.how else None)
        level = data["level"]
        assert level == found.level is None or (level["before"], level["band"], level["away"]) == found.level[:3]  # type: ignore[index]
        assert data["sentence"] == data["alert"]["annotations"]["summary"]
        assert data["sentence"].endswith(f"adwin at in.put[3]@{found.opened.offset}.")
        assert data["replay"]["ranges"][0]["to"] == found.at.offset + 1
        assert out.key == data["fingerprint"].encode()


def test_what_an_episode_repeats_is_the_same_when_it_is_made_anew() -> None:
    """The resolution after a restart, or after so many other alerts that nothing of the episode is at hand."""
    rng = random.Random(7)
    records, monitor = writer_of("latency_ms", "fraud")
    for row in (0, 1) * 200:
        opened = notice(rng, monitor, row)._replace(status="firing", how="")
        renewed = notice(rng, monitor, row)._replace(status="resolved", how=RECOVERED, opened=opened.opened)
        fresh, _ = writer_of("latency_ms", "fraud")
        assert records.record(opened) == fresh.record(opened)
        assert records.begun, "what the resolution will repeat"
        fresh, _ = writer_of("latency_ms", "fraud")
        assert records.record(renewed) == fresh.record(renewed)
        assert not records.begun, "nothing is kept of an episode that is over"


def test_a_series_whose_next_alert_is_known_keeps_what_this_one_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two commits a series may alarm again and again, and its episodes are known before a record is written."""
    rng, made = random.Random(7), list[int]()
    records, monitor = writer_of("latency_ms", "fraud")
    monkeypatch.setattr(alert_record, "episode_of", lambda *given: made.append(1) or episode_of(*given))  # type: ignore
    opened = [notice(rng, monitor, 0)._replace(status="firing", how="") for _ in range(5)]
    over = [one._replace(status="resolved", how=RECOVERED) for one in opened]
    for one in opened:
        records.episode(one, key_of(one))
    written = [records.record(one) for pair in zip(opened, over, strict=True) for one in pair]
    assert (len(written), len(made), records.begun) == (10, 5, {})


SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "alert.v1.json").read_text()))


def test_every_alert_fits_its_schema_and_alertmanager() -> None:
    config = load_text(campaign.CONFIG, "x", {})
    found = [a for seed in range(4) for a in alerts(run(config, campaign.make_log(random.Random(seed), 0, 1000)))]
    assert {a["data"]["alert"]["labels"]["monitor"] for a in found} >= {"mean", "jump", "odd", "labels", "empty"}
    for alert in found:
        SCHEMA.validate(alert)


def test_alerts_of_different_partitions_are_different_alerts() -> None:
    """Compaction would keep one of six, and Alertmanager would close six with the RESOLVED of one."""
    config = load_text(campaign.CONFIG, "x", {})
    log = campaign.make_log(random.Random(1), 0, 400)
    found = [run(config, log, at=("inferences", number)).outbox for number in range(3)]
    keys = [{out.key for out in outs if out.topic == "alerts"} for outs in found]
    assert len(keys[0]) > 5
    assert keys[0].isdisjoint(keys[1] | keys[2])
    assert keys[1].isdisjoint(keys[2])
    labels = [orjson.loads(out.value or b"")["data"]["alert"]["labels"] for out in found[2] if out.topic == "alerts"]
    assert {label["partition"] for label in labels} == {"inferences[2]"}


LEVEL = Level(99.18, 10.0, True, (36, 151.2, 20.0, 1, 2, 3, 4))
BACK = LEVEL._replace(away=False, now=(36, 99.4, 20.0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("status", "how", "level", "words"),
    [
        ("firing", "", LEVEL, "found"),
        ("renewed", "", LEVEL, "still away from before (now 151.2, before 99.18), was found"),
        ("renewed", "", BACK, "back near before (now 99.4, before 99.18), was found"),
        ("renewed", "", None, "still firing, was found"),
        ("resolved", RECOVERED, BACK, "recovered (now 99.4, before 99.18), was found"),
        ("resolved", RECOVERED, None, "recovered, was found"),
        ("resolved", FADED, None, "faded, was found"),
        ("resolved", ACCEPTED, LEVEL, "accepted: this is the normal from here on (now 151.2, before 99.18), was found"),
    ],
)
def test_what_became_of_an_alert_in_words(status: str, how: str, level: Level | None, words: str) -> None:
    _, monitor = writer_of("latency_ms", "fraud")
    made = notice(random.Random(1), monitor, 0)._replace(status=status, how=how, level=level)
    assert verdict(made, {"signal": "latency_ms"}) == words


def test_a_fading_one_says_that_the_data_are_still_away() -> None:
    _, monitor = writer_of("latency_ms", "fraud")
    made = notice(random.Random(1), monitor, 0)._replace(status="resolved", how=FADED, level=LEVEL)
    assert "still away from before (now 151.2, before 99.18)" in verdict(made, {"signal": "latency_ms"})
