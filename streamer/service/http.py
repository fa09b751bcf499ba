"""Health and metrics over HTTP: /livez /readyz /metrics /version, nothing else, and nothing that changes anything.

Standard library only. Whoever can reach the port must not be able to hurt the service through it: requests are bounded
in size, time and number, errors say no more than their status, and no name is ever looked up.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from streamer.service.health import Health
from streamer.service.json_logs import get_logger, log
from streamer.service.metrics import Metrics

REQUEST_BYTES_MAX = 16 * 1024
"""Request line and headers together."""
REQUEST_SECONDS = 5.0
"""For reading the whole request, and again for writing the answer: a client that sends a byte now and then must not
hold a thread for longer."""
REQUESTS_MAX = 16
"""At the same time; the next one gets 503."""

TEXT = "text/plain; charset=utf-8"
ALIASES = {"/-/healthy": "/livez", "/-/ready": "/readyz"}
PATHS = ("/livez", "/readyz", "/metrics", "/version")


class CannotListen(OSError):
    """The address cannot be used; the text says which and why."""


class TooLarge(Exception):
    """The request exceeds REQUEST_BYTES_MAX."""


class Request(io.RawIOBase):
    """What a client sends, until it has sent too much or taken too long: TooLarge, TimeoutError."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._left = REQUEST_BYTES_MAX
        self._end_s = time.monotonic() + REQUEST_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left <= 0:
            raise TooLarge
        seconds = self._end_s - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        self._socket.settimeout(seconds)
        count = self._socket.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count


class Handler(BaseHTTPRequestHandler):
    """One request per connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(Request(self.connection))

    def handle(self) -> None:
        self.close_connection = True
        try:
            self.handle_one_request()
        except TooLarge:
            self.requestline, self.request_version, self.command = "", self.protocol_version, ""
            self.answer(431, "request too large\n")
        except OSError:
            raise
        except Exception:
            self.answer(500, "internal error\n")
            raise  # to handle_error, which logs it

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        path = ALIASES.get(path, path)
        if path not in PATHS:
            self.answer(404, f"not found; there are {' '.join(PATHS)}\n")
        elif self.command not in ("GET", "HEAD"):
            self.answer(405, "method not allowed\n", Allow="GET, HEAD")
        elif path == "/metrics":
            body, kind = self.server.metrics.expose(self.headers.get("Accept", ""))
            self.answer(200, body, kind)
        elif path == "/version":
            self.answer(200, json.dumps(self.server.version) + "\n", "application/json")
        else:
            verbose = any(part.partition("=")[0] == "verbose" for part in query.split("&"))
            well, text = self.server.health.page(path[1:], verbose)
            self.answer(200 if well else 503, text)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = do_GET

    def answer(self, status: int, body: str | bytes, kind: str = TEXT, **headers: str) -> None:
        data = body.encode(errors="replace") if isinstance(body, str) else body
        self.connection.settimeout(REQUEST_SECONDS)
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The base class would repeat parts of the request, and omit the status line where it cannot be parsed."""
        self.request_version = self.protocol_version
        self.answer(code, self.responses[code][0] + "\n" if code in self.responses else "error\n")

    def version_string(self) -> str:
        return "driftline"

    def log_message(self, format: str, *args: object) -> None:
        """Probes and scrapes are not news."""


class Server(ThreadingHTTPServer):
    """Serves until `close`. `address` is host:port as bound, so with port 0 the one that was picked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, metrics: Metrics, health: Health, version: Mapping[str, str]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.metrics, self.health, self.version = metrics, health, dict(version)
        self.address = ""
        self._slots = threading.BoundedSemaphore(REQUESTS_MAX)
        super().__init__((host, port), Handler)
        # serve_forever looks for the end this often; the thread is a daemon, so a hard exit never waits for it.
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="driftline-http", daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        """Not HTTPServer's own: that one asks the name service for this host's name."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.address = f"[{self.server_name}]:{port}" if ":" in self.server_name else f"{self.server_name}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self._refuse(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # No thread could be started; one that was gives its slot back itself.
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def _refuse(self, request: socket.socket) -> None:
        """Runs in the accepting thread, hence without waiting for anything."""
        request.setblocking(False)
        with contextlib.suppress(OSError):
            request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbusy\n")
            request.shutdown(socket.SHUT_WR)
            request.recv(REQUEST_BYTES_MAX)  # A close with bytes unread is a reset, and the answer would be lost.
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news, anything else is one line in the log; nobody gets a stack trace."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log(get_logger("driftline"), "error", "http_failed", error=error)

    def close(self) -> None:
        """Stop accepting and free the port; requests in progress are left to their daemon threads."""
        self.shutdown()
        self.server_close()
        self._thread.join(2)


def start_server(listen: str, metrics: Metrics, health: Health, version: Mapping[str, str]) -> Server:
    """Serve on `listen` (HOST:PORT, [IPV6]:PORT; port 0 picks a free one) from a daemon thread.

    Raises CannotListen, an OSError, when the address is malformed, taken or not ours.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise CannotListen(f"cannot listen on {listen!r}: it is not HOST:PORT")
    try:
        return Server(host.removeprefix("[").removesuffix("]"), int(port), metrics, health, version)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotListen(f"cannot listen on {listen}: {why}") from error
