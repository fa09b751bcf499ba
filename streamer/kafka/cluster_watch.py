"""What the service depends on, looked at every few seconds from a thread of its own: a broker that answers, topics that
are there, and that are still the same ones. The clients tell none of it: a consumer waits for a broker in silence, and
a topic that was deleted and made anew looks to it like one that lost its records.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streamer.config.model import Config
from streamer.kafka.client import MOCK_CLUSTER, connection_settings, error_of
from streamer.kafka.diagnosis import bad_settings, silent_logger
from streamer.port import Surroundings, Topic

EVERY_S = 5.0
ANSWER_S = 5.0
MISSES = 2
"""Looks in a row without an answer before the broker counts as gone: one may fall into an election."""


class ClusterWatch:
    """`seen` is replaced as a whole, so any thread may read it. `told` is called after each look, in that thread."""

    def __init__(
        self,
        config: Config,
        told: Callable[[Surroundings], None] = lambda seen: None,
        every_s: float = EVERY_S,
        look: Callable[[], Surroundings] | None = None,
    ) -> None:
        self.seen = Surroundings()
        self._told = told
        self._names = config.topics.names()
        self._brokers, self._every_s, self._said = config.kafka.brokers, every_s, ""
        self._client = None if look is not None else self._make(config)
        self._look = look or self._ask
        self._misses, self.looks, self._wanted = 0, 0, 0
        self._asked = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="driftline-watch", daemon=True)
        self._thread.start()

    def ask(self) -> int:
        """Look soon. What is seen is newer than this call once `looks` has reached the number."""
        self._wanted = self.looks + 2  # One may be under way.
        self._asked.set()
        return self._wanted

    def close(self) -> None:
        """No more looks. A look that is under way ends by itself."""
        self._over.set()
        self._asked.set()

    def _make(self, config: Config) -> AdminClient:
        try:
            return AdminClient(connection_settings(config) | {"error_cb": self._note}, logger=silent_logger())
        except KafkaException as exception:
            raise bad_settings(exception).down() from exception

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._said:
            self._said = error.str()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                found = self._look()
            except KafkaException as exception:
                self._misses += 1
                why = f"no broker of {self._brokers} answers: {self._said or error_of(exception).str()}"
                self.seen = self.seen._replace(down=why if self._misses >= MISSES else self.seen.down)
            else:
                self._misses, self._said = 0, ""
                self.seen = found
                self.looks += 1
            if not self._over.is_set():
                self._told(self.seen)
            if self.looks >= self._wanted:
                self._asked.clear()
            # While nobody answers, asking does not make it look any sooner.
            (self._over if self._misses else self._asked).wait(self._every_s)

    def _ask(self) -> Surroundings:
        """One look. KafkaException where nobody answers."""
        assert self._client is not None
        self._client.poll(0)  # Serves the error callback.
        found = self._client.list_topics(timeout=ANSWER_S)
        there = {name: len(found.topics[name].partitions) for name in self._names if name in found.topics}
        mock = (found.cluster_id or "").startswith(MOCK_CLUSTER)  # It knows no ids, and answers no such question.
        ids = {} if mock or not there else self._ids(list(there))
        return Surroundings(None, {name: Topic(count, ids.get(name, "")) for name, count in there.items() if count})

    def _ids(self, names: list[str]) -> dict[str, str]:
        assert self._client is not None
        ids: dict[str, str] = {}
        for name, future in self._client.describe_topics(TopicCollection(names), request_timeout=ANSWER_S).items():
            # Deleted between the two questions, or an old broker.
            with contextlib.suppress(KafkaException, TimeoutError):
                ids[name] = str(future.result(ANSWER_S + 1).topic_id)
        return ids
