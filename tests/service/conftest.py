"""What tests of the service share. They set up logging, which is the whole process's."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from streamer.service.health import Health
from streamer.service.json_logs import LineHandler
from tests.service.browser import CHROMIUM, Browser
from tests.service.clock import Clock


@pytest.fixture(autouse=True)
def _clean_root() -> Iterator[None]:
    yield
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, LineHandler)]:
        root.removeHandler(handler)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock, stuck_s=30)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is here: the page is not looked at in a browser")
    made = Browser(tmp_path_factory.mktemp("chromium"))
    yield made
    made.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """A test names it behind the server that it looks at: it leaves the page before that goes away."""
    chromium.complaints.clear()
    yield chromium
    chromium.open("about:blank")
