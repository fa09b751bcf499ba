"""What the service depends on, looked at every few seconds from a thread of its own: a broker that answers, topics that
are there, and that are still the same ones; and the rights that we lack: those on topics at each look, for what nobody
writes to yet makes nothing wait, the others while something does not get on. The clients tell none of it: a consumer
waits for a broker in silence, a topic that was deleted and made anew looks to it like one that lost its records, and
one that we may not see like one that is not there.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streamer.config.model import Config
from streamer.kafka.admin import operations_of
from streamer.kafka.client import MOCK_CLUSTER, connection_settings, error_of
from streamer.kafka.connection_trouble import Trouble
from streamer.kafka.diagnosis import bad_settings, silent_logger
from streamer.kafka.examination import missing_rights
from streamer.kafka.fencing import Fencing
from streamer.kafka.overlooked import Overlooked
from streamer.kafka.rights import REFUSALS, not_allowed, rights
from streamer.kafka.upstream import NOTHING, Upstream
from streamer.port import LogDown, Surroundings, Topic

EVERY_S = 5.0
ANSWER_S = 5.0
MISSES = 2
"""Looks in a row without an answer before the broker counts as gone: one may fall into an election."""
UNANSWERED = KafkaException, TimeoutError
RIGHTS_EVERY_S = 60.0
"""While something goes on to wait: to look for rights takes clients of their own, and an empty transaction."""


def words(error: Exception) -> str:
    return error_of(error).str() if isinstance(error, KafkaException) else "it takes too long"


class ClusterWatch:
    """`seen` is replaced as a whole, so any thread may read it. `told` is called after each look, in that thread. What
    is raised there otherwise than by a broker ends the thread: see `streamer.service.stopper.threads`.

    waits: whether something does not get on that may want a right; it is asked at each look, in that thread, too.
    """

    def __init__(
        self,
        config: Config,
        told: Callable[[Surroundings], None] = lambda seen: None,
        every_s: float = EVERY_S,
        look: Callable[[], Surroundings] | None = None,
        waits: Callable[[], bool] = lambda: False,
        lacks: Callable[[Config, float], Trouble | None] = missing_rights,
    ) -> None:
        self.seen, self.fencing = Surroundings(), Fencing()
        self._told, self._waits = told, waits
        self._lacks: Callable[[], Trouble | None] = lambda: lacks(config, ANSWER_S)
        self._lacking: str | None = None
        self._config, self._short = config, ""
        self._hidden: frozenset[str] = frozenset()
        self._rights_due_s = 0.0
        self._overlooked = Overlooked(config, every_s / 2)  # A look that was asked for may follow another at once.
        self._topics, self._first = config.topics, frozenset[str]()
        self._upstream = Upstream(config) if config.topics.ordered is not None else None
        self._brokers, self._every_s, self._said = config.kafka.brokers, every_s, ""
        self._client = None if look is not None else self._make(config)
        self._look = look or self._ask
        self._misses, self.looks, self._wanted = 0, 0, 0
        self._asked, self._looked = threading.Event(), threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="driftline-watch", daemon=True)
        self._thread.start()

    def ask(self) -> int:
        """Look soon. What is seen is newer than this call once `looks` has reached the number."""
        self._wanted = self.looks + 2  # One may be under way.
        self._asked.set()
        return self._wanted

    def looked(self, number: int, most_s: float) -> bool:
        """Whether there were so many looks. Waits for that as long as this, and not a moment longer than it takes."""
        with self._looked:
            return self._looked.wait_for(lambda: self.looks >= number, most_s)

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
            except UNANSWERED as exception:
                self._misses += 1
                why = f"no broker of {self._brokers} answers: {self._said or words(exception)}"
                self.seen = self.seen._replace(down=why if self._misses >= MISSES else self.seen.down)
            else:
                self._misses, self._said = 0, ""
                self.seen = found._replace(lacking=self._rights(found))
                with self._looked:
                    self.looks += 1
                    self._looked.notify_all()
            if not self._over.is_set():
                self._told(self.seen)
            if self.looks >= self._wanted:
                self._asked.clear()
            # While nobody answers, asking does not make it look any sooner.
            (self._over if self._misses else self._asked).wait(self._every_s)
        if self._upstream is not None:
            self._upstream.commits.close()

    def _rights(self, found: Surroundings) -> str | None:
        """What we lack, as last looked for: as soon as something waits or another topic is hidden, and then seldom. Of
        topics that we see it is known at once.
        """
        hidden, self._hidden = self._hidden, found.hidden
        if not found.hidden and not self._waits():
            self._lacking, self._rights_due_s = None, 0.0
        elif (now_s := time.monotonic()) >= self._rights_due_s or hidden != found.hidden:
            self._rights_due_s = now_s + RIGHTS_EVERY_S
            with contextlib.suppress(LogDown, *UNANSWERED):  # Then the next look at the broker tells more.
                trouble = self._lacks()
                self._lacking = f"{trouble.why}; {trouble.fix}" if trouble is not None else None
        return self._lacking or self._short or None

    def _ask(self) -> Surroundings:
        """One look. KafkaException or TimeoutError where nobody answers."""
        assert self._client is not None
        self._client.poll(0)  # Serves the error callback.
        found = self._client.list_topics(timeout=ANSWER_S)
        ours = self._topics.resolved(found.topics)
        names = ours.names()
        there = {name: len(found.topics[name].partitions) for name in names if name in found.topics}
        self._first = self._first if self.looks else frozenset(there).union(self._topics.named())
        mock = (found.cluster_id or "").startswith(MOCK_CLUSTER)  # It knows no ids, and answers no such question.
        ids, hidden, allowed = ({}, set[str](), {}) if mock else self._described(names)
        self._short = self._short_of(self._config.reading(found.topics), allowed)
        topics = {n: Topic(count, ids.get(n, ""), n not in self._first) for n, count in there.items() if count}
        upstream = None if mock else self._upstream
        unread = upstream.unread(self._client, ours.events, topics) if upstream is not None else NOTHING
        overlooked = ({}, {}) if mock else self._overlooked.look(self._client, there, ANSWER_S)
        return Surroundings(None, topics, frozenset(hidden - set(topics)), unread, None, *overlooked)

    def _described(self, ours: list[str]) -> tuple[dict[str, str], set[str], dict[str, frozenset[str]]]:
        """The ids of our topics, which of them we may not see, and what we may do with those that we see."""
        assert self._client is not None
        ids, hidden, allowed = dict[str, str](), set[str](), dict[str, frozenset[str]]()
        names = TopicCollection(list(dict.fromkeys(ours)))
        asked = {"include_authorized_operations": True, "request_timeout": ANSWER_S}
        for name, future in self._client.describe_topics(names, **asked).items():
            try:
                topic = future.result(ANSWER_S + 1)
            except KafkaException as exception:  # Not there, deleted between the two questions, or an old broker.
                if error_of(exception).code() in REFUSALS:
                    hidden.add(name)
            except TimeoutError:
                pass
            else:
                ids[name] = str(topic.topic_id)
                operations = operations_of(topic)
                if operations is not None:
                    allowed[name] = operations
        return ids, hidden, allowed

    @staticmethod
    def _short_of(config: Config, allowed: Mapping[str, frozenset[str]]) -> str:
        """Rights on topics that we see and that lack, in words; empty where there are none."""
        needed = (right for right in rights(config) if right.resource == "topic" and right.verb == "run")
        lacking = [right for right in needed if right.operation not in allowed.get(right.name, {right.operation})]
        trouble = not_allowed(config, lacking) if lacking else None
        return f"{trouble.why}; {trouble.fix}" if trouble is not None else ""
