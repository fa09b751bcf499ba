"""Calls into librdkafka that do not keep the time they are given."""

from __future__ import annotations

import threading
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException


def in_time(call: Callable[[], object], seconds: float) -> None:
    """What the call raises; or, when it is not back by then, KafkaException with a `_TIMED_OUT` that may be repeated.

    It cannot be ended: it goes on in a thread of its own, and nobody may use what it works with any more.
    `send_offsets_to_transaction` is such a call (librdkafka 2.16): where the broker goes between its two requests it is
    back when a broker is, whatever its timeout says, and the first request takes `socket.timeout.ms`.
    """
    raised, done = list[BaseException](), threading.Event()

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)
        done.set()

    threading.Thread(target=run, name="driftline-in-time", daemon=True).start()
    if not done.wait(seconds):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no broker answers to the offsets", retriable=True))
    if raised:
        raise raised[0]
