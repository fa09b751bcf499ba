"""How the brokers are called: rules on `kafka.brokers` and on what is handed to librdkafka."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, as_items, at
from streamer.config.librdkafka_settings import CLIENT, RESERVED, SETTINGS
from streamer.config.problems import did_you_mean, quoted

HOST_PORT = re.compile(r"[\w.-]+:[0-9]{1,5}")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


def settings_of_librdkafka(raw: Any) -> Iterator[Complaint]:
    """A misspelt setting surfaces as something else at run time; one the service owns would break its guarantees."""
    for name, _ in as_items(at(raw, *CLIENT)):
        path = (*CLIENT, name)
        if name in RESERVED:
            yield Complaint(path, "reserved", f"is the service's own: {RESERVED[name]}.")
        elif name not in SETTINGS:
            near = did_you_mean(str(name), SETTINGS)
            yield Complaint(path, "unknown-setting", f"not a librdkafka setting Driftline knows.{near}")


def the_brokers_can_be_called(raw: Any) -> Iterator[Complaint]:
    """librdkafka takes what it cannot read for no broker, and then calls nobody."""
    text, protocol = at(raw, "kafka", "brokers"), at(raw, *CLIENT, "security.protocol")
    for one in text.split(",") if isinstance(text, str) and not re.search(r"\$|{{", text) else ():
        before, scheme, host = one.strip().rpartition("://")
        if (scheme and before.upper() not in PROTOCOLS) or re.search(r"[^\x21-\x7e]", host) or "/" in host:
            told = f"{quoted(one.strip())} is not HOST:PORT.{f' Write {host}.' if HOST_PORT.fullmatch(host) else ''}"
            yield Complaint(("kafka", "brokers"), "bad-value", told)
    if isinstance(protocol, str) and "$" not in protocol and protocol.upper() not in PROTOCOLS:
        told = f"is none of {', '.join(PROTOCOLS)}."
        yield Complaint((*CLIENT, "security.protocol"), "bad-value", told)


CLIENT_RULES = (settings_of_librdkafka, the_brokers_can_be_called)
