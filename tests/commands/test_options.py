"""Options that many verbs have are the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from streamer.commands.cli import VERBS, main
from streamer.commands.options import config_option


def every(command: click.Command, ctx: click.Context) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from every(found, ctx)


def test_the_config_is_named_in_one_way() -> None:
    ctx = click.Context(main)
    verbs = [verb for verb in every(main, ctx) if verb is not main]
    required = [one.to_info_dict() for verb in verbs for one in verb.params if one.required and "-c" in one.opts]
    [wanted] = config_option(click.Command("any")).params
    assert len(required) > len(VERBS) // 2
    assert [one for one in required if one != wanted.to_info_dict()] == []
