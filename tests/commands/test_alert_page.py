"""An alert as one file: well-formed, whole in itself, and nothing in it is markup that a producer named."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from streamer.bridges.story import Stretch, story
from streamer.bridges.told import told
from streamer.commands.alert_page import page, ranges
from tests.bridges.samples import changed, incidents, of

VOID = {"meta"}
KNOWN = set("html head meta title style body h1 h2 h3 p dl dt dd pre details summary svg text line circle rect".split())


class Reader(HTMLParser):
    """Elements, attributes and texts; an element that is not closed in its turn fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("records", [of("amount-mean"), of("amount-shape"), of("nulls"), incidents()[:2]])
def test_it_is_whole_and_loads_nothing(records: list[object]) -> None:
    said = story(records)  # type: ignore[arg-type]
    text = page(said)
    found = Reader(text)
    assert found.seen <= KNOWN
    assert {name for name, _ in found.attributes} & {"src", "href", "style", "onclick", "onload"} == set()
    assert "url(" not in text
    assert "@import" not in text
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'") in (
        found.attributes
    )
    words = "".join(found.texts)
    for wanted in (said.told.sentence, said.command, said.next_step, said.told.id):
        assert wanted in words
    assert all(what in words for _, what in said.timeline)


def test_of_an_incident_the_evidence_of_its_alerts_is_in_the_file() -> None:
    newest = {one.episode: one for one in (*of("amount-mean"), *of("amount-shape"))}
    said = story(incidents()[:2], (), newest)
    words = "".join(Reader(page(said)).texts)
    for monitor in ("amount-mean", "amount-shape"):
        alert = story(of(monitor)[-1:])
        assert all(text in words for text in (alert.told.sentence, alert.command, *dict(alert.facts).values()))
    assert page(said).count("<svg") == 2
    assert said.inside[0].told.monitor == "amount-mean", "as the incident has them"


@pytest.mark.parametrize(
    "evil", ['<script>alert(1)</script>"', "'><img src=x onerror=alert(1)>", "</pre></style><b>", "<!--"]
)
def test_no_name_is_markup(evil: str) -> None:
    fired = of("amount-shape")[0]
    labels = {name: evil for name in fired.record["data"]["alert"]["labels"]} | {"severity": "info"}
    window = {"n": 1, "moved": [{"category": evil, "before": 0.1, "after": 7.0}]}
    one = told(
        changed(
            fired,
            data__alert__labels=labels,
            data__sentence=evil,
            data__alert__annotations={"description": evil, "runbook_url": evil},
            data__evidence__window=window,
            data__replay={"command": evil},
        )
    )
    assert one is not None
    text = page(story([one]))
    found = Reader(text)
    assert found.seen <= KNOWN
    assert not [name for name, _ in found.attributes if name.startswith("on") or name == "src"]
    assert evil not in re.sub(r"&\w+;|&#\w+;", "", text)


def test_stretches_share_one_scale() -> None:
    text = ranges([Stretch("before", 100.0, 10.0), Stretch("after", 150.0, 10.0)])
    assert re.findall(r'x1="([\d.]+)" x2="([\d.]+)"', text) == [("90.0", "227.1"), ("432.9", "570.0")]
    assert ranges([Stretch("before", 1.0, 0.0)]) == ""
    assert "nan" not in ranges([Stretch("before", 1.0, 0.0), Stretch("after", 1.0, 0.0)])
