"""The page of a backtest: it loads nothing, escapes everything, and is well formed."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from streamer.offline.backtest import Asked, Backtest, Run
from streamer.offline.backtest_html import page
from streamer.offline.known import Known
from streamer.offline.survey import Stretch
from tests.offline.past import BEGIN, DAY, configured, episode
from tests.offline.test_backtest_told import judged

VOID = {"meta"}
EVIL = "<script>alert(1)</script>\"'&"


class Checked(HTMLParser):
    """Fails on what is not closed, on scripts, and on anything that is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object", "form")
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onclick", "action"}
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(text: str) -> Checked:
    parser = Checked()
    parser.feed(text)
    parser.close()
    assert not parser.open
    return parser


def test_the_whole_page(tmp_path: Path) -> None:
    found = judged(tmp_path)
    text = page(found)
    read = checked(text)
    assert "url(" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert "Content-Security-Policy" in text
    for heading in ("Would have fired: new.yaml against old.yaml", "Known incidents", "Faults put into copies"):
        assert heading in read.text
    assert read.tags.count("svg") == 2
    bars = sum(len(run.incidents) for run in found.runs)
    assert text.count('<rect class="new"') + text.count('<rect class="old"') >= bars
    assert text.count('<rect class="known"') == 1


def test_whatever_names_hold_is_text() -> None:
    begin_ms = BEGIN * 1000
    runs = [Run(EVIL, configured()), Run("old", configured())]
    for run in runs:
        run.told.incidents["x"] = episode(EVIL, begin_ms + 3_600_000)
        run.told.alerts["x"] = episode(EVIL, begin_ms + 3_600_000, monitor=EVIL)
    watched = {EVIL: Stretch(5, begin_ms, begin_ms + 20 * DAY * 1000), "x" * 300: Stretch(1, begin_ms, begin_ms)}
    known = [Known("*", begin_ms, begin_ms + 1, EVIL)]
    asked = Asked([(run.name, run.config) for run in runs], known=known)
    read = checked(page(Backtest(asked, runs, watched, None, None, None, [])))
    assert EVIL in read.text
    assert f"{EVIL} moved" in read.text


def test_of_nothing_there_is_a_page() -> None:
    run = Run("new", configured())
    read = checked(page(Backtest(Asked([("new", run.config)]), [run], {}, None, None, None, [])))
    assert "no events" in read.text
    assert "svg" not in read.tags


@pytest.mark.parametrize("weeks", [1, 30, 400])
def test_labels_of_the_axis_do_not_lie_on_each_other(weeks: int) -> None:
    begin_ms, run = BEGIN * 1000, Run("new", configured())
    watched = {"m": Stretch(5, begin_ms, begin_ms + weeks * 7 * DAY * 1000)}
    text = page(Backtest(Asked([("new", run.config)]), [run], watched, None, None, None, []))
    for chart in text.split("<svg")[1:]:
        at = [float(part.split('"')[0]) for part in chart.split('<text x="')[1:] if "middle" in part.split(">")[0]]
        assert all(later - one >= 35 for one, later in zip(at, at[1:], strict=False))
