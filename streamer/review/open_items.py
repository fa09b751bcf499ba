"""The items that still wait for somebody, from the topics alone; and a verdict as the config wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from schemas.events.fields import Selector, parse_field, parse_selector
from schemas.records.alert import rfc3339
from streamer.config.model import Config

TYPE = "io.driftline.review.v1"
ORDER = ("ranked", "lowest", "control", "random")


class Unwritable(ValueError):
    """Where the config has something of a verdict that a verb cannot write it to; says which."""


def items_of(values: Iterable[bytes | None]) -> Iterator[dict[str, Any]]:
    """The items among records; what is none is passed over."""
    for value in values:
        try:
            record = orjson.loads(value or b"")
        except orjson.JSONDecodeError:
            continue
        if isinstance(record, dict) and record.get("type") == TYPE:
            yield {**record["data"], "asked": record["time"]}


def open_items(
    items: Iterable[dict[str, Any]], answered: Mapping[str, set[str]], now_ms: int, reviewer: str | None = None
) -> list[dict[str, Any]]:
    """Those whose time is not over and that nobody has answered, or not this reviewer: of the newest slot first, the
    ranked in their order, then the others. `answered`: by item who has.
    """
    found = {item["review_id"]: item for item in items}  # One that was published twice is one.
    now, waiting = rfc3339(now_ms), list[dict[str, Any]]()
    for item in found.values():
        who = answered.get(item["review_id"], set())
        if item["until"] >= now and (reviewer not in who if reviewer is not None else not who):
            waiting.append(item)
    waiting.sort(key=lambda item: ORDER.index(item["kind"]))
    waiting.sort(key=lambda item: str(item["asked"]), reverse=True)
    return waiting


def lines_of(item: Mapping[str, Any]) -> Iterator[str]:
    """An item for a person."""
    event, why = item["event"], ", ".join(item["reasons"]) or "drawn at random"
    name = event.get("id") or event.get("id_hash") or "no id"
    row = f" row {event['row']}" if "row" in event else ""
    yield f"{item['review_id']}  {item['model']}  {item['kind']}: {why}"
    yield f"  event {name} of {event['time']}, {event['topic']}[{event['partition']}]@{event['offset']}{row}"
    yield from (f"  {name} = {value}" for name, value in item.get("values", {}).items())
    yield f"  {item['question']}  (until {item['until']})"


def verdict_record(
    config: Config, said: Mapping[str, str], now_ms: int
) -> tuple[bytes | None, bytes, list[tuple[str, bytes]]]:
    """Key, value and headers of a verdict with what is `said`, by the keys of the section: review_id or alert_id,
    reviewer, verdict, reason; and model. Unwritable for a place that is no such thing.
    """
    assert config.verdicts is not None
    places = {name: parse_selector(getattr(config.verdicts, name)) for name in said if name != "model"}
    for name in ("model", "time"):
        places[name] = parse_field(name, getattr(config.verdicts, name) or getattr(config.fields, name))
    key: bytes | None = None
    value: dict[str, Any] = {}
    headers: list[tuple[str, bytes]] = []
    for name, text in {**said, "time": rfc3339(now_ms)}.items():
        place = places[name]
        if place.kind == "pointer":
            _put(value, place, name, text)
        elif place.kind == "key":
            key = text.encode()
        elif place.kind == "header":
            headers.append((place.header, text.encode()))
        elif place.kind != "constant" or place.header != text:
            raise Unwritable(f"verdicts.{name} is {place.text!r}, where nothing can be written")
    return key, orjson.dumps(value), headers


def _put(value: dict[str, Any], place: Selector, name: str, text: str) -> None:
    *folders, last = [part.replace("~1", "/").replace("~0", "~") for part in place.text.split("/")[1:]]
    inside = value
    for folder in folders:
        inside = inside.setdefault(folder, {})
        if not isinstance(inside, dict):
            raise Unwritable(f"verdicts.{name} is {place.text!r}, within what is another thing")
    inside[last] = text
