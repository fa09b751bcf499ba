"""POSTs to receivers: one attempt each, whose outcome is an answer and never an exception.

The standard library does: a few requests a minute need no pool of connections. HTTPS_PROXY and NO_PROXY hold, as for
every program; redirects are not followed, for a POST would become a GET.
"""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from streamer import __version__
from streamer.bridges.answers import Answer

READ_MAX, WORDS_MAX = 64 * 1024, 200
"""Bytes of an answer that are read, and characters of it that are told."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> None:
        """The answer is that of the redirect itself."""


class Poster:
    """`ca`: file of the certificates that are trusted instead of the system's. OSError where it cannot be read."""

    def __init__(self, timeout_s: float, ca: str | None = None) -> None:
        self._timeout_s = timeout_s
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
        self._opener = urllib.request.build_opener(secure, NoRedirects)

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        """No word of the outcome holds the address, which may be a secret."""
        request = urllib.request.Request(url, body, {"User-Agent": f"driftline/{__version__}"}, method="POST")
        for name, value in headers.items():
            request.add_unredirected_header(name, value)
        end_s = time.monotonic() + self._timeout_s
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                return Answer(response.status, self._words(response, end_s))
        except urllib.error.HTTPError as error:
            with error:
                words = self._words(error, end_s) or str(error.reason)
                return Answer(error.code, words[:WORDS_MAX], str(error.headers.get("Retry-After") or ""))
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            return Answer(0, self._why(reason))

    def _why(self, reason: object) -> str:
        if isinstance(reason, TimeoutError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(reason, ssl.SSLError):
            return f"TLS: {getattr(reason, 'verify_message', '') or reason.reason or type(reason).__name__}"
        return str(getattr(reason, "strerror", None) or type(reason).__name__)

    def _words(self, response: Any, end_s: float) -> str:
        """The beginning of the body on one line. It has come by the deadline, or is left."""
        found = b""
        try:
            while len(found) < READ_MAX and time.monotonic() < end_s and (part := response.read1(4096)):
                found += part
        except (OSError, HTTPException, ValueError):
            pass  # The status has come, and counts.
        return " ".join(found.decode(errors="replace").split())[:WORDS_MAX]
