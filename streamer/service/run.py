"""`driftline run`: config, logs, metrics, endpoints, log and worker put together; signals and exit codes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from schemas.core import native, why_not
from streamer import __version__
from streamer.config import model as cfg
from streamer.config.load import load_config
from streamer.config.problems import ConfigError
from streamer.port import LogDown, LogGap, Partition, StateLost
from streamer.service.closing import CLOSE_SECONDS, LEAVE_SECONDS, bounded, end_after

EXIT_CONFIG = 78
EXIT_UNREACHABLE = 69
EXIT_INTERNAL = 70
EXIT_NOT_DRAINED = 75
DRAIN_SECONDS = 10.0
"""After a stop signal the last commit, snapshot and group leave get this long; then the process ends, hard."""
MALLOC = {-1: 64 << 20, -3: 32 << 20}
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc, in bytes: what is kept is more than all fetches under way."""


WARNINGS = ("state_lost", "invalid_snapshot", "partition_lost", "alert_firing", "alerts_suppressed")


def load_or_exit(path: Path) -> cfg.Config:
    """The config, warnings on stderr; or every error there and exit 78."""
    try:
        return load_config(path, os.environ, warn=lambda problem: click.echo(str(problem), err=True))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)


def versions() -> dict[str, str]:
    return {
        "version": __version__,
        "river": metadata.version("river"),
        "librdkafka": metadata.version("confluent-kafka"),
        "core": "compiled" if native is not None else "python",
    }


class Stopper:
    """SIGTERM and SIGINT ask for a drain; a second signal, or a drain that takes too long, ends the process.

    It also ends when the drain is over and something hangs. Always with the exit code that is true by then.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.code = EXIT_NOT_DRAINED
        self._disarm: Callable[[], None] = lambda: None

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        if self.asked.is_set():
            os._exit(self.code)
        self.asked.set()
        self._disarm = end_after(DRAIN_SECONDS, EXIT_NOT_DRAINED)

    def drained(self, landed: bool) -> None:
        """The last commit has landed, which no hang and no further signal can undo, or it has not."""
        if landed:
            self._disarm()
            self.code = 0

    def leave(self, code: int) -> int:
        """The code the process ends with, and soon: a thread or a client may hang on a broker that is gone."""
        end_after(LEAVE_SECONDS, code)
        return code


ABANDONED = {
    True: "leaving the group hangs: the broker is gone, or librdkafka waits for itself (librdkafka#4884). Everything "
    "is committed, so the process ends; the group notices after session.timeout.ms",
    False: "leaving the group hangs, after a drain that did not land. Nothing is lost, the next start has more to "
    "replay; the group notices after session.timeout.ms",
}


def close(kafka: Any, stopper: Stopper, drained: bool, handler: Any) -> None:
    """Leave the group, within a bound. The line for its end is made before: then nobody in Python can write any."""
    from streamer.service.json_logs import fields_of, get_logger

    stopper.drained(drained)
    fields = {"drained": drained, "why": ABANDONED[drained]}
    logger = get_logger("driftline")
    line = logger.makeRecord(logger.name, logging.WARNING, "", 0, "close_abandoned", (), None, extra={"fields": fields})
    line.created += CLOSE_SECONDS  # When it is printed.
    with bounded(CLOSE_SECONDS, stopper.code, handler.shape(fields_of(line))):
        kafka.close()


def settle_memory() -> None:
    """What is alive now stays alive, and every batch brings hundreds of objects that no cycle can hold.

    Left alone the cycle collector looks at all of them again and again, some 10 % of the service's time. And glibc
    hands what was fetched back to the system, by the megabyte, to have it cleared again page by page: 4 to 15 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)  # musl has none.
        for option, value in MALLOC.items():
            set_option(option, value)


def wall_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def connect(config: cfg.Config) -> Any:
    """The log, as soon as the broker has let us in."""
    from streamer.kafka.log import KafkaLog
    from streamer.service.json_logs import CoordinatorWatch, get_logger

    return KafkaLog(config, get_logger("librdkafka"), CoordinatorWatch())


def run_service(config: cfg.Config, stopper: Stopper) -> int:
    """Run until stopped; the exit code."""
    from streamer.service.http import Health, start_server
    from streamer.service.json_logs import get_logger, log, setup_logging
    from streamer.service.metrics import Metrics

    handler = setup_logging(config.secrets())
    logger = get_logger("driftline")
    metrics, health = Metrics(), Health()
    metrics.set("build_info", 1, **versions())
    with contextlib.ExitStack() as stack:
        try:
            server = start_server(config.server.listen, metrics, health, versions())
            stack.callback(server.close)
            log(
                logger,
                "info",
                "starting",
                brokers=config.kafka.brokers,
                group=config.kafka.group,
                listen=server.address,
                monitors=len(config.effective_monitors()),
                config=config.config_hash,
            )
            if native is None:
                log(logger, "warning", "no_compiled_core", why=why_not, effect="same results, several times the CPU")
            pool = stack.enter_context(ThreadPoolExecutor(1, "beside"))
            connecting = pool.submit(connect, config)  # The broker takes its time, in which the rest is loaded.
            from streamer.engine.task import Tasks
            from streamer.service.reporting import Reporter
            from streamer.service.worker import Worker

            kafka = connecting.result()
            health.broker_seen = True

            def notify(event: str, partition: Partition, **fields: object) -> None:
                level = "warning" if event in WARNINGS else "info"
                log(logger, level, event, topic=partition[0], partition=partition[1], **fields)

            def stopping() -> bool:
                health.draining = stopper.asked.is_set()
                return health.draining

            worker = Worker(config, Tasks(config), kafka, time.monotonic, wall_ms, notify, pool)
            reporter = Reporter(worker, metrics, health)
            settle_memory()
            drained = worker.run(stopping, reporter.after_step)
            close(kafka, stopper, drained, handler)
        except LogDown as error:
            log(logger, "error", "broker_unreachable", why=str(error))
            return stopper.leave(EXIT_UNREACHABLE)
        except (LogGap, StateLost, OSError) as error:
            log(logger, "error", "halted", why=str(error))
            return stopper.leave(EXIT_INTERNAL)
        except Exception as error:
            log(logger, "error", "crashed", error=error, where=traceback.format_tb(error.__traceback__)[-1].strip())
            return stopper.leave(EXIT_INTERNAL)
        log(logger, "info", "stopped", drained=drained)
        return stopper.leave(stopper.code)
