"""The transactional producer and its one error policy.

| When | Error | Done | Outcome |
|---|---|---|---|
| any call | retriable | the same call again, until the deadline | - |
| before EndTxn | the group generation is gone | abort | ABORTED |
| before EndTxn | transaction must be aborted, anything else not fatal | abort, new producer | ABORTED |
| before EndTxn | fatal, or the deadline, or the abort fails | - | UNKNOWN |
| at EndTxn | anything, or the deadline | - | UNKNOWN |

UNKNOWN is answered by `recover`: the object is dropped and one with the same transactional.id made, whose
InitProducerId has the broker finish or abort what was open and fences every delayed request. A deadline counts among
them although nothing was published: the offset commit that was not answered may arrive after the abort, as part of
the next transaction.

librdkafka repeats an EndTxn that timed out in flight or lost its connection, and reports success; the delayed first
one could still end the *next* transaction (Jepsen's report on Bufstream 0.1.0; confluentinc/librdkafka#5423). Only its
log tells, so `LogTap` watches it and such a producer never begins another transaction.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer, ThrottleEvent, TopicPartition

from streamer.config.model import Config
from streamer.kafka.client import CONSUMER_ONLY, REFUSED, Deadline, Limits, down, error_of, partition_counts, settings
from streamer.kafka.diagnosis import bad_settings
from streamer.kafka.in_time import in_time
from streamer.kafka.requests import in_requests
from streamer.kafka.state_topic import Mark, Outgoing
from streamer.port import LogRefused, Outcome

FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}
GENERATION_GONE = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
}
"""The broker no longer counts us as the member we were; the producer is as good as before."""
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE).str()
FENCED_MAX = 3
FENCED_WITHIN_S = 60.0
FLUSH_SLICE_S = 0.25
THROTTLED_S = 5.0
"""A broker that holds us back says so again and again; after so long without a word it does not any more."""
PRODUCER_DEFAULTS: dict[str, Any] = {
    "compression.type": "lz4",
    "linger.ms": 1000,  # They are flushed, which does not wait for it: until then all are gathered, see `requests.py`.
    "partitioner": "murmur2_random",
    # A transaction that begins while the broker still ends the one before must come again: after this, not 100 ms.
    "retry.backoff.ms": 10,
}
PACKED_DEFAULTS: dict[str, Any] = {"compression.type": "none"}
"""Beyond these of stage 1: packed records are dense. LZ4 takes 4 to 12 % off them, and more time than packing them."""
PRODUCER_FIXED: dict[str, Any] = {
    "transaction.timeout.ms": 15_000,
    # As high as librdkafka allows beside it, and above the commit deadline: a slow EndTxn then surfaces as our own
    # deadline instead of being repeated silently.
    "socket.timeout.ms": 15_000,
    "acks": "all",
    "enable.idempotence": True,
    "log.connection.close": True,  # Or a coordinator that hung up would be no line of the log, see `LogTap`.
}
LOG_LEVEL = 6
"""Syslog's INFO: librdkafka says there that a request to the coordinator was lost. A lower `log_level` hides it."""


class Watch(Protocol):
    """What is needed of `streamer.service.json_logs.CoordinatorWatch`."""

    trouble: bool

    def reset(self) -> None: ...


class NoWatch:
    """For callers without a log watch: never sees trouble."""

    trouble = False

    def reset(self) -> None:
        self.trouble = False


class Verdict(Enum):
    RETRY = "retry"
    ABORT = "abort"
    DROP = "drop"


def verdict(error: KafkaError, ending: bool) -> Verdict:
    """The policy above. `ending`: EndTxn may be on its way."""
    if error.fatal() or error.code() in FENCED:
        return Verdict.DROP
    if error.retriable() and not error.txn_requires_abort():
        return Verdict.RETRY
    return Verdict.DROP if ending else Verdict.ABORT


def transactional_id(config: Config) -> str:
    """Stable where the instance has a name, so that its successor settles its open transaction at once; else unique."""
    return f"driftline-{config.kafka.group}-" + (
        config.kafka.instance or f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
    )


