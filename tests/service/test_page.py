"""The page over HTTP: who sees it, what it answers, and that a browser shows what is published."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import pytest

from streamer.config.load import load_text
from streamer.service.board import STATES, Board
from streamer.service.gate import Gate
from streamer.service.health import Health
from streamer.service.http import Server, start_server
from streamer.service.metrics import Metrics
from streamer.service.page import FILES, POLICY, ROW, ROWS, STILL_S, VIEWS, Page, listed
from streamer.service.page import page_of as of_a_service
from tests.service.browser import Browser
from tests.service.clients import ask, connect
from tests.service.test_board import BEGIN_MS, LIVED_MS, asked, labelled, published
from tests.service.topics import Topics
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("browser")  # Each worker that has one of them starts a Chromium.

DOCS = Path(__file__).resolve().parents[2] / "docs" / "page.md"
PICTURES = Path(__file__).resolve().parents[2] / "build" / "pictures"


def page_of(
    topics: Topics,
    who: Literal["local", "all", "off"] = "local",
    token: str | None = None,
    note: str = "n: <b>x</b>",
    **more: Any,
) -> Page:
    parts = [{"monitor": "traffic", "kind": "envelope", "a_week": 0.5, "series": 1}]
    budget = {"says": ["1 a week in all."], "parts": [*parts, {**parts[0], "monitor": "missing", "series": None}]}
    file = {"config": "version: 1\n", "budget": budget, "references": "Compared with the first."}
    about = {"config_hash": "1b8d497fc342fbeb", "service": "0.1.0", "windows": True, "notes": [note]}
    return Page(topics, lambda: {**file, **about}, Gate(who, token), **more)


def picture_of_the_docs(browser: Browser, view: str) -> None:
    """What docs/page.md shows of a view: made anew where that is asked for; else it is seen that it is still of it, but
    for its figures, which move with the clock.
    """
    picture, drawn = DOCS.parent / "pictures" / f"{view}.svg", browser.drawing()
    if os.environ.get("DRIFTLINE_REWRITE"):
        picture.write_text(drawn)
    assert headings(picture.read_text()) == headings(drawn)
    assert f"(pictures/{picture.name})" in DOCS.read_text()


def headings(drawn: str) -> list[str]:
    """Of a drawing; one that is no XML raises."""
    return [
        "".join(one.itertext()) for one in ElementTree.fromstring(drawn).iter() if one.tag[-3:] in ("}h2", "}h3", "}th")
    ]


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def page(topics: Topics) -> Iterator[Page]:
    """An hour after what was published."""
    ahead_s = BEGIN_MS / 1000 + 9000 - time.time()
    made = page_of(topics, clock=lambda: time.time() + ahead_s)
    yield made
    made.close()


@pytest.fixture
def server(page: Page, health: Health) -> Iterator[Server]:
    running = start_server("127.0.0.1:0", Metrics(), health, {"version": "1.2.3"}, page)
    yield running
    running.close()


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


def test_what_the_docs_say_stands_on_the_page() -> None:
    static = Path(__file__).resolve().parents[2] / "streamer" / "service" / "static"
    page = "".join(file.read_text() for file in static.iterdir())
    text = DOCS.read_text()
    found = re.findall(r"\*\*(.+?)\*\*", text.replace("\n", " ")) + re.findall(
        r"^\| ([▲◆○●] .+?) \|", text, re.MULTILINE
    )
    assert len(found) >= 13
    assert [text for text in found if text not in page] == []


def test_views_show_what_is_published(server: Server, page: Page, topics: Topics) -> None:
    topics.put = [*published(), *labelled()]
    until(lambda: page.board.version >= len(published()) + len(labelled()))
    time.sleep(1.1)  # An answer serves for a second.
    whole = json.loads(ask(server, "/api/overview?view=config")[1])
    assert (whole["waits"], whole["config"], whole["models"]) == ("gone: there is no such topic", "version: 1\n", [])
    shown = json.loads(ask(server, "/api/overview?view=")[1])
    assert [one["model"] for one in shown["models"]] == ["m"]
    [incident] = shown["incidents"]
    assert {*shown["models"][0]} == {*ROW}
    assert "tiers" in json.loads(ask(server, "/api/overview?model=m")[1])["models"][0]
    rows = [json.loads(ask(server, f"/api/overview?{of}")[1])["alerts"] for of in ("view=", "view=alerts", "model=m")]
    assert [len(alerts) for alerts in rows] == [0, 4, 4]
    whole = json.loads(ask(server, f"/api/incident?id={incident['incident']}")[1])
    member = whole["members"][0]
    alert = json.loads(ask(server, f"/api/alert?id={member['episode']}")[1])
    assert alert["labels"]["monitor"] == member["monitor"]
    assert {one["signal"] for one in json.loads(ask(server, "/api/series?model=m")[1])["lines"]} >= {"traffic"}
    assert ask(server, "/api/alert?id=nothing")[0] == ask(server, "/api/incident")[0] == 404
    assert json.loads(ask(server, "/api/performance?model=m")[1])[0]["error"]["count"] == 360
    assert set(json.loads(ask(server, "/api/series?model=m")[1])) == {"lines", "away", "hours", "recent", "marks"}
    assert set(VIEWS) == {
        f"/api/{name}" for name in ("overview", "series", "performance", "review", "incident", "alert")
    }


def test_of_many_models_the_worst_are_listed_or_those_of_a_name() -> None:
    models = [dict.fromkeys(ROW, 0) | {"model": f"Model-{n:03}", "state": STATES[-1]} for n in range(ROWS + 20)]
    models[-1]["state"], models[-2]["state"] = "learning", "critical"
    shown, found = listed(models, {"view": ""})
    assert (len(shown), found) == (ROWS, ROWS + 20)
    assert [one["model"] for one in shown[:3]] == ["Model-078", "Model-079", "Model-000"]
    assert len(listed(models, {"view": "", "all": ""})[0]) == ROWS + 20
    assert listed(models, {"find": "model-07"})[0][0]["model"] == "Model-078"
    assert listed(models, {"find": "x"}) == ([], 0)
    assert listed(models, {"model": "Model-001"}) == ([models[1]], 1)
    assert listed(models, {"view": "alerts"}) == ([], 0)


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


def test_the_page_of_a_service_has_the_calendar_of_the_config_that_is_at_work() -> None:
    text = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [in]}\nserver: {page: "off"}\n'
    calendar = "calendar: {maintenance: [{from: 2023-11-14T23:00, to: 2023-11-14T23:30}]}\n"
    at_work = [load_text(text, "x", {})]
    page = of_a_service(lambda: at_work[-1], Health(), None, lambda name, error: None)
    for value in published():
        page.board.take(value)
    assert page.series({"model": "m"})["lines"]
    assert page.series({"model": "m"})["away"] == []
    at_work.append(load_text(text + calendar, "x", {}))
    [[begin_ms, end_ms]] = page.series({"model": "m"})["away"]
    assert end_ms - begin_ms == 1_800_000
    assert page.overview({"view": "config"})["config_hash"] == at_work[-1].config_hash


def test_a_reload_is_asked_for_by_who_sees_the_page(page: Page, health: Health) -> None:
    asked = []
    with closing(start_server("127.0.0.1:0", Metrics(), health, {}, page, lambda: asked.append(1))) as server:
        assert ask(server, "/-/reload")[0] == 405
        assert ask(server, "/-/reload", method="POST", Host="evil.example")[0] == 404
        assert ask(server, "/-/reload", method="POST", Origin="https://evil.example")[0] == 403
        assert asked == []
        assert ask(server, "/-/reload", method="POST", Origin=f"http://{server.address}")[0] == 202
        assert ask(server, "/-/reload", method="POST")[0] == 202
        assert asked == [1, 1]


def test_without_control_there_is_no_reload(server: Server) -> None:
    assert ask(server, "/-/reload", method="POST")[0] == 404


def test_with_another_config_it_reads_anew(page: Page, topics: Topics) -> None:
    until(lambda: len(topics.asked_ms) == 1)
    topics.put = published()[:1]
    until(lambda: page.board.version == 1)
    page.begin_again()
    until(lambda: len(topics.asked_ms) == 2)
    until(lambda: page.board.version == 0)


def test_without_a_broker_it_says_so_and_begins_again(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.service.page.AGAIN_S", 0.3)
    topics.fails = 1
    made = page_of(topics)
    until(lambda: made.overview({})["waits"] == "no broker")
    until(lambda: made.overview({})["waits"] == "gone: there is no such topic")
    assert len(topics.asked_ms) == 2
    made.close()
    until(lambda: topics.closed == 1)


def test_what_it_cannot_show_is_told_and_it_begins_again(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.service.page.AGAIN_S", 0.3)
    told, taken, now_s = list[tuple[str, str]](), Board.take, [1e9]

    def take(board: Board, *given: Any) -> None:
        if not told:
            topics.put.append(given[0])  # It is there again when it is read once more.
            raise RecursionError
        taken(board, *given)

    monkeypatch.setattr(Board, "take", take)
    made = Page(
        topics,
        dict,
        Gate("local", None),
        lambda: now_s[0],
        failed=lambda name, error: told.append((name, type(error).__name__)),
    )
    topics.put.append(published()[0])
    until(lambda: (made.overview({})["waits"] or "").startswith("what was published cannot be shown: RecursionError"))
    until(lambda: made.board.version == 1)
    assert told == [("driftline-page", "RecursionError")]
    made.close()
    until(lambda: topics.closed == 2)
    now_s[0] += 2 * STILL_S
    assert "its thread is stuck" in made.overview({})["waits"]


def lines(connection: socket.socket) -> Iterator[str]:
    """The events of a stream, as they come."""
    with connection.makefile(encoding="utf-8") as file:
        for line in file:
            if line.startswith(("id: ", "HTTP/", "Content-Type")):
                yield line.strip()


def test_a_stream_says_when_something_changed(
    server: Server, page: Page, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.service.http.STREAM_SECONDS", 0.05)
    with connect(server) as connection:
        connection.sendall(b"GET /api/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        told = lines(connection)
        assert next(told).startswith("HTTP/1.1 200")
        assert next(told) == "Content-Type: text/event-stream"
        assert next(told) == f"id: {page.mark()}"
        topics.put = published()[:1]
        assert next(told) == f"id: {page.mark()}"
        assert page.mark().endswith("-1")
    with connect(server) as connection:  # Who has heard the last one hears nothing, but that we are there.
        heard = f"Last-Event-ID: {page.mark()}".encode()
        connection.sendall(b"GET /api/changes HTTP/1.1\r\nHost: localhost\r\n" + heard + b"\r\n\r\n")
        found = b""
        while b"\r\n:\n\n\r\n" not in found:
            found += connection.recv(1000)
        connection.settimeout(0.5)
        with suppress(TimeoutError):
            while True:
                found += connection.recv(1000)
        assert b"id:" not in found


def test_only_so_many_are_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.service.http.STREAMS_MAX", 1)
    monkeypatch.setattr("streamer.service.http.STREAM_SECONDS", 0.05)
    monkeypatch.setattr("streamer.service.http.STILL_SECONDS", 0.05)
    with connect(server) as connection:
        connection.sendall(b"GET /api/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert next(lines(connection)).startswith("HTTP/1.1 200")
        assert ask(server, "/api/changes")[0] == 503
    until(lambda: server._streams == 0)  # It went away, which the next line to it shows.
    assert ask(server, "/api/changes", method="HEAD")[0] == 404
    assert ask(server, "/api/changes", Host="evil.example")[0] == 404


@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize(
    ("view", "texts"),
    [
        ("", ["Models (1)", "◆ drifting", "4 alerts began together", "3 in school"]),
        ("model/m", ["In school", "as the detectors saw them", "traffic: traffic, now 600", "10.0 % ("]),
        ("alerts", ["went from"]),
        ("incident/ID", ["From where it began", "feature-mean", "Was anything deployed", "What is not known"]),
        ("incident/ID", ["Mean, and one spread", "at in[0]@", "Around the change", "--from 0"]),
        ("alert/ID", ["Mean, and one spread", "Around the change", "feature-distribution: features.a", "--from 0"]),
        ("review", ["Nobody is asked to look at events"]),
        ("pipeline", ["in[0]", "n: <b>x</b>"]),
        ("config", ["version: 1", "Compared with the first.", "3 in school", "1 a week in all.", "shared by those"]),
        ("alert/nothing", ["It is not known here, or no longer."]),
    ],
)
def test_a_browser_shows_it(
    server: Server, page: Page, topics: Topics, browser: Browser, view: str, texts: list[str]
) -> None:
    topics.put, topics.missing = [*published(), *labelled()], {}
    until(lambda: page.board.version >= len(published()) + len(labelled()))
    of = page.board.incidents if view.startswith("incident") else page.board.alerts
    browser.open(f"http://{server.address}/#/{view.replace('ID', next(iter(of.open)))}")
    for text in texts:
        browser.wait_for(text)
    missing = [one for one in browser.complaints if "404" in one]
    assert browser.complaints == missing, "nothing but that one alert is not known"
    assert len(missing) == view.endswith("nothing")
    shown = view.partition("/")[0] or "models"
    browser.picture(PICTURES / f"page-{shown}.png")
    if shown in ("models", "model", "incident", "config"):
        picture_of_the_docs(browser, shown)


@pytest.mark.xdist_group("browser")
def test_a_browser_is_told_what_changes(server: Server, page: Page, topics: Topics, browser: Browser) -> None:
    browser.open(f"http://{server.address}/")
    browser.wait_for("No sign of life")
    topics.put = published()
    browser.wait_for("Models (1)")
    browser.value("document.dispatchEvent(new KeyboardEvent('keydown', {key: '/'}))")
    assert browser.value("document.activeElement.id") == "find"
    browser.value("document.querySelector('.skip').click()")
    assert browser.value("document.activeElement.id") == "view"
    assert browser.value("location.hash") == "", "it is no address of a view"
    browser.open(f"http://{server.address}/#view")
    browser.wait_for("drifting")


def deployed() -> bytes:
    """A sign of life of a model that got another version before its feature shifted."""
    beat = next(one for one in map(json.loads, reversed(published())) if "heartbeat" in one["type"])
    beat["data"]["deploys"] = [{"version": "7", "before": "6", "time": "2023-11-14T23:40:00.000Z"}]
    beat["data"]["recent"] = {"from": "2023-11-14T23:39:00.000Z", "counts": [5, 6, 7, 8, 9, 9, 9]}
    beat["data"]["tick"]["number"] += 1
    return json.dumps(beat).encode()


@pytest.mark.xdist_group("browser")
def test_a_browser_shows_what_was_deployed_and_keeps_what_did_not_change(
    server: Server, page: Page, topics: Topics, browser: Browser
) -> None:
    topics.put = [*published()]
    until(lambda: page.board.version >= len(published()))
    browser.open(f"http://{server.address}/#/incident/{next(iter(page.board.incidents.open))}")
    browser.wait_for("Was anything deployed")
    browser.value("window.kept = document.querySelector('main table a'); kept.focus()")
    topics.put = [deployed()]
    browser.wait_for("before it began: version 7 came after 6")
    shown = " ".join(browser.text().split())
    [view] = re.findall(r"<!-- view: incident -->\n```text\n(.*?)```", DOCS.read_text(), re.DOTALL)
    for line in view.splitlines():
        assert " ".join(line.rstrip("…").split()) in shown, "docs/page.md has another incident"
    assert "Look at what was deployed or changed" in browser.text()
    assert browser.value("document.activeElement === kept && document.querySelector('main table a') === kept")
    browser.open(f"http://{server.address}/#/model/m")
    browser.wait_for("Events by 10 seconds")
    assert "version 7 came after 6" in browser.text()
    assert browser.value("[...document.querySelectorAll('svg text')].some((one) => one.textContent === 'version 7')")
    assert browser.complaints == []
    browser.picture(PICTURES / "page-deploys.png")


@pytest.mark.xdist_group("browser")
def test_a_browser_shows_what_people_are_asked_and_what_they_found(
    server: Server, page: Page, topics: Topics, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_shown", lambda: {"config": "", "windows": True, "asks": True, "notes": []})
    topics.put = [*asked()]
    until(lambda: page.board.version >= len(asked()))
    monkeypatch.setattr(page, "_clock", lambda: (LIVED_MS - 600_000) / 1000)
    browser.open(f"http://{server.address}/#/review")
    browser.wait_for("driftline review answer -c FILE")
    assert "in[0]@" in browser.text()
    browser.open(f"http://{server.address}/#/model/u")
    browser.wait_for("events of the newest window were looked at")
    assert browser.complaints == []
    browser.picture(PICTURES / "page-people.png")
