"""`driftline bridge`: alerts to Alertmanager, a webhook, Slack or PagerDuty, until SIGTERM."""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from streamer.commands.options import config_option
from streamer.config import model as cfg
from streamer.config.bridges import KINDS, Bridges, group_of
from streamer.port import LogDown
from streamer.service.run import EXIT_CONFIG, EXIT_UNREACHABLE, load_or_exit, versions
from streamer.service.stopper import EXIT_INTERNAL, Stopper, threads

EPILOG = """\b
Examples:
  driftline bridge alertmanager -c driftline.yaml                            # bridges: {alertmanager: {url: ...}}
  driftline bridge slack -c driftline.yaml --page https://drift.example.org  # with a link to each alert
  driftline bridge webhook -c driftline.yaml --listen 127.0.0.1:8081         # /livez /readyz /metrics of its own
"""


def page_of(_: click.Context, __: click.Parameter, page: str | None) -> str | None:
    """As the file would have it."""
    try:
        return Bridges.model_validate({"page": page}).page
    except ValidationError:
        raise click.BadParameter(f"{page!r} is no address such as https://drift.example.org") from None


@click.command("bridge", epilog=EPILOG)
@click.argument("kind", type=click.Choice(KINDS))
@config_option
@click.option(
    "--page", callback=page_of, help="Address of Driftline's page, for links; default bridges.page of the file."
)
@click.option("--listen", help="HOST:PORT of /livez, /readyz and /metrics; by default there are none.")
def bridge(kind: str, config_path: Path, page: str | None, listen: str | None) -> None:
    """Tell others of alerts, as `bridges` in the file says: each at least once, in order, until SIGTERM.

    A consumer group of its own reads the alerts topic; it needs Read on both and, with silences: both, Write on the
    topic of control. While the receiver is away all waits, and is tried again; what it refuses for good is logged and
    counted. At its first start it tells what fires, and not what is over.
    """
    config = load_or_exit(config_path)
    if kind not in config.bridges.there():
        click.echo(f"{config_path}: there is no bridges.{kind}; see driftline bridge --help", err=True)
        sys.exit(EXIT_CONFIG)
    stopper = Stopper()
    stopper.install()
    sys.exit(run_bridge(config, kind, stopper, page or config.bridges.page, listen))


def run_bridge(config: cfg.Config, kind: str, stopper: Stopper, page: str | None, listen: str | None) -> int:
    """Until stopped; the exit code."""
    from streamer.service.bridge import CHECKS, bridge_figures
    from streamer.service.health import Health
    from streamer.service.http import CannotListen, start_server
    from streamer.service.json_logs import get_logger, log, setup_logging

    handler = setup_logging(config.secrets(), debug=bool(config.kafka.client.get("debug")))
    say = functools.partial(log, get_logger("driftline"))
    health, figures = Health(masked=handler.redactor.text, checks=CHECKS), bridge_figures()

    def ended(name: str, error: BaseException) -> None:
        say("error", "thread_failed", thread=name, error=error)
        stopper.fail(f"the thread {name} has ended: {type(error).__name__}")

    with contextlib.ExitStack() as stack:
        stack.enter_context(threads(ended))
        try:
            address = None
            if listen is not None:
                server = start_server(listen, figures, health, versions())
                stack.callback(server.close)
                address = server.address
            group = group_of(config.bridges.there()[kind], kind, config.kafka.group)
            say("info", "starting", bridge=kind, brokers=config.kafka.brokers, group=group, listen=address)
            deliver(config, kind, stopper, page, health, figures, say)
        except CannotListen as error:
            say("error", "halted", why=str(error))
            return stopper.leave(EXIT_INTERNAL)
        except LogDown as error:
            say("error", error.event, why=str(error), fix=error.fix)
            return stopper.leave(EXIT_UNREACHABLE)
        except Exception as error:
            say("error", "crashed", error=error, where=traceback.format_tb(error.__traceback__)[-1].strip())
            return stopper.leave(EXIT_INTERNAL)
    say("info", "stopped")
    return stopper.leave(stopper.code)


def silencing_of(config: cfg.Config, client: Any, world: Any, figures: Any) -> Any:
    """What takes mutes to Alertmanager; None where that is not wanted, or it is another receiver."""
    from streamer.kafka.one_record import send
    from streamer.service.silencing import Silencing

    there, control = config.bridges.alertmanager, config.control
    if there is None or there.silences == "off":
        return None
    topic = control.topic if there.silences == "both" and control is not None else None
    command = None if topic is None else lambda record: send(config, topic, *record)
    return Silencing(there, client.ask, command, world.say, world.clock, world.wall_ms, figures)


def deliver(
    config: cfg.Config, kind: str, stopper: Stopper, page: str | None, health: Any, figures: Any, say: Any
) -> None:
    """Deliver until a stop signal comes; then commit, and leave the group."""
    from streamer.bridges.kinds import topics_of
    from streamer.kafka.group_reader import GroupReader
    from streamer.service.bridge import Delivering, World
    from streamer.service.closing import CLOSE_SECONDS, bounded
    from streamer.service.delivery import Client
    from streamer.service.json_logs import get_logger

    settings = config.bridges.there()[kind]
    client = Client(settings.timeout_ms / 1000, settings.ca)
    group = group_of(settings, kind, config.kafka.group)
    reader = GroupReader(config, group, topics_of(settings, config.topics.published()), get_logger("librdkafka"))
    world = World(say)
    delivering = Delivering(
        kind,
        settings,
        page,
        reader,
        lambda one: client.post(one.url, one.body, one.headers),
        world,
        health,
        figures,
        silencing_of(config, client, world, figures) if kind == "alertmanager" else None,
    )
    while not stopper.asked.is_set():
        delivering.step()
    health.wait("not_draining", f"draining: {stopper.why}")
    stopper.drained(reader.commit())
    with bounded(CLOSE_SECONDS, stopper.code):
        reader.close()
