"""`driftline review`: what waits for somebody to look at it, and an answer."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np
import orjson

from schemas.events.batch import Record
from streamer.commands.options import config_option
from streamer.commands.sources import of_topic, said_in_words
from streamer.config.model import Config
from streamer.review.open_items import Unwritable, items_of, lines_of, open_items, verdict_record
from streamer.service.run import load_or_exit
from streamer.signals.verdicts import ITEM, item_verdicts, plain

EXIT_NOTHING = 1
EPILOG = """\b
Examples:
  driftline review next -c driftline.yaml --reviewer ann
  driftline review answer -c driftline.yaml drift-ordered-3-1702 wrong --reviewer ann
"""
NEXT_EPILOG = """\b
Examples:
  driftline review next -c driftline.yaml --reviewer ann
"""
ANSWER_EPILOG = """\b
Examples:
  driftline review answer -c driftline.yaml drift-ordered-3-1702 wrong --reviewer ann
"""


@click.group("review", epilog=EPILOG)
def review() -> None:
    """Show what people are asked to look at, and write their verdicts."""


@review.command("next", epilog=NEXT_EPILOG)
@config_option
@click.option("-n", "--count", type=click.IntRange(1, 100_000), default=10, show_default=True, help="Items at most.")
@click.option("--reviewer", help="Those that this one has not answered; default those that nobody has.")
@click.option("--model", help="Only of this model.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def next_(config_path: Path, count: int, reviewer: str | None, model: str | None, shape: str) -> None:
    """Print the items that wait, those of the newest slot first. Exit 1 where none does."""
    config = asked_config(config_path)
    now_ms = int(time.time() * 1000)
    with said_in_words():
        found = open_items(items_in(config, now_ms), answers_in(config, now_ms), now_ms, reviewer)
    found = [item for item in found if model in (None, item["model"])][:count]
    if shape == "json":
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n\n".join("\n".join(lines_of(item)) for item in found) or "Nothing waits.")
    sys.exit(0 if found else EXIT_NOTHING)


@review.command("answer", epilog=ANSWER_EPILOG)
@config_option
@click.argument("id")
@click.argument("verdict")
@click.option("--reviewer", required=True, help="Who says it.")
@click.option("--model", help="The model that it is about; default what the item says.")
def answer(config_path: Path, id: str, verdict: str, reviewer: str, model: str | None) -> None:
    """Write a verdict on an item: right, wrong or unsure. One on an alert: `driftline alerts verdict`."""
    config, said = asked_config(config_path), ITEM.get(plain(verdict))
    assert config.verdicts is not None
    if said is None:
        words = dict.fromkeys(ITEM.values())
        raise click.UsageError(f"{verdict!r} is no verdict: say one of {', '.join(words)}.")
    now_ms = int(time.time() * 1000)
    with said_in_words():
        if model is None:
            mine = [item for item in items_in(config, now_ms) if item["review_id"] == id]
            if not mine:
                raise click.UsageError(f"{config.topics.own()['review']} has no item {id}.")
            model = str(mine[-1]["model"])
        write_verdict(config, {"model": model, "review_id": id, "reviewer": reviewer, "verdict": said})


def write_verdict(config: Config, told: Mapping[str, str]) -> None:
    """See `verdict_record` for what is `told`; prints where it landed."""
    from streamer.kafka.one_record import send

    assert config.verdicts is not None
    try:
        record = verdict_record(config, told, int(time.time() * 1000))
    except Unwritable as error:
        raise click.ClickException(str(error)) from error
    partition, offset = send(config, config.verdicts.topic, *record)
    click.echo(f"{told['verdict']}: {config.verdicts.topic}[{partition}]@{offset}")


def asked_config(path: Path) -> Config:
    """One that has both sections; exit 2 else."""
    config = load_or_exit(path)
    if config.review is None or config.verdicts is None:
        raise click.UsageError(f"{path} asks nobody: it has no sections review and verdicts.")
    return config


def records_in(config: Config, topic: str, now_ms: int) -> Iterator[Record]:
    """All that may still be open."""
    assert config.review is not None
    begin_s = max(now_ms - config.review.ttl_ms - config.review.per_ms, 0) // 1000
    for _, records in of_topic(config, topic, f"@{begin_s}", None):
        yield from records


def items_in(config: Config, now_ms: int) -> list[dict[str, object]]:
    assert config.review is not None
    found = dict[str, dict[str, object]]()
    for record in records_in(config, config.review.topic, now_ms):
        if record.value is None:  # Its event was erased.
            found.pop((record.key or b"").decode("utf-8", "replace"), None)
        found |= {item["review_id"]: item for item in items_of([record.value])}
    return list(found.values())


def answers_in(config: Config, now_ms: int) -> dict[str, set[str]]:
    """By item who has answered, as the verdicts' topic has it: what can be used of it."""
    from streamer.config.decoder_fields import sides_of
    from streamer.engine.engines import ENGINE

    assert config.review is not None
    assert config.verdicts is not None
    topic, found = config.verdicts.topic, dict[str, set[str]]()
    decode = ENGINE.side(sides_of(config)[topic])
    begin_s = max(now_ms - config.review.ttl_ms - config.review.per_ms, 0) // 1000
    for (name, _), records in of_topic(config, topic, f"@{begin_s}", None):
        batch = decode(records, name)
        for one in item_verdicts(batch, np.ones(len(batch.offsets), bool), batch.times_ms):
            if one.said:
                found.setdefault(one.about, set()).add(one.reviewer)
    return found
