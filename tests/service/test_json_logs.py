"""Log lines: one per event whatever is in it, no secrets, repeats counted, librdkafka's among them."""

from __future__ import annotations

import io
import json
import logging
import time
from typing import Any

import pytest

from streamer.service.json_logs import (
    LIBRDKAFKA,
    TEXT_MAX,
    CoordinatorWatch,
    RateLimit,
    Redactor,
    get_logger,
    log,
    setup_logging,
)

TIMED_OUT = "[thrd:TxnCoordinator]: TxnCoordinator/1: Timed out EndTxnRequest in flight (after 3003ms, timeout #0)"
DISCONNECTED = "[thrd:TxnCoordinator]: TxnCoordinator: 127.0.0.1:9092: Disconnected: connection closed by peer"
RENAMED = "[thrd:TxnCoordinator]: TxnCoordinator/1: 127.0.0.1:9092: Closing connection due to nodename change"
OTHER_BROKER = "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Timed out ProduceRequest in flight"


class Output:
    """A stream, a clock that stands still, and the lines written so far."""

    def __init__(self, **options: Any) -> None:
        self.stream = io.StringIO()
        self.now_s = 0.0
        self.handler = setup_logging(stream=self.stream, clock=lambda: self.now_s, **options)
        self.logger = get_logger("driftline")

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


def test_json_where_nobody_is_looking() -> None:
    out = Output()
    log(out.logger, "warning", "partition_lost", topic="events", partition=3, took_s=0.25, ok=True, why=None)
    [record] = out.records()
    at = record.pop("time")
    assert at.endswith("Z")
    assert len(at) == len("2026-01-02T03:04:05.678Z")
    assert record == {
        "level": "warning",
        "event": "partition_lost",
        "logger": "driftline",
        "topic": "events",
        "partition": 3,
        "took_s": 0.25,
        "ok": True,
        "why": None,
    }


def test_pretty_for_a_person() -> None:
    out = Output(pretty=True)
    log(out.logger, "info", "starting", listen="127.0.0.1:80", why="two words", empty="", bell="\x07\x9b1m", n=1)
    [line] = out.lines()
    assert line[12:] == (r' INFO     starting listen=127.0.0.1:80 why="two words" empty="" bell="\u0007\u009b1m" n=1')


def test_a_terminal_is_recognised() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    setup_logging(stream=stream)
    log(get_logger("driftline"), "info", "starting")
    assert stream.getvalue().endswith("INFO     starting\n")


@pytest.mark.parametrize("pretty", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        "a\nb",
        "a\r\nb",
        "\u2028",
        "\ud800",
        "\x00",
        "\x1b[31m",
        "é",
        float("nan"),
        float("-inf"),
        object(),
        {"a": {"b": {"c": {"d": {"e": 1}}}}},
        [1, "x"],
        b"\xff",
        10**400 // 10**300,
    ],
)
def test_any_value_stays_on_one_line(pretty: bool, value: object) -> None:
    out = Output(pretty=pretty)
    log(out.logger, "info", "odd", value=value)
    [line] = out.lines()
    assert line.encode().isascii() or pretty
    if not pretty:
        assert json.loads(line, parse_constant=lambda name: pytest.fail(name))["event"] == "odd"


def test_names_of_the_frame_cannot_be_overwritten() -> None:
    out = Output()
    log(out.logger, "info", "starting", event="x", level="y", time="z", logger="w")
    [record] = out.records()
    assert (record["event"], record["level"], record["logger"]) == ("starting", "info", "driftline")
    assert (record["event_"], record["level_"], record["time_"], record["logger_"]) == ("x", "y", "z", "w")


def test_an_exception_is_one_line_with_its_frames() -> None:
    out = Output()
    try:
        int("not a number")
    except ValueError as error:
        log(out.logger, "error", "crashed", error=error)
        out.logger.exception("library style")
    own, other = out.records()
    assert own["error"] == other["error"] == "ValueError: invalid literal for int() with base 10: 'not a number'"
    assert own["at"][0].endswith(":test_an_exception_is_one_line_with_its_frames")
    assert other["text"] == "library style"


def test_long_texts_are_cut() -> None:
    out = Output()
    log(out.logger, "info", "long", text="x" * 10_000)
    assert out.records()[0]["text"] == "x" * TEXT_MAX + "…"


@pytest.mark.parametrize("piece", ["x", "password", "password ", "sasl.", "://", "password='", " =", '"'])
def test_no_text_makes_masking_slow(piece: str) -> None:
    began_s = time.thread_time()
    Redactor(["hunter2"]).text(piece * 100_000)
    assert time.thread_time() - began_s < 0.5


