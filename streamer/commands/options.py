"""Options that many verbs have, in the same words."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "-c", "--config", "config_path", required=True, type=click.Path(path_type=Path), help="The YAML file."
)
