"""Colours have one source, and each that a style names is there, for light and for dark."""

from __future__ import annotations

import re

import pytest

from streamer.commands import alert_page
from streamer.offline import backtest_html
from streamer.offline.colours import COLOURS
from streamer.service.page import file_of

STYLES = {"page": file_of("/page.css").body.decode(), "alert": alert_page.STYLE, "backtest": backtest_html.STYLE}


@pytest.mark.parametrize("name", STYLES)
def test_every_colour_that_a_style_names_is_there_for_light_and_dark(name: str) -> None:
    style = STYLES[name]
    assert style.startswith(COLOURS)
    light, dark = (set(re.findall(r"(--\w+):", part)) for part in COLOURS.split("@media"))
    assert set(re.findall(r"var\((--\w+)\)", style)) <= light == dark
    assert not re.search(r": [^;{]*#[0-9a-fA-F]{3,6}\b", style.removeprefix(COLOURS)), "a colour of its own"
