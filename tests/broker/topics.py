"""Topics nobody else uses, on any broker."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable

_numbers = itertools.count()


def topic_maker(broker: str) -> Callable[..., list[str]]:
    """`make("a", "b", partitions=4)` -> names of topics that were made."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": broker})

    def make(*roles: str, partitions: int = 1, config: dict[str, str] | None = None) -> list[str]:
        names = [f"{role}-{os.getpid()}-{next(_numbers)}" for role in roles]
        topics = [NewTopic(name, partitions, 1, config=config or {}) for name in names]
        for future in admin.create_topics(topics).values():
            future.result(20)
        # The controller has them; the broker that answers questions hears of it a little later.
        end_s = time.monotonic() + 20
        while not set(names) <= set(admin.list_topics(timeout=10).topics):
            assert time.monotonic() < end_s, f"{names} do not appear"
            time.sleep(0.02)
        return names

    return make