@pytest.mark.parametrize("secret", ["drift", "driftline", "warning", "event", "kafka", "9092", "in"])
def test_a_secret_that_is_a_word_blanks_no_line(secret: str) -> None:
    out = Output(secrets=[secret, "hunter2"])
    told = {
        "topic": "driftline-events",
        "why": f"kafkaesque drifting warnings, eventually: {secret}",
        "at": "xhunter2x",
    }
    log(out.logger, "warning", "driftline", **told)
    [record] = out.records()
    assert (record["event"], record["level"], record["logger"]) == ("driftline", "warning", "driftline")
    assert (record["topic"], record["at"]) == ("driftline-events", "x***x")
    assert record["why"] == "kafkaesque drifting warnings, eventually: ***"
    out.logger.error("login of %s refused, password=%s", secret, secret)
    assert out.records()[1]["text"] == "login of *** refused, password=***"


def test_a_secret_across_the_cut_is_masked_whole() -> None:
    text = Redactor(["hunter2"]).text("x" * (TEXT_MAX - 3) + " hunter2 tail")
    assert text == "x" * (TEXT_MAX - 3) + " **…"


def test_levels_and_calling_it_again() -> None:
    first, out = Output(), Output(level="warning")
    log(out.logger, "info", "quiet")
    log(out.logger, "error", "loud")
    assert [record["event"] for record in out.records()] == ["loud"]
    assert not first.lines()


def test_a_closed_stream_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.stream.close()
    log(out.logger, "info", "starting")
    assert out.handler.dropped == 1
    assert capsys.readouterr().err == ""


def test_a_library_whose_message_does_not_fit_is_still_logged() -> None:
    out = Output()
    out.handler.handle(logging.LogRecord("library", logging.WARNING, "", 0, "%d records", ("many",), None))
    assert out.records()[0]["text"] == "%d records"


def test_a_value_that_cannot_be_shown_stops_nobody() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    out = Output()
    log(out.logger, "info", "odd", value=Odd())
    log(out.logger, "info", "next")
    assert [record["event"] for record in out.records()] == ["next"]
    assert out.handler.dropped == 1


# Secrets


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("text", "login as hunter2 failed", "login as *** failed"),
        ("text", "sasl.password=abc", "sasl.password=***"),
        ("text", 'ssl.key.password: "a b", ok', "ssl.key.password: ***, ok"),
        ("text", "{'sasl.username': 'joe', 'x': 1}", "{'sasl.username': ***, 'x': 1}"),
        ("text", "sasl.mechanisms=PLAIN", "sasl.mechanisms=PLAIN"),
        ("text", "client_secret=abc;next", "client_secret=***;next"),
        ("text", "https://joe:pw@registry/x", "https://***@registry/x"),
        ("text", "a%2Fb%20c and a/b c", "*** and ***"),
        ("text", "cat on a mat, a b", "cat on a mat, a b"),
        ("text", "code ab1 and ab12", "code *** and ab12"),
        ("sasl.password", "anything", "***"),
        ("sasl.mechanisms", "PLAIN", "PLAIN"),
        ("api_token", "anything", "***"),
        ("settings", {"sasl.username": "joe", "client.id": "d"}, {"sasl.username": "***", "client.id": "d"}),
        ("list", ["hunter2", "x"], ["***", "x"]),
        ("error", ValueError("bad hunter2"), "ValueError: bad ***"),
        ("hunter", {"hunter2": 1}, {"***": 1}),
        ("text", "hunter2hunter", "***hunter"),
    ],
)
def test_secrets_are_masked(key: str, value: object, shown: object) -> None:
    assert Redactor(["hunter2", "a/b c", "ab1", "", "hunter2"]).value(key, value) == shown


def test_a_secret_never_reaches_the_stream() -> None:
    out = Output(secrets=["hunter2", 'pa"ss\\word'])
    log(out.logger, "info", "starting", a="hunter2", b=["hunter2"], c=ValueError('pa"ss\\word'), d='pa"ss\\word')
    get_logger("librdkafka").error(LIBRDKAFKA, "FAIL", "rdkafka#producer-1", "SASL: hunter2 refused")
    out.logger.error("failed with %r", {"x": 'pa"ss\\word'})
    text = out.stream.getvalue()
    assert len(out.lines()) == 3
    assert "hunter2" not in text
    assert "ss\\" not in text


# Repeats


def test_repeats_are_counted_and_reported_when_the_interval_is_over() -> None:
    out = Output()
    for _ in range(8):
        log(out.logger, "error", "commit_refused", topic="events", partition=1)
    log(out.logger, "error", "commit_refused", topic="events", partition=2)
    assert len(out.lines()) == 6
    out.now_s = 9.9
    log(out.logger, "error", "commit_refused", topic="events", partition=1)
    assert len(out.lines()) == 6
    out.now_s = 10.0
    log(out.logger, "error", "commit_refused", topic="events", partition=2)
    report, last = out.records()[6:]
    assert report["event"] == "repeats_suppressed"
    assert (report["of"], report["topic"], report["partition"], report["suppressed"]) == (
        "commit_refused",
        "events",
        "1",
        4,
    )
    assert (last["event"], last["partition"]) == ("commit_refused", 2)


