"""What people do on the page: what is written, who may, and that a browser shows what the service said of it."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.alerts.commands import VERBS
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.port import LogDown
from streamer.service.acts import COMMANDS, TEXT_MAX, Acts
from streamer.service.board import Board
from streamer.service.gate import Gate
from streamer.service.health import Health
from streamer.service.http import Server, start_server
from streamer.service.metrics import Metrics
from streamer.service.page import Page
from streamer.service.verdicts import verdicts_of
from tests.engine.commands import TEXT, log_of, told, values
from tests.service.browser import Browser
from tests.service.clients import raw
from tests.service.test_board import LIVED_MS, asked
from tests.service.test_page import PICTURES
from tests.service.topics import Topics
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.xdist_group("browser")  # Each worker that has one of them starts a Chromium.

CONFIG = TEXT + "verdicts: {topic: drift-verdicts}\nserver: {control: true}\n"
NOW_MS = 1_700_000_000_000
SHIFTED = values((100.0, 600), (140.0, 900))


@functools.cache
def config_of(text: str = CONFIG) -> Config:
    return load_text(text, "x.yaml", {})


def published(*commands: bytes) -> list[bytes]:
    """What the service tells of a shift, and then of these commands."""
    task = told(config_of(), log_of(config_of(), SHIFTED, {1400: list(commands)} if commands else {}))
    return [out.value for out in task.outbox if out.value is not None]


@functools.cache
def board() -> Board:
    made = Board()
    for value in (*published(), *asked()):
        made.take(value)
    return made


def alert() -> str:
    return next(iter(board().alerts.open))


def item() -> str:
    return next(iter(board().items))


class Written:
    """A broker that takes what it is given, or not."""

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []
        self.down: str | None = None

    def __call__(self, config: Config, topic: str, *record: Any, wait_s: float) -> tuple[int, int]:
        if self.down:
            raise LogDown(self.down)
        self.records.append((topic, *record))
        return 0, len(self.records) - 1


def acted(text: str = CONFIG, down: str | None = None, **said: Any) -> tuple[int, dict[str, Any], Written, Acts]:
    written = Written()
    written.down = down
    acts = Acts(lambda: config_of(text), written, lambda: "c1")
    status, body = acts.act(json.dumps(said).encode(), board(), NOW_MS)
    return status, json.loads(body), written, acts


def test_a_command_is_written_as_the_verb_writes_it() -> None:
    status, said, written, _ = acted(do="mute", by=" ada ", why="deploy", alert=alert(), **{"for": "4h"})
    assert (status, said) == (202, {"id": "c1", "where": "drift-control[0]@0"})
    [(topic, key, value)] = written.records
    assert (topic, key) == ("drift-control", b"fraud")
    assert json.loads(value) == {
        "id": "c1", "type": "mute", "model": "fraud", "by": "ada", "why": "deploy", "time": NOW_MS / 1000,
        "data": {"alert": alert(), "for": "4h"},
    }  # fmt: skip
    assert set(COMMANDS) < set(VERBS)


def test_verdicts_on_alerts_and_items_are_written_as_the_verbs_write_them() -> None:
    status, said, written, _ = acted(do="not_useful", by="ada", alert=alert(), reason="expected")
    assert (status, said["where"]) == (202, "drift-verdicts[0]@0")
    verdict = json.loads(written.records[0][2])
    assert (verdict["alert_id"], verdict["reviewer"], verdict["reason"]) == (alert(), "ada", "expected")
    status, said, written, _ = acted(do="wrong", by="ada", item=item())
    verdict = json.loads(written.records[0][2])
    assert (verdict["review_id"], verdict["verdict"]) == (item(), "wrong")
    assert verdict["model"] == board().items[item()]["model"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"do": "ack", "why": "x", "alert": alert}, "who you are"),
        ({"do": "ack", "by": "  ", "why": "x", "alert": alert}, "who you are"),
        ({"do": "ack", "by": "ada", "alert": alert}, "say why"),
        ({"by": "ada", "why": "x", "alert": alert}, "what is to be done"),
        ({"do": "mute", "by": "ada", "why": "x", "alert": alert}, "how long"),
        ({"do": "mute", "by": "ada", "why": "x", "alert": alert, "for": "for ever"}, "how long"),
        ({"do": "ack", "by": "ada", "why": "x", "alert": "nothing"}, "not known here"),
        ({"do": "ack", "by": "ada", "why": "x"}, "not known here"),
        ({"do": "right", "by": "ada", "item": "nothing"}, "not known here"),
        ({"do": "learn", "by": "ada", "why": "x", "alert": alert}, "nothing of this kind"),
        ({"do": "right", "by": "ada", "alert": alert}, None),
        ({"do": "useful", "by": "ada", "item": item}, "nothing of this kind"),
        ({"do": "not_useful", "by": "ada", "alert": alert}, "of no use"),
        ({"do": "not_useful", "by": "ada", "alert": alert, "reason": "bored"}, "is one of false_alarm"),
        ({"do": "ack", "by": "a\nb", "why": "x", "alert": alert}, "one line"),
        ({"do": "ack", "by": "ada", "why": "x" * (TEXT_MAX + 1), "alert": alert}, "one line"),
        ({"do": "ack", "by": ["ada"], "why": "x", "alert": alert}, "object of texts"),
    ],
)
def test_what_is_not_said_well_is_not_written(said: dict[str, Any], why: str | None) -> None:
    """Of which alert or item it is is asked here: they are dear, and every worker collects."""
    status, answer, written, _ = acted(**{name: one() if callable(one) else one for name, one in said.items()})
    assert (status, bool(written.records)) == ((400, False) if why else (202, True))
    assert (why or "") in answer.get("error", "")


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b'{"do": null}'])
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    assert Acts(config_of, Written(), lambda: "c1").act(body, board(), NOW_MS)[0] == 400


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (CONFIG, (True, True)),
        (CONFIG.replace("server: {control: true}", ""), (False, False)),
        (CONFIG.replace("control: {topic: drift-control}", ""), (False, True)),
        (CONFIG.replace("verdicts: {topic: drift-verdicts}", ""), (True, False)),
    ],
)
def test_there_are_buttons_for_what_the_config_takes(text: str, kinds: tuple[bool, bool]) -> None:
    found = Acts(lambda: config_of(text), Written(), lambda: "c1").kinds()
    assert (found["commands"], found["verdicts"]) == kinds
    assert acted(text, do="ack", by="ada", why="x", alert=alert())[0] == (202 if kinds[0] else 400)
    assert acted(text, do="useful", by="ada", alert=alert())[0] == (202 if kinds[1] else 400)


def test_without_a_broker_it_says_so() -> None:
    status, said, _, _ = acted(down="no broker", do="right", by="ada", item=item())
    assert (status, said) == (503, {"error": "no broker"})


class World:
    """A service's page, and a log whose reader answers when it is let."""

    def __init__(self, health: Health) -> None:
        self.topics, self.written = Topics(), Written()
        self.topics.missing = {}
        acts = Acts(config_of, self.written, lambda: "c1")
        config = {"config": "", "windows": True, "asks": True, "control": True, "notes": [], "learn": "off"}
        shown = {**config, "acts": acts.kinds()}
        late_s = (LIVED_MS - 600_000) / 1000 - time.monotonic()
        self.page = Page(self.topics, lambda: shown, Gate("local"), lambda: late_s + time.monotonic(), acts)
        self.server: Server = start_server("127.0.0.1:0", Metrics(), health, {}, self.page)
        self.topics.put = [*published(), *asked()]
        until(lambda: alert() in self.page.board.alerts.open and item() in self.page.board.items)

    def close(self) -> None:
        self.server.close()
        self.page.close()


