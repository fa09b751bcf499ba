"""`driftline demo` without a broker: its traffic, its screen, what it tells, and that its config finds its shift."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import click
import pytest

from schemas.events.batch import Record
from streamer.commands import demo as under_test
from streamer.commands.demo import ENOUGH_EVENTS, MODELS, RATE, SEED, SHIFT_EVENTS, Screen, Traffic, has_screen
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.replay import Replay
from tests.waiting import PATIENCE_S, until

BEGIN_S = 1_700_000_000
README = Path(__file__).parents[2] / "README.md"


class Sent:
    """Stands for the sender: what was sent, and which event is the first of the shift."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str, dict[str, Any], str | None]] = []
        self.marked: dict[str, int] = {}
        self.polled = 0

    def send(self, partition: int, key: str, value: bytes, mark: str | None = None) -> None:
        self.events.append((partition, key, json.loads(value), mark))

    def poll(self) -> None:
        self.polled += 1


def test_traffic_repeats_itself_but_for_its_times() -> None:
    one, other, later = (Traffic(SEED, BEGIN_S + more) for more in (0, 0.9, 77.7))
    for number in range(50):
        event = one.event("fraud", False)
        assert other.event("fraud", False) == event, "a second begins when it does"
        told = json.loads(event)
        assert told["time"] == pytest.approx(BEGIN_S + number / RATE, abs=0.001)
        assert json.loads(later.event("fraud", False)) == told | {"time": round(told["time"] + 77, 3)}
    assert Traffic(SEED + 1, BEGIN_S).event("fraud", False) != Traffic(SEED, BEGIN_S).event("fraud", False)


def test_a_shift_is_of_one_feature_of_one_model() -> None:
    plain, shifted = Traffic(SEED, BEGIN_S), Traffic(SEED, BEGIN_S)
    for model in ("fraud", "churn") * 20:
        before, after = (json.loads(t.event(model, s)) for t, s in ((plain, False), (shifted, True)))
        factor = after["features"].pop("amount") / before["features"].pop("amount")
        assert factor == pytest.approx(1.5 if model == "fraud" else 1.0, abs=0.001)
        assert after == before
    assert 100 < shifted.level < 180
    assert plain.level < shifted.level


def test_models_take_turns_and_each_has_its_partition() -> None:
    sent, traffic = Sent(), Traffic(SEED, BEGIN_S)
    under_test._send(sent, traffic, 40)
    assert [key for _, key, _, _ in sent.events] == ["churn", "fraud"] * 20
    assert {key: partition for partition, key, _, _ in sent.events} == MODELS
    assert len({event["event_id"] for _, _, event, _ in sent.events}) == 40
    assert sent.polled == 1


def test_the_first_event_of_the_shift_is_marked_once() -> None:
    sent, traffic = Sent(), Traffic(SEED, BEGIN_S)
    traffic.count = SHIFT_EVENTS.start - 4
    under_test._send(sent, traffic, 12)
    marked = [(key, mark) for _, key, _, mark in sent.events if mark is not None]
    assert marked == [("fraud", "shift")]
    assert [mark for _, _, _, mark in sent.events].index("shift") in (4, 5)


def test_a_browser_is_opened_where_somebody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test.sys, "platform", "linux")
    monkeypatch.setattr(under_test.sys.stdout, "isatty", lambda: True)
    assert has_screen({"DISPLAY": ":0"})
    assert not has_screen({}), "it would be one in this terminal"
    assert not has_screen({"DISPLAY": ":0", "SSH_CONNECTION": "a b"})
    monkeypatch.setattr(under_test.sys.stdout, "isatty", lambda: False)
    assert not has_screen({"DISPLAY": ":0"})


