"""`driftline probe`: asks a service whether it is alive or ready, for containers that have no curl."""

from __future__ import annotations

import http.client
import re
import sys
from pathlib import Path

import click

from streamer.commands.alert_text import printable

EXIT_NOT = 1
"""Docker knows no other code for a check that failed."""
ANSWER_BYTES = 64 * 1024
PATHS = {"live": "/livez", "ready": "/readyz?verbose"}
# What is listened on, and where that is reached.
EVERY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}
EPILOG = """\b
Examples:
  driftline probe live                              # of a service on 127.0.0.1:8080, or $DRIFTLINE_LISTEN
  driftline probe ready -c driftline.yaml           # where server.listen of the file says
  driftline probe ready drift-0.drift:8080 --timeout 2
"""


@click.command("probe", epilog=EPILOG)
@click.argument("what", type=click.Choice(tuple(PATHS)))
@click.argument("listen", metavar="[HOST:PORT]", default="127.0.0.1:8080", envvar="DRIFTLINE_LISTEN")
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), help="The file that names server.listen."
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=5.0, show_default=True, help="Seconds.")
def probe(what: str, listen: str, config_path: Path | None, timeout: float) -> None:
    """Ask a service whether it is live (its loop comes round) or ready (it reads and publishes). Exit 0 when it is,
    else 1 with what it waits for.

    Restart what is not live. Not to be ready is no reason for that: then it waits for a broker, say.
    """
    if config_path is not None:
        from streamer.service.run import load_or_exit

        listen = load_or_exit(config_path).server.listen
    if not re.fullmatch(r"\S+:[0-9]{1,5}", listen):
        raise click.UsageError(f"{listen!r} is not HOST:PORT.")
    status, text = answer(listen, PATHS[what], timeout)
    click.echo(text, err=status != http.HTTPStatus.OK)
    if status != http.HTTPStatus.OK:
        sys.exit(EXIT_NOT)


def answer(listen: str, path: str, timeout_s: float) -> tuple[int, str]:
    """Status and text; 0 where nobody answers."""
    host, _, port = listen.rpartition(":")
    try:
        connection = http.client.HTTPConnection(EVERY.get(host, host), int(port), timeout=timeout_s)
        connection.request("GET", path)
        found = connection.getresponse()
        lines = found.read(ANSWER_BYTES).decode(errors="replace").splitlines()
        return found.status, "\n".join(map(printable, lines))
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{listen}: no answer: {error or type(error).__name__}"
