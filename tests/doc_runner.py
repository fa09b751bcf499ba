"""Pages that run: what a page of docs/ shows is tried as a reader would, from top to bottom, in a folder of its own.

`<!-- file: NAME -->` before a block says that the reader has it as a file. A block ```console has commands, each after
`$ `, and lines of their output: those must come in this order, others may stand between them; `…` at the end of a line
is what was cut off. `# exit 1` behind a command is the code it ends with. Blocks ```sh are not run: they need a broker.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from streamer.commands.cli import main

BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>[\w./-]+) -->\n+)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
INLINE = re.compile(r"`(driftline [^`\n]+)`")
EXIT = re.compile(r"  # exit (\d+)$")
CUT = "…"


class Command(NamedTuple):
    line: str
    code: int
    shows: list[str]


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """Of every block the file it is, its language and what stands in it."""
    for found in BLOCK.finditer(text):
        yield found["file"] or "", found["language"], found["body"]


def commands(body: str) -> list[Command]:
    """Those of a block ```console."""
    found: list[Command] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            code = EXIT.search(line)
            found.append(Command(EXIT.sub("", line[2:]), int(code[1]) if code else 0, []))
        elif line.strip() and line.strip() != CUT:
            found[-1].shows.append(line)
    return found


def missing(shows: list[str], said: str) -> str | None:
    """The first line that is shown and does not come, after those before it."""
    lines = iter(line.rstrip() for line in said.splitlines())
    for shown in shows:
        start = shown.removesuffix(CUT).rstrip()
        if not any(line.startswith(start) if shown.endswith(CUT) else line == start for line in lines):
            return shown
    return None


def run(line: str, folder: Path) -> tuple[int, str]:
    """Exit code and output of a command that is called in a folder; `> FILE` goes there."""
    words, _, target = line.partition(" > ")
    name, *arguments = shlex.split(words)
    if name == "driftline":
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        code, out, said = result.exit_code, result.stdout, result.output
    else:
        assert name == "python", f"only these are run: {line}"
        code, out = 0, script(arguments)
        said = out
    if target:
        (folder / target.strip()).write_text(out)
    return code, said


def script(arguments: list[str]) -> str:
    """What a script prints, in this process: others have imported what it needs."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(sys, "argv", arguments)
        runpy.run_path(arguments[0], run_name="__main__")
    return out.getvalue()


def called(text: str) -> Iterator[tuple[str, bool]]:
    """Every call of ours in a page, and whether it is a whole one: in a text an option may be left out."""
    for _, language, body in blocks(text):
        if language not in ("", "sh", "console"):
            continue
        for part in re.split(r"\n| && ", body.replace("\\\n", " ")):
            bare = part.removeprefix("$ ").removeprefix(".venv/bin/")
            if bare.startswith("driftline "):
                yield re.split(r"\s+#\s|\s[|>]\s", bare)[0], True
    for line in INLINE.findall(BLOCK.sub("", text)):
        yield line, False


def wrong(line: str, whole: bool) -> str | None:
    """What is wrong with a call: click's words of a whole one, the first unknown verb or option of one in a text."""
    words = shlex.split(line)
    return parsed(words) if whole else known(words)


def parsed(words: list[str]) -> str | None:
    command: click.Command = main
    try:
        context = command.make_context(words[0], words[1:])
        while isinstance(command, click.Group):
            name, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert below is not None
            command, context = below, below.make_context(name, list(rest), parent=context)
    except click.exceptions.NoArgsIsHelpError as error:
        return f"a verb is missing: {error.format_message()}"
    except click.UsageError as error:
        absent = "does not exist." in error.format_message()  # A file that the reader has.
        return None if absent else error.format_message()
    return None


def known(words: list[str]) -> str | None:
    """`show|diff` are two verbs, of which one is called."""
    command: click.Command = main
    for word in words[1:]:
        context = click.Context(command)
        options = {name for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts)}
        option = word.strip("[]")
        if option.startswith("-"):
            if option not in options:
                return f"no option {option}"
        elif isinstance(command, click.Group):
            below = [command.get_command(context, verb) for verb in word.split("|")]
            if None in below:
                return f"no command {word}"
            assert below[0] is not None
            command = below[0]
    return None
