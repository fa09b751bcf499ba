"""How a test ends with its Kafka clients: within a bound, and without the one call that can hang for ever.

A member of a group that is closed runs its revoke callback in there, and librdkafka may throw away the answer which
that callback waits for (librdkafka#4884). The binding keeps the interpreter's lock meanwhile, so no thread of Python
could end the wait: what hangs is the whole process. So a test's member leaves first, while it is still polled and
everything is answered; its close has no callback left to run, and a bound on it works. (The service cannot do that: a
static member would give its partitions away at every restart.)
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, KafkaException

LEAVE_SECONDS = 10.0
CLOSE_SECONDS = 20.0


def within(seconds: float, what: str, end: Callable[[], object]) -> bool:
    """Whether `end` returned in time; what hangs is left to itself and named. What it raises is raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            end()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if thread.is_alive():
        print(f"WARNING: {what} did not end within {seconds:g} s, a known fault of librdkafka", file=sys.stderr)
    return not thread.is_alive()


def leave(consumer: Consumer, serve: Callable[[], object]) -> None:
    """Give everything back, and up the membership; `serve` lets callbacks run for a moment."""
    consumer.unsubscribe()
    end_s = time.monotonic() + LEAVE_SECONDS
    with suppress(KafkaException):  # Some tests make a client fail for good.
        while (consumer.memberid() or consumer.assignment()) and time.monotonic() < end_s:
            serve()


def close_consumer(consumer: Consumer) -> bool:
    """Of a test's own."""
    leave(consumer, lambda: consumer.poll(0.02))
    return within(CLOSE_SECONDS, "closing a consumer", consumer.close)


def close_log(log: Any) -> bool:
    """A `KafkaLog`."""
    leave(log._consumer, lambda: log._intake.take(1, 0.02))
    return within(CLOSE_SECONDS, "closing a log", log.close)
