"""What is answered over HTTP, and the bytes of it."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

import h11

from streamer.service.page import POLICY

COPY_BYTES_MAX = 16 * 1024
"""Up to this size head and body are sent as one; a larger body is shared by all who read it."""
TEXT = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = TEXT
    allow: str = ""
    head_only: bool = False
    etag: str = ""
    cookie: str = ""
    since: str | None = None  # of a stream: the last that its client was told


def plain(status: int, text: str = "") -> Answer:
    """A status and a line of text: what the status is called, where nothing else is said."""
    return Answer(status, (text or HTTPStatus(status).phrase.lower() + "\n").encode(errors="replace"))


def header(request: h11.Request, name: bytes) -> str:
    """All values of a header, as one; empty where there is none."""
    return b",".join(value for key, value in request.headers if key == name).decode(errors="replace")


def parts(parser: h11.Connection, answer: Answer) -> list[bytes]:
    """What is sent: nothing in it was sent by the client."""
    headers = {
        "Server": "driftline",
        "Date": formatdate(usegmt=True),
        "Content-Type": answer.kind,
        **({"Content-Length": str(len(answer.body))} if answer.since is None else {}),
        **({"Allow": answer.allow} if answer.allow else {}),
        **({"Set-Cookie": answer.cookie} if answer.cookie else {}),
        **({"WWW-Authenticate": "Bearer"} if answer.status == 401 else {}),
        **({"ETag": answer.etag, "Content-Security-Policy": POLICY} if answer.etag else {}),
        "Cache-Control": "no-cache" if answer.etag else "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    reason = HTTPStatus(answer.status).phrase.encode()
    head = parser.send(h11.Response(status_code=answer.status, reason=reason, headers=list(headers.items())))
    assert head is not None
    if answer.head_only:
        return [head]
    return [head + answer.body] if len(answer.body) <= COPY_BYTES_MAX else [head, answer.body]
