"""One record that somebody sends by hand: a command, a verdict. It is there when this returns."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from streamer.config.model import Config
from streamer.kafka.client import CONSUMER_ONLY, down, settings, unreachable
from streamer.kafka.diagnosis import bad_settings, silent_logger
from streamer.kafka.rights import REFUSALS, Right, not_allowed
from streamer.port import Partition

DIAGNOSIS_S = 3.0


def send(config: Config, topic: str, key: bytes, value: bytes, timeout_s: float) -> tuple[Partition, int]:
    """Where it stands, once all replicas that must have it do. LogDown where it could not be written in time."""
    own: dict[str, Any] = {"acks": "all", "enable.idempotence": True, "message.timeout.ms": int(1000 * timeout_s)}
    try:
        producer = Producer(settings(config, *CONSUMER_ONLY) | own, logger=silent_logger())
    except KafkaException as exception:
        raise bad_settings(exception).down() from exception
    found: list[tuple[KafkaError | None, int, int]] = []

    def delivered(error: KafkaError | None, message: Any) -> None:
        found.append((error, message.partition(), message.offset()))

    producer.produce(topic, value, key, on_delivery=delivered)
    producer.flush(timeout_s + 1.0)
    error, partition, offset = found[0] if found else (KafkaError(KafkaError._MSG_TIMED_OUT), 0, 0)
    if error is None:
        return (topic, partition), offset
    if error.code() in REFUSALS:  # Nothing that the service itself needs.
        raise not_allowed(config, [Right("topic", topic, "Write", "people write to it")]).down()
    if error.code() == KafkaError._MSG_TIMED_OUT:
        raise unreachable(config, DIAGNOSIS_S).down()
    raise down(config, error, f"writing to {topic}", topic)
