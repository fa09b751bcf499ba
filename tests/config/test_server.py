"""What is served, and how another config comes to a service at work."""

from __future__ import annotations

import pytest

from streamer.config.load import load_text
from streamer.config.problems import ConfigError
from streamer.config.server import Server
from tests.engine.tasks import LEAST


def test_by_default_nothing_is_changed_from_outside() -> None:
    assert Server() == Server(listen="127.0.0.1:8080", page="local", control=False, reload_every=None)


def test_a_file_is_not_looked_at_all_the_time() -> None:
    with pytest.raises(ConfigError, match="reload_every"):
        load_text(LEAST + "server: {reload_every: 10ms}\n", "x", {})
    assert load_text(LEAST + "server: {reload_every: 30s}\n", "x", {}).server.reload_every_ms == 30_000
