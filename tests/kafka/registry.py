"""A schema registry of the suite: the part of Confluent's REST API that is asked, and all the ways it can fail."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

DRIPS_S = 60.0
"""So long the answer of one that drips takes, whose client stays."""


class Registry:
    """`ids`: what /schemas/ids/N answers; `subjects`: what /subjects/S/versions/V answers. `mode`: "" or a fault."""

    def __init__(self) -> None:
        self.ids: dict[int, dict[str, Any]] = {}
        self.subjects: dict[tuple[str, int], dict[str, Any]] = {}
        self.mode = ""
        self.login = ""
        self.asked: list[str] = []
        self.serves = True  # schemas of Protobuf serialized
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Also again after `stop`, at the same address."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                registry.asked.append(self.path)
                if registry.mode == "slow":
                    time.sleep(0.6)
                elif registry.mode == "drip":
                    self._drip()
                    return
                code, body = registry.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _drip(self) -> None:
                self.send_response(200)
                self.end_headers()
                for _ in range(int(DRIPS_S / 0.1)):
                    self.wfile.write(b" ")
                    time.sleep(0.1)

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who asked has gone
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str, login: str) -> tuple[int, bytes]:
        parts = urlsplit(path)
        if self.mode == "html":
            return 404, b"<html>nothing here</html>"
        if self.mode == "garbage":
            return 200, b'[{"schema'
        if self.mode == "error":
            return 500, json.dumps({"error_code": 50001, "message": "Error in the backend data store"}).encode()
        if self.login and login != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            return 401, json.dumps({"error_code": 401, "message": "Unauthorized"}).encode()
        steps = [unquote(step) for step in parts.path.strip("/").split("/")]
        found = self.ids.get(int(steps[2])) if steps[0] == "schemas" else self.subjects.get((steps[1], int(steps[3])))
        if found is None:
            return 404, json.dumps({"error_code": 40403, "message": "Schema not found"}).encode()
        told = {key: value for key, value in found.items() if key not in ("serialized", "text")}
        if "serialized" in found:
            told["schema"] = found["serialized" if self.serves and parts.query == "format=serialized" else "text"]
        return 200, json.dumps(told).encode()


@contextmanager
def running() -> Iterator[Registry]:
    registry = Registry()
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()
