"""What to write instead of a value of another type, as a sentence: the right form of what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from streamer.config.units import DURATION

KEYS_SHOWN = 12
MAPPINGS = {
    "monitors": "A monitor's name is its key: monitors: {NAME: {signal: ..., detect: {kind: ...}}}.",
    "topics": "Write topics: {events: [NAME]}.",
    "kafka": 'Write kafka: {brokers: "HOST:PORT"}.',
    "detect": "Write detect: {kind: adwin}.",
    "window": "Write window: {events: 1000} or {time: 5m}.",
    "false_alarms": "Write false_alarms: {budget: 1, per: 7d}.",
    "reference": "Write reference: {file: NAME}.",
    "version": "Write version: 1.",
    "heartbeat": "Write heartbeat: {interval: 1m}.",
    "fields": "Write fields: {model: /POINTER}.",
    "schema_registry": "Write schema_registry: {url: ADDRESS}.",
    "checks": "Write checks: {features.NAME: {min: 0}}.",
}
"""By the key, where a mapping is wanted."""
TEXTS = {"listen": 'Write "127.0.0.1:8080".', "brokers": 'Write "HOST:PORT,HOST:PORT".'}
"""By the key, where a text is wanted."""
TRUE, FALSE = ("yes", "on", "y", "1", "enabled"), ("no", "off", "n", "0", "disabled")
NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?) ?%")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DATE_ELSEWHERE = re.compile(r"[0-9]{1,4}[./][0-9]{1,2}[./][0-9]{1,4}")
SHARES = ("max", "clear")
"""Numbers between 0 and 1 that people count in percent."""
WORDS = {
    r"^(\^.{1,498}|[A-Za-z0-9._-]{1,249})$": "is no name of a topic (letters, digits, '.', '_', '-'), and no pattern "
    "such as '^inferences-.*', which is a regular expression that begins with ^",
    r"^[A-Za-z0-9._-]{1,249}$": "is no name of letters, digits, '.', '_' and '-'",
    r"^[a-z0-9][a-z0-9_-]{0,62}$": "is no name of small letters, digits, '-' and '_', such as amount-mean",
}
"""What a text is not that does not match a pattern."""


def instead_of_type(wanted: str, path: Sequence[str | int], given: Any, keys: Sequence[str]) -> str:
    """With a blank before it, empty where nothing is known. wanted: pydantic's word; keys: those of the mapping that
    is wanted. The value may be repeated.
    """
    found = TYPES[wanted](str(path[-1]) if path else "", given, keys) if wanted in TYPES else ""
    return f" {found}" if found else ""


def _mapping(key: str, given: Any, keys: Sequence[str]) -> str:
    if given is None and keys:
        return f"Its keys stand below it, indented further: {_some(keys)}."
    if key == "window" and isinstance(given, str | int):
        text = str(given)
        if re.fullmatch(DURATION, text):
            return f"Write window: {{time: {text}}}."
        if text.isdigit():
            return f"Write window: {{events: {text}}}."
    if key == "detect" and isinstance(given, str) and re.fullmatch("[a-z_]+", given):
        return f"Write detect: {{kind: {given}}}."
    if DATE.fullmatch(str(given)):
        return f"Write {{date: {given}}}."
    if DATE_ELSEWHERE.fullmatch(str(given)):
        return "Write {date: YEAR-MONTH-DAY}, as in 2026-12-25."
    item = key.isdigit()  # Of a list: which keys it takes is a matter of the list, and not known here.
    return MAPPINGS.get(key) or (f"Its keys: {_some(keys)}." if keys and not item else "")


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:KEYS_SHOWN]) + (", ..." if len(keys) > KEYS_SHOWN else "")


def _list(key: str, given: Any, keys: Sequence[str]) -> str:
    return f"Write [{given}]." if isinstance(given, str) and re.fullmatch(r"[\w./-]+", given) else ""


def _text(key: str, given: Any, keys: Sequence[str]) -> str:
    if key in TEXTS:
        return TEXTS[key]
    number = isinstance(given, int | float) and not isinstance(given, bool)
    return f'Write it in quotes: "{given}".' if number else ""


def _number(key: str, given: Any, keys: Sequence[str]) -> str:
    if not isinstance(given, str):
        return ""
    percent = PERCENT.fullmatch(given)
    if percent:
        return f"Write {float(percent[1]) / 100:g}."
    return f"Write it without quotes: {given}." if NUMBER.fullmatch(given) else ""


def _bool(key: str, given: Any, keys: Sequence[str]) -> str:
    word = str(given).lower()
    return "Write true." if word in TRUE else "Write false." if word in FALSE else ""


TYPES = {
    "model": _mapping,
    "dict": _mapping,
    "list": _list,
    "string": _text,
    "float": _number,
    "int": _number,
    "bool": _bool,
}


def in_percent(key: str, given: Any) -> str:
    """Of a number beyond a share's limits that was probably counted in percent."""
    number = isinstance(given, int | float) and not isinstance(given, bool)
    return f" {given:g} % is written {given / 100:g}." if number and key in SHARES and 1 < given <= 100 else ""