@pytest.fixture
def world(health: Health) -> Iterator[World]:
    with contextlib.closing(World(health)) as made:
        yield made


def post(server: Server, body: dict[str, str], **headers: str) -> bytes:
    lines = "".join(f"{name}: {text}\r\n" for name, text in {"X-Driftline": "page", **headers}.items())
    text = json.dumps(body)
    host = f"Host: localhost\r\n{lines}Content-Length: {len(text)}"
    return raw(server, f"POST /api/act HTTP/1.1\r\n{host}\r\n\r\n{text}".encode())


def test_it_is_taken_from_the_page_alone(world: World) -> None:
    ack = {"do": "ack", "by": "ada", "why": "x", "alert": alert()}
    assert b" 202 " in post(world.server, ack, Origin="http://localhost", **{"Sec-Fetch-Site": "same-origin"})
    assert len(world.written.records) == 1
    assert b" 403 " in post(world.server, ack, **{"X-Driftline": ""})
    assert b" 403 " in post(world.server, ack, Origin="http://evil.example")
    assert b" 403 " in post(world.server, ack, **{"Sec-Fetch-Site": "cross-site"})
    assert b" 405 " in raw(world.server, b"GET /api/act HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert len(world.written.records) == 1


def test_only_so_many_are_under_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.service.http.POSTS_MAX", 1)
    begun, end = threading.Event(), threading.Event()

    def wait(body: bytes) -> Any:
        begun.set()
        end.wait(PATIENCE_S)
        return type("Served", (), {"status": 202, "body": b"{}", "kind": "application/json"})

    monkeypatch.setattr(world.page, "act", wait)
    first = threading.Thread(target=post, args=(world.server, {}))
    first.start()
    assert begun.wait(PATIENCE_S)
    assert b" 503 " in post(world.server, {})
    end.set()
    first.join()


PICK = (
    "document.querySelector('input[value=ack]').checked = true; document.querySelector('[name=why]').value = 'on it';"
)
FILL = "for (const one of document.querySelectorAll('[name=by]')) one.value = 'ada';"
OPEN = "document.querySelector('details.act').open = true;"


@pytest.mark.xdist_group("browser")
def test_a_browser_shows_what_the_service_said_and_nothing_before(world: World, browser: Browser) -> None:
    browser.open(f"http://{world.server.address}/#/alert/{alert()}")
    browser.wait_for("Say what is to become of it")
    browser.value(OPEN + FILL + PICK)
    browser.picture(Path(PICTURES / "page-acts.png"))
    browser.value("document.querySelector('details.act form').requestSubmit()")
    browser.wait_for("waiting for what the service says")
    assert "acknowledged 1 alert" not in browser.text()
    [(topic, _, command)] = world.written.records
    assert topic == "drift-control"
    world.topics.put = published(command)
    browser.wait_for("fraud: ada acknowledged 1 alert (mean): on it.")
    browser.wait_for("Known to\nada")
    assert "fraud: ada acknowledged 1 alert (mean): on it." in browser.text(), (
        "the answer stays where it was waited for"
    )
    browser.open(f"http://{world.server.address}/#/review")
    browser.wait_for("unsure")
    browser.value(FILL)
    items = browser.value("document.querySelectorAll('form.answer').length")
    browser.value("document.querySelector('form.answer button[value=wrong]').click()")
    browser.wait_for("written as drift-verdicts[0]@1")
    read = verdicts_of(config_of())
    assert read is not None
    world.page.board.heard(read.read([Record(0, LIVED_MS, None, world.written.records[-1][2])]))
    browser.wait_for("wrong by ada")
    assert browser.value("document.querySelectorAll('form.answer').length") == items, "the next one comes up"
    assert browser.complaints == []


@pytest.mark.xdist_group("browser")
def test_of_an_incident_that_grows_all_alerts_are_meant(world: World, browser: Browser) -> None:
    told = [one for one in map(json.loads, published()) if "incident" in one["type"]][-1]
    incident = told["data"]["incident"]
    browser.open(f"http://{world.server.address}/#/incident/{incident}")
    browser.wait_for("Say what is to become of it (2 alerts)")
    browser.value(OPEN + FILL + PICK)
    members = told["data"]["members"]
    members.append({**members[0], "episode": "later"})
    world.topics.put = [json.dumps(told).encode()]
    browser.wait_for("Say what is to become of it (3 alerts)")
    assert browser.value("document.querySelector('[name=why]').value") == "on it", "what was typed stays"
    browser.value("document.querySelector('details.act form').requestSubmit()")
    browser.wait_for("not done")  # The third is not known to this one.
    given = [json.loads(value)["data"]["alert"] for _, _, value in world.written.records]
    assert given == [one["episode"] for one in members[:2]]


@pytest.mark.xdist_group("browser")
def test_a_browser_logs_in(world: World, browser: Browser) -> None:
    world.page.gate = Gate("local", "correct-horse-battery")
    browser.open(f"http://{world.server.address}/#/alert/{alert()}")
    browser.wait_for("Log in")
    fill = "document.getElementById('token').value = '{}'; document.querySelector('form').requestSubmit()"
    browser.value(fill.format("wrong"))
    browser.wait_for("that is not the token")
    browser.value(fill.format("correct-horse-battery"))
    browser.wait_for("Say what is to become of it")
    assert browser.value("document.cookie") == "", "no script reads it"
    assert [one for one in browser.complaints if "401" not in one] == []
