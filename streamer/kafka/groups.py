"""What a group looks like from outside, asked in ways that end no process.

The admin client asks the group's coordinator. Where the connection to it is lost at the wrong moment librdkafka ends
the process by SIGABRT (`eonce->refcnt > 0`, librdkafka#4605): for a command that is a pity, for a service it is an
outage in an outage. The older question goes to all brokers and has none of that; what members have is told as it is on
the wire (ConsumerProtocolAssignment), and a member's id begins with its name. It knows nothing of groups of
`group.protocol: consumer`, in which the broker shares out and nothing is overlooked.
"""

from __future__ import annotations

import struct
import warnings
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streamer.config.model import Config
from streamer.kafka.client import Deadline, error_of, make_consumer
from streamer.kafka.diagnosis import silent_logger
from streamer.port import Partition

UUID_CHARS = 37
"""What follows the name of a member in its id: a dash and a UUID."""
SLICE_S = 0.2


class Group(NamedTuple):
    """`held`: by id of a member what it has."""

    state: str  # Stable, Empty, PreparingRebalance ...
    held: dict[str, list[Partition]]


def group_of(client: AdminClient, name: str, answer_s: float) -> Group | None:
    """None where nobody has ever joined it, or we may not see it. KafkaException where nobody answers."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        found: list[Any] = client.list_groups(name, timeout=answer_s)
    for group in found:
        if group.id == name and group.error is None and group.protocol_type == "consumer":
            return Group(group.state, {member.id: assigned(member.assignment) for member in group.members})
    return None


def assigned(data: bytes) -> list[Partition]:
    """Of a member its partitions: version, then by topic their numbers. Nothing of what is not written so."""
    found = list[Partition]()
    try:
        (count,), at = struct.unpack_from(">i", data, 2), 6
        for _ in range(count):
            (length,) = struct.unpack_from(">h", data, at)
            topic = data[at + 2 : at + 2 + length].decode()
            (numbers,) = struct.unpack_from(">i", data, at + 2 + length)
            at += 6 + length
            found += [(topic, number) for number in struct.unpack_from(f">{numbers}i", data, at)]
            at += 4 * numbers
    except (struct.error, UnicodeDecodeError):
        return []
    return found


def refused(config: Config, group: str, topic: str, answer_s: float) -> bool:
    """Whether we may not join a group. Who is told so waits in silence; the error comes by another way."""
    consumer: Consumer = make_consumer(config, silent_logger(), {"group.id": group})
    deadline = Deadline(answer_s)
    try:
        while not deadline.over():
            try:
                consumer.committed([TopicPartition(topic, 0)], timeout=SLICE_S)
                return False
            except KafkaException as exception:
                if error_of(exception).code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    return True
            message = consumer.poll(0)
            error = message.error() if message is not None else None
            if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                return True
        return False
    finally:
        consumer.close()
