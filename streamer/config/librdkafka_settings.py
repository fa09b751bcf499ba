"""librdkafka settings: names that make sense here, for did-you-mean; those that are ours; those that are secret."""

from __future__ import annotations

SETTINGS = frozenset(
    """
    allow.auto.create.topics api.version.request api.version.request.timeout.ms auto.commit.interval.ms
    batch.num.messages batch.size broker.address.family broker.address.ttl broker.version.fallback check.crcs
    client.dns.lookup client.id client.rack compression.codec compression.level compression.type
    connections.max.idle.ms coordinator.query.interval.ms debug delivery.timeout.ms enable.metrics.push
    enable.random.seed enable.sasl.oauthbearer.unsecure.jwt enable.ssl.certificate.verification
    fetch.error.backoff.ms fetch.max.bytes fetch.message.max.bytes fetch.min.bytes fetch.queue.backoff.ms
    fetch.wait.max.ms heartbeat.interval.ms internal.termination.signal linger.ms log.connection.close log.queue
    log.thread.name log_level max.in.flight max.in.flight.requests.per.connection max.partition.fetch.bytes
    max.poll.interval.ms message.copy.max.bytes message.max.bytes message.send.max.retries message.timeout.ms
    metadata.max.age.ms metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy partitioner
    queue.buffering.max.kbytes queue.buffering.max.messages queue.buffering.max.ms queued.max.messages.kbytes
    queued.min.messages receive.message.max.bytes reconnect.backoff.max.ms reconnect.backoff.ms request.timeout.ms
    resolve.canonical.bootstrap.servers.only retries retry.backoff.max.ms retry.backoff.ms sasl.kerberos.keytab
    sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin sasl.kerberos.principal sasl.kerberos.service.name
    sasl.mechanism sasl.mechanisms sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.file
    sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase
    sasl.oauthbearer.assertion.private.key.pem sasl.oauthbearer.client.credentials.client.id
    sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.client.id sasl.oauthbearer.client.secret
    sasl.oauthbearer.config sasl.oauthbearer.extensions sasl.oauthbearer.grant.type sasl.oauthbearer.method
    sasl.oauthbearer.scope sasl.oauthbearer.token.endpoint.url sasl.password sasl.username security.protocol
    session.timeout.ms socket.connection.setup.timeout.ms socket.keepalive.enable socket.max.fails
    socket.nagle.disable socket.receive.buffer.bytes socket.send.buffer.bytes socket.timeout.ms
    ssl.ca.certificate.stores ssl.ca.location ssl.ca.pem ssl.certificate.location ssl.certificate.pem
    ssl.cipher.suites ssl.crl.location ssl.curves.list ssl.endpoint.identification.algorithm ssl.engine.location
    ssl.key.location ssl.key.password ssl.key.pem ssl.keystore.location ssl.keystore.password ssl.providers
    ssl.sigalgs.list statistics.interval.ms sticky.partitioning.linger.ms
    topic.metadata.propagation.max.ms topic.metadata.refresh.interval.ms topic.metadata.refresh.sparse
    """.split()
)

RESERVED = {
    # librdkafka setting the service owns -> the key to use instead, or why there is none.
    "bootstrap.servers": "use kafka.brokers",
    "metadata.broker.list": "use kafka.brokers",
    "group.id": "use kafka.group",
    "group.instance.id": "use kafka.instance",
    "transactional.id": "it is derived from kafka.group and kafka.instance",
    "auto.offset.reset": "use kafka.start; an offset is never reset silently",
    "group.protocol": "the commit protocol is proved for the classic group protocol",
    "group.remote.assignor": "the commit protocol is proved for the classic group protocol",
    "partition.assignment.strategy": "the service needs cooperative-sticky",
    "enable.auto.commit": "offsets are committed in the transaction of the alerts",
    "enable.auto.offset.store": "offsets are committed in the transaction of the alerts",
    "isolation.level": "the service reads committed records only",
    "enable.idempotence": "transactions need it",
    "acks": "transactions need acks of all replicas",
    "request.required.acks": "transactions need acks of all replicas",
    "transaction.timeout.ms": "it belongs to the commit deadline",
    "enable.partition.eof": "the service sets it where it needs it",
    "topic.blacklist": "topics.events says what is read; the service's own topics are kept out of its patterns",
}

SECRET_ENDINGS = (
    "password", "passphrase", "secret", "token", "key", "pem", "oauthbearer.config", "jaas.config", "sasl.username"
)  # fmt: skip
CLIENT = ("kafka", "client")
HIDDEN = "***"


def is_secret(name: str) -> bool:
    """Whether a librdkafka setting holds something that must never be shown."""
    return name.lower().endswith(SECRET_ENDINGS)


def may_show(name: str) -> bool:
    """Whether a setting's value may be shown: an unknown name may be a misspelt password."""
    return name in SETTINGS and not is_secret(name)


class Secret(str):
    """A text that a repr, and so a log line or a traceback, shows as ***."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)
