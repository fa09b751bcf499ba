"""What the page shows, put together from the records of a real task, and from what may come along with them."""

from __future__ import annotations

import functools
import json
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.port import Tick
from streamer.service import board as under_test
from streamer.service import past
from streamer.service.board import Board, group_of, lag_ms, state_of
from tests.engine.commands import command, config_of, log_of, told, values
from tests.engine.test_reviewing import BEGIN_MS as LIVED_BEGIN_MS
from tests.engine.test_reviewing import lived

LIVED_MS = LIVED_BEGIN_MS + 6 * 3_600_000

CONFIG = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in], windows: drift-windows}
reference: {warmup: 200}
"""
BEGIN_MS = 1_700_000_000_000


@functools.cache
def published(partition: int = 0) -> tuple[bytes, ...]:
    """Of a model whose one feature shifts, a tick every 500 s."""
    config, rng = load_text(CONFIG, "x", {}), random.Random(1)
    task, decode = Task(config, ("in", partition), 0), Decoder(fields_of(config))
    records = [
        Record(
            number,
            BEGIN_MS + number * 1000,
            None,
            json.dumps(
                {
                    "model": "m",
                    "time": BEGIN_MS / 1000 + number,
                    "features": {"a": rng.gauss(6 if number > 6000 else 0, 1)},
                    "latency_ms": rng.random(),
                }
            ).encode(),
        )
        for number in range(9000)
    ]
    for begin in range(0, len(records), 500):
        task.step(decode(records[begin : begin + 500], "in"))
        task.tick(Tick(begin + 500, BEGIN_MS + (begin + 500) * 1000, True))
    return tuple(out.value for out in task.outbox if out.value is not None)


@functools.cache
def labelled() -> tuple[bytes, ...]:
    """Of inferences of which every tenth was wrong, as labels say that come in two goes."""
    config = load_text(f"{CONFIG}labels: {{}}\n", "x", {})
    task, decode = Task(config, ("in", 0), 0), Decoder(fields_of(config))
    said: list[dict[str, Any]] = [
        {"model": "m", "event_id": f"e{i}", "time": BEGIN_MS / 1000 + i, "prediction": {"label": "x"}}
        for i in range(9000)
    ]
    for begin in (0, 1):
        for i in range(begin, 9000, 2):
            said.append({"model": "m", "label": {"event_id": f"e{i}", "value": "y" if i % 10 == 0 else "x"}})
    records = [Record(n, BEGIN_MS + min(n, 9000) * 1000, None, json.dumps(one).encode()) for n, one in enumerate(said)]
    for end in (9000, 13_500, 18_000):
        task.step(decode(records[task.position : end], "in"))
        task.tick(Tick(end, BEGIN_MS + (9000 + end) * 1000, True))
    return tuple(out.value for out in task.outbox if out.topic == "windows" and out.value is not None)


@functools.cache
def asked() -> tuple[bytes, ...]:
    """Of two models of which people were asked about events, and answered."""
    return tuple(out.value for out in lived().outs if out.value is not None)


def fed(*parts: int) -> Board:
    board = Board()
    for part in parts or (0,):
        for value in published(part):
            board.take(value)
    return board


def test_a_model_is_one_row_whatever_partitions_it_is_in() -> None:
    [one] = fed().overview()["models"]
    assert (one["model"], one["state"], one["events"], one["per_minute"]) == ("m", "drifting", 9000, 60.0)
    assert one["minutes"] == [500] * 16, "the minute of the last tick is not over"
    assert (one["incidents"], one["alerts"]) == (1, 3)
    assert one["newest_event"] == "2023-11-15T00:43:19.000Z"
    assert one["school_until"] == "2023-11-22T00:00:00.000Z"
    [both] = fed(0, 1).overview()["models"]
    assert (both["events"], both["per_minute"], both["minutes"]) == (18_000, 120.0, [1000] * 16)


def test_how_far_a_model_is_behind_is_told_by_its_partition_that_is_the_furthest() -> None:
    assert lag_ms([]) is None
    tick = {"time_ms": BEGIN_MS + 90_000, "caught_up": True}
    read = {"tick": tick, "newest_event": "2023-11-14T22:13:20.000Z"}
    assert lag_ms([read]) is None
    behind = {**read, "tick": {**tick, "caught_up": False}}
    assert lag_ms([read, behind, {**behind, "newest_event": "2023-11-14T22:14:20.000Z"}]) == 90_000
    assert lag_ms([{**behind, "newest_event": "2023-11-14T22:24:20.000Z"}]) == 0, "a clock is ahead"


def test_a_series_has_the_moments_at_which_its_alerts_began() -> None:
    began = {line["monitor"]: line["began"] for line in fed().series_of("m")}
    assert began["feature-distribution"] == ["2023-11-15T00:13:19.000Z"]
    assert began["traffic"] == []


def test_incidents_and_alerts_are_the_newest_of_each_and_open_ones_come_first() -> None:
    board = fed()
    shown = board.overview()
    [incident] = shown["incidents"]
    assert (incident["status"], incident["alerts"]["count"]) == ("open", 4)
    assert "members" not in incident
    assert len(board.incidents.open[incident["incident"]]["members"]) == 4
    first = next(one for one in reversed(shown["alerts"]) if one["status"] == "firing")
    whole = board.alerts.find(first["id"])
    assert whole is not None
    assert whole["sentence"] == first["sentence"]
    before = [one["status"] for one in shown["alerts"]]
    record = next(r for r in map(json.loads, published()) if r.get("correlationid") == first["id"])
    record["data"]["status"] = "resolved"
    board.take(json.dumps(record).encode())
    after = [one["status"] for one in board.overview()["alerts"]]
    assert after == sorted([*before[1:], "resolved"])
    assert board.overview()["models"][0]["alerts"] == before.count("firing") - 1


def test_windows_are_lines_as_the_detectors_saw_them() -> None:
    lines = fed().series_of("m")
    [traffic] = [line for line in lines if line["signal"] == "traffic"]
    assert [point[0] for point in traffic["points"]][-1] == "2023-11-15T00:30:00.000Z"
    assert {point[1] for point in traffic["points"]} == {600.0}
    assert any(point[4] for line in lines for point in line["points"]), "the shift is beyond a limit"
    assert fed().series_of("nobody") == []


@pytest.mark.parametrize("turned", [False, True])
def test_how_good_predictions_were_is_of_each_window_the_newest_version(turned: bool) -> None:
    board = Board()
    for value in reversed(labelled()) if turned else labelled():
        board.take(value)
    newest, oldest = board.performance_of("m")
    assert (newest["inferences"], newest["labelled"], newest["error"]["share"]) == (3600, 3600, 0.1)
    assert newest["error"]["interval"][0] < 0.1 < newest["error"]["interval"][1]
    assert newest["window"]["version"] == 2
    [why] = oldest["unestimated"]
    assert (why["reason"], why["n"]) == ("no_confidence", oldest["inferences"])
    assert newest["window"]["from"] > oldest["window"]["from"]
    assert (board.unread, board.performance_of("n")) == (0, [])


def test_hours_are_of_all_partitions_and_end_with_the_newest() -> None:
    assert fed().past.hours_of("m") == {"to_ms": BEGIN_MS // 3_600_000 * 3_600_000 + 7_200_000, "counts": [2500, 3500]}
    board = fed(0, 1)
    assert (board.past.hours_of("m") or {})["counts"] == [5000, 7000]
    hour, counts = board.past.hours["m", "in", 1]
    board.past.hours["m", "in", 1] = hour - 1, counts[1:]
    assert (board.past.hours_of("m") or {})["counts"] == [6000, 3500]
    assert board.past.hours_of("n") is None


def test_the_newest_histogram_of_a_distribution_goes_with_its_windows() -> None:
    [line] = [line for line in fed().series_of("m") if line["histogram"] is not None]
    assert line["signal"] == "features.a"
    assert (line["histogram"]["to"], line["histogram"]["after"][-1]) == (line["points"][-1][0], 1.0)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"type": "x", "data": {}}',
        b'{"type": "io.driftline.alert.firing.v1", "data": {}}',
    ],
)
def test_what_is_none_of_ours_is_counted_and_changes_nothing(value: bytes) -> None:
    board = Board()
    board.take(value)
    board.take(None)
    assert (board.unread, board.version) == (1, 0)
    assert board.overview()["models"] == []


def test_a_heartbeat_told_twice_or_after_a_loss_of_state_makes_no_rate() -> None:
    board, beats = Board(), [r for r in map(json.loads, published()) if "heartbeat" in r["type"]]
    for record in (beats[0], beats[0], beats[3], beats[1]):
        board.take(json.dumps(record).encode())
    assert board.overview()["models"][0]["per_minute"] == 60.0


def test_everything_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELS_MAX", "PARTS_MAX", "OPEN_MAX", "DONE_MAX", "LINES_MAX", "POINTS", "RATES", "HISTOGRAMS_MAX"):
        for module in (under_test, past):
            monkeypatch.setattr(module, name, 3, raising=False)
    board, whole = Board(), [json.loads(value) for value in published()]
    for number in range(10):
        for record in whole:
            changed: Any = json.loads(json.dumps(record).replace('"m"', f'"m{number}"'))
            if "correlationid" in changed:
                changed["correlationid"] += str(number)
                changed["partitionkey"] += str(number)
            if "incident" in changed["data"]:
                changed["data"]["incident"] += str(number)
            board.take(json.dumps(changed).encode())
    shown = board.overview()
    assert [one["model"] for one in shown["models"]] == ["m7", "m8", "m9"]
    assert len(board.alerts.open) == len(board.alerts.done) == len(shown["incidents"]) == 3
    assert len(board.lines) == len(board.parts) == len(board.past.hours) == len(board.histograms) == 3
    assert max(map(len, board.lines.values())) == 3
    assert shown["hidden"]["alerts"] > 0
    assert shown["hidden"]["series"] > 0


def test_a_model_in_a_word_and_a_group_in_a_text() -> None:
    assert [state_of(found, 0, []) for found in (["critical", "info"], ["warning"], ["info"], [])] == [
        "critical",
        "drifting",
        "healthy",
        "healthy",
    ]
    assert state_of([], 1, []) == "drifting"
    assert state_of([], 0, [{"school_until": "2026-01-01T00:00:00Z"}]) == "learning"
    assert (
        group_of({"model": "m", "signal": "s", "caller": "web", "segment_country": "NL"})
        == "caller=web, segment_country=NL"
    )


def test_of_many_series_fewer_windows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "POINTS_LEAST", 2)
    monkeypatch.setattr(under_test, "POINTS_MAX", 30)
    [window, *_] = [one for one in map(json.loads, filter(None, published())) if one["type"].endswith("window.v1")]
    board = Board()
    for number in range(40):
        for signal in (f"features.f{n}" for n in range(20 if number > 20 else 1)):
            window["data"]["labels"]["signal"] = signal
            board.window(window, {**window["data"], "ended": "evaluated", "window": {"to": str(number), "value": 1.0}})
        if number == 20:
            assert [len(line) for line in board.lines.values()] == [15]
    assert {len(line) for line in board.lines.values()} == {2}


def test_an_alert_comes_with_what_is_watched_of_the_same_values() -> None:
    board = fed()
    [mean] = [key for key, one in board.alerts.open.items() if one["labels"]["monitor"] == "feature-mean"]
    found = board.alert_with_lines(mean)
    assert found is not None
    assert [line["monitor"] for line in found["lines"]] == ["feature-distribution"], "edges have no windows"
    assert board.alert_with_lines("nothing") is None


def test_what_people_are_asked_is_shown_until_nobody_waits_for_an_answer() -> None:
    board = Board()
    for value in asked():
        board.take(value)
    assert board.unread == 0
    open_, all_ = board.waiting_items(LIVED_MS + 5_400_000), len(lived().items())
    assert 0 < len(open_) < all_
    assert open_[0]["until"] >= open_[-1]["until"], "the newest first"
    assert board.waiting_items(LIVED_MS + 86_400_000) == []
    [model, *_] = board.overview()["models"]
    assert model["audit"]["test"]["verdicts"] > 0


def test_what_became_of_commands_is_shown_the_newest_first() -> None:
    board = Board()
    config = config_of()
    log = log_of(
        config, values((100.0, 600), (140.0, 900)), {700: [command("ack", monitor="mean")], 710: [command("x", "c2")]}
    )
    for out in told(config, log).outbox:
        board.take(out.value)
    assert board.unread == 0
    said = board.overview()["said"]
    assert [one["status"] for one in said] == ["refused", "applied"]
    assert "ada acknowledged 1 alert (mean)" in said[1]["sentence"]
    assert said[0]["time"] >= said[1]["time"]


def test_of_one_key_one_alert_is_open_though_the_end_of_the_one_before_was_not_read() -> None:
    board, key = Board(), "8104c5bd1be67309"
    for status, first in (("firing", 17), ("firing", 90), ("shadow_firing", 95), ("firing", 90)):
        data = {"status": status, "alert": {"labels": {"model": "m"}}}
        one = {"type": f"io.driftline.alert.{status}.v1", "correlationid": f"{key}-{first}", "partitionkey": key}
        board.take(json.dumps({**one, "data": data}).encode(), key.encode(), 60_000)
    assert (list(board.alerts.open), board.unread) == ([f"{key}-95", f"{key}-90"], 0)
    board.skip(6, 60_000)
    assert board.pipeline.told == {1: 10}
    assert board.skipped == 6