def test_the_next_of_its_kind_says_how_many_were_left_out() -> None:
    now_s = [0.0]
    limit = RateLimit(lambda: now_s[0], interval_s=10, burst=2)
    assert [limit.admit(("x",)) for _ in range(4)] == [0, 0, None, None]
    now_s[0] = 10.0
    assert [limit.admit(("x",)) for _ in range(3)] == [2, 0, None]


def test_the_rate_limit_is_bounded() -> None:
    now_s = [0.0]
    limit = RateLimit(lambda: now_s[0], interval_s=10, burst=2, keys_max=3)
    admitted = [limit.admit((str(i), "")) for i in range(10)]
    assert admitted == [0, 0, 0, 0, 0, None, None, None, None, None]
    now_s[0] = 10.0
    assert limit.sweep() == [(("", ""), 5)]
    assert limit.sweep() == []
    assert limit.admit(("7", "")) == 0


def test_an_outage_is_a_few_lines_a_minute_of_the_client_however_many_clients_there_are() -> None:
    """They were fifty a minute, and three thousand an hour."""
    out = Output()
    for second in range(120):
        out.now_s = float(second)
        for client in ("consumer-1", "producer-2", f"producer-{second}"):
            out.logger.error(LIBRDKAFKA, "FAIL", client, f"Connection refused (after {second}ms)")
    assert len(out.records()) <= 2 * 5 + 2
    assert {record["fac"] for record in out.records()} == {"FAIL"}


def test_different_texts_of_a_library_are_different_events() -> None:
    out = Output()
    for i in range(20):
        out.logger.warning("kafka %s: offset %d", "poll", i)
    out.logger.warning("something else")
    assert len(out.lines()) == 6


# librdkafka


def test_librdkafka_lines_have_its_parts() -> None:
    out = Output()
    get_logger("librdkafka").error(LIBRDKAFKA, "FAIL", "rdkafka#consumer-1", "[thrd:x]: refused")
    [record] = out.records()
    assert (record["event"], record["fac"], record["client"], record["text"]) == (
        "librdkafka",
        "FAIL",
        "rdkafka#consumer-1",
        "[thrd:x]: refused",
    )


@pytest.mark.parametrize(
    ("level", "fac", "text", "trouble"),
    [
        (logging.INFO, "REQTMOUT", TIMED_OUT, True),
        (logging.INFO, "FAIL", DISCONNECTED, True),
        (logging.WARNING, "REQTMOUT", OTHER_BROKER, False),
        (logging.WARNING, "GETPID", "[thrd:main]: Failed to acquire PID from broker TxnCoordinator/1", False),
        (logging.CRITICAL, "FATAL", "[thrd:main]: Fatal error", False),
        (logging.DEBUG, "FAIL", RENAMED, False),
        (logging.DEBUG, "REQTMOUT", TIMED_OUT, False),
    ],
)
@pytest.mark.parametrize("how", ["handler", "filter"])
@pytest.mark.parametrize("shown", ["info", "error"])
def test_coordinator_trouble_is_seen_whatever_is_shown(
    level: int, fac: str, text: str, trouble: bool, how: str, shown: str
) -> None:
    Output(level=shown)
    logger, watch = get_logger("librdkafka"), CoordinatorWatch()
    if how == "handler":
        logger.addHandler(watch)
    else:
        logger.addFilter(watch)
    try:
        logger.log(level, LIBRDKAFKA, fac, "rdkafka#producer-1", text)
    finally:
        logger.removeHandler(watch)
        logger.removeFilter(watch)
    assert watch.trouble is trouble
    assert watch.last == (text if trouble else "")
    watch.reset()
    assert watch.trouble is False


def test_what_debug_asks_for_is_shown_and_nothing_of_it_is_left_out() -> None:
    for debug in (False, True):
        out = Output(debug=debug)
        for n in range(40):
            get_logger("librdkafka").debug(LIBRDKAFKA, "SEND", "rdkafka#producer-1", f"request {n}")
        log(out.logger, "debug", "chatter")
        assert [record["text"] for record in out.records()] == [f"request {n}" for n in range(40 * debug)]
        assert out.handler.dropped == 0


def test_the_watch_ignores_records_of_other_shapes() -> None:
    watch = CoordinatorWatch()
    for message, args in [("x", ()), ("%s", ("TxnCoordinator",)), ("%(a)s", ({"a": "FAIL TxnCoordinator"},))]:
        assert watch.filter(logging.LogRecord("x", logging.ERROR, "", 0, message, args, None)) is True
    assert watch.trouble is False


def test_librdkafka_itself_logs_through_it() -> None:
    """An embedded mock cluster is the only broker here: what counts is the format of the lines."""
    from confluent_kafka import Producer

    out = Output()
    producer = Producer({"test.mock.num.brokers": 1}, logger=get_logger("librdkafka"))
    producer.poll(0.1)
    assert any(r["event"] == "librdkafka" and r["fac"] == "MOCK" for r in out.records())
