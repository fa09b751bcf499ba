"""The service put together: its exit codes, its signals, and what it does with a config that is none."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamer import __version__
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.port import LogDown, LogGap, LogRefused, StateLost, Surroundings, Topic
from streamer.service import run as under_test
from streamer.service import stopper
from streamer.service.closing import LEAVE_SECONDS
from streamer.service.run import (
    EXIT_CONFIG,
    EXIT_UNREACHABLE,
    load_or_exit,
    run_service,
    versions,
    wall_ms,
)
from streamer.service.stopper import EXIT_INTERNAL, EXIT_NOT_DRAINED, Stopper
from tests.sim.broker import Broker, SimLog
from tests.sim.campaign import CONFIG, by_partition, make_log, oracle, ticks_of
from tests.waiting import PATIENCE_S

AT = ("inferences", 0)


class Ends:
    """What would end this process, hard, and is only noted here: (seconds, exit code), None once it is called off."""

    def __init__(self) -> None:
        self.armed: list[tuple[float, int] | None] = []

    def after(self, seconds: float, code: int, line: str = "") -> Callable[[], None]:
        self.armed.append((seconds, code))
        number = len(self.armed) - 1

        def disarm() -> None:
            self.armed[number] = None

        return disarm

    @contextmanager
    def bounded(self, seconds: float, code: int, line: str = "") -> Iterator[None]:
        disarm = self.after(seconds, code, line)
        yield
        disarm()


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> Ends:
    found = Ends()
    monkeypatch.setattr(stopper, "end_after", found.after)
    monkeypatch.setattr(under_test, "bounded", found.bounded)
    monkeypatch.setattr(under_test, "watch", lambda config, told, waits: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(under_test, "settle_memory", lambda: None)  # For the rest of the suite it would be too much.
    return found


@pytest.fixture
def config() -> Config:
    return load_text(CONFIG + 'server: {listen: "127.0.0.1:0"}\n', "x", {})


def stopped() -> Stopper:
    stopper = Stopper()
    stopper.asked.set()
    return stopper


def test_a_config_with_mistakes_is_78_and_all_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 2\nkafk: 1\n")
    with pytest.raises(SystemExit) as left:
        load_or_exit(path)
    told = capsys.readouterr().err
    assert left.value.code == EXIT_CONFIG == 78
    assert told.count("error[") == 4
    assert told.endswith("Nothing was started.\n")


def test_warnings_are_told_and_the_config_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text('version: 1\nkafka: {brokers: "b:1", client: {linger.sm: 5}}\ntopics: {events: [x]}\n')
    assert load_or_exit(path).kafka.brokers == "b:1"
    assert "warning[unknown-setting]" in capsys.readouterr().err


def test_variables_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_TEST_BROKERS", "there:9092")
    path = tmp_path / "c.yaml"
    path.write_text('version: 1\nkafka: {brokers: "${DRIFTLINE_TEST_BROKERS}"}\ntopics: {events: [x]}\n')
    assert load_or_exit(path).kafka.brokers == "there:9092"


def test_versions_are_those_of_what_results_depend_on() -> None:
    found = versions()
    assert list(found) == ["version", "river", "librdkafka", "core"]
    assert found["version"] == __version__
    assert found["core"] in ("compiled", "python")


def test_the_wall_clock_is_in_milliseconds() -> None:
    before = time.time() * 1000
    assert before - 1 <= wall_ms() <= time.time() * 1000 + 1


def patient(config: Config, give_up_after_ms: int | None) -> Config:
    return config.model_copy(update={"kafka": config.kafka.model_copy(update={"give_up_after_ms": give_up_after_ms})})


@pytest.mark.parametrize(
    ("error", "give_up_ms", "event"),
    [(LogDown("nobody there"), 0, "broker_unreachable"), (LogRefused("nobody there"), None, "refused")],
)
def test_where_waiting_is_over_or_does_not_help_it_is_69(
    error: LogDown,
    give_up_ms: int | None,
    event: str,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ends: Ends,
) -> None:
    def connect(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(under_test, "connect", connect)
    assert run_service(patient(config, give_up_ms), Stopper()) == EXIT_UNREACHABLE == 69
    assert ends.armed == [(LEAVE_SECONDS, EXIT_UNREACHABLE)]
    lines = capsys.readouterr().out.splitlines()
    assert '"event": "starting"' in lines[0]
    assert f'"event": "{event}"' in lines[-1]
    assert "nobody there" in lines[-1]


def test_a_stop_while_there_is_no_broker_is_0(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopper, tries = Stopper(), []

    def connect(*given: Any) -> Any:
        tries.append(given)
        if len(tries) == 3:
            stopper.asked.set()
        raise LogDown("nobody there")

    monkeypatch.setattr(under_test, "connect", connect)
    assert run_service(config, stopper) == 0
    told = capsys.readouterr().out.splitlines()
    assert [('"broker_unreachable"' in line, "nobody there" in line) for line in told].count((True, True)) == 1, (
        "once a minute"
    )
    assert '"event": "stopped"' in told[-1]


def test_readyz_tells_no_secret_that_a_broker_or_a_client_repeats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CONFIG.replace('brokers: "localhost:1"', 'brokers: "b:1", client: {sasl.password: hunter2-hunter2}')
    config = load_text(text + 'server: {listen: "127.0.0.1:0"}\n', "x", {})
    stopper, lines, pages = Stopper(), list[dict[str, Any]](), list[str]()

    def connect(*given: Any) -> Any:
        lines.extend(map(json.loads, capsys.readouterr().out.splitlines()))
        if len(lines) > 1:  # The first try was told of.
            with contextlib.closing(HTTPConnection(lines[0]["listen"], timeout=PATIENCE_S)) as client:
                client.request("GET", "/readyz?verbose")
                pages.append(client.getresponse().read().decode())
            stopper.asked.set()
        raise LogDown("no login at https://drift:other@b:1 with hunter2-hunter2")

    monkeypatch.setattr(under_test, "connect", connect)
    assert run_service(config, stopper) == 0
    words = "no login at https://***@b:1 with ***"
    assert lines[1]["why"] == words, "as the log has it"
    assert f"[-] broker_seen: {words} (since " in pages[0]


def connected(
    monkeypatch: pytest.MonkeyPatch, stopper: Stopper, halfway: Callable[[], None]
) -> tuple[Broker, list[SimLog]]:
    """A broker with 200 records, which the service connects to, and its logs. `halfway`: called at each poll of the
    first one from record 100 on. Once all is committed the service is stopped.
    """
    broker, made = Broker(random.Random(1), [AT], {}), list[SimLog]()
    broker.logs = {AT: make_log(random.Random(2), 0, 200)}

    def connect(*given: Any) -> Any:
        log = SimLog(broker, "w0")
        poll, first = log.poll, not made

        def polled(*given: Any) -> Any:
            if first and (log.mine.get(AT) or 0) > 100:
                halfway()
            if broker.committed.get(AT) is not None and broker.committed[AT].offset == 200:
                stopper.asked.set()
            return poll(*given)

        monkeypatch.setattr(log, "poll", polled)
        made.append(log)
        return [log]

    monkeypatch.setattr(under_test, "connect", connect)
    return broker, made


def test_a_log_that_breaks_is_made_anew_and_nothing_changes(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks() -> None:
        raise LogDown("consumer: fatal")

    def workers(*given: Any) -> Any:  # What the group has settled is asked for then: no answer was the end (69).
        return breaks() if len(made) == 2 else make(*given)

    stopper, make = Stopper(), under_test.Service._workers
    broker, made = connected(monkeypatch, stopper, breaks)
    monkeypatch.setattr(under_test.Service, "_workers", workers)
    assert run_service(config, stopper) == 0
    assert len(made) == 3
    told = capsys.readouterr().out
    assert told.count('"event": "connecting_again"') == 2
    assert "consumer: fatal" in told
    assert '"event": "works_again"' in told
    published = by_partition(broker.published())
    ticks = ticks_of(published.get(("heartbeats", 0), []))
    expected = by_partition(oracle(config, AT, broker.logs[AT], ticks, first_end=200).outbox)
    assert told.count('"event": "history_begins"') == 2, "the second goes on where the first was"
    assert told.count('"event": "history_read"') == 1
    assert published["alerts", 0] == expected["alerts", 0]


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (LogGap("gone"), "halted"),
        (StateLost("lost"), "halted"),
        (OSError("disk"), "halted"),
        (KeyError("x"), "crashed"),
    ],
)
def test_what_ends_it_is_70_and_one_line(
    error: Exception, event: str, config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def poll(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(under_test, "connect", lambda *given: [SimpleNamespace(poll=poll, surroundings=Surroundings)])
    assert run_service(config, Stopper()) == EXIT_INTERNAL == 70
    last = capsys.readouterr().out.splitlines()[-1]
    assert f'"event": "{event}"' in last
    assert '"level": "error"' in last


def test_an_address_that_is_taken_is_70_and_named(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    taken = config.model_copy(update={"server": config.server.model_copy(update={"listen": "256.0.0.1:80"})})
    assert run_service(taken, stopped()) == EXIT_INTERNAL
    assert "cannot listen on 256.0.0.1:80" in capsys.readouterr().out


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("abort", EXIT_NOT_DRAINED)])
def test_asked_to_stop_it_publishes_what_there_is_or_says_that_it_could_not(
    fault: str,
    code: int,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ends: Ends,
) -> None:
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: make_log(random.Random(2), 0, 200)}
    stopper, log = Stopper(), SimLog(broker, "w0")
    poll = log.poll

    def noted(*given: Any) -> Any:
        events = poll(*given)
        if (log.mine.get(AT) or 0) == 200:
            broker.faults = {fault: 1.0} if fault else {}
            stopper.asked.set()
        return events

    monkeypatch.setattr(log, "poll", noted)
    monkeypatch.setattr(under_test, "connect", lambda *given: [log])
    assert run_service(config, stopper) == code
    assert ends.armed == [None, (LEAVE_SECONDS, code)], "closing was bounded, and ended in time"
    assert log.member not in broker.members
    lines = capsys.readouterr().out.splitlines()
    assert sum('"event": "partition_ready"' in line for line in lines) == 1
    assert f'"drained": {"false" if fault else "true"}' in lines[-1]
    committed = broker.committed.get(AT)
    assert (committed is not None and committed.offset == 200) is (not fault)


def test_a_thread_that_ends_by_what_it_raises_ends_the_process_once_all_has_landed(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without it what waits for its answers would wait for ever, with nobody to tell."""
    broker = Broker(random.Random(1), [AT], {})
    broker.logs = {AT: make_log(random.Random(2), 0, 200)}
    log, failing = SimLog(broker, "w0"), list[threading.Thread]()
    poll = log.poll

    def fail() -> None:
        raise KeyError("a surprise")

    def noted(*given: Any) -> Any:
        events = poll(*given)
        if (log.mine.get(AT) or 0) == 200 and not failing:
            failing.append(threading.Thread(target=fail, name="driftline-watch"))
            failing[0].start()
        return events

    monkeypatch.setattr(log, "poll", noted)
    monkeypatch.setattr(under_test, "connect", lambda *given: [log])
    assert run_service(config, Stopper()) == EXIT_INTERNAL
    told = {line["event"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told["thread_failed"]["thread"] == "driftline-watch"
    assert told["stopped"]["drained"] is True
    committed = broker.committed.get(AT)
    assert committed is not None
    assert committed.offset == 200


def test_what_nobody_reads_is_on_readyz_in_the_metrics_and_in_the_log(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All was green once while two partitions of the ordered log were read by nobody."""
    looked, pages, stopper = list[Callable[[Surroundings], None]](), list[str](), Stopper()

    def watch(config: Config, told: Callable[[Surroundings], None], waits: object) -> Any:
        looked.append(told)
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(under_test, "watch", watch)
    lines: list[dict[str, Any]] = []

    def shown() -> None:
        lines.extend(map(json.loads, capsys.readouterr().out.splitlines()))
        if not pages:
            there = {name: Topic(1, "") for name in config.topics.names()}
            looked[0](Surroundings(None, there, overlooked={"g-ordered": {("or", 0): 200.0}}))
            for path in ("/readyz", "/metrics", "/api/overview?view=pipeline"):
                with contextlib.closing(HTTPConnection(lines[0]["listen"], timeout=PATIENCE_S)) as client:
                    client.request("GET", path)
                    pages.append(client.getresponse().read().decode())
            looked[0](Surroundings(None, there))

    connected(monkeypatch, stopper, shown)
    assert run_service(config, stopper) == 0
    lines.extend(map(json.loads, capsys.readouterr().out.splitlines()))
    told = {line["event"]: line for line in lines}
    assert told["partitions_unread"]["why"].startswith("nobody in the group g-ordered reads or[0], for 200 s: ")
    assert told["works_again"]["check"] == "all_read"
    assert "[-] all_read: nobody in the group g-ordered reads or[0]" in pages[0]
    assert 'driftline_unread_seconds{partition="0",topic="or"} 200.0' in pages[1]
    [row] = json.loads(pages[2])["pipeline"]["partitions"]
    assert (row["topic"], row["partition"], row["state"]) == ("or", 0, "unread")


def test_another_config_is_taken_at_a_commit_and_what_means_the_same_goes_on(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, text = tmp_path / "driftline.yaml", CONFIG + 'server: {listen: "127.0.0.1:0"}\n'
    path.write_text(text)
    stopper = Stopper()
    changed = text.replace("monitors:\n", "monitors:\n  added: {signal: features.new, detect: {kind: adwin}}\n", 1)

    def news() -> None:
        if path.read_text() != changed:
            path.write_text("version: 3\n" if path.read_text() == text else changed)
            stopper.hung_up()

    broker, made = connected(monkeypatch, stopper, news)
    assert run_service(config, stopper, path=path) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(made) == 2
    assert [one["event"] for one in told if one["event"].startswith("config_")] == [
        "config_refused", "config_reloading", "config_reloaded"
    ]  # fmt: skip
    published = by_partition(broker.published())
    ticks = ticks_of(published.get(("heartbeats", 0), []))
    expected = by_partition(oracle(config, AT, broker.logs[AT], ticks, first_end=200).outbox)
    mine = [(out.key, json.loads(out.value or b"")["id"]) for out in published["alerts", 0]]
    assert mine == [(out.key, json.loads(out.value or b"")["id"]) for out in expected["alerts", 0]]
    assert mine, "monitors that mean what they meant go on as if nothing had been"
