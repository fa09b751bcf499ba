"""What rude clients can take from the endpoints, and that no probe goes without its answer for it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from streamer.service import http as under_test
from streamer.service.health import Health
from streamer.service.http import CONNECTIONS_MAX, REQUEST_BYTES_MAX, Server, start_server
from streamer.service.json_logs import setup_logging
from streamer.service.metrics import Metrics
from tests.service.clients import ask, connect, looping, raw, rest, trickling
from tests.waiting import PATIENCE_S, until

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


class Counted(Metrics):
    """Counts its renderings, which can be held up."""

    def __init__(self) -> None:
        super().__init__()
        self.renderings = 0
        self.may = threading.Event()
        self.may.set()

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        self.renderings += 1
        assert self.may.wait(PATIENCE_S)
        return super().expose(accept)


@pytest.fixture
def metrics() -> Counted:
    return Counted()


@pytest.fixture
def server(metrics: Counted) -> Iterator[Server]:
    running = start_server("127.0.0.1:0", metrics, Health(), {})
    yield running
    running.close()


def slowest_probe(server: Server, count: int = 40) -> float:
    """Seconds, of probes that all get their 200. The best of ten rounds: the machine may be busy with others."""
    rounds = []
    while len(rounds) < 10 and min(rounds, default=1) >= 0.5:
        taken = []
        for _ in range(count):
            began_s = time.monotonic()
            assert raw(server, LIVEZ).startswith(b"HTTP/1.1 200 ")
            taken.append(time.monotonic() - began_s)
        rounds.append(max(taken))
    return min(rounds)


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_two_hundred_slow_connections_do_not_keep_a_probe_from_its_answer(server: Server) -> None:
    with trickling(server, 200):
        assert slowest_probe(server) < 0.5


def test_no_more_than_the_bound_are_open_and_the_oldest_slow_one_goes_first(server: Server) -> None:
    more = 30
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(CONNECTIONS_MAX + more)]
        assert ask(server, "/livez")[0] == 200
        until(lambda: sum(map(is_open, slow)) < CONNECTIONS_MAX)
        assert [is_open(one) for one in slow] == [False] * (more + 1) + [True] * (CONNECTIONS_MAX - 1)


def test_who_waits_for_us_keeps_its_place(server: Server, metrics: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "CONNECTIONS_MAX", 2 * under_test.ROUND_MAX)
    metrics.may.clear()
    with connect(server) as scrape, contextlib.ExitStack() as stack:
        scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: metrics.renderings)
        for _ in range(4 * under_test.ROUND_MAX):
            stack.enter_context(connect(server))
        assert slowest_probe(server, 5) < 0.5
        metrics.may.set()
        assert rest(scrape).startswith(b"HTTP/1.1 200 ")


def test_a_rendering_that_hangs_holds_no_probe_up(server: Server, metrics: Counted) -> None:
    metrics.may.clear()
    with looping(server, 4):
        assert slowest_probe(server, 20) < 0.5
        metrics.may.set()
    assert metrics.renderings <= 2


def test_a_scrape_does_not_wait_for_ever(server: Server, metrics: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.may.clear()
    with monkeypatch.context() as patched:
        patched.setattr(under_test, "SCRAPE_SECONDS", 0.2)
        assert ask(server, "/metrics")[:2] == (503, "the metrics were not rendered in time\n")
    metrics.may.set()
    assert ask(server, "/metrics")[0] == 200


def test_scrapers_in_a_loop_share_one_rendering_a_second(server: Server, metrics: Counted) -> None:
    began_s = time.monotonic()
    with looping(server, 4) as told:
        assert slowest_probe(server, 20) < 0.5
        until(lambda: metrics.renderings > 2 and all(len(answers) > 2 for answers in told))
    seconds = time.monotonic() - began_s
    assert 2 <= metrics.renderings <= seconds + 1
    assert all(2 <= len(answers) <= seconds + 2 for answers in told)
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answers in told for answer in answers)


def test_a_scrape_is_at_most_a_second_old(server: Server, metrics: Counted) -> None:
    for at in range(3):
        metrics.set("assigned_partitions", at)
        asked_s = written_s = time.monotonic()
        while f"driftline_assigned_partitions {at}.0\n" not in ask(server, "/metrics")[1]:
            assert time.monotonic() - written_s < PATIENCE_S
            asked_s = time.monotonic()
        assert asked_s - written_s < 2


def test_probes_in_a_loop_get_one_answer_a_round(server: Server) -> None:
    began_s = time.monotonic()
    with looping(server, 4, "/livez") as told:
        until(lambda: time.monotonic() - began_s > 1 and all(len(answers) > 5 for answers in told))
    seconds = time.monotonic() - began_s
    assert all(5 < len(answers) <= seconds / under_test.ROUND_SECONDS + 2 for answers in told)


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\n", b"GET /li"])
def test_a_connection_without_a_whole_request_is_closed_in_time(
    server: Server, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(under_test, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(under_test, "REST_SECONDS", 0.1)
    began_s = time.monotonic()
    with connect(server) as connection:
        connection.sendall(sent)
        assert rest(connection).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began_s > 0.3


def test_a_slow_client_is_cut_off_however_steadily_it_drips(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(under_test, "REST_SECONDS", 0.2)
    began_s = time.monotonic()
    with connect(server) as connection:
        connection.settimeout(0.05)
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        for _ in range(1000):
            try:
                connection.sendall(b"x")
                if connection.recv(1000) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("it was not cut off")
    assert time.monotonic() - began_s > 0.3


class Large(Counted):
    """A page that no socket takes at once. From when it is asked for, who does not take it has less time."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.patched = patched

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        self.patched.setattr(under_test, "REQUEST_SECONDS", 0.4)
        self.renderings += 1
        return b"x" * 50_000_000, "text/plain"


