"""`driftline run`: the service."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from streamer.service.run import Stopper, load_or_exit, run_service


@click.command("run")
@click.option("-c", "--config", "config_path", required=True, type=click.Path(path_type=Path), help="The YAML file.")
def run(config_path: Path) -> None:
    """Read events, detect drift, publish alerts, exactly once, until SIGTERM."""
    config = load_or_exit(config_path)
    stopper = Stopper()
    stopper.install()
    sys.exit(run_service(config, stopper))
