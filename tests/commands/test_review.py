"""`driftline review`: what it refuses before it asks a broker; the rest is shown in tests/kafka/test_one_record.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.events.batch import Record
from streamer.commands import review
from streamer.commands.cli import main
from streamer.kafka import one_record
from tests.config.samples import LEAST
from tests.review.test_open_items import record

BOTH = "verdicts: {topic: said}\nreview: {topic: asked}\n"


def told(folder: Path, text: str, *args: str) -> tuple[int, str]:
    path = folder / "x.yaml"
    path.write_text(LEAST.replace("localhost:9092", "127.0.0.1:1") + text)
    found = CliRunner().invoke(main, ["review", args[0], "-c", str(path), *args[1:]])
    return found.exit_code, found.output


@pytest.mark.parametrize(
    ("text", "args", "said"),
    [
        ("", ("next",), "asks nobody: it has no sections review and verdicts"),
        ("verdicts: {topic: said}\n", ("answer", "i", "right", "--reviewer", "a"), "asks nobody"),
        (
            BOTH,
            ("answer", "i", "useful", "--reviewer", "a"),
            "'useful' is no verdict: say one of right, wrong, unsure.",
        ),
        (BOTH, ("answer", "i", "right"), "--reviewer"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, args: tuple[str, ...], said: str) -> None:
    code, output = told(tmp_path, text, *args)
    assert (code, said in output) == (2, True), output


def test_what_waits_is_shown_and_an_answer_is_written_where_the_config_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = "2999-01-01T00:00:00.000Z"
    items = [record("a", "2026-01-01T01", until=until), record("b", "2026-01-01T02", until=until)]
    topics = {"asked": [Record(n, 0, None, value) for n, value in enumerate(items)], "said": list[Record]()}

    def send(config: Any, topic: str, key: bytes | None, value: bytes, headers: Any) -> tuple[int, int]:
        topics[topic].append(Record(len(topics[topic]), 0, key, value, tuple(headers)))
        return 0, len(topics[topic]) - 1

    monkeypatch.setattr(review, "of_topic", lambda config, topic, begin, end: [((topic, 0), topics[topic])])
    monkeypatch.setattr(one_record, "send", send)
    code, shown = told(tmp_path, BOTH, "next")
    assert (code, shown.index("b  m  ranked") < shown.index("a  m  ranked")) == (0, True)
    assert told(tmp_path, BOTH, "answer", "b", "Wrong", "--reviewer", "ann") == (0, "wrong: said[0]@0\n")
    assert "b  m" not in told(tmp_path, BOTH, "next")[1]
    assert "b  m" in told(tmp_path, BOTH, "next", "--reviewer", "bob")[1]
    assert json.loads(told(tmp_path, BOTH, "next", "--format", "json", "-n", "1")[1])[0]["review_id"] == "a"
    assert told(tmp_path, BOTH, "next", "--model", "n") == (review.EXIT_NOTHING, "Nothing waits.\n")
    assert told(tmp_path, BOTH, "answer", "z", "right", "--reviewer", "ann")[0] == 2


def test_its_help_has_examples() -> None:
    shown = CliRunner().invoke(main, ["review", "--help"]).output
    assert shown.count("driftline review answer -c driftline.yaml") == 1
