"""The reference of the command line, from what `--help` of every verb is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from streamer.commands.cli import main
from tests.markdown import code, table


def cli_reference() -> str:
    """A chapter for each verb that does something: what it does, its arguments and options, examples."""
    return "\n\n".join("\n\n".join(chapter(path, command)) for path, command in leaves(main))


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb that does something, those of groups too."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(click.Context(command)):
        below = command.get_command(click.Context(command), name)
        assert below is not None
        yield from leaves(below, (*path, name))


def chapter(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(("driftline", *path)))
    yield f"### {' '.join(path)}"
    yield cleandoc(command.help or "")
    arguments = [param.make_metavar(context) for param in command.params if isinstance(param, click.Argument)]
    rows = [(code(name), "") for name in arguments]
    options = (param.get_help_record(context) for param in command.params if isinstance(param, click.Option))
    rows += [(code(one[0]), one[1]) for one in options if one is not None]
    if rows:
        yield table("argument or option, what it is", rows)
    yield f"```\n{examples(command)}\n```"


def examples(command: click.Command) -> str:
    """Those of its epilog, as they are typed."""
    lines = str(command.epilog).splitlines()
    told = [line.strip() for line in lines if line.strip() and line.strip() not in ("\b", "Examples:")]
    return "\n".join(re.sub(r" {2,}#", "  #", line) for line in told)
