"""Topics nobody else uses, on any broker."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

from tests.waiting import PATIENCE_S, until

_numbers = itertools.count()


def topic_maker(broker: str) -> Callable[..., list[str]]:
    """`make("a", "b", partitions=4)` -> names of topics that were made."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": broker})

    def make(*roles: str, partitions: int = 1, config: dict[str, str] | None = None) -> list[str]:
        names = [f"{role}-{os.getpid()}-{next(_numbers)}" for role in roles]
        topics = [NewTopic(name, partitions, 1, config=config or {}) for name in names]
        for future in admin.create_topics(topics).values():
            future.result(PATIENCE_S)
        # The controller has them; the broker that answers questions hears of it a little later.
        until(lambda: set(names) <= set(admin.list_topics(timeout=PATIENCE_S).topics), f"{names} appear")
        return names

    return make
