"""The error policy of transactions, against broker errors injected into librdkafka's mock cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, ThrottleEvent

from streamer.config.load import load_text
from streamer.config.stages import stage_configs
from streamer.kafka import transactions
from streamer.kafka.client import Deadline, Limits
from streamer.kafka.log import KafkaLog
from streamer.kafka.transactions import (
    FENCED_WITHIN_S,
    THROTTLED_S,
    LogTap,
    NoWatch,
    Verdict,
    log_level,
    producer_settings,
    reason,
    served,
    verdict,
)
from streamer.port import (
    Assigned,
    CommitResult,
    Committed,
    LogDown,
    LogEvent,
    LogRefused,
    Out,
    Outcome,
    Partition,
    Snapshot,
)
from tests.bounded import close_log
from tests.kafka.mock_cluster import (
    ADD_OFFSETS,
    ADD_PARTITIONS,
    END_TXN,
    INIT_PRODUCER_ID,
    PRODUCE,
    TXN_OFFSET_COMMIT,
    MockCluster,
    config,
    fill,
)
from tests.waiting import PATIENCE_S, until

P: Partition = ("events", 0)
OUT = Out("alerts", b"k", b"v")
LIMITS = Limits(slice=0.5, commit=60.0, recover=60.0)
SHORT = Limits(slice=0.5, commit=3.0, recover=3.0)
"""For those that are to meet them. Who keeps no limit waits for a minute and more."""
E = KafkaError


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    with MockCluster("events", "alerts", "state", "dead") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def log(cluster: MockCluster) -> Iterator[KafkaLog]:
    log = KafkaLog(config(cluster.brokers), logging.getLogger("test"), None, LIMITS)
    until(lambda: Assigned(P) in log.poll(10, 0.1, lambda _: None))
    yield log
    close_log(log)


@contextmanager
def shortly(log: KafkaLog) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(log._transactions, "_limits", SHORT)
        yield


def tried(log: KafkaLog) -> CommitResult:
    return log.commit([OUT], {P: Committed(1, None)}, {P: Snapshot(0, 0, "c0ffee", b"blob")})


def commit(log: KafkaLog) -> Outcome:
    return tried(log).outcome


TABLE = [
    # Absorbed by librdkafka or by repeating the call.
    (TXN_OFFSET_COMMIT, E.COORDINATOR_LOAD_IN_PROGRESS, Outcome.DONE),
    (PRODUCE, E.NOT_ENOUGH_REPLICAS, Outcome.DONE),
    (END_TXN, E.CONCURRENT_TRANSACTIONS, Outcome.DONE),
    (END_TXN, E.NOT_COORDINATOR, Outcome.DONE),
    # The generation is gone, or the transaction can only be aborted.
    *[
        (TXN_OFFSET_COMMIT, code, Outcome.ABORTED)
        for code in (
            E.ILLEGAL_GENERATION,
            E.UNKNOWN_MEMBER_ID,
            E.FENCED_INSTANCE_ID,
            E.REBALANCE_IN_PROGRESS,
            E.STALE_MEMBER_EPOCH,
            E.GROUP_AUTHORIZATION_FAILED,
            E.OFFSET_METADATA_TOO_LARGE,
        )
    ],
    (ADD_PARTITIONS, E.TOPIC_AUTHORIZATION_FAILED, Outcome.ABORTED),
    (ADD_OFFSETS, E.GROUP_AUTHORIZATION_FAILED, Outcome.ABORTED),
    (PRODUCE, E.MSG_SIZE_TOO_LARGE, Outcome.ABORTED),
    (PRODUCE, E.TOPIC_AUTHORIZATION_FAILED, Outcome.ABORTED),
    # The producer is dead.
    (ADD_PARTITIONS, E.INVALID_PRODUCER_EPOCH, Outcome.UNKNOWN),
    (ADD_PARTITIONS, E.INVALID_TXN_STATE, Outcome.UNKNOWN),
    (ADD_OFFSETS, E.INVALID_TXN_STATE, Outcome.UNKNOWN),
    (TXN_OFFSET_COMMIT, E.INVALID_PRODUCER_EPOCH, Outcome.UNKNOWN),
    (PRODUCE, E.OUT_OF_ORDER_SEQUENCE_NUMBER, Outcome.UNKNOWN),
    # EndTxn was sent.
    (END_TXN, E.UNKNOWN_PRODUCER_ID, Outcome.UNKNOWN),
    (END_TXN, E.INVALID_TXN_STATE, Outcome.UNKNOWN),
    (END_TXN, E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("request_kind", "code", "expected"), TABLE, ids=lambda v: str(v))
def test_each_error_has_one_outcome_and_the_next_commit_works(
    cluster: MockCluster, log: KafkaLog, request_kind: int, code: int, expected: Outcome
) -> None:
    log._transactions._fenced.clear()
    cluster.push(request_kind, code)
    began_s = time.monotonic()
    outcome, _, why = tried(log)
    assert outcome is expected
    assert bool(why) == (expected is not Outcome.DONE), "readiness tells it"
    assert code != E.MSG_SIZE_TOO_LARGE or "Message size too large" in why
    assert time.monotonic() - began_s < LIMITS.commit + 1
    cluster.clear(request_kind)
    if expected is Outcome.UNKNOWN:
        log.recover()
    assert commit(log) is Outcome.DONE


def test_a_snapshot_that_landed_nobody_knows_where_is_not_pointed_at(cluster: MockCluster, log: KafkaLog) -> None:
    """The answer to what was sent again, and had landed before."""
    cluster.push(PRODUCE, *[E.DUPLICATE_SEQUENCE_NUMBER] * 2)  # One is for the alert's.
    outcome, _, why = tried(log)
    assert outcome is Outcome.ABORTED
    assert "it is not known where it landed" in why
    cluster.clear(PRODUCE)
    assert commit(log) is Outcome.DONE


def test_a_coordinator_that_does_not_answer_is_unknown_within_the_deadline(cluster: MockCluster, log: KafkaLog) -> None:
    cluster.push(END_TXN, *[E.COORDINATOR_LOAD_IN_PROGRESS] * 1000)
    began_s = time.monotonic()
    with shortly(log):
        assert commit(log) is Outcome.UNKNOWN
    assert SHORT.commit - 0.5 < time.monotonic() - began_s < SHORT.commit + 30
    cluster.clear(END_TXN)
    log.recover()
    assert commit(log) is Outcome.DONE


def test_offsets_whose_answer_does_not_come_are_waited_for_until_the_deadline_and_not_for_ever(
    log: KafkaLog,
) -> None:
    """librdkafka is back when a broker is: so long the loop stood still, and /livez said that the process is dead."""
    assert commit(log) is Outcome.DONE
    back = Event()

    def send(*given: object) -> None:
        back.wait()

    stuck = SimpleNamespace(poll=lambda seconds: 0, begin_transaction=lambda: None, send_offsets_to_transaction=send)
    log._transactions._producer = stuck  # type: ignore[assignment]
    with shortly(log):
        assert log.commit([], {P: Committed(2, None)}, {}).outcome is Outcome.UNKNOWN
    assert not back.is_set()
    back.set()
    log.recover()
    assert commit(log) is Outcome.DONE


def test_recovery_gives_up_after_its_deadline(cluster: MockCluster, log: KafkaLog) -> None:
    cluster.push(INIT_PRODUCER_ID, *[E.COORDINATOR_LOAD_IN_PROGRESS] * 1000)
    began_s = time.monotonic()
    with shortly(log), pytest.raises(LogDown, match="transactional.id driftline-group-one: no producer"):
        log.recover()
    assert time.monotonic() - began_s < SHORT.recover + 30
    cluster.clear(INIT_PRODUCER_ID)
    assert commit(log) is Outcome.DONE  # The next commit makes its producer first.


def test_what_nobody_will_grant_is_said_at_once(cluster: MockCluster, log: KafkaLog) -> None:
    cluster.push(INIT_PRODUCER_ID, E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    began_s = time.monotonic()
    with pytest.raises(LogDown, match=r"lacks Write on transactional-id driftline-group-\*") as refused:
        log.recover()
    assert refused.value.event == "not_authorized"
    assert "--transactional-id driftline-group- --resource-pattern-type prefixed" in refused.value.fix
    assert time.monotonic() - began_s < LIMITS.recover / 2
    log.recover()


def test_the_mock_cluster_is_enough_for_the_demo() -> None:
    """No topic exists, EndTxn is accepted, stored offsets are missing: everything still runs."""
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    [broker] = owner.list_topics(timeout=PATIENCE_S).brokers.values()
    brokers = f"{broker.host}:{broker.port}"
    fill(brokers, "events", 10)
    log = KafkaLog(config(brokers), logging.getLogger("test"))
    until(lambda: Assigned(P) in log.poll(10, 0.1, lambda _: None))
    assert log.committed(P) == Committed(None, None)
    assert log.begin_end(P) == (0, 10)
    assert [r.offset for batch in log.replay(P, 2, 10) for r in batch] == list(range(2, 10))
    log.start(P, 0)
    events: list[LogEvent] = []
    while not events:
        events = log.poll(100, 0.1, lambda _: None)
    result = log.commit([OUT], {P: Committed(10, None)}, {P: Snapshot(10, 0, "c0ffee", b"blob")})
    assert result.outcome is Outcome.DONE
    assert [one.blob for one in log.read_state(P, result.pointers[P]) if one] == [b"blob"]
    assert [one.blob for one in log.read_state(P, None) if one] == [b"blob"]
    close_log(log)


def test_fatal_and_fenced_errors_never_lead_to_an_abort() -> None:
    for ending in (False, True):
        assert verdict(KafkaError(E.INVALID_TXN_STATE, "x", fatal=True), ending) is Verdict.DROP
        assert verdict(KafkaError(E.PRODUCER_FENCED, "x", txn_requires_abort=True), ending) is Verdict.DROP
        assert verdict(KafkaError(E._TIMED_OUT, "x", retriable=True), ending) is Verdict.RETRY
    assert verdict(KafkaError(E.ILLEGAL_GENERATION, "x"), False) is Verdict.ABORT
    assert verdict(KafkaError(E.UNKNOWN_PRODUCER_ID, "x", txn_requires_abort=True), True) is Verdict.DROP


class FatalInside:
    """A producer whose poll raises as the binding does when a delivery is due in the same call."""

    def poll(self, seconds: float) -> int:
        try:
            raise KafkaException(KafkaError(E.OUT_OF_ORDER_SEQUENCE_NUMBER, "x", fatal=True))
        except KafkaException as fatal:
            raise SystemError("returned a result with an exception set") from fatal


def test_a_fatal_error_is_found_under_the_systemerror_of_the_binding() -> None:
    with pytest.raises(KafkaException) as found:
        served(FatalInside().poll, 0.0)
    assert found.value.args[0].fatal()


def test_a_fatal_error_between_commits_makes_a_new_producer(log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log._transactions, "_producer", FatalInside())
    assert commit(log) is Outcome.DONE
    assert isinstance(log._transactions._producer, Producer)


@pytest.mark.parametrize(
    ("given", "level"),
    [({}, 6), ({"log_level": 3}, 6), ({"log_level": "7"}, 7), ({"debug": "all"}, 7), ({"log_level": "x"}, 6)],
)
def test_the_log_of_a_producer_holds_what_the_watch_has_to_see(given: dict[str, Any], level: int) -> None:
    assert log_level(given) == level


@pytest.mark.parametrize(("client", "codecs"), [("{}", ["none", "lz4"]), ("{compression.type: zstd}", ["zstd"] * 2)])
def test_packed_records_are_not_compressed_unless_somebody_says_so(client: str, codecs: list[str]) -> None:
    text = f"version: 1\nkafka: {{brokers: 'none:1', order: model, client: {client}}}\ntopics: {{events: [in]}}\n"
    stages = stage_configs(load_text(text, "driftline.yaml", {}))
    assert [producer_settings(stage)["compression.type"] for stage in stages] == codecs


def test_the_watch_sees_lines_the_logger_hides() -> None:
    lines: list[str] = []

    class Watch(logging.Handler):
        trouble = False

        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

        def reset(self) -> None: ...

    logger = logging.getLogger("test.hidden")
    logger.setLevel(logging.CRITICAL)
    tap = LogTap(logger, Watch())
    tap.log(logging.INFO, "%s [%s] %s", "FAIL", "rdkafka#producer-1", "TxnCoordinator: Disconnected")
    assert lines == ["FAIL [rdkafka#producer-1] TxnCoordinator: Disconnected"]
    assert not tap.failed
    tap.log(logging.DEBUG, "%s [%s] %s", "TXNERR", "rdkafka#producer-1", "Not propagating")
    assert not tap.failed
    tap.log(logging.ERROR, "%s [%s] %s", "TXNERR", "rdkafka#producer-1", "Current transaction failed")
    assert tap.failed
    assert not NoWatch().trouble


def test_of_a_transaction_that_failed_it_is_told_which_topic_refused_what() -> None:
    begin = "[thrd:b:1/1]: Current transaction failed in state InTransaction: "
    end = " (broker 1 PID{Id:0,Epoch:2}, base seq 0): current transaction must be aborted (MSG_SIZE_TOO_LARGE)"
    why = "ProduceRequest for alerts [4] with 4 message(s) failed: Broker: Message size too large"
    assert reason(begin + why + end) == f"{why}; max.message.bytes of that topic has to be 1048588 or more"
    assert reason(begin + "Fenced: current transaction must be aborted") == "Fenced"
    assert reason("something else") == "something else"


@pytest.mark.parametrize(
    ("facility", "text", "shown"),
    [
        ("GETPID", "Failed to acquire transactional PID: Broker: Coordinator load in progress: retrying", "INFO"),
        ("GETPID", "Failed to acquire transactional PID: Broker: Not authorized", "WARNING"),
        ("CONFWARN", "retrying", "WARNING"),
    ],
)
def test_what_is_tried_again_by_itself_is_no_warning(
    facility: str, text: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    LogTap(logging.getLogger("test.shown"), NoWatch()).log(logging.WARNING, "%s [%s] %s", facility, "x", text)
    assert [record.levelname for record in caplog.records] == [shown]


def test_a_quota_is_heard_of_and_named_where_records_are_late(
    cluster: MockCluster, log: KafkaLog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log.throttled() == 0.0
    hear = log._transactions._hear
    for seconds in (2.5, 0.0):
        hear(ThrottleEvent("broker", 1, seconds))
    assert log.throttled() == 2.5, "an answer that came at once is not the end of it"
    cluster.push(PRODUCE, *[E.NOT_ENOUGH_REPLICAS] * 1000)
    with shortly(log):
        assert commit(log) is Outcome.UNKNOWN
    cluster.clear(PRODUCE)
    assert "records were not delivered, a quota of the broker holds them back by 2.5 s" in caplog.text
    later_s = time.monotonic() + 2.5 + THROTTLED_S
    monkeypatch.setattr(transactions.time, "monotonic", lambda: later_s)
    assert log.throttled() == 0.0
    monkeypatch.undo()
    log.recover()
    assert commit(log) is Outcome.DONE


def test_who_was_fenced_by_a_producer_of_its_own_suspects_nobody(
    log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage those that were given up are initialised late: an instance ended for that in a campaign."""
    transactions = log._transactions
    opened, answers = transactions._open, iter([KafkaError._TIMED_OUT, *[KafkaError._FENCED] * 4])

    def late(deadline: Deadline) -> Producer:
        for code in answers:
            raise KafkaException(KafkaError(code))
        return opened(deadline)

    monkeypatch.setattr(transactions, "_open", late)
    log.recover()
    assert commit(log) is Outcome.DONE
    # A minute later it is somebody else.
    transactions._delayed_s -= FENCED_WITHIN_S
    answers = iter([KafkaError._FENCED] * 4)
    with pytest.raises(LogRefused, match="another process uses"):
        log.recover()
