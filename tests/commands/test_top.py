"""`driftline top`: models as they stand, of what a real task publishes; and of nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from streamer.commands.top import HEADS, shown, table, top
from streamer.kafka import tail
from streamer.service.board import Board
from tests.commands.terminal import Terminal
from tests.config.samples import LEAST
from tests.kafka.service import ROOT
from tests.service.test_board import BEGIN_MS, published
from tests.waiting import PATIENCE_S, until

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


def test_letters_that_are_two_columns_wide_are_counted_so() -> None:
    names = ("信用卡欺诈检测模型", "fraud", "e\u0301te\u0301")
    rows = [HEADS, *((name, "healthy", "1", "none", "0", "0", "1/1", "5s ago") for name in names)]
    for columns in (120, 40, 26):
        lines = table(rows, columns, colour=False)
        assert max(map(cell_len, lines)) <= columns
        assert len({cell_len(line[: line.index("healthy")]) for line in lines[1:]}) == 1
    assert "信用卡欺诈 …" in table(rows, 26, colour=False)[1]


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


CHILD = """
import sys, time
from pathlib import Path
from streamer.kafka import tail

values = Path(sys.argv.pop())

class Read:
    missing = {}
    def __init__(self, *_): self.put = values.read_bytes().splitlines()
    def values(self):
        put, self.put = self.put, []
        time.sleep(0 if put else 0.05)
        return put
    def close(self): pass

tail.Tail = Read
from streamer.commands.cli import main
main()
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """`driftline top`, of a model with a long name."""
    config, values = tmp_path / "c.yaml", tmp_path / "values"
    config.write_text(LEAST)
    long = [value.replace(b'"model":"m"', b'"model":"m-of-a-name-that-is-longer-than-most"') for value in published()]
    values.write_bytes(b"\n".join(long))
    return [sys.executable, "-c", CHILD, "top", "-c", str(config), "--every", "0.5", str(values)]


def environment(**more: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return {**kept, "TERM": "xterm", "PYTHONPATH": str(ROOT), **more}


def test_in_a_terminal_it_is_kept_up_to_date_whatever_its_size(command: list[str]) -> None:
    with closing(Terminal(command, 24, 80, environment())) as terminal:
        terminal.rows[0], terminal.at = "$ what was there before", (1, 0)
        terminal.wait_for("drifting")
        head, row, empty, told = terminal.rows[:4]
        assert head.split() == "MODEL STATE PER MIN LAG INCIDENTS ALERTS SERIES HEARD".split()
        assert (row[:12], "…" in row, len(row) <= 80) == ("m-of-a-name-", True, True)
        assert (empty, len(told), told[-1]) == ("", 80, "…")
        assert terminal.above[0] == "$ what was there before", "it is still there, above"
        assert "\x1b[33mdrifting" in terminal.sent
        terminal.resize(50, 200)
        terminal.wait_for("m-of-a-name-that-is-longer-than-most ")
        until(lambda: len(terminal.rows[3]) > 80, step=terminal.read)
        terminal.resize(8, 50)
        terminal.wait_for("drifting")
        assert terminal.rows[0].split() == "MODEL STATE PER MIN INCIDENTS ALERTS".split()
        terminal.resize(4, 20)
        terminal.wait_for("MODEL         STATE…")
        terminal.press(b"\x03")
        assert terminal.ended() == 0
        assert terminal.rows[-1] == "", "where the prompt comes"
        assert "\x1b[?" not in terminal.sent, "nothing was changed that had to be put right"


def test_no_color_is_heard(command: list[str]) -> None:
    with closing(Terminal(command, 24, 80, environment(NO_COLOR="1"))) as terminal:
        terminal.wait_for("drifting")
        terminal.press(b"\x03")
        assert terminal.ended() == 0
        assert set(re.findall(r"\x1b\[\d*\w", terminal.sent)) == {"\x1b[H", "\x1b[K", "\x1b[J"}


def test_a_pipe_has_each_look_as_plain_text_until_nobody_reads_it(command: list[str]) -> None:
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as one:
        assert one.stdout is not None
        assert one.stderr is not None
        said = [one.stdout.readline() for _ in range(8)]
        assert [line.split()[0] for line in said if line.strip()][:2] == [
            b"MODEL",
            b"m-of-a-name-that-is-longer-than-most",
        ]
        assert sum(line.startswith(b"MODEL") for line in said) == 2
        assert b"\x1b" not in b"".join(said)
        one.stdout.close()
        assert (one.wait(PATIENCE_S), one.stderr.read()) == (1, b"")


def test_what_does_not_fit_is_cut_names_first() -> None:
    rows = [HEADS, ("a-model-of-twenty-one", "healthy", "60", "none", "0", "0", "5/5", "5s ago")]
    for columns in range(1, 100):
        lines = table(rows, columns, colour=False)
        assert max(map(len, lines)) <= columns
    assert "a-model-of-twenty-one" in table(rows, None, colour=False)[1]
    assert table(rows, 45, colour=False)[1].split() == ["a-model-of-twent…", "healthy", "0", "0"]
