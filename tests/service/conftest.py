"""Tests of the service set up logging, which is the whole process's."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from streamer.service.json_logs import LineHandler


@pytest.fixture(autouse=True)
def _clean_root() -> Iterator[None]:
    yield
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, LineHandler)]:
        root.removeHandler(handler)
