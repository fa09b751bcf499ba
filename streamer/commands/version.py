"""`driftline version`."""

from __future__ import annotations

import json

import click


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def version(as_json: bool) -> None:
    """Versions of Driftline and of what its results depend on."""
    from streamer.service.run import versions

    found = versions()
    click.echo(json.dumps(found) if as_json else "\n".join(f"{name} {text}" for name, text in found.items()))