def test_a_client_that_does_not_take_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Large(monkeypatch)
    running = start_server("127.0.0.1:0", page, Health(), {})
    try:
        with connect(running) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: page.renderings and not running._open)  # It is not waited for any more.
            assert 0 < len(rest(connection)) < 50_000_000
        monkeypatch.undo()
        assert ask(running, "/livez")[0] == 200
    finally:
        running.close()


@pytest.mark.parametrize(("size", "status"), [(REQUEST_BYTES_MAX - 1, 200), (REQUEST_BYTES_MAX + 1, 431)])
def test_the_size_of_a_request_is_bounded(server: Server, size: int, status: int) -> None:
    head = LIVEZ[:-2] + b"X: "
    data = head + b"a" * (size - len(head) - 4) + b"\r\n\r\n"
    assert len(data) == size
    assert raw(server, data).startswith(b"HTTP/1.1 %d " % status)


def test_pieces_make_a_request(server: Server) -> None:
    with connect(server) as connection:
        for piece in (LIVEZ[:9], LIVEZ[9:30], LIVEZ[30:]):
            connection.sendall(piece)
            time.sleep(0.02)
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("GET", 200)])
def test_who_sends_a_body_gets_its_answer_all_the_same(server: Server, method: str, status: int) -> None:
    data = f"{method} /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode() + b"x" * 100_000
    assert raw(server, data).startswith(b"HTTP/1.1 %d " % status)


def test_without_descriptors_it_says_so_and_goes_on_when_there_are_some(server: Server) -> None:
    stream = io.StringIO()
    handler = setup_logging(stream=stream)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        with socket.socket() as client:
            free = os.dup(client.fileno())
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            host, port = server.address.split(":")
            client.connect((host, int(port)))
            until(stream.getvalue)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            client.settimeout(PATIENCE_S)
            client.sendall(LIVEZ)
            assert rest(client).startswith(b"HTTP/1.1 200 ")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        logging.getLogger().removeHandler(handler)
    line = json.loads(stream.getvalue().splitlines()[0])
    assert line["event"] == "http_failed"
    assert "Too many open files" in line["error"]


def test_close_frees_the_port_and_its_connections_at_once(server: Server, metrics: Counted) -> None:
    metrics.may.clear()
    with trickling(server, 20) as slow, connect(server) as scrape:
        scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ask(server, "/livez")[0] == 200
        began_s = time.monotonic()
        server.close()
        assert time.monotonic() - began_s < PATIENCE_S / 4
        again = start_server(server.address, Metrics(), Health(), {})
        try:
            assert again.address == server.address
            assert ask(again, "/livez")[0] == 200
        finally:
            again.close()
        assert not any(map(is_open, slow))
        assert rest(scrape) == b""
    metrics.may.set()
    server.close()  # A second time does nothing.


def test_nothing_is_left_of_it_after_close() -> None:
    before = set(threading.enumerate())
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(3):
        running = start_server("127.0.0.1:0", Metrics(), Health(), {})
        assert ask(running, "/metrics")[0] == 200
        running.close()
    until(lambda: not set(threading.enumerate()) - before, threading.enumerate)
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) <= descriptors
