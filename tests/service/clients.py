"""Clients of the endpoints, polite and rude ones."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

from streamer.service.http import Server
from tests.waiting import PATIENCE_S


def connect(server: Server, timeout_s: float = PATIENCE_S) -> socket.socket:
    host, port = server.address.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s)


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection(server.address, timeout=PATIENCE_S)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body, dict(response.getheaders())


def rest(connection: socket.socket) -> bytes:
    """All that still comes, up to the end; a reset is an end, too."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def raw(server: Server, data: bytes, timeout_s: float = PATIENCE_S) -> bytes:
    """Everything the server says to these bytes."""
    with connect(server, timeout_s) as connection:
        connection.sendall(data)
        return rest(connection)


@contextlib.contextmanager
def trickling(server: Server, count: int, gap_s: float = 0.1) -> Iterator[list[socket.socket]]:
    """Connections that never finish their request. Of five, one sends nothing, one half its headers, three drip."""
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(count)]
        for at, one in enumerate(slow):
            if at % 5:
                one.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ")

        def drip() -> None:
            while not over.wait(gap_s):
                for at, one in enumerate(slow):
                    if at % 5 > 1:
                        with contextlib.suppress(OSError):  # It was dropped, which is what we provoke.
                            one.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            yield slow
        finally:
            over.set()
            dripping.join()


@contextlib.contextmanager
def looping(server: Server, count: int, path: str = "/metrics") -> Iterator[list[list[bytes]]]:
    """Clients that ask for a path again and again, as fast as they are answered; what each was told."""
    over = threading.Event()
    told: list[list[bytes]] = [[] for _ in range(count)]

    def loop(answers: list[bytes]) -> None:
        while not over.is_set():
            answers.append(raw(server, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))

    threads = [threading.Thread(target=loop, args=(answers,)) for answers in told]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        over.set()
        for thread in threads:
            thread.join()