def served(call: Callable[[float], int], seconds: float) -> int:
    """`flush` or `poll` of a producer. The binding raises a fatal error in them and, with that exception pending,
    may still call back for a delivery, which makes a SystemError of it.
    """
    try:
        return call(seconds)
    except SystemError as error:
        if isinstance(error.__cause__, KafkaException):
            raise error.__cause__ from None
        raise


def log_level(given: Mapping[str, Any]) -> int:
    """What the producer's log has to hold, whatever `kafka.client` says of it; all of it with `debug`."""
    wanted = str(given.get("log_level", ""))
    return max(int(wanted) if wanted.isdecimal() else 0, 7 if given.get("debug") else LOG_LEVEL)


def producer_settings(config: Config) -> dict[str, Any]:
    """What `kafka.client` says goes before what is ours by default."""
    given = settings(config, *CONSUMER_ONLY)
    packed = PACKED_DEFAULTS if config.topics.ordered is not None else {}
    return PRODUCER_DEFAULTS | packed | given | PRODUCER_FIXED | {"log_level": log_level(given)}


def reason(line: str) -> str:
    """Of librdkafka's line about a transaction that failed what is said of why, with the topic."""
    found = re.search(r"failed in state \w+: (.+?)(?: \(broker \d+ PID.*|: current transaction.*)?$", line)
    why = found[1] if found is not None else line
    return f"{why}; max.message.bytes of that topic has to be 1048588 or more" if TOO_LARGE in why else why


class LogTap:
    """Stands between librdkafka's log and the logger: the watch must see every line, whatever level is shown.

    What librdkafka tries again by itself is nothing to be warned of, as that the coordinator of a new cluster is not
    up yet: where it does not end, the deadline says so.
    """

    def __init__(self, logger: logging.Logger, watch: Watch) -> None:
        self._logger, self._watch = logger, watch
        self.failed = ""  # why the current transaction can only be aborted

    def log(self, level: int, message: str, *values: object) -> None:
        # TXNERR is the only sign of it before the next transactional call, and flush would wait in vain.
        if values[:1] == ("TXNERR",) and level > logging.DEBUG:
            self.failed = self.failed or reason(str(values[-1]))
        if values[:1] == ("GETPID",) and str(values[-1]).endswith(": retrying"):
            level = min(level, logging.INFO)
        record = self._logger.makeRecord(self._logger.name, level, "librdkafka", 0, message, values, None)
        if isinstance(self._watch, logging.Handler):
            self._watch.handle(record)
        if self._logger.isEnabledFor(level):
            self._logger.handle(record)


def _note(marked: dict[Mark, int], lost: list[str], mark: Mark, error: KafkaError | None, message: Message) -> None:
    """Where a record landed. Of one that was sent again and had landed before librdkafka does not know it."""
    offset = message.offset()
    if error is None and offset is not None and offset >= 0:
        marked[mark] = offset
    else:
        lost.append(error.str() if error is not None else "it is not known where it landed")


