"""What every verb says when no broker lets it in."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from streamer.port import LogDown
from streamer.service.run import EXIT_UNREACHABLE


def exit_unreachable(error: LogDown) -> NoReturn:
    """The name of the trouble, why, and each fix on a line of its own, on stderr; exit 69."""
    click.echo(f"driftline: {error.event}: {error}", err=True)
    for fix in filter(None, error.fix.split("; ")):
        click.echo(f"  fix: {fix}", err=True)
    sys.exit(EXIT_UNREACHABLE)
