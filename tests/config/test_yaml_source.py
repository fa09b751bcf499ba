"""Strict YAML: scalars as YAML 1.2 has them, variables in scalars, and where each key and value stands."""

from __future__ import annotations

import pytest

from streamer.config.load import load_text
from streamer.config.problems import ConfigError
from streamer.config.yaml_source import parse, resolve
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
