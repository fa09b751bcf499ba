"""The tests' broker as an enterprise has it: TLS with certificates made here, SASL, and an authorizer that says no.

| listener | protocol | what is there |
|---|---|---|
| PLAINTEXT | PLAINTEXT | its user may do everything: the tests arrange with it |
| SECURE | SASL_SSL | PLAIN over TLS: the users of USERS, who may do what ACLs say |
| TLS | SSL | a good certificate |
| EXPIRED | SSL | a certificate that was good until yesterday |
| ELSEWHERE | SSL | a good certificate of another host |
| ASTRAY | PLAINTEXT | lets in, but advertises an address that nobody has |
| MUTUAL | SSL | a good certificate, and it wants one of the client |
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.broker.broker import Broker, free_ports
from tests.waiting import PATIENCE_S, until

USERS = {"driftline": "right-password", "stranger": "other-password"}
LISTENERS = {
    "SECURE": "SASL_SSL",
    "TLS": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
    "MUTUAL": "SSL",
    "ASTRAY": "PLAINTEXT",
}
CERTIFICATES = {"SECURE": "good", "TLS": "good", "EXPIRED": "expired", "ELSEWHERE": "elsewhere", "MUTUAL": "good"}
ISSUED = {"good": ("localhost", 10), "expired": ("localhost", -1), "elsewhere": ("kafka.invalid", 10)}
"""Certificate -> the host it is for, and for how many days from now."""
Rule = tuple[str, str, str]
"""Resource, name or `PREFIX*`, operation: ("topic", "events", "Read")."""


def missing_openssl() -> str | None:
    return None if shutil.which("openssl") else "openssl is not installed"


def make_certificates(folder: Path) -> None:
    """`ca.pem`, `foreign.pem` (an authority the broker knows nothing of), and a key with its certificate each."""

    def openssl(command: str, *more: str) -> None:
        subprocess.run(["openssl", *command.split(), *more], cwd=folder, check=True, capture_output=True)

    new = "-newkey rsa:2048 -nodes"
    for name in ("ca", "foreign"):
        openssl(f"req -x509 {new} -keyout {name}.key -out {name}.pem -days 10", "-subj", f"/CN=driftline test {name}")
    for name, (host, days) in ISSUED.items():
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
        openssl(f"req {new} -keyout {name}.key -out {name}.csr -subj /CN={host}")
        signed = f"-CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile {name}.ext"
        openssl(f"x509 -req -in {name}.csr -out {name}.crt {signed}")
        (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())


class SecuredBroker(Broker):
    """Use as a context manager, as `Broker`."""

    def __init__(self) -> None:
        self.ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
        super().__init__(more=self._properties)
        self.ca, self.foreign = str(self.folder / "ca.pem"), str(self.folder / "foreign.pem")

    def _properties(self, folder: Path) -> Mapping[str, str]:
        make_certificates(folder)
        listeners = "".join(f",{name}://localhost:{port}" for name, port in self.ports.items())
        users = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
        properties = {
            "listeners": listeners,
            "advertised.listeners": listeners.replace("ASTRAY://localhost", "ASTRAY://astray.invalid"),
            "listener.security.protocol.map": "".join(f",{name}:{kind}" for name, kind in LISTENERS.items()),
            "auto.create.topics.enable": "true",  # As Kafka has it by default: who only looks must make none.
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secure.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.mutual.ssl.truststore.type": "PEM",
            "listener.name.mutual.ssl.truststore.location": str(folder / "ca.pem"),
            "super.users": "User:ANONYMOUS",  # Who comes by the plain listener; the controller is such a one, too.
        }
        for name, certificate in CERTIFICATES.items():
            properties[f"listener.name.{name.lower()}.ssl.keystore.type"] = "PEM"
            properties[f"listener.name.{name.lower()}.ssl.keystore.location"] = str(folder / f"{certificate}.pem")
        return properties

    def at(self, listener: str) -> str:
        return f"localhost:{self.ports[listener]}"

    def login(self, user: str = "driftline", **changes: Any) -> dict[str, Any]:
        """The settings of a client that SECURE lets in."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "PLAIN",
            "sasl.username": user,
            "sasl.password": USERS[user],
            "ssl.ca.location": self.ca,
        } | {name.replace("_", "."): value for name, value in changes.items()}

    # Access rules

    def grant(self, *rules: Rule, user: str = "driftline") -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for future in admin.create_acls([AclBinding(*_parts(user, rule)) for rule in rules]).values():
            future.result(PATIENCE_S)
        _wait(admin, user, rules, there=True)

    def revoke(self, *rules: Rule, user: str = "driftline") -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for future in admin.delete_acls([AclBindingFilter(*_parts(user, rule)) for rule in rules]).values():
            assert future.result(PATIENCE_S), rules
        _wait(admin, user, rules, there=False)


KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}


def _parts(user: str, rule: Rule) -> tuple[Any, ...]:
    kind, name, operation = rule
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    allowed = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()], AclPermissionType.ALLOW
    return KINDS[kind], name.removesuffix("*"), pattern, f"User:{user}", "*", *allowed


def _wait(admin: AdminClient, user: str, rules: Iterable[Rule], there: bool) -> None:
    """The controller has decided; the authorizer hears of it a moment later."""
    for rule in rules:
        asked = AclBindingFilter(*_parts(user, rule))
        until(lambda asked=asked: bool(admin.describe_acls(asked).result(PATIENCE_S)) == there, rule)
