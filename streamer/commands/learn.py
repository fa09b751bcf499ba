"""`driftline learn`: what verdicts on alerts have changed, read back; a proposal is applied, and a change undone, by a
command.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from streamer.alerts.commands import command_record
from streamer.commands.control import common_options, say, with_control
from streamer.commands.options import config_option
from streamer.commands.sources import said_in_words
from streamer.config import model as cfg

EPILOG = """\b
Examples:
  driftline learn show -c driftline.yaml
  driftline learn undo -c driftline.yaml --model fraud --monitor amount-mean --by ada --why "it was right"
  driftline learn apply -c driftline.yaml --model fraud --monitor amount-mean --by ada --why "as proposed"
"""


@click.group("learn", epilog=EPILOG)
def learn() -> None:
    """Show what alerts have learned from verdicts; undo a change, or apply what is proposed."""


@learn.command("show", epilog=EPILOG)
@config_option
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(config_path: Path, shape: str) -> None:
    """Print every proposal and change that is retained, the oldest first, and what holds by now."""
    config = with_control(config_path)
    with said_in_words():
        found = sorted(lessons_in(config), key=lambda one: str(one["changed"]["time"]))
    if shape == "json":
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    for one in found:
        click.echo(line_of(one))
    click.echo("\n".join(standing(found)) or "Nothing was learned yet.")


def lessons_in(config: cfg.Config) -> Iterator[dict[str, Any]]:
    """What the alerts topic has of it."""
    from streamer.kafka.topic_range import TopicRange

    for _, records in TopicRange(config, config.topics.alerts):
        for record in records:
            if record.key is not None and record.key.startswith(b"learn-") and record.value:
                data: dict[str, Any] = orjson.loads(record.value)["data"]
                yield data


def line_of(one: Mapping[str, Any]) -> str:
    return f"{one['changed']['time']}  {one['status']:<8}  v{one['version']}  {one['sentence']}"


def standing(found: list[dict[str, Any]]) -> list[str]:
    """Of each monitor that was changed from which strength on it is told; the version says what came last."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        key = one["model"], one["monitor"]
        if one["status"] == "changed" and one["version"] >= newest.get(key, one)["version"]:
            newest[key] = one
    return [
        f"{model}: {monitor} is told from {one['strength']['after']:g} times its threshold on, version {one['version']}"
        for (model, monitor), one in sorted(newest.items())
    ]


def _add(name: str, words: str) -> None:
    @learn.command(name, epilog=EPILOG, help=words)
    @click.option("--model", required=True, help="Whose monitor.")
    @click.option("--monitor", required=True, help="Which.")
    @common_options
    def verb(
        config_path: Path, model: str, monitor: str, by: str, why: str, command_id: str | None, timeout_s: float
    ) -> None:
        config = with_control(config_path)
        id, what = command_id or uuid.uuid4().hex, {"monitor": monitor, "change": name}
        with said_in_words():
            say(config, id, command_record(id, "learn", model, by, why, time.time(), **what), timeout_s)


_add("undo", "Undo the newest change of a monitor that was not undone; from there on changes are only proposed.")
_add("apply", "Change a monitor as it is proposed.")
