"""One record that a person has a verb write: acknowledged by the broker, or told why not."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streamer.config.model import Config
from streamer.kafka.client import CONSUMER_ONLY, down, error_of, settings, unreachable
from streamer.kafka.diagnosis import bad_settings, silent_logger
from streamer.kafka.rights import REFUSALS, Right, not_allowed
from streamer.port import LogDown

WAIT_S, DIAGNOSIS_S = 10.0, 3.0


def send(
    config: Config, topic: str, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]] = (),
    wait_s: float = WAIT_S,
) -> tuple[int, int]:  # fmt: skip
    """Partition and offset of the record, which all in-sync replicas have. LogDown where that cannot be."""
    given = {name: text for name, text in settings(config, *CONSUMER_ONLY).items() if name != "transactional.id"}
    found: list[Message] = []
    failed: list[KafkaError] = []

    def told(error: KafkaError | None, message: Message) -> None:
        if error is None:
            found.append(message)
        else:
            failed.append(error)

    try:
        own = {"enable.idempotence": True, "message.timeout.ms": int(wait_s * 1000)}
        producer = Producer(given | own, logger=silent_logger())
    except KafkaException as exception:
        raise bad_settings(exception).down() from exception
    try:
        producer.produce(topic, value, key, headers=list(headers), on_delivery=told)
        producer.flush(wait_s + 1.0)
    except KafkaException as exception:
        raise down(config, error_of(exception), f"a record for {topic}", topic) from exception
    if failed and failed[0].code() in REFUSALS:  # Nothing that the service itself needs.
        raise not_allowed(config, [Right("topic", topic, "Write", "people write to it")]).down()
    if failed and failed[0].code() == KafkaError._MSG_TIMED_OUT:
        raise unreachable(config, DIAGNOSIS_S).down()
    if failed:
        raise down(config, failed[0], f"a record for {topic}", topic)
    if not found:
        raise LogDown(f"a record for {topic}: not acknowledged within {wait_s:g} s; whether it landed is not known")
    return found[0].partition() or 0, found[0].offset() or 0
