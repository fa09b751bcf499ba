"""`python -m streamer` is `driftline`."""

from streamer.cli import main

main(prog_name="driftline")