@pytest.mark.parametrize("begin_s", [BEGIN_S, BEGIN_S + 1234.567])
def test_it_says_what_the_readme_says_and_in_time(begin_s: float) -> None:
    """What the demo promises, without a broker: the same events, config and engine."""
    text = resources.files("streamer.commands").joinpath("demo.yaml").read_text()
    config = load_text(text, "demo.yaml", {"KAFKA_BROKERS": "b:1", "DEMO_RUN": ""})
    engine, sent, traffic = Replay(config, fields_of(config)), Sent(), Traffic(SEED, begin_s)
    sent.send(MODELS["fraud"], "fraud", Traffic(SEED, begin_s - 5).event("fraud", False))  # It makes the topic.
    under_test._send(sent, traffic, ENOUGH_EVENTS)
    kept = 5_000_000  # By the mock cluster, of a partition; a message of it has some more bytes than its value.
    assert all(sum(len(json.dumps(e)) + 30 for _, key, e, _ in sent.events if key == model) < kept for model in MODELS)
    events = [event for _, model, event, _ in sent.events if model == "fraud"]
    records = [Record(i, int(event["time"] * 1000), None, json.dumps(event).encode()) for i, event in enumerate(events)]
    outs = []
    for begin in range(0, len(records), 500):
        outs += engine.step((config.topics.events[0], MODELS["fraud"]), records[begin : begin + 500])
    told = [json.loads(out.value or b"")["data"] for out in outs if out.topic == "alerts"]
    mine = [data for data in told if data["alert"]["labels"]["monitor"] == "amount-mean"]
    assert [data["status"] for data in mine] == ["firing", "resolved"]
    lines = [f"{data['status'].upper()}  amount-mean  {data['sentence']}" for data in mine]
    shown = [line for line in README.read_text().splitlines() if line.startswith(("FIRING", "RESOLVED"))]
    assert shown == lines
    delay = mine[0]["trigger"]["offset"] - SHIFT_EVENTS.start // 2
    assert 0 <= delay < 200, "in a fraction of a second of its traffic"


class Plain(Screen):
    """Whatever the terminal of the tests is."""

    def __init__(self) -> None:
        self.levels, self.live, self.printed_s = [], None, 0.0


def test_a_log_file_gets_a_line_every_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Plain()
    for tenth in range(60):
        screen.show(tenth / 10, 1500.0, 100.0 + tenth, "healthy")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["2.0", "4.0"]
    assert lines[-1].endswith("healthy")
    assert "1,500 events/s" in lines[-1]
    assert len(screen.levels) == 60
    assert {under_test.BARS[0], under_test.BARS[-1]} <= set(lines[-1]), "from the least to the most so far"
    screen.close()


def record(status: str, monitor: str = "amount-mean", offset: int = 130) -> dict[str, Any]:
    alert = {"labels": {"monitor": monitor}}
    data = {"status": status, "sentence": "moved", "alert": alert, "trigger": {"offset": offset}}
    return {"type": f"io.driftline.alert.{status}.v1", "data": data}


def test_the_alert_is_told_as_a_consumer_reads_it_with_its_delay(capsys: pytest.CaptureFixture[str]) -> None:
    sent, seen = Sent(), dict[str, bool]()
    sent.marked["shift"] = 100
    under_test._tell(Plain(), {"type": "io.driftline.incident.opened.v1", "data": {"sentence": "two"}}, sent, seen)
    under_test._tell(Plain(), record("firing", monitor="other"), sent, seen)
    assert seen == {}, "another monitor is no part of the story"
    under_test._tell(Plain(), record("firing"), sent, seen)
    under_test._tell(Plain(), record("resolved"), sent, seen)
    assert seen == {"firing": True, "resolved": True}
    told = capsys.readouterr().out
    assert told.count("FIRING") == 2
    assert "RESOLVED  amount-mean  moved" in told
    assert f"Detection delay: 31 events of the model, {31 / (RATE / 2):.2f} s of its traffic." in told
    assert '"status": "firing"' in told


def test_a_service_that_ends_before_it_is_ready_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text("the reason\n")
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        with pytest.raises(click.ClickException, match="did not become ready:\nthe reason"):
            under_test._wait_ready(log, process)  # type: ignore[arg-type]
        log.write_text("partition_ready\n" * len(MODELS))
        with pytest.raises(click.ClickException):
            under_test._wait_ready(log, process)  # type: ignore[arg-type]


def test_events_are_due_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.1, 0.1, 1.0])
    monkeypatch.setattr(under_test.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(under_test.time, "sleep", lambda seconds: None)
    ticks: Iterator[tuple[float, int]] = under_test._ticks(0.0)
    assert [next(ticks) for _ in range(4)] == [(0.0, 0), (0.1, 150), (0.1, 0), (1.0, RATE - 150)]


def test_who_ends_the_demo_ends_its_service(tmp_path: Path) -> None:
    """Its page answered on after a SIGTERM, until somebody found the process."""
    path = tmp_path / "out.txt"
    with path.open("wb") as out:
        demo = subprocess.Popen([sys.executable, "-m", "streamer", "demo"], stdout=out, stderr=subprocess.STDOUT)
    page = until(lambda: re.search(r"Page: http://([0-9.]+):([0-9]+)/", path.read_text()), path.read_text)
    socket.create_connection((page[1], int(page[2])), PATIENCE_S).close()
    demo.terminate()
    demo.wait(PATIENCE_S)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((page[1], int(page[2])), PATIENCE_S)
