"""`driftline top`: models as they stand, of what a real task publishes; and of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamer.commands.top import shown, top
from streamer.kafka import tail
from streamer.service.board import Board
from tests.config.samples import LEAST
from tests.service.test_board import BEGIN_MS, published

END_MS = BEGIN_MS + 9_000_000
UNHEARD_MS = 3 * 60_000


def board() -> Board:
    made = Board()
    for value in published():
        made.take(value)
    return made


def test_a_row_for_each_model() -> None:
    head, row, empty, *told = shown(board(), END_MS + 5000, UNHEARD_MS).splitlines()
    assert head.split() == "MODEL STATE PER MIN LAG INCIDENTS ALERTS SERIES HEARD".split()
    name, state, rate, lag, incidents, *_ = row.split()
    assert (name, state, rate, lag) == ("m", "drifting", "60", "none")
    assert int(incidents) == len(told)
    assert row.endswith("5s ago")
    assert empty == ""
    assert all(": m: " in line for line in told)


def test_what_is_not_heard_of_is_said() -> None:
    quiet = Board()
    for value in published()[:40]:  # Before the shift.
        quiet.take(value)
    assert "unheard" in shown(quiet, END_MS + 86_400_000, UNHEARD_MS)
    assert "unheard" not in shown(board(), END_MS + 86_400_000, UNHEARD_MS), "what is open stays the word"
    assert shown(Board(), 0, UNHEARD_MS) == "nothing is heard of any model yet: heartbeats come every 60s"
    assert shown(board(), END_MS, UNHEARD_MS, "other") == "nothing is heard of other yet: heartbeats come every 60s"


def test_colours_only_where_they_are_wanted_and_no_more_than_fits() -> None:
    assert "\x1b[" not in shown(board(), END_MS, UNHEARD_MS)
    assert "\x1b[33mdrifting" in shown(board(), END_MS, UNHEARD_MS, colour=True)
    many = board()
    many.parts |= {("n", *place[1:]): part for place, part in many.parts.items()}
    many.minutes |= {"n": many.minutes["m"]}
    assert "and 1 more" in shown(many, END_MS, UNHEARD_MS, most=1)


class Read:
    """Stands for what is read of the topics."""

    def __init__(self, *_: object) -> None:
        self.left, self.missing = [published()], {"drift-heartbeats": "there is no such topic"}

    def values(self) -> Iterator[bytes | None]:
        yield from self.left.pop(0) if self.left else ()

    def close(self) -> None:
        Read.closed = True


def test_once_it_ends_after_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "Tail", Read)
    path = tmp_path / "c.yaml"
    path.write_text(LEAST)
    done = CliRunner().invoke(top, ["-c", str(path), "--once", "--every", "0.5"])
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert done.output.startswith("MODEL")
    assert done.output.endswith("drift-heartbeats: there is no such topic\n")
    assert Read.closed  # type: ignore[attr-defined]
