"""`driftline explain`: what every series is watched by, how far it is, and the smallest drift that would be found."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from streamer.config.expectation import told as expectations
from streamer.offline.event_files import EventFiles
from streamer.offline.explain import explain as explained
from streamer.offline.explain import told
from streamer.offline.replay import BadInput
from streamer.service.run import load_or_exit


@click.command("explain")
@click.option("-c", "--config", "config_path", required=True, type=click.Path(path_type=Path), help="The YAML file.")
@click.option(
    "--input",
    "inputs",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Events: JSONL (.gz), CSV or Parquet; each file is a partition. Repeatable.",
)
@click.option("--model", help="Only this model.")
@click.option("--monitor", metavar="GLOB", default="*", help="Only monitors whose names match.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(config_path: Path, inputs: tuple[Path, ...], model: str | None, monitor: str, shape: str) -> None:
    """Run a config over events in files and say of every monitor and series: what it watches, its tier and what is
    missing for the next, usual level and limits, the smallest drift found in an hour and in a day with 80 % chance,
    and what it has of the budget of false alarms.
    """
    config = load_or_exit(config_path)
    try:
        sample, found = explained(config, EventFiles(inputs, config), model, monitor)
    except BadInput as error:
        raise click.ClickException(str(error)) from error
    if shape == "json":
        click.echo(orjson.dumps([one.plain() for one in found], option=orjson.OPT_INDENT_2).decode())
        return
    click.echo(sample.account().sum(" of the sample"))
    for line in (*expectations(config), *told(found)):
        click.echo(line)
    if not found:
        click.echo(f"No series: driftline lint {config_path} --sample {inputs[0]} says why.", err=True)
