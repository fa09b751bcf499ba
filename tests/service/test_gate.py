"""Who is shown the page, who knows its token, and what is taken for the page itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import pytest

from streamer.service.gate import COOKIE, Client, Gate
from streamer.service.health import Health
from streamer.service.http import PATHS, Server, start_server
from streamer.service.metrics import Metrics
from tests.service.clients import ask, connect, raw
from tests.service.test_page import page_of
from tests.service.topics import Topics

TOKEN = "correct-horse-battery"
PAGE = {"X-Driftline": "page"}


@pytest.mark.parametrize(
    ("who", "address", "host", "sees"),
    [
        ("local", "127.0.0.1", "localhost:8080", True),
        ("local", "127.0.0.1", "127.0.0.1", True),
        ("local", "::1", "[::1]:8080", True),
        ("local", "::1", "[::1]", True),
        ("local", "127.0.0.1", "evil.example:8080", False),
        ("local", "127.0.0.1", "", False),
        ("local", "10.0.0.7", "localhost:8080", False),
        ("all", "10.0.0.7", "driftline.example", True),
        ("off", "127.0.0.1", "localhost", False),
    ],
)
def test_who_sees_it(who: Literal["local", "all", "off"], address: str, host: str, sees: bool) -> None:
    assert Gate(who).shown(Client(address, host)) is sees


@pytest.mark.parametrize(
    ("given", "knows"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"bearer  {TOKEN} "}, True),
        ({"authorization": f"Bearer {TOKEN}x"}, False),
        ({"authorization": f"Basic {TOKEN}"}, False),
        ({"authorization": TOKEN}, False),
        ({"authorization": "Bearer "}, False),
        ({"authorization": "Bearer \udcff"}, False),
        ({"cookie": f"{COOKIE}={TOKEN}"}, False),
        ({"cookie": f"{COOKIE}="}, False),
        ({"cookie": "\x00;;=,"}, False),
        ({}, False),
    ],
)
def test_who_knows_the_token(given: dict[str, str], knows: bool) -> None:
    assert Gate("all", TOKEN).knows(Client("10.0.0.7", **given)) is knows
    assert Gate("all").knows(Client("10.0.0.7", **given))


def test_a_cookie_is_good_for_its_token_and_does_not_tell_it() -> None:
    made = Gate("all", TOKEN).login(TOKEN, secure=True)
    assert made is not None
    assert TOKEN not in made
    assert made.endswith("Path=/; HttpOnly; SameSite=Strict; Secure")
    client = Client("10.0.0.7", cookie=f"other=1; {made.partition(';')[0]}")
    assert Gate("all", TOKEN).knows(client), "of any replica"
    assert not Gate("all", f"{TOKEN}2").knows(client), "another token ends it"
    assert Gate("all", TOKEN).login("", secure=False) is Gate("all").login("", secure=False) is None


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, None),
        ({"site": "none"}, None),
        ({"site": ""}, None),
        ({"origin": ""}, None),
        ({"site": "cross-site"}, "another site"),
        ({"site": "same-site"}, "another site"),
        ({"origin": "http://evil.example"}, "another origin"),
        ({"origin": "null"}, "another origin"),
        ({"origin": "http://localhost:9999"}, "another origin"),
        ({"mark": ""}, "no header"),
        ({"host": "evil.example:8080", "origin": "http://evil.example:8080"}, "the same machine"),
        ({"address": "10.0.0.7"}, "the same machine"),
    ],
)
def test_nothing_is_changed_from_another_site(changed: dict[str, str], refused: str | None) -> None:
    own = {"address": "127.0.0.1", "host": "localhost:8080", "origin": "http://localhost:8080", "site": "same-origin"}
    client = Client(**{**own, "mark": "page", **changed})
    found = Gate("all").refusal(client)
    assert (found is None) == (refused is None)
    assert (refused or "") in (found or "")
    known = Gate("all", TOKEN).refusal(client)
    assert (known is None) == (refused in (None, "the same machine")), "with a token it may come from anywhere"


@pytest.fixture
def server(health: Health) -> Iterator[Server]:
    page = page_of(Topics(), "all", TOKEN)
    with contextlib.closing(page), contextlib.closing(start_server("127.0.0.1:0", Metrics(), health, {}, page)) as one:
        yield one


def test_the_page_asks_for_the_token_and_probes_and_metrics_do_not(server: Server) -> None:
    assert {ask(server, path)[0] for path in PATHS} <= {200, 503}
    assert ask(server, "/")[0] == 200, "what everybody has, and nothing that is known here"
    for path in ("/api/overview", "/api/alert?id=x", "/api/changes", "/api/nothing"):
        status, body, headers = ask(server, path)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), path
        assert "token" in body
    assert ask(server, "/api/overview", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert ask(server, "/api/overview", Authorization=f"Bearer {TOKEN[:-1]}")[0] == 401


def post(server: Server, body: str, **headers: str) -> tuple[int, str]:
    """Status and cookie."""
    lines = "".join(f"{name}: {text}\r\n" for name, text in {**PAGE, **headers}.items())
    asked = f"POST /api/login HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n{body}"
    head = raw(server, asked.encode()).decode().partition("\r\n\r\n")[0]
    cookies = [line.partition(": ")[2] for line in head.splitlines() if line.startswith("Set-Cookie")]
    return int(head.split(" ")[1]), "".join(cookies).partition(";")[0]


def test_a_browser_logs_in(server: Server) -> None:
    assert post(server, "wrong") == (401, "")
    assert post(server, "x" * 5000) == (413, "")
    assert post(server, TOKEN, Origin="http://evil.example") == (403, "")
    assert post(server, TOKEN, **{"X-Driftline": "form"}) == (403, "")
    assert ask(server, "/api/login")[0] == 405
    status, cookie = post(server, TOKEN)
    assert status == 200
    assert ask(server, "/api/overview", Cookie=cookie)[0] == 200
    assert ask(server, "/api/overview", Cookie=cookie[:-1])[0] == 401


def test_a_body_that_does_not_come_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.service.http.REQUEST_SECONDS", 0.3)
    with connect(server) as connection:
        connection.sendall(b"POST /api/login HTTP/1.1\r\nHost: x\r\nX-Driftline: page\r\nContent-Length: 9\r\n\r\nabc")
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
    with connect(server) as connection:
        connection.sendall(b"POST /api/login HTTP/1.1\r\nHost: x\r\nX-Driftline: page\r\nContent-Length: 9\r\n\r\nabc")
        connection.shutdown(1)
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
