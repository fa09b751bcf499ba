"""The HTTP endpoints: what they answer, and that nobody hurts the service through them."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator

import pytest

from streamer.service.health import CHECKS, Health
from streamer.service.http import CannotListen, Server, start_server
from streamer.service.json_logs import setup_logging
from streamer.service.metrics import Metrics
from tests.service.clients import ask, raw
from tests.service.clock import Clock
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def server(health: Health) -> Iterator[Server]:
    running = start_server("127.0.0.1:0", Metrics(), health, {"version": "1.2.3"})
    yield running
    running.close()


@pytest.mark.parametrize(("silent_s", "status"), [(0, 200), (30, 200), (30.1, 503)])
def test_liveness_is_the_age_of_the_heartbeat(
    server: Server, health: Health, clock: Clock, silent_s: float, status: int
) -> None:
    clock.now_s += 100
    health.beat()
    clock.now_s += silent_s
    assert ask(server, "/livez")[0] == ask(server, "/-/healthy")[0] == status


def test_liveness_does_not_depend_on_the_broker(server: Server, health: Health) -> None:
    health.wait("broker_seen", "connection refused")
    assert ask(server, "/livez")[:2] == (200, "ok\n")


def test_readiness_says_what_it_waits_for(server: Server, health: Health, clock: Clock) -> None:
    for check in CHECKS:
        health.wait(check, None)
    assert ask(server, "/readyz")[:2] == ask(server, "/-/ready")[:2] == (200, "ok\n")
    health.wait("broker_seen", "connection refused by localhost:9092")
    clock.now_s += 12
    refused = "[-] broker_seen: connection refused by localhost:9092 (since 12 s)\n"
    assert ask(server, "/readyz")[:2] == ask(server, "/-/ready")[:2] == (503, refused)


def test_a_new_process_is_alive_and_not_ready(server: Server) -> None:
    assert ask(server, "/livez")[0] == 200
    status, body, _ = ask(server, "/readyz")
    assert status == 503
    assert [line.split(":")[0] for line in body.splitlines()] == ["[-] broker_seen", "[-] assigned", "[-] restored"]


@pytest.mark.parametrize("path", ["/readyz?verbose", "/readyz?verbose=1", "/readyz?a=b&verbose"])
def test_verbose_lists_checks_that_pass_and_notes(server: Server, health: Health, path: str) -> None:
    for check in CHECKS:
        health.wait(check, None)
    health.note("series", "90 % of the table is taken")
    body = ask(server, path)[1]
    assert "[+] restored ok\n" in body
    assert "[i] series: 90 % of the table is taken\n" in body
    assert ask(server, "/readyz")[1] == "ok\n"


def test_metrics_and_version(server: Server) -> None:
    server.metrics.inc("records_consumed_total", 5, topic="x")
    status, body, headers = ask(server, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'driftline_records_consumed_total{topic="x"} 5.0' in body
    assert ask(server, "/metrics", Accept="application/openmetrics-text")[1].endswith("# EOF\n")
    assert json.loads(ask(server, "/version")[1]) == {"version": "1.2.3"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/livez/", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/%2e%2e/livez", 404),
        ("POST", "/unknown", 404),
        ("POST", "/livez", 405),
        ("DELETE", "/metrics", 405),
        ("OPTIONS", "/-/ready", 405),
        ("BREW", "/livez", 501),
        ("HEAD", "/livez", 200),
    ],
)
def test_other_paths_and_methods(server: Server, method: str, path: str, status: int) -> None:
    found, body, headers = ask(server, path, method)
    assert found == status
    assert headers.get("Allow") == ("GET, HEAD" if status == 405 else None)
    assert (body == "") == (method == "HEAD")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 100 + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 10_000 + b"\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"GET <script>alert(1)</script> HTTP/9.9 x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nscript : y\r\n\r\n", 400),
        (b"GET /script?\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501),
        (b"GET http://[/livez HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ],
)
def test_bad_requests_get_a_status_and_no_echo(server: Server, data: bytes, status: int) -> None:
    answer = raw(server, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"script" not in answer
    assert b"Traceback" not in answer
    assert b"Python" not in answer
    assert ask(server, "/livez")[0] == 200


@pytest.mark.parametrize("headers", [0, 98])
def test_up_to_a_hundred_headers_are_read(server: Server, headers: int) -> None:
    answer = raw(server, b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_what_every_answer_says(server: Server) -> None:
    for path, status in (("/livez", 200), ("/readyz", 503), ("/metrics", 200), ("/version", 200), ("/", 404)):
        found, body, headers = ask(server, path)
        assert found == status
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Connection"] == "close"
        assert headers["Server"] == "driftline"
        assert headers["Content-Length"] == str(len(body))
        assert headers["Content-Type"].startswith("application/json" if path == "/version" else "text/plain")


def test_head_says_what_get_would(server: Server) -> None:
    _, body, _ = ask(server, "/version")
    status, none, headers = ask(server, "/version", "HEAD")
    assert (status, none, headers["Content-Length"]) == (200, "", str(len(body)))
    assert ask(server, "/readyz", "HEAD")[0] == 503


def test_an_old_client_is_answered(server: Server) -> None:
    assert raw(server, b"GET /livez HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nok\n")


def test_an_error_inside_is_500_without_a_stack_trace_and_one_log_line(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    stream = io.StringIO()
    handler = setup_logging(stream=stream)

    class Broken(Health):
        def page(self, name: str, verbose: bool = False) -> tuple[bool, str]:
            raise RuntimeError("state of the art")

    running = start_server("127.0.0.1:0", Metrics(), Broken(clock), {})
    try:
        status, body, _ = ask(running, "/readyz")
        until(stream.getvalue)  # The line is written after the answer was sent.
    finally:
        running.close()
        logging.getLogger().removeHandler(handler)
    assert (status, body) == (500, "internal error\n")
    assert json.loads(stream.getvalue())["event"] == "http_failed"
    assert capsys.readouterr() == ("", "")


def test_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch, health: Health) -> None:
    def refuse(*arguments: object) -> str:
        raise AssertionError("a name was looked up")

    for name in ("getfqdn", "gethostbyaddr", "gethostbyname", "getnameinfo", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    running = start_server("127.0.0.1:0", Metrics(), health, {})
    host, port = running.address.split(":")
    with socket.socket() as client:  # Python's own clients ask for names.
        client.settimeout(PATIENCE_S)
        client.connect((host, int(port)))
        client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    running.close()


def test_the_port_is_free_after_close(health: Health) -> None:
    first = start_server("127.0.0.1:0", Metrics(), health, {})
    with pytest.raises(CannotListen, match=rf"cannot listen on {first.address}: Address already in use"):
        start_server(first.address, Metrics(), health, {})
    first.close()
    second = start_server(first.address, Metrics(), health, {})
    assert second.address == first.address
    second.close()


@pytest.mark.parametrize(
    "listen", ["8080", "", "localhost", ":8080", "localhost:http", "127.0.0.1:99999", "203.0.113.1:80"]
)
def test_an_address_that_cannot_be_used_is_named(listen: str, health: Health) -> None:
    with pytest.raises(CannotListen, match="cannot listen on"):
        start_server(listen, Metrics(), health, {})


def test_ipv6(health: Health) -> None:
    try:
        running = start_server("[::1]:0", Metrics(), health, {})
    except CannotListen as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert running.address.startswith("[::1]:")
    assert ask(running, "/livez")[0] == 200
    running.close()
