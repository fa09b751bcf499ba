"""A receiver on this machine that answers as it is told to, and keeps what it was sent."""

from __future__ import annotations

import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.waiting import PATIENCE_S


class Sent(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Say(NamedTuple):
    """An answer. `wait`: it comes once this event is set, or never."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    wait: threading.Event | None = None
    hang_up: bool = False


class Receiver:
    """A context manager. Answers in turn, then 200 to everything."""

    def __init__(self, *answers: Say) -> None:
        self.page = b"x" * 100_000  # What a GET gets.
        self.answers, self.sent = deque(answers), list[Sent]()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                say = receiver.answers.popleft() if receiver.answers else Say()
                receiver.sent.append(Sent(self.path, dict(self.headers.items()), body))
                if say.wait is not None:
                    say.wait.wait(PATIENCE_S)
                if say.hang_up:
                    return
                self.send_response(say.status)
                for name, value in (*say.headers, ("Content-Length", str(len(say.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(say.body)

            def do_GET(self) -> None:
                receiver.sent.append(Sent(self.path, dict(self.headers.items()), b""))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(receiver.page)

            def log_message(self, *given: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # Who asked went away.
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Receiver:
        self.thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.server.shutdown()
        self.server.server_close()
