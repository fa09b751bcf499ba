"""`driftline run`: config, logs, metrics, endpoints, log and worker put together; signals and exit codes."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import click

from schemas.core import native, why_not
from streamer import __version__
from streamer.config import model as cfg
from streamer.config.load import load_config
from streamer.config.problems import ConfigError
from streamer.config.stages import stage_configs
from streamer.port import LogDown, LogGap, LogRefused, Partition, StateLost, Surroundings
from streamer.service.closing import CLOSE_SECONDS, bounded
from streamer.service.memory import settle_memory
from streamer.service.stopper import EXIT_INTERNAL, Stopper, threads

EXIT_CONFIG = 78
EXIT_UNREACHABLE = 69


def load_or_exit(path: Path) -> cfg.Config:
    """The config, warnings on stderr; or every error there and exit 78."""
    try:
        return load_config(path, os.environ, warn=lambda problem: click.echo(str(problem), err=True))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)


def load_another(stage: int | None, path: Path) -> cfg.Config:
    """Another config for a service at work; what deserves a warning `lint` tells."""
    found = load_config(path, os.environ)
    if stage is not None and found.topics.ordered is None:
        raise ValueError(f"--stage {stage} is for topics that are put in order first: kafka.order: model")
    return found


def versions() -> dict[str, str]:
    from streamer.kafka.client import librdkafka_version

    return {
        "version": __version__,
        "river": metadata.version("river"),
        "librdkafka": librdkafka_version(),
        "core": "compiled" if native is not None else "python",
    }


ABANDONED = {
    True: "leaving the group hangs: the broker is gone, or librdkafka waits for itself (librdkafka#4884). Everything "
    "is committed, so the process ends; the group notices after session.timeout.ms",
    False: "leaving the group hangs, after a drain that did not land. Nothing is lost, the next start has more to "
    "replay; the group notices after session.timeout.ms",
}


HANGS = "a client of a broker that went does not close (librdkafka#4884); the next start restores everything"
WARNINGS = (
    "alert_firing",
    "alerts_suppressed",
    "batch_skipped",
    "input_gone",
    "invalid_snapshot",
    "offsets_forgotten",
    "ordered_partitions_changed",
    "partition_added",
    "partition_lost",
    "starts_failed",
    "state_lost",
)
"""Events of a partition that somebody should look at."""
ADDED_TO_ORDERED = {
    "effect": "no model's events lead here until what is known of it may follow",
    "fix": "driftline topics repartition -c FILE --partitions N",
}


def close(stopper: Stopper, drained: bool, kafka: Any, handler: Any) -> None:
    """Leave the group, within a bound. The line for its end is made before: then nobody in Python can write any."""
    stopper.drained(drained)
    with bounded(
        CLOSE_SECONDS, stopper.code, line_of("close_abandoned", handler, drained=drained, why=ABANDONED[drained])
    ):
        for log in kafka:
            log.close()


def abandon(kafka: Any, handler: Any) -> None:
    """Let go of logs that are of no more use. Where that hangs the process ends: a supervisor starts the next."""
    with bounded(CLOSE_SECONDS, EXIT_UNREACHABLE, line_of("close_abandoned", handler, why=HANGS)):
        for log in kafka:
            log.close()


def line_of(event: str, handler: Any, **fields: object) -> str:
    """The log line of something that happens when nobody in Python can write any."""
    from streamer.service.json_logs import fields_of, get_logger

    logger = get_logger("driftline")
    line = logger.makeRecord(logger.name, logging.WARNING, "", 0, event, (), None, extra={"fields": fields})
    line.created += CLOSE_SECONDS  # When it is printed.
    return str(handler.shape(fields_of(line)))


def wall_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def connect(stages: Sequence[cfg.Config], cluster: Any) -> Any:
    """The log of each stage, as soon as the broker has let us in."""
    from streamer.kafka.log import KafkaLog
    from streamer.service.json_logs import CoordinatorWatch, get_logger

    logs: list[KafkaLog] = []
    try:
        for stage in stages:
            logs.append(KafkaLog(stage, get_logger("librdkafka"), CoordinatorWatch(), cluster=cluster))
    except LogDown:
        for one in logs:
            one.close()
        raise
    return logs


def watch(config: cfg.Config, told: Callable[[Surroundings], None], waits: Callable[[], bool]) -> Any:
    """Eyes on the broker, the topics and our rights, whatever log comes and goes."""
    from streamer.kafka.cluster_watch import ClusterWatch

    return ClusterWatch(config, told, waits=waits)


def load_core() -> None:
    """What takes its time to import, while the broker takes its own; np.unique asks for numpy.ma."""
    import numpy.ma  # noqa: F401

    import streamer.engine.task
    import streamer.service.worker  # noqa: F401


class Service:
    """One process at work: what outlives the logs and workers that come and go with the broker."""

    def __init__(
        self, config: cfg.Config, stopper: Stopper, handler: Any, stage: int | None = None, path: Path | None = None
    ) -> None:
        from streamer.service.connection import Outages
        from streamer.service.health import Health
        from streamer.service.json_logs import get_logger, log
        from streamer.service.metrics import Metrics
        from streamer.service.order import Order
        from streamer.service.partitions import Stats
        from streamer.service.reload import Reload

        self.stage, self.stopper, self.handler = stage, stopper, handler
        self.say = functools.partial(log, get_logger("driftline"))
        self.metrics, self.health = Metrics(), Health(masked=lambda text: handler.redactor.text(text))
        self.outages = Outages(self.health, self.say)
        what = self.say, self.health.note, self.metrics, time.monotonic, time.time
        self.reload = Reload(config, path, functools.partial(load_another, stage), *what)
        self.stopper.hung_up = self.reload.ask
        self.reloaded: Callable[[], None] = lambda: None
        self.secrets = set[str]()
        self._order = functools.partial(Order, say=self.say, note=self.outages.note)
        self.take(config)
        self.stats = Stats(), Stats()  # by stage
        self.at_work, self.unread = False, frozenset[Partition]()

    def take(self, config: cfg.Config) -> None:
        """Go on with this config."""
        from streamer.service.json_logs import Redactor

        patience_ms = config.kafka.give_up_after_ms
        self.give_up_s = None if patience_ms is None else patience_ms / 1000
        self.order = self._order(config)
        self.secrets.update(config.secrets())  # Those of before may still be in a message.
        self.handler.redactor = Redactor(self.secrets)

    def stopping(self) -> bool:
        asked = self.stopper.asked.is_set()
        self.health.wait("not_draining", f"draining: {self.stopper.why}" if asked else None)
        return asked

    def thread_failed(self, name: str, error: BaseException) -> None:
        """Tell and count it. In that thread."""
        from streamer.service.catalogue import THREADS

        where = traceback.format_tb(error.__traceback__)[-1:]
        self.say("error", "thread_failed", thread=name, error=error, where="".join(where).strip())
        short = name.removeprefix("driftline-")
        self.metrics.inc("thread_failures_total", thread=short if short in THREADS else "other")

    def thread_ended(self, name: str, error: BaseException) -> None:
        """Without it the process is not whole: it ends, and the next one has all its threads."""
        self.thread_failed(name, error)
        self.stopper.fail(f"the thread {name} has ended: {type(error).__name__}")

    def notify(self, event: str, partition: Partition, **fields: object) -> None:
        if event == "partition_added" and partition[0] == self.order.config.topics.ordered:
            event, fields = "ordered_partitions_changed", {**fields, **ADDED_TO_ORDERED}
        level = "warning" if event in WARNINGS else "info"
        self.say(level, event, topic=partition[0], partition=partition[1], **fields)

    def waits(self) -> bool:
        """Whether something does not get on that may want a right."""
        from streamer.service.readiness import REFUSABLE, REFUSED_AFTER_S

        return self.at_work and self.outages.last(REFUSABLE, REFUSED_AFTER_S)

    def serve(self, stack: contextlib.ExitStack) -> bool:
        """Until a stop signal, in as many turns as that takes; whether all that was taken has landed."""
        from streamer.service.connection import connected

        pool = stack.enter_context(ThreadPoolExecutor(1, "beside"))
        asking = ThreadPoolExecutor(1, "schemas")
        stack.callback(asking.shutdown, wait=False, cancel_futures=True)
        while True:
            config: cfg.Config | None
            if self.order.open:
                config = connected(self.order.settled, pool, self.outages, self.stopping, self.give_up_s, load_core)
            else:
                config = self.order.settled()
            if config is None:
                return True  # Nothing is held that could be lost.
            with contextlib.ExitStack() as turn:
                drained = self.work(config, turn, pool, asking)
            if self.stopper.asked.is_set():
                return drained
            if self.reload.wanted is not None:
                self.take(self.reload.taken())
                self.reloaded()
                self.say("info", "config_reloaded", config=self.reload.config.config_hash)
            elif not self.order.turned:
                return drained

    def work(self, config: cfg.Config, stack: contextlib.ExitStack, pool: Executor, asking: Executor) -> bool:
        """With this config, and with as many logs as that takes."""
        from streamer.service.connection import connected
        from streamer.service.matched import Matched
        from streamer.service.readiness import EVENTS, long_unread, of_surroundings, unread_seconds

        matched = Matched(config.topics, self.say)

        def looked(seen: Surroundings) -> None:
            """The watch has looked. While connecting, the attempts tell more."""
            self.health.beat("watch")
            matched.looked(seen)
            self.metrics.replace("unread_seconds", unread_seconds(seen.overlooked))
            self.unread = frozenset(chain.from_iterable(long_unread(seen.overlooked).values()))
            if self.at_work:
                for check, why in of_surroundings(seen, config.topics).items():
                    self.outages.tell(check, why, EVENTS.get(check, "waiting"))

        stages = stage_configs(config) if self.stage is None else [stage_configs(config)[self.stage - 1]]
        stack.callback(self.health.rest, "watch")
        self.health.beat("watch")
        cluster = watch(config, looked, self.waits)
        stack.callback(cluster.close)
        attempt = functools.partial(connect, stages, cluster)
        reporter: Any = None
        while True:
            kafka = connected(attempt, pool, self.outages, self.stopping, self.give_up_s, load_core)
            if kafka is None:
                return True
            from streamer.service.reporting import Reporter
            from streamer.service.stages import run_in_turns

            try:
                workers = self._workers(config, zip(stages, kafka, self.stats, strict=False), pool, asking)
                reporter = reporter or Reporter(workers, self.metrics, self.outages)
                reporter.workers, self.at_work = workers, True
                settle_memory()
                drained = run_in_turns(workers, self.ends, functools.partial(self.after_step, reporter, asking))
            except LogRefused:
                raise
            except LogDown as down:
                self.at_work = False
                self.outages.tell("broker_seen", str(down), down.event, fix=down.fix)
                self.say("warning", "connecting_again", why=str(down), effect="partitions are restored from snapshots")
                abandon(kafka, self.handler)
                continue
            self.at_work = False
            leave = abandon if self.turns() else functools.partial(close, self.stopper, drained)
            leave(kafka, self.handler)
            return drained

    def ends(self) -> bool:
        """Whether this turn is over."""
        return self.stopping() or self.turns()

    def turns(self) -> bool:
        """Whether there is another turn."""
        return self.order.turned or self.reload.wanted is not None

    def after_step(self, reporter: Any, asking: Executor) -> None:
        reporter.after_step()
        self.order.after_step(asking)
        self.reload.after_step()

    def _workers(self, config: cfg.Config, stages: Iterable[Any], pool: Executor, asking: Any) -> list[Any]:
        """stages: of each its config, its log and where its figures go."""
        from streamer.engine.tasks import Orderings
        from streamer.kafka.progress import Progress
        from streamer.service.in_step import InStep
        from streamer.service.others import Others
        from streamer.service.stages import in_order, made_by
        from streamer.service.waiting import waiting
        from streamer.service.worker import Worker

        workers = []
        for stage, log, stats in stages:
            made, given = made_by(config, stage, log), log
            if not in_order(config, stage):
                given = waiting(log, config, asking, stats, self.notify)
            if isinstance(made, Orderings):
                others, sides = Others(Progress(stage).ask, asking), config.topics.sides.values()
                given = InStep(given, config.limits.lateness_ms // 4, made.event_times, others, beside=sides)
            workers.append(Worker(stage, made, given, time.monotonic, wall_ms, self.notify, pool, stats))
        return workers


def run_service(config: cfg.Config, stopper: Stopper, stage: int | None = None, path: Path | None = None) -> int:
    """Run until stopped, all stages or that one; the exit code. path: of the file that another config may come from."""
    from streamer.service.http import start_server
    from streamer.service.json_logs import get_logger, setup_logging
    from streamer.service.page import page_of

    handler = setup_logging(config.secrets(), debug=bool(config.kafka.client.get("debug")))
    service = Service(config, stopper, handler, stage, path)
    say = service.say
    service.metrics.set("build_info", 1, **versions())
    with contextlib.ExitStack() as stack:
        stack.enter_context(threads(service.thread_ended))
        try:
            logger, failed = get_logger("librdkafka"), service.thread_failed
            page = page_of(lambda: service.reload.config, service.health, logger, failed, lambda: service.unread)
            stack.callback(page.close)
            service.reloaded = page.begin_again
            ask = service.reload.ask if config.server.control else None
            server = start_server(config.server.listen, service.metrics, service.health, versions(), page, ask)
            stack.callback(server.close)
            say(
                "info",
                "starting",
                brokers=config.kafka.brokers,
                group=config.kafka.group,
                listen=server.address,
                monitors=len(config.effective_monitors()),
                config=config.config_hash,
            )
            if native is None:
                say("warning", "no_compiled_core", why=why_not, effect="same results, several times the CPU")
            drained = service.serve(stack)
        except LogDown as error:
            say("error", error.event, why=str(error), fix=error.fix)
            return stopper.leave(EXIT_UNREACHABLE)
        except (LogGap, StateLost, OSError) as error:
            say("error", "halted", why=str(error))
            return stopper.leave(EXIT_INTERNAL)
        except Exception as error:
            say("error", "crashed", error=error, where=traceback.format_tb(error.__traceback__)[-1].strip())
            return stopper.leave(EXIT_INTERNAL)
        stopper.drained(drained)
        say("info", "stopped", drained=drained)
        return stopper.leave(stopper.code)
