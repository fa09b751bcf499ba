"""`driftline init`: a first config, the least one or one for what others log."""

from __future__ import annotations

from pathlib import Path

import click

from streamer.commands.sources import not_there
from streamer.config.problems import did_you_mean
from streamer.offline.presets import about, config_text, names

EPILOG = """\b
Examples:
  driftline init --topic model-calls -o driftline.yaml
  driftline init --list                          # what there is a config for
  driftline init kserve-logger --brokers kafka:9092 > driftline.yaml
  driftline suggest --topic model-calls -o driftline.yaml  # by a look at the events themselves
"""


def presets(_: click.Context, __: click.Parameter, begin: str) -> list[str]:
    """For the shell's completion."""
    return [name for name in names() if name.startswith(begin)]


@click.command("init", epilog=EPILOG)
@click.argument("preset", required=False, shell_complete=presets)
@click.option("--list", "listed", is_flag=True, help="The presets, a line each.")
@click.option("--brokers", default="localhost:9092", show_default=True, help="The cluster, HOST:PORT.")
@click.option("--topic", default="inferences", show_default=True, help="Where the events are.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to make; else printed.")
def init(preset: str | None, listed: bool, brokers: str, topic: str, output: Path | None) -> None:
    """Write a first config: the least one, or that of a PRESET for what others log (KServe, SageMaker, ...).

    No event is looked at. `driftline suggest` reads a sample and writes a config for it: where the fields are, and why.
    """
    known = names()
    if listed:
        width = max(map(len, known))
        click.echo("\n".join(f"{name:{width}}  {about(name)}" for name in known))
        return
    if preset is not None and preset not in known:
        raise click.ClickException(f"there is no preset {preset!r}.{did_you_mean(preset, known)}")
    text = config_text(preset, brokers, topic)
    if output is None:
        click.echo(text, nl=False)
        return
    not_there(output)
    output.write_text(text)
    click.echo(f"{output} is written. Next: driftline explain -c {output} --topic {topic}, or --input FILE", err=True)
