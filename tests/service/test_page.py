"""The page over HTTP: who sees it, what it answers, and that a browser shows what is published."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from streamer.port import LogDown
from streamer.service.health import Health
from streamer.service.http import Server, start_server
from streamer.service.metrics import Metrics
from streamer.service.page import FILES, POLICY, VIEWS, Page
from tests.service.clients import ask
from tests.service.test_board import labelled, published

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Topics:
    """What a tail reads: what is put."""

    def __init__(self) -> None:
        self.missing = ["gone"]
        self.put: list[bytes | None] = []
        self.asked_ms: list[int] = []
        self.fails, self.closed = 0, 0

    def __call__(self, now_ms: int) -> Topics:
        self.asked_ms.append(now_ms)
        if len(self.asked_ms) <= self.fails:
            raise LogDown("no broker")
        return self

    def values(self) -> Iterator[bytes | None]:
        time.sleep(0.01)
        found, self.put = self.put, []
        yield from found

    def close(self) -> None:
        self.closed += 1


def page_of(topics: Topics, who: Literal["local", "all", "off"] = "local") -> Page:
    return Page(topics, lambda: {"config": "version: 1\n", "windows": True, "notes": ["n: <b>x</b>"]}, who)


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def page(topics: Topics) -> Iterator[Page]:
    made = page_of(topics)
    yield made
    made.close()


@pytest.fixture
def server(page: Page, health: Health) -> Iterator[Server]:
    running = start_server("127.0.0.1:0", Metrics(), health, {"version": "1.2.3"}, page)
    yield running
    running.close()


def wait_for(found: Any) -> None:
    deadline_s = time.monotonic() + 20
    while not found():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_its_files_are_served_with_a_strict_policy_and_once(server: Server) -> None:
    for path, (_, kind) in FILES.items():
        status, body, headers = ask(server, path)
        assert (status, headers["Content-Type"], headers["Content-Security-Policy"]) == (200, kind, POLICY)
        assert body
        assert ask(server, path, **{"If-None-Match": headers["ETag"]})[:2] == (304, "")
        assert ask(server, path, **{"If-None-Match": '"other"'})[:2] == (200, body)


def test_nothing_comes_from_elsewhere() -> None:
    folder = Path(__file__).resolve().parents[2] / "streamer" / "service" / "static"
    for file in folder.iterdir():
        found = re.findall(r"(?:https?:)?//[\w.]+\.\w+", file.read_text())
        assert [one for one in found if one != "http://www.w3.org"] == [], file


def test_views_show_what_is_published(server: Server, page: Page, topics: Topics) -> None:
    topics.put = [*published(), *labelled()]
    wait_for(lambda: page.board.version >= len(published()) + len(labelled()))
    time.sleep(1.1)  # An answer serves for a second.
    shown = json.loads(ask(server, "/api/overview")[1])
    assert [one["model"] for one in shown["models"]] == ["m"]
    assert (shown["waits"], shown["config"]) == ("no topic gone", "version: 1\n")
    [incident] = shown["incidents"]
    whole = json.loads(ask(server, f"/api/incident?id={incident['incident']}")[1])
    member = whole["members"][0]
    alert = json.loads(ask(server, f"/api/alert?id={member['episode']}")[1])
    assert alert["labels"]["monitor"] == member["monitor"]
    assert {one["signal"] for one in json.loads(ask(server, "/api/series?model=m")[1])} >= {"traffic"}
    assert ask(server, "/api/alert?id=nothing")[0] == ask(server, "/api/incident")[0] == 404
    assert json.loads(ask(server, "/api/performance?model=m")[1])[0]["error"]["count"] == 360
    assert set(VIEWS) == {f"/api/{name}" for name in ("overview", "series", "performance", "incident", "alert")}


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
    made = page_of(Topics(), who)
    assert made.allows(address, host) is sees
    made.close()


def test_whoever_must_not_see_it_does_not_learn_that_it_is_there(server: Server) -> None:
    nothing = ask(server, "/nothing")[:2]
    assert nothing[0] == 404
    assert ask(server, "/", Host="evil.example")[:2] == nothing
    assert ask(server, "/api/overview", Host="evil.example")[:2] == nothing


def test_it_changes_nothing(server: Server) -> None:
    assert ask(server, "/", method="POST")[0] == 405


def test_where_it_is_off_nothing_is_read(topics: Topics) -> None:
    before = threading.active_count()
    page_of(topics, "off")
    assert threading.active_count() == before
    assert topics.asked_ms == []


def test_without_a_broker_it_says_so_and_begins_again(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.service.page.AGAIN_S", 0.3)
    topics.fails = 1
    made = page_of(topics)
    wait_for(lambda: made.overview({})["waits"] == "no broker")
    wait_for(lambda: made.overview({})["waits"] == "no topic gone")
    assert len(topics.asked_ms) == 2
    made.close()
    wait_for(lambda: topics.closed == 1)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is here: the page is not looked at in a browser")
@pytest.mark.parametrize(
    ("view", "texts"),
    [
        ("#/", ["Models (1)", "◆ drifting", "4 alerts began together"]),
        (
            "#/model/m",
            ["In school", "as the detectors saw them", "<figure>", "traffic: traffic, now 600", "10.0 % ("],
        ),
        ("#/alerts", ["went from"]),
        ("#/pipeline", ["in[0]", "n: &lt;b&gt;x&lt;/b&gt;"]),
        ("#/config", ["version: 1"]),
        ("#/alert/nothing", ["It is not known here, or no longer."]),
    ],
)
def test_a_browser_shows_it(
    server: Server, page: Page, topics: Topics, tmp_path: Path, view: str, texts: list[str]
) -> None:
    topics.put = [*published(), *labelled()]
    wait_for(lambda: page.board.version >= len(published()) + len(labelled()))
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=8000",
    ]
    command = [str(CHROMIUM), *options, "--enable-logging=stderr", "--dump-dom", f"http://{server.address}/{view}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    for text in texts:
        assert text in done.stdout
