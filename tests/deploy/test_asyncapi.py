"""deploy/asyncapi.yaml: every topic of the shipped config, every record by its schema, every reference to something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from schemas.records.dead_letter import PREFIX
from streamer.config.load import load_config
from tests.deploy.files import DEPLOY, ROOT, read

FILE = DEPLOY / "asyncapi.yaml"


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def found_by(told: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        told = told[step]
    return told


def test_every_reference_leads_somewhere() -> None:
    told = read(FILE)
    asked = set(references(told))
    assert all(found_by(told, one) for one in asked if one.startswith("#/"))
    schemas = {(FILE.parent / one).resolve() for one in asked if not one.startswith("#/")}
    assert schemas == set((ROOT / "schemas").glob("*.json")) - {ROOT / "schemas" / "config.v1.json"}


def test_every_topic_is_a_channel_but_for_that_of_snapshots() -> None:
    told = read(FILE)
    config = load_config(DEPLOY / "driftline.yaml", {})
    optional = {f"drift-{role}" for role in ("windows", "incidents", "shadow", "review")}
    named = {*config.topics.events, *config.topics.own().values()} | optional
    assert {one["address"] for one in told["channels"].values()} == named - {config.topics.state}
    operated = {one["channel"]["$ref"].rpartition("/")[2] for one in told["operations"].values()}
    assert operated == set(told["channels"])
    received = [name for name, one in told["operations"].items() if one["action"] == "receive"]
    assert received == ["readEvents"]


def test_the_records_of_a_topic_are_those_that_the_readme_of_schemas_says() -> None:
    told = read(FILE)
    table = (
        (ROOT / "schemas" / "README.md").read_text().partition("| topic | record | schema |")[2].partition("\n\n")[0]
    )
    listed: dict[str, set[str]] = {}
    for role, schema in re.findall(r"^\| `(?:topics\.)?(\w+)(?:\.topic)?`.*\[(\w+)\.v1\.json\]", table, re.M):
        listed.setdefault(role, set()).add(schema)
    listed["alerts"].add("incident")  # By default.
    channels = {name: set(one["messages"]) for name, one in told["channels"].items() if name != "deadLetters"}
    assert channels == listed


def test_the_headers_of_dead_letters_are_those_that_are_written() -> None:
    headers = read(FILE)["components"]["messages"]["deadLetter"]["headers"]["properties"]
    source = (ROOT / "schemas" / "records" / "dead_letter.py").read_text()
    assert all(name.startswith(PREFIX) and f'"{name.removeprefix(PREFIX)}"' in source for name in headers)
