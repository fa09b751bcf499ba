"""A terminal, as far as a program may take it for one: a pair of pseudo-terminals, and what is seen on the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

from tests.waiting import PATIENCE_S, until

CONTROL = re.compile(r"\x1b\[(\d*)([A-Za-z])|[\r\n]|[^\x1b\r\n]|\x1b")


class Terminal:
    """Runs one program. `rows`: what is seen; `above`: what has gone out of sight at the top; `sent`: all that came."""

    def __init__(self, command: Sequence[str], lines: int, columns: int, environment: Mapping[str, str]) -> None:
        self.lines, self.columns = lines, columns
        self.rows, self.above, self.at, self.sent = [""] * lines, list[str](), (0, 0), ""
        self.master, slave = pty.openpty()
        self.resize(lines, columns)
        self.before = termios.tcgetattr(slave)

        def take() -> None:
            """It is the terminal of the program, whose keys end it."""
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=dict(environment), start_new_session=True,
            preexec_fn=take,
        )  # fmt: skip
        self.slave = slave

    def resize(self, lines: int, columns: int) -> None:
        """What was seen is gone: each terminal shows something else of it."""
        self.rows, self.lines, self.columns, self.at = [""] * lines, lines, columns, (0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self) -> None:
        """What has come by now."""
        while select.select([self.master], [], [], 0.02)[0]:
            text = os.read(self.master, 1 << 16).decode(errors="replace")
            self.sent += text
            for found in CONTROL.finditer(text):
                self._take(found[0], found[1], found[2])

    def _take(self, text: str, number: str | None, letter: str | None) -> None:
        line, column = self.at
        if letter == "H":
            self.at = 0, 0
        elif letter == "K" or letter == "J":
            self.rows[line] = self.rows[line][:column]
            if letter == "J":
                self.rows[line + 1 :] = [""] * (self.lines - line - 1)
        elif letter == "m":
            pass
        elif text == "\r":
            self.at = line, 0
        elif text == "\n":
            self._down(line, column)
        elif letter is None and text != "\x1b":
            if column == self.columns:  # It goes on in the next line.
                self._down(line, 0)
                line, column = self.at
            row = self.rows[line].ljust(column)
            self.rows[line], self.at = row[:column] + text + row[column + 1 :], (line, column + 1)
        else:
            raise AssertionError(f"a terminal is not sent {text!r}")

    def _down(self, line: int, column: int) -> None:
        if line + 1 == self.lines:
            self.above.append(self.rows.pop(0))
            self.rows.append("")
        self.at = min(line + 1, self.lines - 1), column

    def wait_for(self, text: str) -> None:
        until(lambda: any(text in row for row in self.rows), lambda: self.rows, self.read)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def ended(self) -> int:
        """Its exit code; the terminal is as it was, and all that it sent is read."""
        code = self.process.wait(PATIENCE_S)
        self.read()
        assert termios.tcgetattr(self.slave) == self.before
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self.master)
        os.close(self.slave)
