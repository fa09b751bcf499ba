"""What is said where the records of a verb cannot be read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from schemas.events.batch import Record
from streamer.commands.sources import History, either_files_or_topic, of_events, said_in_words
from streamer.config.load import load_text
from streamer.offline.replay import BadInput
from streamer.port import LogDown, LogGap, Partition
from tests.config.samples import LEAST


@pytest.mark.parametrize("error", [BadInput("a.csv: no such file"), LogGap("t[0] holds offsets from 5 on, not 2")])
def test_what_cannot_be_read_is_one_sentence(error: Exception) -> None:
    with pytest.raises(click.ClickException, match=str(error).split("[")[0]), said_in_words():
        raise error


def test_a_broker_that_is_not_there_is_69() -> None:
    with pytest.raises(SystemExit) as ended, said_in_words():
        raise LogDown("nobody there")
    assert ended.value.code == 69


@pytest.mark.parametrize(("inputs", "topic"), [((), None), (("a",), "t")])
def test_both_and_neither_are_refused(inputs: tuple[str, ...], topic: str | None) -> None:
    with pytest.raises(click.UsageError, match=r"Give either --input FILE \(repeatable\) or --topic T\."):
        either_files_or_topic(inputs, topic)
    either_files_or_topic(inputs or ("a",), None)


def test_a_topic_without_events_of_producers_is_refused_where_events_are_read() -> None:
    config = load_text(f"{LEAST}labels: {{topic: truth}}\n", "x.yaml", {})
    of_events(config, None)
    of_events(config, "inferences")
    for topic, why in (("truth", "is of events of other topics"), ("drift-ordered", "has what Driftline packed")):
        with pytest.raises(click.UsageError, match=why):
            of_events(config, topic)


def test_of_a_topic_of_its_own_the_times_are_where_it_has_them(tmp_path: Path) -> None:
    config = load_text(f"{LEAST}labels: {{topic: truth, event_id: /of, label: /y, time: /at}}\n", "x.yaml", {})
    (tmp_path / "a.jsonl").write_text('{"model": "m", "time": 5, "event_id": "e", "prediction": {"label": "a"}}\n')
    lines = [f'{{"model": "m", "of": "e{n}", "y": "a", "at": {n}}}\n' for n in (3, 10_000, 4, 20)]
    (tmp_path / "b.jsonl").write_text("".join(lines))
    inputs = [f"0={tmp_path / 'a.jsonl'}", f"truth:0={tmp_path / 'b.jsonl'}"]
    history = History([config], inputs, None, ("1970-01-01T00:00:04Z", "1970-01-01T00:01:00Z"))
    found = [(topic, (one.value or b"")[-3:-1]) for (topic, _), records in history("x") for one in records]
    assert found == [("truth", b" 4"), ("inferences", b'"}'), ("truth", b"20")]


LINES = '{"model": "m", "time": 1, "features": {"a": 1}}\n{"model": "m", "time": 2, "features": {"a": 2}}\n'


def test_a_history_of_files_is_the_same_whenever_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINES)
    (tmp_path / "b.csv").write_text("time,features.a\n5,1\n")
    config = load_text(LEAST, "x.yaml", {})
    inputs = [f"3={tmp_path / 'a.jsonl'}", f"other:4={tmp_path / 'b.csv'}"]
    history = History([config], inputs, None, model="m")
    first = [(partition, [r.offset for r in records]) for partition, records in history("looking")]
    assert first == [(("inferences", 3), [0, 1]), (("other", 4), [0])]
    assert [(partition, [r.offset for r in records]) for partition, records in history("again")] == first
    assert history.place(("inferences", 3), 1) == f"{tmp_path / 'a.jsonl'}:2"
    assert history.place(("inferences", 9), 1) == "inferences[9]@1"
    assert History([config], inputs, None, ("1", None), model="m")("x")
    assert sum(len(records) for _, records in History([config], inputs, None, ("1", None), model="m")("x")) == 1


def test_a_topic_is_read_by_the_range_and_for_every_config(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[object, ...]] = []

    class Range:
        def __init__(self, *given: object) -> None:
            made.append(given)

        def total(self) -> int:
            return 1

        def __iter__(self) -> Iterator[tuple[Partition, list[Record]]]:
            yield ("t", 0), [Record(7, -1, None, b"{}")]

    monkeypatch.setattr("streamer.kafka.topic_range.TopicRange", Range)
    config = load_text(LEAST, "x.yaml", {})
    history = History([config, config], (), "t", ("5", "@9"), (0,))
    assert [records[0].offset for _ in range(2) for _, records in history("x")] == [7, 7]
    assert made == [(config, "t", (0,), "5", "@9")]
    assert history.notes() == []
    assert history.place(("t", 0), 7) == "t[0]@7"


def test_a_bar_is_drawn_for_a_person_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINES)
    history = History([load_text(LEAST, "x.yaml", {})], [str(tmp_path / "a.jsonl")], None)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, drawn in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr("sys.stderr", stream)
        assert sum(len(records) for _, records in history("running")) == 2
        assert ("running" in stream.getvalue()) is drawn
        assert ("2/2" in stream.getvalue()) is drawn
