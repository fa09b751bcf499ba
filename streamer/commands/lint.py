"""`driftline lint`: check files, folders and YAML blocks in Markdown, without a broker."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from streamer.config_load import check
from streamer.problems import Problem, in_order, summary

MARKDOWN = (".md", ".markdown")
SUFFIXES = (".yaml", ".yml", *MARKDOWN)
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})ya?ml\b[^\n]*\n(?P<body>.*?)^ *(?P=fence)", re.MULTILINE | re.DOTALL
)
OURS = (re.compile(r"^version:", re.MULTILINE), re.compile(r"^kafka:", re.MULTILINE))
ANNOTATION = "::{severity} file={file},line={line},col={column},title={kind}::{text}"


@click.command("lint")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--deny-warnings", is_flag=True, help="Exit 3 when there are warnings.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
def lint(paths: tuple[Path, ...], deny_warnings: bool, shape: str) -> None:
    """Check configs: every mistake at once, with line and column.

    Folders are searched for *.yaml, *.yml and *.md; in Markdown the YAML blocks with `version` and `kafka` are checked.
    """
    files = dict.fromkeys(file for path in paths for file in _files(path))
    problems = in_order(problem for file in files for problem in _check_file(file))
    _print(problems, shape, len(files))
    if any(problem.severity == "error" for problem in problems):
        sys.exit(1)
    sys.exit(3 if problems and deny_warnings else 0)


def _files(path: Path) -> list[Path]:
    """A folder's configs, but for those below a hidden folder; anything else is itself."""
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    return sorted(f for f in found if not any(part.startswith(".") for part in f.relative_to(path).parts))


def _check_file(path: Path) -> list[Problem]:
    try:
        data = path.read_bytes()
    except OSError as error:
        return [Problem(str(path), 1, 1, "unreadable", "", f"{error.strerror}.")]
    blocks = _blocks(data) if path.suffix in MARKDOWN else [(data, 1, 0)]
    found = [check(text, str(path), os.environ, line, indent)[1] for text, line, indent in blocks]
    return [problem for problems in found for problem in problems]


def _blocks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The YAML blocks of a Markdown file that are configs of ours, with first line and indent."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    for block in FENCE.finditer(text):
        indent = len(block["indent"])
        lines = block["body"].split("\n")
        body = "\n".join(line[min(indent, len(line) - len(line.lstrip(" "))) :] for line in lines)
        if all(pattern.search(body) for pattern in OURS):
            yield body.encode(), text.count("\n", 0, block.start("body")) + 1, indent


def _print(problems: list[Problem], shape: str, files: int) -> None:
    if shape == "json":
        names = ("file", "line", "column", "kind", "path", "message", "severity")
        click.echo(json.dumps([{name: getattr(p, name) for name in names} for p in problems], indent=2))
        return
    for problem in problems:
        click.echo(_annotation(problem) if shape == "github" else str(problem))
    if shape == "text":
        click.echo(f"{summary(problems)} in {files} file{'' if files == 1 else 's'}.")


def _annotation(problem: Problem) -> str:
    """A workflow command of GitHub; there `%` and line ends are escaped, in properties `,` and `:`, too."""
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return ANNOTATION.format(
        severity=problem.severity,
        file=_escaped(problem.file).replace(":", "%3A").replace(",", "%2C"),
        line=problem.line,
        column=problem.column,
        kind=problem.kind,
        text=_escaped(text),
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