class Transactions:
    """One transactional producer, replaced whenever its word can no longer be trusted. Not thread-safe."""

    def __init__(self, config: Config, logger: logging.Logger, watch: Watch, limits: Limits) -> None:
        self.id = transactional_id(config)
        self._config, self._logger, self._watch, self._limits = config, logger, watch, limits
        self._tap = LogTap(logger, watch)
        self._producer: Producer | None = None
        self._made: Producer | None = None  # not initialised
        self._fenced: deque[float] = deque(maxlen=FENCED_MAX)
        self._delayed_s = -FENCED_WITHIN_S  # when a producer was last given up that may yet fence the next one
        self.why = ""
        """Why the last commit did not end well, in words."""
        self._throttled = 0.0, 0.0  # when a broker said last that it holds us back, and for how long

    def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """See `partition_counts`. Of all clients this one is asked first: it needs its connections the soonest."""
        self._made = self._made or self._make()
        return partition_counts(self._made, self._config, self._limits, topics)

    def recover(self) -> None:
        """Drop the producer, make one with the same transactional.id and initialise it. LogDown after the deadline."""
        self._refuse_ping_pong()
        self.drop()
        deadline = Deadline(self._limits.recover)
        pause_s = 0.1
        while self._producer is None:
            try:
                self._producer = self._open(deadline)
            except KafkaException as exception:
                error = error_of(exception)
                if error.code() not in FENCED:
                    self._delayed_s = time.monotonic()
                self._note_fenced(error)
                self._refuse_ping_pong()
                if deadline.over() or error.code() in REFUSED:
                    raise down(self._config, error, f"transactional.id {self.id}: no producer") from exception
                time.sleep(deadline.slice(pause_s))
                pause_s = min(1.0, 2 * pause_s)
        self._watch.reset()
        self._tap.failed = ""

    def throttled(self) -> float:
        """See `streamer.port.Log.throttled`."""
        told_s, seconds = self._throttled
        return seconds if time.monotonic() - told_s < seconds + THROTTLED_S else 0.0

    def drop(self) -> None:
        """Never flushed: what it still holds belongs to a transaction that is over."""
        self._producer = None

    def commit(
        self,
        records: Sequence[Outgoing],
        positions: Callable[[Mapping[Mark, int]], list[TopicPartition]],
        membership: Callable[[], Any],
        others: Sequence[tuple[list[TopicPartition], Callable[[], Any]]] = (),
    ) -> Outcome:
        """One transaction. `positions` gets the offsets of the marked records; `membership` gives the group metadata,
        or None when the group no longer counts us in: nothing is written then. `others`: offsets of other groups, with
        our membership there.
        """
        producer = self._trusted()
        self.why = ""
        if membership() is None:
            return Outcome.ABORTED
        deadline = Deadline(self._limits.commit)
        work = Deadline(self._limits.commit - self._limits.slice)  # Leaves time to abort.
        self._tap.failed = ""
        try:
            producer.begin_transaction()
            marked = self._publish(producer, records, work)
            for offsets, of_group in [(positions(marked), membership), *others]:
                metadata = of_group()
                if metadata is None:
                    self._logger.warning("transaction aborted: the group membership is gone")
                    return self._abort(producer, deadline)
                send = partial(producer.send_offsets_to_transaction, offsets, metadata)
                self._again(partial(self._offsets, send, work), work, ending=False)
        except KafkaException as exception:
            return self._settle(producer, error_of(exception), deadline)
        try:
            self._again(producer.commit_transaction, deadline, ending=True)
        except KafkaException as exception:
            return self._doubt(error_of(exception), "commit")
        return Outcome.DONE

    def _make(self) -> Producer:
        own = {"transactional.id": self.id, "throttle_cb": self._hear}
        try:
            return Producer(producer_settings(self._config) | own, logger=self._tap)
        except KafkaException as exception:
            raise bad_settings(exception).down() from exception

    def _hear(self, event: ThrottleEvent) -> None:
        """Called inside poll and flush, once more with 0 when an answer came at once: that is not the end of it."""
        if event.throttle_time:
            self._throttled = time.monotonic(), event.throttle_time

    def _open(self, deadline: Deadline) -> Producer:
        producer, self._made = self._made or self._make(), None
        # librdkafka looks for the coordinator when there is a connection, else half a second later. The first question
        # goes over the bootstrap connection, which ends with its answer; the second opens one to a broker by name.
        with contextlib.suppress(KafkaException):
            for _ in range(2):
                producer.list_topics(self._config.topics.alerts, deadline.slice(self._limits.slice))
        self._again(producer.init_transactions, deadline, ending=False)
        return producer

    def _trusted(self) -> Producer:
        """The producer; a new one first when the log of this one shows trouble with its coordinator."""
        if self._producer is not None:
            try:
                served(self._producer.poll, 0)  # Serves the log.
                trouble = "coordinator trouble in the log" if self._watch.trouble else ""
            except KafkaException as exception:
                self._note_fenced(error_of(exception))
                trouble = error_of(exception).str()
            if trouble:
                self._logger.warning("transactional.id %s: %s; new producer", self.id, trouble)
                self.drop()
        if self._producer is None:
            self.recover()
        assert self._producer is not None
        return self._producer

    def _publish(self, producer: Producer, records: Sequence[Outgoing], deadline: Deadline) -> dict[Mark, int]:
        """Produce and wait for delivery, so that whatever is wrong with a record shows before EndTxn is sent.

        Returns the offsets of the marked records.
        """
        marked, lost = dict[Mark, int](), list[str]()
        for some in in_requests(records):
            for topic, key, value, headers, partition, mark in some:
                told = None if mark is None else partial(_note, marked, lost, mark)
                while True:
                    try:
                        producer.produce(topic, value, key, partition, told, headers=list(headers))
                        break
                    except BufferError:
                        self._check(deadline)
                        served(producer.poll, 0.05)
            while served(producer.flush, FLUSH_SLICE_S):
                self._check(deadline)
        if sum(record.mark is not None for record in records) != len(marked):
            why = self._tap.failed or (lost[0] if lost else "nobody said why")
            raise KafkaException(KafkaError(KafkaError._FAIL, f"a snapshot was not delivered: {why}"))
        return marked

    def _check(self, deadline: Deadline) -> None:
        if self._tap.failed:
            raise KafkaException(KafkaError(KafkaError._FAIL, f"it can only be aborted: {self._tap.failed}"))
        if deadline.over():
            why = f", a quota of the broker holds them back by {self.throttled():.1f} s" if self.throttled() else ""
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"records were not delivered{why}", retriable=True))

    def _again(self, call: Callable[[float], object], deadline: Deadline, ending: bool) -> None:
        """Repeat one call with the same arguments while its error is retriable and there is time."""
        while True:
            began_s = time.monotonic()
            try:
                call(deadline.slice(self._limits.slice))
                return
            except KafkaException as exception:
                if verdict(error_of(exception), ending) is not Verdict.RETRY or deadline.over():
                    raise
            if time.monotonic() - began_s < 0.05:
                time.sleep(0.05)

    def _offsets(self, send: Callable[[float], object], deadline: Deadline, seconds: float) -> None:
        """What does not come back is left to itself: the deadline is over then, and the producer is dropped."""
        in_time(partial(send, seconds), deadline.slice(self._limits.commit))

    def _settle(self, producer: Producer, error: KafkaError, deadline: Deadline) -> Outcome:
        """EndTxn was not sent: abort what can be aborted."""
        if verdict(error, ending=False) is not Verdict.ABORT:
            return self._doubt(error, "transaction")
        self.why = f"{error.name()} {error.str()}"
        self._logger.warning("transaction aborted: %s", self.why)
        outcome = self._abort(producer, deadline)
        if error.code() not in GENERATION_GONE:
            # A record that failed leaves librdkafka out of sequence or with its topic marked as forbidden (measured).
            self.drop()
        return outcome

    def _abort(self, producer: Producer, deadline: Deadline) -> Outcome:
        try:
            self._again(producer.abort_transaction, deadline, ending=False)
        except KafkaException as exception:
            return self._doubt(error_of(exception), "abort")
        return Outcome.ABORTED

    def _doubt(self, error: KafkaError, stage: str) -> Outcome:
        self._note_fenced(error)
        self.why = self.why or f"{stage}: {error.name()} {error.str()}"
        self._logger.warning("outcome of the %s unknown: %s %s", stage, error.name(), error.str())
        self.drop()
        return Outcome.UNKNOWN

    def _note_fenced(self, error: KafkaError) -> None:
        """A producer that was given up while no broker answered may be initialised late, and fence the next one: for a
        minute nobody else is to be suspected.
        """
        now_s = time.monotonic()
        if error.code() in FENCED and now_s - self._delayed_s >= FENCED_WITHIN_S:
            self._fenced.append(now_s)

    def _refuse_ping_pong(self) -> None:
        """Taking the id back fences the other process, which would do the same to us."""
        if len(self._fenced) == FENCED_MAX and time.monotonic() - self._fenced[0] < FENCED_WITHIN_S:
            raise LogRefused(
                f"another process uses transactional.id {self.id} (kafka.instance {self._config.kafka.instance!r}):"
                f" fenced {FENCED_MAX} times within {FENCED_WITHIN_S:g} s; give every instance its own kafka.instance"
            )
