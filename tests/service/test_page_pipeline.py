"""The page's pipeline: what a browser shows of it, and when the broker is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from contextlib import closing
from typing import Any

import pytest

from streamer.kafka.standing import Stand
from streamer.port import LogDown, Partition
from streamer.service.health import Health
from streamer.service.http import start_server
from streamer.service.metrics import Metrics
from streamer.service.page import STAND_S
from tests.service.browser import Browser
from tests.service.test_board import BEGIN_MS
from tests.service.test_page import PICTURES, page_of, picture_of_the_docs
from tests.service.topics import Topics
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("browser")  # Each worker that has one of them starts a Chromium.


class Stands:
    """What the broker says of two stages: of each partition lag and snapshot."""

    def __init__(self, down: bool = False) -> None:
        self.down, self.heard = down, list[set[str]]()

    def ask(self, heard: Collection[str]) -> dict[Partition, Stand]:
        self.heard.append(set(heard))
        if self.down:
            raise LogDown("how far the group is cannot be had: no")
        one = Stand(1, 7, 120, 90.0)
        return {("in", 0): one, ("in", 1): one._replace(replayed=None, snapshot_s=None), ("o", 0): one}

    def letters(self) -> dict[str, Any]:
        told = {"time": "2023-11-14T22:13:20.007Z", "topic": "in", "partition": "3", "offset": "7.2"}
        why = {
            "reason": "missing_model",
            "says": "the event does not name its model",
            "detail": "/model",
            "made_of": "{features: {amount: number}}",
        }
        return {"letters": [told | why], "unknown": None}

    def close(self) -> None:
        self.down = True


def flowing() -> list[bytes | None]:
    """Signs of life of two stages: in ten minutes, one of ten records is a dead letter."""
    fates = {"in": ("ordered", "filtered", "dead_lettered"), "o": ("used", "late", "duplicate", "filtered")}
    put: list[bytes | None] = []
    for topic, (main, *others) in fates.items():
        for number in range(10):
            account = {main: 54_000 * number, **dict.fromkeys(others, 0), "dead_lettered": 6000 * number}
            tick = {"number": number, "time_ms": BEGIN_MS + 60_000 * number, "caught_up": topic == "o"}
            data = {"model": None, "topic": topic, "partition": 0, "offset": 60_000 * number, "tick": tick}
            put.append(json.dumps({"type": "io.driftline.heartbeat.v1", "data": {**data, "account": account}}).encode())
    return put


@pytest.mark.xdist_group("browser")
def test_a_browser_shows_rates_lag_and_what_nobody_reads(health: Health, browser: Browser) -> None:
    topics = Topics()
    stands, ahead_s = Stands(), BEGIN_MS / 1000 + 560 - time.time()
    unread = frozenset({("in", 1)})
    topics.missing, told = {}, "all_read: nobody in the group driftline reads in[1], for 75 s"
    page = page_of(
        topics, note=told, clock=lambda: time.time() + ahead_s, standing=lambda: stands, unread=lambda: unread
    )
    with closing(page), closing(start_server("127.0.0.1:0", Metrics(), health, {}, page)) as server:
        topics.put = flowing()
        browser.open(f"http://{server.address}/")
        browser.wait_for("1 partition is read by nobody")
        browser.open(f"http://{server.address}/#/pipeline")
        browser.wait_for("▲ by nobody")
        rows = browser.value("[...document.querySelectorAll('tbody tr')].map((one) => one.innerText.split('\\t'))")
        dead = [cell.strip() for cell in rows.pop()]
        assert dead[1:] == [
            "in[3]@7.2",
            "missing_model: the event does not name its model (/model)",
            "{features: {amount: number}}",
        ]
        first, second, nobody, behind, read = [[cell.strip() for cell in row] for row in rows]
        assert first[2:] == ["1,000", "900", "–", "–", "–", "0", "100", "–", "–"]
        assert second[2:] == ["1,000", "–", "900", "0", "0", "0", "100", "0", "0"]
        assert (nobody[0], nobody[1], nobody[-1]) == ("in[1]", "▲ by nobody", "never")
        assert behind[:6] == ["in[0]", "◆ a backlog", "1,000", "7", "up to 90 s old, 120 records", "540,000"]
        assert read[:2] == ["o[0]", "● all there is"]
        assert browser.complaints == []
        browser.picture(PICTURES / "page-flow.png")
        picture_of_the_docs(browser, "pipeline")
    assert stands.heard[-1] == {"in", "o"}


def test_how_groups_stand_is_asked_while_somebody_looks() -> None:
    topics = Topics()
    stands, now_s = Stands(down=True), [1000.0]
    with closing(page_of(topics, clock=lambda: now_s[0], standing=lambda: stands)) as page:
        until(lambda: topics.asked_ms)
        time.sleep(0.1)
        assert stands.heard == []
        page.serve("/api/overview", "view=pipeline")
        until(lambda: page.board.pipeline.unknown)
        time.sleep(0.1)
        assert len(stands.heard) == 1
        now_s[0] += STAND_S
        until(lambda: len(stands.heard) == 2)
        served = page.serve("/api/overview", "view=pipeline")
        assert served is not None
        assert json.loads(served.body)["pipeline"]["unknown"] == "how far the group is cannot be had: no"
