"""Asks a schema registry: what an id stands for, and what that builds on. Three GETs, so the standard library does.

Whoever reads a topic from a file's command asks here and waits; the service asks beside its loop, see
`streamer/service/waiting.py`.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from schemas.events.batch import Record, columns_of
from schemas.events.registered import Schema, Schemas
from streamer.config.schema_registry import SchemaRegistry
from streamer.port import LogDown, Partition

ANSWER_MAX = 8 << 20
REFERENCES_MAX = 200
ASK_AGAIN_S = 2.0
"""After an answer that there is no such id: a replica may not have heard of it yet."""
SHOWN_MAX = 200
EVENT = "schema_registry_away"
ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


class NoSchema(Exception):
    """The registry has answered that there is none of this id."""


class Client:
    """`schema(id)`: what the registry has of it. Raises NoSchema, or LogDown where it does not say."""

    def __init__(self, config: SchemaRegistry) -> None:
        self._config = config
        self._opener: urllib.request.OpenerDirector | None = None

    def __repr__(self) -> str:
        return f"Client({self._config.url})"

    def schema(self, number: int) -> Schema:
        try:
            return self._schema(number)
        except (KeyError, TypeError, ValueError, RecursionError):
            raise self._down(f"what it says of schema {number} is not as a registry says it", self._is_it()) from None

    def _schema(self, number: int) -> Schema:
        path = f"/schemas/ids/{number}"
        found = self._get(path)
        kind = str(found.get("schemaType", "AVRO"))
        if kind == "PROTOBUF":
            found = self._get(f"{path}?format=serialized")
        references: dict[str, str] = {}
        if kind != "JSON":  # What is JSON is read without its schema.
            self._build_on(found, "?format=serialized" if kind == "PROTOBUF" else "", references, set())
        return Schema(kind, str(found.get("schema", "")), tuple(references.items()))

    def _build_on(self, found: dict[str, Any], form: str, references: dict[str, str], seen: set[str]) -> None:
        """Every schema that another builds on, each after those that it builds on itself."""
        for one in found.get("references") or ():
            name = str(one["name"])
            if name in seen or len(seen) >= REFERENCES_MAX:
                continue
            seen.add(name)
            other = self._get(f"/subjects/{quote(str(one['subject']), safe='')}/versions/{int(one['version'])}{form}")
            self._build_on(other, form, references, seen)
            references[name] = str(other.get("schema", ""))

    def _get(self, path: str) -> dict[str, Any]:
        """One answer. Its deadline holds for all of it, however slowly it drips."""
        url, seconds = self._config.url, self._config.timeout_ms / 1000
        deadline_s = time.monotonic() + seconds
        try:
            with self._open(f"{url}{path}", seconds) as response:
                body = b""
                while part := response.read1(1 << 16):
                    body += part
                    if len(body) > ANSWER_MAX:
                        raise ValueError(f"over {ANSWER_MAX} bytes")
                    if time.monotonic() > deadline_s:
                        raise TimeoutError
            found = json.loads(body)
            if not isinstance(found, dict):
                raise ValueError("no object")
        except urllib.error.HTTPError as error:
            raise self._refused(error, path) from None
        except (OSError, HTTPException) as error:
            raise self._unreachable(error, seconds) from None
        except (ValueError, RecursionError):
            raise self._down("what it says is no JSON of a registry", self._is_it()) from None
        return found

    def _open(self, url: str, seconds: float) -> Any:
        if self._opener is None:
            secure = ssl.create_default_context(cafile=self._config.ca)
            self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=secure))
        request = urllib.request.Request(url, headers={"Accept": ACCEPT})
        if self._config.user is not None:
            login = base64.b64encode(f"{self._config.user}:{self._config.password}".encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {login}")  # For this registry alone.
        return self._opener.open(request, timeout=seconds)

    def _refused(self, error: urllib.error.HTTPError, path: str) -> Exception:
        with error:
            try:
                told = json.loads(error.read(1 << 16))
            except (OSError, HTTPException, ValueError, RecursionError):
                told = None
        says = told if isinstance(told, dict) and isinstance(told.get("error_code"), int) else {}
        words = " ".join(str(says.get("message", error.reason)).split())[:SHOWN_MAX]
        if error.code == 404 and says:
            return NoSchema(f"{path.partition('?')[0]}: {words}")
        if error.code == 404:
            return self._down(f"404 for {path}, but not as a registry says it", self._is_it())
        if error.code in (401, 403):
            fix = "see schema_registry.user and schema_registry.password, and what that user may read"
            return self._down(f"{error.code}, it does not let us in: {words}", fix)
        return self._down(f"{error.code}: {words}", "see its log")

    def _unreachable(self, error: Exception, seconds: float) -> LogDown:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return self._down(f"no answer within {seconds:g} s", "see its log, or raise schema_registry.timeout")
        if isinstance(reason, ssl.SSLError):
            fix = "name the file of its CA in schema_registry.ca"
            return self._down(f"TLS: {getattr(reason, 'verify_message', '') or reason.reason or reason}", fix)
        if isinstance(reason, FileNotFoundError):
            return self._down(f"there is no file {self._config.ca}", "see schema_registry.ca")
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return self._down(why, "start it, or see schema_registry.url and the network between")

    def _is_it(self) -> str:
        return "see whether schema_registry.url is the address of a registry, path and all"

    def _down(self, why: str, fix: str) -> LogDown:
        return LogDown(f"schema registry {self._config.url}: {why}", EVENT, fix)


def learned(
    schemas: Schemas,
    source: Iterable[tuple[Partition, list[Record]]],
    fetch: Callable[[int], Schema],
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[tuple[Partition, list[Record]]]:
    """Records from anywhere, each batch once the registry has said what its schemas are. Raises LogDown."""
    for partition, records in source:
        wanted = schemas.missing(columns_of(records).values)
        absent = _learn(schemas, wanted, fetch)
        if absent:
            pause(ASK_AGAIN_S)
            for number, why in _learn(schemas, absent, fetch).items():
                schemas.refuse(number, why, wanted)
        yield partition, records


def _learn(schemas: Schemas, numbers: Iterable[int], fetch: Callable[[int], Schema]) -> dict[int, str]:
    """The ids that the registry does not know, with what it says."""
    absent: dict[int, str] = {}
    keep = list(numbers)
    for number in keep:
        try:
            schemas.learn(number, fetch(number), keep)
        except NoSchema as why:
            absent[number] = str(why)
    return absent
