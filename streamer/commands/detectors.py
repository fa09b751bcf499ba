"""`driftline detectors`: the kinds of detection, and the keys of one, without a look at the documentation."""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from streamer.config.detect import Detect

EPILOG = """\b
Examples:
  driftline detectors                              # every kind, in a line
  driftline detectors distribution                 # its keys, with defaults
"""


def kinds(_: click.Context, __: click.Parameter, begin: str) -> list[str]:
    """For the shell's completion."""
    from streamer.config.detect import DETECTS

    return [kind for kind in DETECTS if kind.startswith(begin)]


@click.command("detectors", epilog=EPILOG)
@click.argument("kind", required=False, shell_complete=kinds)
def detectors(kind: str | None) -> None:
    """List what `detect: {kind: ...}` may be, or say of one KIND what it finds and which keys it has."""
    from streamer.config.detect import DETECTS
    from streamer.config.foreign_words import KINDS, instead_of
    from streamer.config.problems import did_you_mean

    if kind is None:
        width = max(map(len, DETECTS))
        click.echo("\n".join(f"{name:{width}}  {sentence_of(model)}" for name, model in DETECTS.items()))
        return
    if kind not in DETECTS:
        told = instead_of(KINDS, kind)
        raise click.ClickException(
            f"{kind!r} is no detector.{f' Here it is {told}.' if told else did_you_mean(kind, DETECTS)}"
        )
    click.echo("\n".join(lines_of(kind, DETECTS[kind])))


def sentence_of(model: type[Detect]) -> str:
    """What it is, in the first sentence that its class says of itself."""
    return " ".join(cleandoc(model.__doc__ or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".") + "."


def lines_of(kind: str, model: type[Detect]) -> list[str]:
    """All of it: what it is, its keys in the order of the table in the README, and how it is written."""
    rows: list[tuple[str, str, str]] = []
    needed: list[str] = []
    for name, field in model.model_fields.items():
        key = (field.alias or name).removesuffix("_ms")
        if key == "kind":
            continue
        if field.is_required():
            needed.append(f"{key}: ...")
        rows.append(
            (key, "needed" if field.is_required() else shown(field.get_default()), str(field.description or ""))
        )
    wide = [max(len(row[place]) for row in rows) for place in (0, 1)]
    told = [" ".join(cleandoc(model.__doc__ or "").partition("\n\n")[0].split()), ""]
    told += [f"  {key:{wide[0]}}  {default:{wide[1]}}  {text}" for key, default, text in rows]
    return [*told, "", f"  detect: {{{', '.join([f'kind: {kind}', *needed])}}}"]


def shown(default: Any) -> str:
    """A default as YAML has it."""
    if isinstance(default, bool):
        return str(default).lower()
    return "none" if default is None else str(default)
