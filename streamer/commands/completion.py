"""`driftline completion`: what a shell needs to complete verbs and options."""

from __future__ import annotations

import click

NAME = "driftline"
EPILOG = """\b
Examples:
  eval "$(driftline completion bash)"               # in ~/.bashrc
  eval "$(driftline completion zsh)"                # in ~/.zshrc
  driftline completion fish > ~/.config/fish/completions/driftline.fish
"""


@click.command("completion", epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script for bash (4.4 or newer), zsh or fish that completes verbs, options and their values."""
    from click.shell_completion import get_completion_class

    from streamer.commands.cli import main

    made = get_completion_class(shell)
    assert made is not None
    asking = made(main, {}, NAME, f"_{NAME.upper()}_COMPLETE")
    click.echo(made.source_template % asking.source_vars())
