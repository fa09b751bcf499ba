"""`driftline test`: run scenario files, each a config, a stream of events, and the alerts that must come of it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from xml.sax.saxutils import quoteattr

import click

from streamer.config.problems import ConfigError
from streamer.offline.replay import CHUNK
from streamer.offline.scenario import Case, files_of, read, run_seeds

EXIT_FAILED, EXIT_NOTHING, EXIT_CONFIG = 1, 2, 78

EPILOG = """\b
Examples:
  driftline test tests/                          # every scenario below
  driftline test tests/shift.yaml
"""


@click.command("test", epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("-k", "only", default="", metavar="TEXT", help="Only scenarios whose file name or description has TEXT.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
@click.option("--cut", default=CHUNK, show_default=True, type=click.IntRange(1), help="Events per batch.")
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Run each over so many seeds, its own first."
)
def test(paths: tuple[Path, ...], only: str, shape: str, cut: int, seeds: int) -> None:
    """Run scenario tests: a config, a stream of events, and the alerts that must come of it.

    Folders are searched for YAML files with `description` and `stream` or `records`.
    """
    began_s, cases, broken = time.monotonic(), [], []
    for file in files_of(paths):
        try:
            plan = read(file, os.environ)
        except ConfigError as error:
            broken.append(str(error).rpartition("\n")[0])
            continue
        name = f"{file}: {plan.scenario.description}"
        if only.lower() not in name.lower():
            continue
        for case in run_seeds(plan, name, seeds, cut):
            cases.append(case)
            if shape == "text":
                click.echo(_line(case))
    for text in broken:
        click.echo(text, err=True)
    if broken:
        sys.exit(EXIT_CONFIG)
    if not cases:
        click.echo("No scenario was found: a YAML file with `description`, and `stream` or `records`.", err=True)
        sys.exit(EXIT_NOTHING)
    failed = sum(bool(case.wrong) for case in cases)
    if shape == "json":
        click.echo(json.dumps([case._asdict() for case in cases], indent=2))
    elif shape == "junit":
        click.echo(_junit(cases))
    else:
        click.echo(f"{len(cases) - failed} ok, {failed} failed in {time.monotonic() - began_s:.1f} s.")
    sys.exit(EXIT_FAILED if failed else 0)


def _line(case: Case) -> str:
    head = click.style("FAILED", fg="red") if case.wrong else click.style("ok", fg="green") + "    "
    return "\n".join([f"{head} {case.name}", *(f"       {text}" for text in case.wrong)])


def _junit(cases: list[Case]) -> str:
    failed = sum(bool(case.wrong) for case in cases)
    lines = [f'<testsuite name="driftline" tests="{len(cases)}" failures="{failed}">']
    for case in cases:
        why = f"<failure message={quoteattr('; '.join(case.wrong))}/>" if case.wrong else ""
        lines.append(f"  <testcase name={quoteattr(case.name)}>{why}</testcase>")
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *lines, "</testsuite>"])
