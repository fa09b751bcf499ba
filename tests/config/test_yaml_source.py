"""Strict YAML: scalars as YAML 1.2 has them, variables in scalars, and where each key and value stands."""

from __future__ import annotations

import pytest

from streamer.config.load import load_text
from streamer.config.problems import ConfigError
from streamer.config.yaml_source import BYTES_MAX, DEPTH_MAX, NODES_MAX, PathKey, Source, parse, resolve, show_path
from tests.config.samples import LEAST


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("on", "on"), ("NO", "NO"), ("yes", "yes"), ("010", 10), ("0o10", 8), ("0x1F", 31),
     ("22:30", "22:30"), ("2026-01-01", "2026-01-01"), ("true", True), ("~", None), ("", None), (".5", 0.5),
     ("1_000", "1_000"), ("-7", -7)],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = resolve(text)
    assert (found, type(found)) == (value, type(value))


def test_variables_are_filled_into_scalars_not_into_text() -> None:
    env = {"GROUP": "a: b # c", "WARMUP": "77", "EMPTY": ""}
    text = LEAST.replace("brokers:", 'group: "g-${NAME:-x}", brokers:') + 'reference: {warmup: "${WARMUP}"}\n'
    with pytest.raises(ConfigError, match="must be a whole number"):
        load_text(text, "quoted.yaml", env)
    source = parse(b"a: ${WARMUP}\nb: ${GROUP}\nc: $${GROUP}\nd: ${EMPTY:-7}\ne: '${WARMUP}'\nf: ${EMPTY}\n", "x", env)
    assert source.value == {"a": 77, "b": "a: b # c", "c": "${GROUP}", "d": 7, "e": "77", "f": None}
    assert source.problems == []


def read(text: str, **env: str) -> Source:
    return parse(text.encode(), "f.yaml", env)


def test_every_key_and_item_has_its_place() -> None:
    source = read("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert source.value == {"a": 1, "b": ["x", {"c": 2}]}
    assert {show_path(path): place for path, place in source.places.items()} == {
        "": (1, 1), "a": (1, 1), "b": (2, 1), "b[0]": (3, 5), "b[1]": (4, 5), "b[1].c": (4, 6)
    }  # fmt: skip
    assert source.place(("b", 1, "missing", "deeper")) == (4, 5), "of the nearest thing that is there"


def test_a_text_cut_out_of_another_has_the_places_of_the_whole() -> None:
    source = parse(b"a: 1\na: 2\n", "f.md", {}, first_line=10, indent=3)
    assert source.places[("a",)] == (10, 4)
    [problem] = source.problems
    assert (problem.line, problem.column, problem.kind, problem.message) == (
        11,
        4,
        "duplicate-key",
        "stands on line 10 already.",
    )
    assert source.value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: ${X:-d}", "d"),
        ("a: ${X:-}", None),
        ("a: '${X:-}'", ""),
        ("a: p${Y}s", "p7s"),
        ("a: ${Y}", 7),
        ("a: $${Y}", "${Y}"),
        ("a: $Y", "$Y"),
        ("a: ${EMPTY:-5}", 5),
    ],
)
def test_variables(text: str, value: object) -> None:
    source = read(text, Y="7", EMPTY="")
    assert source.value == {"a": value}
    assert source.problems == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a: ${X}", "missing-env"),
        ("a: ${X", "bad-value"),
        ("a: ${1x}", "bad-value"),
        ("a: ${file:/no/such/file}", "unreadable"),
        ("a: !x y", "bad-yaml"),
        ("? [a]\n: 1", "bad-yaml"),
    ],
)
def test_what_cannot_be_read_is_broken_and_named_once(text: str, kind: str) -> None:
    source = read(text)
    assert [problem.kind for problem in source.problems] == [kind]
    assert source.complete


def test_bounds() -> None:
    assert read("a: " + "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)).complete is False
    assert read("a: " + "[" * DEPTH_MAX + "]" * DEPTH_MAX).complete is True
    many = read("a: &a [" + "1," * 1000 + "]\nb: [" + "*a," * (NODES_MAX // 1000 + 1) + "]")
    assert (many.complete, [problem.kind for problem in many.problems]) == (False, ["bad-yaml"])
    large = parse(b"a: " + b"x" * BYTES_MAX, "f", {})
    assert (large.value, [problem.kind for problem in large.problems]) == (None, ["bad-yaml"])


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("monitors", "m", "by", 0), "monitors.m.by[0]"),
        ((), ""),
        (("a\nb",), r"a\nb"),
        (("x" * 100,), "x" * 57 + "..."),
        ((0, "a"), "[0].a"),
    ],
)
def test_a_path_is_shown_in_one_short_line(path: PathKey, shown: str) -> None:
    assert show_path(path) == shown
