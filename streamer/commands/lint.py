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

FENCE = re.compile(r"^```ya?ml[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
ANNOTATION = "::{severity} file={file},line={line},col={column},title={kind}::{path} {message}"


@click.command("lint")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--deny-warnings", is_flag=True, help="Exit 3 when there are warnings.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
def lint(paths: tuple[Path, ...], deny_warnings: bool, shape: str) -> None:
    """Check configs: every mistake at once, with line and column. Folders are searched for *.yaml and *.yml."""
    problems: list[Problem] = []
    files = 0
    for path in paths:
        for file in sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else [path]:
            files += 1
            problems += _check_file(file)
    problems = in_order(problems)
    _print(problems, shape, files)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(1)
    sys.exit(3 if problems and deny_warnings else 0)


def _check_file(path: Path) -> list[Problem]:
    try:
        data = path.read_bytes()
    except OSError as error:
        return [Problem(str(path), 1, 1, "unreadable", "", f"{error.strerror}.")]
    documents = _blocks(data) if path.suffix == ".md" else [(data, 1)]
    return [problem for text, line in documents for problem in check(text, str(path), os.environ, line)[1]]


def _blocks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The YAML blocks of a Markdown file that are configs of ours, with the line each begins on."""
    text = data.decode("utf-8", "replace")
    for block in FENCE.finditer(text):
        body = block[1]
        if re.search(r"^version:", body, re.MULTILINE) and re.search(r"^kafka:", body, re.MULTILINE):
            yield body.encode(), text.count("\n", 0, block.start(1)) + 1


def _print(problems: list[Problem], shape: str, files: int) -> None:
    if shape == "json":
        names = ("file", "line", "column", "kind", "path", "message", "severity")
        click.echo(json.dumps([{name: getattr(p, name) for name in names} for p in problems], indent=2))
        return
    for problem in problems:
        if shape == "github":
            names = ("severity", "file", "line", "column", "kind", "path", "message")
            click.echo(ANNOTATION.format(**{name: getattr(problem, name) for name in names}))
        else:
            click.echo(str(problem))
    if shape == "text":
        click.echo(f"{summary(problems)} in {files} file{'' if files == 1 else 's'}.")
