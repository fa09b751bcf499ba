"""Halves that stay alone are said: of a partition while it is so, and of a file at its end."""

from __future__ import annotations

import json

from click.testing import CliRunner

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.commands.cli import main
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.engine.unpaired import Unpaired, in_words

TEXT = """version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
mapping: {pair: {within: 5s}}
"""
CONFIG = load_text(TEXT, "x", {})


def records(first: int, count: int, answered: bool) -> list[Record]:
    """Requests a second apart; with their answers, or as if those lay in another partition."""
    found = []
    for number in range(first, first + count):
        halves = [{"features": {"a": 1.0}}, {"prediction": {"label": "x"}}]
        for half in halves if answered else halves[:1]:
            event = {"model": "m", "event_id": f"e{number}", "time": 1_790_000_000 + number, **half}
            found.append(json.dumps(event).encode())
    return [Record(number, -1, None, value) for number, value in enumerate(found, 10 * first)]


def test_a_partition_is_named_while_its_halves_stay_alone() -> None:
    task, decode, unpaired = Task(CONFIG, ("inferences", 3), 0), Decoder(fields_of(CONFIG)), Unpaired()

    def after(first: int, count: int, answered: bool) -> dict[str, str]:
        task.step(decode(records(first, count, answered), "inferences"))
        return unpaired.look([task])

    assert after(0, 60, answered=False) == {}, "too few to say"
    [(place, words)] = after(60, 60, answered=False).items()
    assert (place, words.split(";")[0]) == ("inferences[3]", "114 records found no other half, 0 pairs did")
    assert "keyed by their id" in words
    assert set(after(120, 20, answered=True)) == {"inferences[3]"}, "it is not taken back before enough came"
    assert after(140, 120, answered=True) == {}
    assert unpaired.look([]) == {}
    assert unpaired.judged == {}, "of a partition that is gone nothing is kept"


def test_a_file_says_what_waits_at_its_end(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "c.yaml").write_text(TEXT)
    (tmp_path / "e.jsonl").write_bytes(b"\n".join(one.value or b"" for one in records(0, 20, answered=False)))
    shown = CliRunner().invoke(main, ["replay", "-c", str(tmp_path / "c.yaml"), "--input", str(tmp_path / "e.jsonl")])
    assert "0 pairs of request and answer; 14 records found no other half, 6 wait for theirs; request" in shown.output
    assert in_words(9, 1, 0).endswith("0 wait for theirs."), "no advice where there is nothing to mend"
