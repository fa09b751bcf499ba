"""The tests' broker as an enterprise has it: TLS with certificates made here, SASL, and an authorizer that says no.

| listener | protocol | what is there |
|---|---|---|
| PLAINTEXT | PLAINTEXT | its user may do everything: the tests arrange with it |
| SECURE | SASL_SSL | PLAIN over TLS: the users of USERS, who may do what ACLs say |
| TLS | SSL | a good certificate |
| EXPIRED | SSL | a certificate that was good until yesterday |
| ELSEWHERE | SSL | a good certificate of another host |
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
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

USERS = {"driftline": "right-password", "stranger": "other-password"}
LISTENERS = {"SECURE": "SASL_SSL", "TLS": "SSL", "EXPIRED": "SSL", "ELSEWHERE": "SSL"}
CERTIFICATES = {"SECURE": "good", "TLS": "good", "EXPIRED": "expired", "ELSEWHERE": "elsewhere"}
Rule = tuple[str, str, str]
"""Resource, name or `PREFIX*`, operation: ("topic", "events", "Read")."""


def missing_openssl() -> str | None:
    return None if shutil.which("openssl") else "openssl is not installed"


def make_certificates(folder: Path) -> None:
    """`ca.pem`, `foreign.pem` (an authority the broker knows nothing of), and a key with its certificate each."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "foreign"):
        subject = ("-subj", f"/CN=driftline test {name}", "-days", "10")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", *subject)
    for name, host, days in (("good", "localhost", 10), ("expired", "localhost", -1), ("elsewhere", "kafka.invalid", 10)):
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
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
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "".join(f",{name}:{kind}" for name, kind in LISTENERS.items()),
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secure.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
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

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap})

    def grant(self, *rules: Rule, user: str = "driftline") -> None:
        for future in self.admin().create_acls([_binding(user, rule) for rule in rules]).values():
            future.result(20)

    def revoke(self, *rules: Rule, user: str = "driftline") -> None:
        for future in self.admin().delete_acls([_filter(user, rule) for rule in rules]).values():
            assert future.result(20), rules


def _parts(user: str, rule: Rule) -> tuple[Any, ...]:
    kind, name, operation = rule
    kinds = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER}
    kinds["transactional-id"] = ResourceType.TRANSACTIONAL_ID
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    word = "_".join(filter(None, "".join(f" {c}" if c.isupper() else c for c in operation).split())).upper()
    return (
        kinds[kind], name.removesuffix("*"), pattern, f"User:{user}", "*", AclOperation[word], AclPermissionType.ALLOW
    )  # fmt: skip


def _binding(user: str, rule: Rule) -> AclBinding:
    return AclBinding(*_parts(user, rule))


def _filter(user: str, rule: Rule) -> AclBindingFilter:
    return AclBindingFilter(*_parts(user, rule))
