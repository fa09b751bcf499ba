"""Words of other tools: what is written instead exists here, and no hint leads to something that is refused again."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from detectors.distances import DISTANCES
from detectors.params import RIVER_DETECTORS
from schemas.events.fields import as_pointer, parse_selector
from streamer.commands.config import json_schema
from streamer.config import foreign_words as foreign
from streamer.config.detect import DETECTS
from streamer.config.load import check
from streamer.config.model import Config
from streamer.config.types import check_pointer
from streamer.signals.grammar import STATS, parse_signal
from tests.config.samples import LEAST

schema = cache(json_schema)
NAMED = re.compile(r"[a-z_]+(?:\.[a-z_]+)*")


def said(more: str, place: str) -> str:
    """What is said of one place of a config."""
    _, problems = check(f"{LEAST}{more}".encode(), "x", {})
    [message] = [problem.message for problem in problems if problem.path == place]
    return message


def monitor(signal: str = "value", kind: str = "adwin", more: str = "") -> str:
    return f"monitors: {{m: {{signal: '{signal}', detect: {{kind: {kind}}}{more}}}}}\n"


@cache
def keys() -> set[str]:
    return {key for model in [schema(), *schema()["$defs"].values()] for key in model["properties"]}


@pytest.mark.parametrize("word", foreign.KEYS)
def test_what_stands_for_a_key_begins_with_keys_there_are(word: str) -> None:
    told = foreign.KEYS[word]
    if not told.startswith("not needed"):
        first = NAMED.match(told)
        assert first is not None
        assert set(first[0].split(".")) <= keys()
    assert word not in Config.model_fields


@pytest.mark.parametrize("word", foreign.KINDS)
def test_what_stands_for_a_kind_is_one(word: str) -> None:
    told = foreign.KINDS[word]
    named = set(re.findall(r"kind: (\w+)|signal: (\w+)|signal (\w+)|(checks)", told))
    assert named
    for kind, *signals, _ in named:
        assert kind == "" or kind in DETECTS
        for name in filter(None, signals):
            assert parse_signal(f"{name}.x" if name in ("missing", "invalid") else name)
    assert set(re.findall(r"distance: (\w+)", told)) <= set(DISTANCES)
    assert set(re.findall(r"\b[A-Z]{3,}\b", told)) - {"NAME"} <= set(RIVER_DETECTORS)
    assert word not in DETECTS
    assert foreign._plain(word) == word


@pytest.mark.parametrize("word", foreign.SIGNALS)
def test_what_stands_for_a_signal_is_one_and_is_said(word: str) -> None:
    told = foreign.SIGNALS[word]
    if told not in (foreign.TRUTH, foreign.ERROR) and not told.startswith("by: "):
        first = told.partition(", ")[0].partition(" (")[0]
        assert parse_signal(first.replace("NAME", "x").replace("INDEX", "0"))
    assert told in said(monitor(signal=word), "monitors.m.signal")


def test_what_stands_for_a_value_is_among_those_there_are() -> None:
    lists = re.findall(r'"enum": \[([^\]]*)\]', json.dumps(schema()))
    allowed = {value for found in lists for value in re.findall(r'"(\w+)"', found)}
    assert set(foreign.VALUES.values()) <= allowed
    assert not set(foreign.VALUES) & allowed
    assert set(foreign.STAT.values()) <= set(STATS)
    assert all(parse_signal(word) for word in foreign.INNER.values())


@pytest.mark.parametrize(
    ("more", "place", "words"),
    [
        (monitor("p95(latency)"), "monitors.m.signal", "Here it is p95(latency_ms)."),
        (monitor("mean(latency)"), "monitors.m.signal", "Did you mean 'mean(latency_ms)'?"),
        (monitor("avg(amount)"), "monitors.m.signal", "Did you mean 'mean(features.amount)'?"),
        (monitor("p75(value)"), "monitors.m.signal", "'p75' is none of count, mean,"),
        (monitor("p95(features.*)"), "monitors.m.signal", "It is of one number: p95(features.NAME)."),
        (monitor("ratio(a, b)"), "monitors.m.signal", "Did you mean 'ratio(features.a, features.b)'?"),
        (monitor("feature.amount"), "monitors.m.signal", "Did you mean 'features.amount'?"),
        (monitor("confidense"), "monitors.m.signal", "Did you mean 'confidence'?"),
        (monitor("amount"), "monitors.m.signal", "Of a feature: 'features.amount'."),
        (monitor("F1-Score"), "monitors.m.signal", "needs the true answer"),
        (monitor(kind="psi"), "monitors.m.detect.kind", "Here it is detect: {kind: distribution, distance: psi}."),
        (monitor(kind="Z-Score"), "monitors.m.detect.kind", "Here it is kind: level"),
        (monitor(kind="adwn"), "monitors.m.detect.kind", "Did you mean 'adwin'?"),
        (monitor(more=", severity: high"), "monitors.m.severity", "Did you mean 'critical'?"),
        (monitor(more=", by: [country]"), "monitors.m.by[0]", "Of a segment: 'segment.country'."),
        (monitor(more=", by: [model_version]"), "monitors.m.by[0]", "Here it is 'version'."),
        (monitor(more=", by: [verson]"), "monitors.m.by[0]", "Did you mean 'version'?"),
        (monitor(more=", threshold: 3"), "monitors.m.threshold", "Here it is detect.max (fraction, distribution)"),
        (monitor("$.a.b"), "monitors.m.signal", "As a place in an event: '/a/b'."),
        ("checks: {amount: {min: 0}}\n", "checks.amount", "Of a feature: 'features.amount'."),
        ("limit: 1\n", "limit", "Did you mean 'limits'?"),
        ("dlq: x\n", "dlq", "Here it is topics.dead_letter."),
        ("sasl.password: x\n", "sasl.password", "write it below kafka.client, as 'sasl.password'."),
        ("fields: {model: .svc}\n", "fields.model", "such as '/svc', nor 'key'"),
        ("fields: {model: header.model}\n", "fields.model", "a header is 'header:model'"),
        ("anomaly: {score: $.a.b, score_max: 1}\n", "anomaly.score", "is not a JSON Pointer such as '/a/b'."),
    ],
)
def test_hints_say_what_to_write(more: str, place: str, words: str) -> None:
    assert words in said(more, place)


@pytest.mark.parametrize("key", ["bootstrap_servers", "bootstrap.servers", "metadata.broker.list"])
def test_the_brokers_are_found_by_every_name_they_have(key: str) -> None:
    text = f"version: 1\nkafka: {{{key}: localhost:9092}}\ntopics: {{events: [x]}}\n"
    found = {problem.path: problem.message for problem in check(text.encode(), "x", {})[1]}
    assert "use kafka.brokers" in found[f"kafka.{key}"]


@pytest.mark.parametrize("text", ["model", ".svc", "$.a.b", "a.b[0].c", "$['x y']", "a/b", ""])
def test_a_pointer_that_a_hint_shows_is_taken(text: str) -> None:
    assert parse_selector(as_pointer(text)).steps
    assert check_pointer(as_pointer(text))


def test_no_hint_is_made_of_a_secret() -> None:
    text = b"version: 1\nkafka: {brokers: a, client: {sasl.password: [accuracy]}}\ntopics: {events: [x]}\n"
    problems = check(text, "x", {})[1]
    assert problems
    assert not any("accuracy" in problem.message for problem in problems)
