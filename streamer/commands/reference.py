"""`driftline reference`: build a file of references from chosen events, look at one, compare two."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from pydantic import ValidationError

from streamer.commands.options import config_option
from streamer.commands.sources import Source, either_files_or_topic, of_events, of_topic, said_in_words
from streamer.config.reference_file import References
from streamer.engine.references import LEAST
from streamer.monitors.words import tell_apart
from streamer.offline.account import at_offset
from streamer.offline.event_files import EventFiles, Span
from streamer.offline.reference_build import build as learned
from streamer.offline.reference_diff import diff as compare
from streamer.offline.reference_diff import series_of
from streamer.service.run import load_or_exit

BUILD_EPILOG = """\b
Examples:
  driftline reference build -c driftline.yaml --input training.parquet -o reference.json
"""
SHOW_EPILOG = """\b
Examples:
  driftline reference show reference.json
"""
DIFF_EPILOG = """\b
Examples:
  driftline reference diff old.json new.json
"""


@click.group("reference", epilog=BUILD_EPILOG)
def reference() -> None:
    """Build a file of references from chosen events, look at one, compare two."""


@reference.command("build", epilog=BUILD_EPILOG)
@config_option
@click.option("--input", "inputs", multiple=True, type=click.Path(path_type=Path), help="JSON, CSV or Parquet.")
@click.option("--topic", help="Read a range of this topic instead.")
@click.option("--partition", "partitions", multiple=True, type=int, help="Only these partitions of --topic.")
@click.option("--from", "begin", help="First offset or row, or a time (RFC 3339). Default: the oldest record.")
@click.option("--to", "end", help="Offset, row or time to stop before. Default: the end as it is now.")
@click.option("--model", help="The model, of events that do not name it.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to make.")
def build(
    config_path: Path,
    inputs: tuple[Path, ...],
    topic: str | None,
    partitions: tuple[int, ...],
    begin: str | None,
    end: str | None,
    model: str | None,
    output: Path,
) -> None:
    """Learn from all the events and write what every series looks like; `reference.file` in the config then names it.

    The columns of a table are named by their place in an event (features.amount, prediction.label) or by their field
    (label, time, model); in a table without features, what is neither is one.
    """
    either_files_or_topic(inputs, topic)
    config = load_or_exit(config_path)
    of_events(config, topic)
    named = topic or ", ".join(map(str, inputs))
    if topic or begin or end:
        named += f" from {begin or 'the beginning'} to {end or 'the end'}"
    place = at_offset
    with said_in_words():
        if topic:
            source: Source = of_topic(config, topic, begin, end, partitions)
        else:
            source = files = EventFiles(inputs, config, model, Span(begin, end))
            place = files.place
            for note in files.notes:
                click.echo(note, err=True)
        built = learned(config, source, named)
    made = series_of(built.references)
    click.echo("\n".join(built.told(place)), err=True)
    if not made:
        why = f"; driftline lint {config_path} --sample {inputs[0]} says why" if inputs else ""
        raise click.ClickException(f"{output} is not written: no series has {LEAST} values to learn from{why}")
    output.write_text(built.references.model_dump_json(indent=1, exclude_none=True) + "\n")
    click.echo(f"{len(made)} series in {output}", err=True)
    click.echo(f"Add to the config:  reference: {{file: {output.name}}}", err=True)


@reference.command("show", epilog=SHOW_EPILOG)
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def show(path: Path) -> None:
    """Print the series of a file, one a line."""
    made = _read(path)
    click.echo(f"# {made.source}; built with config {made.config}")
    for name, one in series_of(made).items():
        mean, centre = (tell_apart(number, number + one.std)[0] for number in (one.mean, one.centre))
        told = f"mean {mean}, std {one.std:.4g}, centre {centre}"
        if one.category is False:
            told = "no categories: new texts keep coming"
        elif one.categories is not None:
            many = "category" if len(one.categories) == 1 else "categories"
            told = f"{len(one.categories)} {many}: {', '.join(one.categories[:8])}"
        click.echo(f"{name}: {one.n:,} values, {told} ({one.begin} to {one.end})")


@reference.command("diff", epilog=DIFF_EPILOG)
@click.argument("first", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("second", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--fail-above", type=float, help="Exit 1 when a mean moved by more deviations, or PSI is above a tenth.")
def diff(first: Path, second: Path, fail_above: float | None) -> None:
    """What moved between two files, the largest change first."""
    found = compare(_read(first), _read(second))
    moved = [one for one in found if one.what != "same"]
    for one in moved:
        click.echo(f"{one.what:9} {one.name}: {one.sentence}")
    click.echo(f"{len(moved) or 'nothing'} moved; {len(found) - len(moved)} of {len(found)} series are the same")
    most = max((max(abs(m.deviations), 10.0 * (m.psi or 0.0)) for m in found), default=0.0)
    sys.exit(1 if fail_above is not None and most > fail_above else 0)


def _read(path: Path) -> References:
    try:
        return References.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = ": ".join([*map(str, first["loc"]), first["msg"]])
        made = "`driftline reference build` makes one"
        raise click.ClickException(f"{path} is no file of references: {what}; {made}") from None
