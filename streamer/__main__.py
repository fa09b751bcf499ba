"""`python -m streamer` is `driftline`."""

from streamer.commands.cli import main

main(prog_name="driftline")
