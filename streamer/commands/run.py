"""`driftline run`: the service."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streamer.commands.options import config_option
from streamer.service.run import load_or_exit, run_service
from streamer.service.stopper import Stopper

EPILOG = """\b
Examples:
  driftline run -c driftline.yaml
  driftline run -c driftline.yaml --stage 2     # only detect; another process puts events in order
"""


@click.command("run", epilog=EPILOG)
@config_option
@click.option(
    "--stage",
    type=click.Choice(["1", "2"]),
    help="With kafka.order: model one stage only: 1 puts events in order, 2 detects. Both must run somewhere.",
)
def run(config_path: Path, stage: str | None) -> None:
    """Read events, detect drift, publish alerts, exactly once, until SIGTERM."""
    config = load_or_exit(config_path)
    if stage is not None and config.topics.ordered is None:
        raise click.UsageError("--stage is for topics that are put in order first: kafka.order: model")
    stopper = Stopper()
    stopper.install()
    sys.exit(run_service(config, stopper, None if stage is None else int(stage), config_path))
