"""`driftline topics repartition`: another number of partitions of the ordered log, with what is known of each model."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.commands.broker_down import exit_unreachable
from streamer.commands.options import config_option
from streamer.commands.topics import EXIT_CHANGES, timeout_option, topics
from streamer.config import model as cfg
from streamer.config.stages import SECOND, in_order_of_models, stage_configs
from streamer.port import LogDown, Partition
from streamer.service.run import load_or_exit

if TYPE_CHECKING:
    from streamer.engine.repartition import Moves
    from streamer.kafka.admin import TopicAdmin

SHOWN_MAX = 20
"""Models that are named."""
LEAVING_S = 15.0
"""A member with a name, `kafka.instance`, is counted for so long after it went."""
STOP = "stop every process of it, as `systemctl stop driftline` or `kubectl scale --replicas 0` do, then again"
EPILOG = """\b
Examples:
  driftline topics repartition -c driftline.yaml --partitions 6 --dry-run   # which models move where
  driftline topics repartition -c driftline.yaml --partitions 6             # 6 partitions, state follows its model
  driftline topics repartition -c driftline.yaml --partitions 2             # back to 2; the topic keeps the others
"""


@topics.command("repartition", epilog=EPILOG)
@config_option
@click.option(
    "--partitions", "parts", required=True, type=click.IntRange(1, 10_000), help="Over how many models are shared out."
)
@click.option("--dry-run", is_flag=True, help="Say which models would move; nothing changes, and nobody has to stop.")
@timeout_option("each answer")
def repartition(config_path: Path, parts: int, dry_run: bool, timeout_s: float) -> None:
    """Share models out over another number of partitions of the ordered log.

    In the order of models a model's events are in one partition of `topics.ordered`, where its name leads to. With
    more of them more replicas can detect. All must be stopped. What is left in the ordered log is read, with its
    alerts; then what is known of each model goes where its events will: series, references, open alerts with their
    ids, incidents. The account of records stays with the number of the partition. All of it lands in one transaction,
    or nothing does: whatever comes between, run it again.

    Exit 1 when it cannot be done now, which says why; 69 when no broker lets us in.
    """
    config = in_order_of_models(load_or_exit(config_path))
    from streamer.engine.by_key import divisible
    from streamer.engine.repartition import NotDivisible
    from streamer.kafka.admin import TopicAdmin
    from streamer.service.repartition import Refused

    try:
        admin = TopicAdmin(config, timeout_s)
        there = admin.cluster().topics
        config = config.reading(there)
        divisible(config)
        if there.get(str(config.topics.ordered)) is None:
            raise Refused(f"there is no topic {config.topics.ordered}: nothing is read in the order of models")
        if dry_run:
            before, moves = planned(config, parts, there[str(config.topics.ordered)])
            click.echo(plan_text(before, parts, moves))
            return
        click.echo(carried_out(config, parts, admin, there[str(config.topics.ordered)]))
    except (Refused, NotDivisible) as why:
        click.echo(str(why), err=True)
        sys.exit(EXIT_CHANGES)
    except LogDown as error:
        exit_unreachable(error)


def plan_text(before: int, parts: int, moves: Moves) -> str:
    """What would move, a line a model."""
    from streamer.engine.by_key import told

    going = sorted((told(model), way) for model, way in moves.items() if way[0] != way[1])
    lines = [f"  {model}: {source} -> {number}" for model, (source, number) in going[:SHOWN_MAX]]
    more = [f"  and {len(going) - SHOWN_MAX:,} more"] if len(going) > SHOWN_MAX else []
    head = f"{before} -> {parts} partitions: {len(going):,} of {len(moves):,} models move"
    stays = "the account of records, with alerts about it, stays with its partition; so do ids of fleets"
    return "\n".join([head, *lines, *more, *([stays] if going else [])])


def planned(config: cfg.Config, parts: int, there: int) -> tuple[int, Moves]:
    """How many parts there are, and which models would go where, by the newest snapshots."""
    from streamer.engine.by_key import where
    from streamer.engine.repartition import moves_of
    from streamer.kafka.offsets import parts_of
    from streamer.kafka.state_topic import newest_snapshots
    from streamer.service.repartition import keys_in

    settled = parts_of(config)
    before = settled.used if settled is not None else there
    wanted: list[Partition] = [(str(config.topics.ordered), number) for number in range(there)]
    found = newest_snapshots(stage_configs(config)[1], wanted)
    return before, moves_of([keys_in(config, blob) if blob else [] for blob in found], before, parts, where)


def carried_out(config: cfg.Config, parts: int, admin: TopicAdmin, there: int) -> str:
    """Do it; what was done, in words."""
    from streamer.kafka.cluster_watch import ClusterWatch
    from streamer.kafka.log import KafkaLog
    from streamer.kafka.offsets import parts_of
    from streamer.service.repartition import Refused, move

    ordered = str(config.topics.ordered)
    settled = parts_of(config)
    if settled is not None and settled.used == parts and settled.there == max(there, parts):
        return f"models are in {parts} partitions of {ordered} already"
    # Who is sole member has a name of its own: a replica that shares ours would fence us, or we it.
    alone = config.model_copy(update={"kafka": config.kafka.model_copy(update={"instance": None})})
    await_nobody(admin, config.kafka.group)
    if there < parts and (why := admin.widen(ordered, parts)) is not None:
        raise Refused(f"could not give {ordered} {parts} partitions: {why}")
    end_s = time.monotonic() + LEAVING_S
    while admin.cluster().topics.get(ordered, 0) < parts:
        if time.monotonic() > end_s:
            raise Refused(f"{ordered} does not have {parts} partitions yet; run it again")
        time.sleep(0.2)
    logger = logging.getLogger("driftline.repartition")
    logger.setLevel(logging.ERROR)
    watch = ClusterWatch(alone)
    logs: list[KafkaLog] = []
    try:
        for stage in stage_configs(alone):
            logs.append(KafkaLog(stage, logger, cluster=watch))
        done = move(alone, logs[0], logs[1], parts, lambda told: click.echo(told, err=True))
    finally:
        for log in logs:
            log.close()
        watch.close()
    read = f"{done.events:,} events that were left in {ordered} are read; " if done.events else ""
    return f"{read}{done.models:,} models have moved: {done.before} -> {done.parts} partitions of {ordered}"


def await_nobody(admin: TopicAdmin, group: str) -> None:
    """Refused while somebody is in the groups."""
    from streamer.service.repartition import Refused

    end_s = time.monotonic() + LEAVING_S
    while members := in_groups(admin, group):
        if time.monotonic() > end_s:
            told = " and ".join(f"group {name} has {count}" for name, count in members.items())
            raise Refused(f"{told} members: {STOP}")
        time.sleep(0.5)


def in_groups(admin: TopicAdmin, group: str) -> Mapping[str, int]:
    """Members of the groups of both stages, where there are any. Refused where nobody tells."""
    from streamer.kafka.admin import SEEN
    from streamer.service.repartition import Refused

    found = {name: admin.group(name) for name in (group, group + SECOND)}
    for name, one in found.items():
        if one.code not in SEEN:
            raise Refused(f"whether group {name} has members cannot be seen: `driftline doctor -c FILE` says why")
    return {name: one.number for name, one in found.items() if one.number}
