"""Requests to receivers: one attempt each, whose outcome is an answer and never an exception.

The standard library does: a few requests a minute need no pool of connections. HTTPS_PROXY and NO_PROXY hold, as for
every program; redirects are not followed, for a POST would become a GET.
"""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from typing import Any

from streamer import __version__
from streamer.bridges.answers import Answer

READ_MAX, GET_MAX, WORDS_MAX = 64 * 1024, 64 << 20, 200
"""Bytes of an answer that are read, of one that is asked for, and characters of it that are told."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> None:
        """The answer is that of the redirect itself."""


class Client:
    """`ca`: file of the certificates that are trusted instead of the system's. OSError where it cannot be read."""

    def __init__(self, timeout_s: float, ca: str | None = None) -> None:
        self._timeout_s = timeout_s
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
        self._opener = urllib.request.build_opener(secure, NoRedirects)

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        """No word of the outcome holds the address, which may be a secret."""
        return self._ask(url, body, headers, READ_MAX)[0]

    def get(self, url: str, headers: dict[str, str]) -> tuple[Answer, bytes]:
        """The same, and what was got, if it was."""
        return self._ask(url, None, headers, GET_MAX)

    def ask(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> tuple[Answer, bytes]:
        """The same by any method."""
        return self._ask(url, body, headers, GET_MAX, method)

    def _ask(
        self, url: str, body: bytes | None, headers: dict[str, str], most: int, method: str | None = None
    ) -> tuple[Answer, bytes]:
        end_s = time.monotonic() + self._timeout_s
        try:
            request = urllib.request.Request(url, body, method=method)
            for name, value in {"User-Agent": f"driftline/{__version__}", **headers}.items():
                request.add_unredirected_header(name, value)
            with self._opener.open(request, timeout=self._timeout_s) as response:
                found = read(response, end_s, most)
                return Answer(response.status, words_of(found)), found
        except urllib.error.HTTPError as error:
            with error:
                words = words_of(read(error, end_s, READ_MAX)) or str(error.reason)
                return Answer(error.code, words[:WORDS_MAX], str(error.headers.get("Retry-After") or "")), b""
        except (OSError, HTTPException, ValueError) as error:
            return Answer(0, self._why(getattr(error, "reason", error))), b""

    def _why(self, reason: object) -> str:
        if isinstance(reason, TimeoutError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(reason, ssl.SSLError):
            return f"TLS: {getattr(reason, 'verify_message', '') or reason.reason or type(reason).__name__}"
        if isinstance(reason, ValueError):
            return "this is no address that can be called"
        return str(getattr(reason, "strerror", None) or type(reason).__name__)


def read(response: Any, end_s: float, most: int) -> bytes:
    """The body as far as it has come by the deadline: the status has come, and counts."""
    found = b""
    with suppress(OSError, HTTPException, ValueError):
        while len(found) < most and time.monotonic() < end_s and (part := response.read1(1 << 16)):
            found += part
    return found


def words_of(body: bytes) -> str:
    """Its beginning, on one line."""
    return " ".join(body[: 4 * WORDS_MAX].decode(errors="replace").split())[:WORDS_MAX]
