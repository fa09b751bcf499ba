"""Records of versions before are read by today's readers: within a schema's version members are only added.

`before/first.json` has of each type a record as it was first published, `before/0.1.0.json` as 0.1.0 does. A later
version adds a file, and none is ever changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from streamer.bridges.payloads import alertmanager, pagerduty, slack
from streamer.bridges.story import story
from streamer.bridges.told import Told, told
from streamer.commands.alert_page import page
from streamer.commands.alert_text import account, line, table
from streamer.commands.top import shown
from streamer.service.board import Board
from tests.config.samples import ROOT

FILES = sorted((Path(__file__).parent / "before").glob("*.json"))
TYPES = {
    "heartbeat.v1", "window.v1", "alert.firing.v1", "alert.resolved.v1",
    "incident.opened.v1", "incident.updated.v1", "incident.resolved.v1",
}  # fmt: skip


def records(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def alerts(path: Path) -> list[Told]:
    found = [told(orjson.dumps(record)) for record in records(path)]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_version_has_each_type(path: Path) -> None:
    assert {record["type"].removeprefix("io.driftline.") for record in records(path)} >= TYPES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_receivers_and_the_command_line_read_them(path: Path) -> None:
    found = alerts(path)
    assert len(found) == 5
    for one in found:
        # Firing without `pending`, `incident`, `recover` or what else came later is told as well.
        assert one.model == "fraud"
        assert slack(one, "https://d.example.org")["text"]
        assert pagerduty(one, None)["dedup_key"]
        assert one.sentence in line(one)
        assert one.sentence in account(story([one]))
        assert page(story([one])).startswith("<!doctype html>")
        if one.kind == "alert":
            assert alertmanager(one, 1_767_300_000_000, 60_000, None)["labels"]["model"] == "fraud"
    assert table(found[:1]).splitlines()[-1] in ("1 firing, 0 resolved.", "0 firing, 1 resolved.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_page_and_top_read_them(path: Path) -> None:
    board = Board()
    for record in records(path):
        board.take(orjson.dumps(record))
    assert board.unread == 0
    [model] = board.overview()["models"]
    assert model["model"] == "fraud"
    assert len(board.series_of("fraud")) == 1
    assert shown(board, 1_767_300_000_000, 1).splitlines()[1].split()[0] == "fraud"


def test_what_0_1_0_publishes_is_as_todays_schemas_have_it() -> None:
    for record in records(FILES[0]):
        name = record["type"].removeprefix("io.driftline.").split(".")[0]
        schema = json.loads((ROOT / "schemas" / f"{name}.v1.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(record)
