"""The bytes of an answer."""

from __future__ import annotations

import h11
import pytest

from streamer.service.answers import Answer, parts, plain


def head_of(answer: Answer) -> bytes:
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    while parser.next_event() is not h11.PAUSED and parser.our_state is not h11.SEND_RESPONSE:
        pass
    return parts(parser, answer)[0]


@pytest.mark.parametrize(
    ("answer", "said", "absent"),
    [
        (plain(404), b"not found\n", b"Set-Cookie"),
        (plain(401), b"WWW-Authenticate: Bearer\r\n", b"ETag"),
        (plain(200)._replace(cookie="a=b; HttpOnly"), b"Set-Cookie: a=b; HttpOnly\r\n", b"WWW-Authenticate"),
        (Answer(200, b"x", etag='"1"'), b"Content-Security-Policy: default-src 'self'", b"no-store"),
        (plain(200)._replace(head_only=True), b"Content-Length: 3\r\n", b"ok"),
        (plain(405)._replace(allow="POST"), b"Allow: POST\r\n", b"ETag"),
    ],
)
def test_what_it_says(answer: Answer, said: bytes, absent: bytes) -> None:
    head = head_of(answer)
    assert said in head
    assert absent not in head.partition(b"\r\n")[2]


def test_a_large_body_is_not_copied() -> None:
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    parser.next_event()
    body = b"x" * 20_000
    assert parts(parser, Answer(200, body))[1] is body
