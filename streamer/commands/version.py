"""`driftline version`."""

from __future__ import annotations

import json
from pathlib import Path

import click

EPILOG = """\b
Examples:
  driftline version
  driftline version --sbom > sbom.json
"""


@click.command("version", epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--sbom", "as_sbom", is_flag=True, help="All that is installed, as a CycloneDX bill of materials.")
@click.option(
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --sbom: the lock file it was installed from, whose hashes are told then.",
)
def version(as_json: bool, as_sbom: bool, requirements: Path | None) -> None:
    """Versions of Driftline and of what its results depend on."""
    if as_sbom:
        click.echo(json.dumps(_sbom(requirements), indent=1))
        return
    if requirements is not None:
        raise click.UsageError("--requirements is for --sbom.")
    from streamer.service.run import versions

    found = versions()
    click.echo(json.dumps(found) if as_json else "\n".join(f"{name} {text}" for name, text in found.items()))


def _sbom(requirements: Path | None) -> object:
    from streamer.service.sbom import sbom

    try:
        return sbom(requirements.read_text() if requirements else "")
    except ValueError as error:
        raise click.ClickException(f"{requirements}: {error}.") from error
