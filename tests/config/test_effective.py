"""A config as the file that means the same; that all good ones do is shown in `tests/commands/test_config.py`."""

from __future__ import annotations

import pytest

from streamer.config.effective import as_yaml, effective
from streamer.config.load import load_text
from streamer.config.yaml_source import parse
from tests.config.samples import LEAST


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "010", "null", "on", "${HOME}", "$${x}", "a: b #c", "", " x", "\u00e9", "1:30"]
)
def test_what_show_prints_reads_back_as_the_same_text(text: str) -> None:
    assert parse(as_yaml({"a": text}).encode(), "x", {}).value == {"a": text}


def test_nothing_is_left_to_defaults() -> None:
    shown = effective(load_text(LEAST, "x", {}))
    server = {"listen": "127.0.0.1:8080", "page": "local", "token": None, "control": False, "reload_every": None}
    assert (shown["standard"], shown["server"]) == (False, server)
    assert "feature-mean" in shown["monitors"]
