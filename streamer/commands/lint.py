"""`driftline lint`: check files, folders and YAML blocks in Markdown, without a broker."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from streamer.config.expectation import told
from streamer.config.load import build
from streamer.config.problems import Problem, in_order, summary
from streamer.config.yaml_source import parse

if TYPE_CHECKING:
    from streamer.offline.cost import Estimate
    from streamer.offline.event_files import EventFiles

    Looked = tuple[Estimate, EventFiles]

MARKDOWN = (".md", ".markdown")
SUFFIXES = (".yaml", ".yml", *MARKDOWN)
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})ya?ml\b[^\n]*\n(?P<body>.*?)^ *(?P=fence)", re.MULTILINE | re.DOTALL
)
OURS = (re.compile(r"^version:", re.MULTILINE), re.compile(r"^kafka:", re.MULTILINE))
ANNOTATION = "::{severity} file={file},line={line},col={column},title={kind}::{text}"
EPILOG = """\b
Examples:
  driftline lint driftline.yaml
  driftline lint driftline.yaml --sample events.jsonl   # what becomes of such events, and what it costs
  driftline lint . --deny-warnings --format github      # all configs below, in CI
"""


class Sampled(NamedTuple):
    """What the traffic is like: events in files, and how many there are a day where their times do not say it."""

    files: tuple[Path, ...]
    events_per_day: float | None


@click.command("lint", epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--deny-warnings", is_flag=True, help="Exit 3 when there are warnings.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--sample", multiple=True, type=click.Path(path_type=Path), help="Events: JSON, CSV or Parquet.")
@click.option("--events-per-day", type=click.FloatRange(min=0, min_open=True), help="Default: by the sample's times.")
def lint(
    paths: tuple[Path, ...], deny_warnings: bool, shape: str, sample: tuple[Path, ...], events_per_day: float | None
) -> None:
    """Check configs: every mistake at once, with line and column.

    Folders are searched for *.yaml, *.yml and *.md; in Markdown the YAML blocks with `version` and `kafka` are checked.
    With --sample it says what becomes of such events and what each monitor costs on them, warns of places in the config
    that none of them has and of monitors that can never fire, and fails when none of them is used.
    """
    if events_per_day is not None and not sample:
        raise click.UsageError("--events-per-day goes together with --sample.")
    files = dict.fromkeys(file for path in paths for file in _files(path))
    checked = [(file, *_check_file(file, Sampled(sample, events_per_day))) for file in files]
    problems = in_order(problem for _, found, _, _ in checked for problem in found)
    if shape == "text":
        _tell(checked)
    _print(problems, shape, len(files))
    if any(problem.severity == "error" for problem in problems):
        sys.exit(1)
    sys.exit(3 if problems and deny_warnings else 0)


def _tell(checked: list[tuple[Path, list[Problem], list[str], list[Looked]]]) -> None:
    """What each config lets be expected, and what comes of the sample."""
    for file, _, expectations, estimates in checked:
        for estimate, events in estimates:
            from streamer.offline.explain import in_short
            from streamer.offline.told import told_of

            for text in (*events.notes, told_of(str(file), estimate, events.place), *in_short(estimate.sample)):
                click.echo(text)
            click.echo()
        for line in expectations:
            click.echo(f"{file}: {line}")


def _files(path: Path) -> list[Path]:
    """A folder's configs, but for those below a hidden folder; anything else is itself."""
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    return sorted(f for f in found if not any(part.startswith(".") for part in f.relative_to(path).parts))


def _check_file(path: Path, sampled: Sampled) -> tuple[list[Problem], list[str], list[Looked]]:
    """What is wrong, what false alarms are to be expected, and what comes of the sample."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return [Problem(str(path), 1, 1, "unreadable", "", f"{error.strerror}.")], [], []
    problems, expectations, estimates = list[Problem](), list[str](), list["Looked"]()
    for text, line, indent in _blocks(data) if path.suffix in MARKDOWN else [(data, 1, 0)]:
        source = parse(text, str(path), os.environ, line, indent)
        config = build(source)
        expectations += told(config) if config is not None else ()
        if config is not None and sampled.files:
            from streamer.offline.cost import estimate
            from streamer.offline.event_files import EventFiles
            from streamer.offline.replay import BadInput

            try:
                events = EventFiles(sampled.files, config)
                estimates.append((estimate(config, events, sampled.events_per_day), events))
            except BadInput as error:
                raise click.ClickException(str(error)) from error
            for doubt in estimates[-1][0].doubts:
                source.report(*doubt)
        problems += source.problems
    return problems, expectations, estimates


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
