"""What is said where the records of a verb cannot be read."""

from __future__ import annotations

import click
import pytest

from streamer.commands.sources import either_files_or_topic, said_in_words
from streamer.offline.replay import BadInput
from streamer.port import LogDown, LogGap


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
