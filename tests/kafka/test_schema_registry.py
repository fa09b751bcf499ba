"""The client of the schema registry, against one that answers, lies, drips and refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.registered import Schema, Schemas
from streamer.config.schema_registry import SchemaRegistry
from streamer.kafka.schema_registry import Client, NoSchema, learned
from streamer.port import LogDown
from tests.kafka.registry import DRIPS_S, Registry, running
from tests.schemas.events.protos import events, text_of


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running() as one:
        yield one


def client(registry: Registry, **more: Any) -> Client:
    return Client(SchemaRegistry.model_validate({"url": registry.url, "timeout": "60s", **more}))


def test_a_schema_is_told_with_what_it_builds_on_first(registry: Registry) -> None:
    leaf, twig = {"schema": "leaf"}, {"schema": "twig", "references": [{"name": "L", "subject": "a/l", "version": 1}]}
    registry.subjects = {("a/l", 1): leaf, ("t", 2): twig}
    builds_on = [{"name": "T", "subject": "t", "version": 2}, {"name": "L", "subject": "a/l", "version": 1}]
    registry.ids[7] = {"schema": "tree", "references": builds_on}
    assert client(registry).schema(7) == Schema("AVRO", "tree", (("L", "leaf"), ("T", "twig")))
    assert registry.asked == ["/schemas/ids/7", "/subjects/t/versions/2", "/subjects/a%2Fl/versions/1"]


def test_of_protobuf_the_serialized_schema_is_asked_for_and_json_needs_none(registry: Registry) -> None:
    registry.ids[1] = {"schemaType": "PROTOBUF", "serialized": text_of(events()), "text": "message A {}"}
    registry.ids[2] = {
        "schemaType": "JSON",
        "schema": "{}",
        "references": [{"name": "x", "subject": "x", "version": 1}],
    }
    assert client(registry).schema(1) == Schema("PROTOBUF", text_of(events()))
    assert client(registry).schema(2) == Schema("JSON", "{}")
    registry.serves = False
    assert "came as text" in Schemas().learn(1, client(registry).schema(1))


def test_what_builds_on_itself_comes_to_an_end(registry: Registry) -> None:
    registry.subjects = {("a", 1): {"schema": "a", "references": [{"name": "A", "subject": "a", "version": 1}]}}
    registry.ids[1] = registry.subjects["a", 1]
    assert client(registry).schema(1) == Schema("AVRO", "a", (("A", "a"),))


def test_an_id_that_the_registry_does_not_know_is_an_answer(registry: Registry) -> None:
    with pytest.raises(NoSchema, match="/schemas/ids/9: Schema not found"):
        client(registry).schema(9)


FAULTS = {
    "slow": ("no answer within 0.3 s", "schema_registry.timeout"),
    "drip": ("no answer within 0.3 s", "schema_registry.timeout"),
    "error": ("500: Error in the backend data store", "log"),
    "html": ("404 for /schemas/ids/1, but not as a registry says it", "schema_registry.url"),
    "garbage": ("no JSON of a registry", "schema_registry.url"),
}


@pytest.mark.parametrize("mode", FAULTS)
def test_who_does_not_answer_is_away_and_never_without_a_schema(registry: Registry, mode: str) -> None:
    registry.ids[1], registry.mode = {"schema": '"string"'}, mode
    why, fix = FAULTS[mode]
    soon = {"timeout": "300ms"} if mode in ("slow", "drip") else {}
    with pytest.raises(LogDown, match=why) as down:
        client(registry, **soon).schema(1)
    assert (down.value.event, registry.url in str(down.value)) == ("schema_registry_away", True)
    assert fix in down.value.fix
    registry.mode = ""
    assert client(registry).schema(1).text == '"string"'


def test_nobody_at_the_address(registry: Registry) -> None:
    registry.stop()
    with pytest.raises(LogDown, match=r"(?i)refused"):
        client(registry).schema(1)


def test_the_login_is_for_the_registry_and_in_no_message(registry: Registry) -> None:
    registry.ids[1], registry.login = {"schema": "x"}, "me:correct-horse"
    assert client(registry, user="me", password="correct-horse").schema(1).text == "x"
    with pytest.raises(LogDown, match="401, it does not let us in") as down:
        client(registry, user="me", password="wrong-horse").schema(1)
    assert "schema_registry.password" in down.value.fix
    assert "horse" not in f"{down.value}{down.value.fix}{client(registry, user='me', password='wrong-horse')}"


def test_a_file_of_certificates_that_is_not_there(registry: Registry) -> None:
    with pytest.raises(LogDown, match="there is no file nowhere.pem"):
        client(registry, ca="nowhere.pem").schema(1)


def test_a_schema_that_is_not_told_as_a_registry_does(registry: Registry) -> None:
    registry.ids[1] = {"schema": "x", "references": [{"name": "A"}]}
    with pytest.raises(LogDown, match="not as a registry says it"):
        client(registry).schema(1)


def test_a_range_of_a_topic_is_read_once_its_schemas_are_known(registry: Registry) -> None:
    registry.ids[1] = {"schema": '"string"'}
    schemas, paused = Schemas(), list[float]()
    first, second = [Record(i, 0, None, value) for i, value in enumerate((b"\0\0\0\0\1x", b"\0\0\0\0\2x"))]
    source = [(("t", 0), [first]), (("t", 0), [first, second]), (("t", 0), [second])]
    read = list(learned(schemas, source, client(registry).schema, paused.append))
    assert read == source
    assert registry.asked == ["/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/2"]
    assert (paused, schemas.missing([b"\0\0\0\0\2x"])) == ([2.0], {})


def test_a_drip_costs_no_more_than_its_deadline(registry: Registry) -> None:
    registry.mode, began_s = "drip", time.monotonic()
    with pytest.raises(LogDown):
        client(registry, timeout="300ms").schema(1)
    assert time.monotonic() - began_s < DRIPS_S / 2
    assert json.dumps(registry.asked) == '["/schemas/ids/1"]'
