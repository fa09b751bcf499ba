"""Asks once more, with open ears, after a client got no answer: which of all that can be wrong is it?"""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import compress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from streamer.kafka.connection_trouble import (
    ADVERTISED,
    CERTIFICATE,
    HANGS_UP,
    SILENT,
    SPEAKS_TLS,
    Trouble,
    address_of,
    addresses,
    why,
)

LINES_MAX = 100
LOOK_S = 2.0
HANG_S = 1.0
ASK_S = 0.3
AT_ONCE = 8


class Heard(logging.Handler):
    """What librdkafka logs and reports, each line once."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, str] = {}  # without how long it took, as it was
        self.logger = logging.Logger("librdkafka-diagnosis", logging.INFO)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.note(record.getMessage())

    def error(self, error: KafkaError) -> None:
        self.note(error.str())

    def note(self, line: str) -> None:
        line = re.sub(r".*\[thrd:\S*\]: ", "", line)
        if len(self._lines) < LINES_MAX:
            self._lines.setdefault(re.sub(r"after \d+ms", "", line), line)

    def lines(self) -> list[str]:
        return list(self._lines.values())

    def addresses(self) -> list[str]:
        """Of whom something was said."""
        return list(dict.fromkeys(filter(None, map(address_of, self.lines()))))


def diagnose(settings: Mapping[str, Any], seconds: float) -> Trouble | None:
    """Why none of the brokers answers; None when one does within the time.

    settings: of a client, without those that only a producer or a consumer takes.
    """
    brokers = str(settings["bootstrap.servers"])
    heard, end_s = Heard(), time.monotonic() + seconds
    # From this level on librdkafka tells of connections that are closed; what debug adds would drown it.
    plain = {name: value for name, value in settings.items() if name != "debug"}
    try:
        client = AdminClient(plain | {"error_cb": heard.error, "log_level": 6}, logger=heard.logger)
    except KafkaException as exception:
        return bad_settings(exception, plain)
    ask_s = ASK_S
    while (left_s := end_s - time.monotonic()) > 0:
        try:
            client.list_topics(timeout=min(ask_s, left_s))
            return None
        except KafkaException:
            client.poll(0)  # Serves the log and the callback.
        ask_s *= 1.5  # Each question needs its own answer, which takes longer than that where the way is long.
        if len(heard.addresses()) > brokers.count(","):
            break  # Of each we know why: waiting would tell no more.
    for address in heard.addresses():
        told = look(address, [line for line in heard.lines() if address_of(line) == address], settings)
        if told:
            heard.note(f"{address}: {told}")
    if not heard.addresses():
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = addresses(brokers)
            for address in compress(asked, pool.map(takes_connections, asked)):
                heard.note(f"{address}: {SILENT}")
    return why(heard.lines(), brokers, settings, seconds)


def reached(
    settings: Mapping[str, Any], asked: Sequence[str], seconds: float, known: str = ADVERTISED
) -> dict[str, Trouble | None]:
    """Whether each broker is reached at its address. known: from where it is known, by default from the brokers: a
    client that was let in goes on from there.
    """

    def one(address: str) -> Trouble | None:
        found = diagnose({**settings, "bootstrap.servers": address}, seconds)
        return found and found._replace(why=found.why + known)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(asked, pool.map(one, asked), strict=True))


def advertised(settings: Mapping[str, Any], seconds: float) -> list[str]:
    """The address of each broker, as it says itself; none when nobody answers."""
    try:
        brokers = AdminClient(dict(settings), logger=silent_logger()).list_topics(timeout=seconds).brokers
    except KafkaException:
        return []
    return [f"{broker.host}:{broker.port}" for _, broker in sorted(brokers.items())]


def silent_logger() -> logging.Logger:
    """For a client whose complaints become words of ours."""
    return logging.Logger("librdkafka", logging.CRITICAL + 1)


def bad_settings(exception: KafkaException, settings: Mapping[str, Any] | None = None) -> Trouble:
    """A client that could not even be made, as where the file of a certificate does not exist."""
    unread = filter(None, (unreadable(name, value) for name, value in (settings or {}).items()))
    why = next(unread, f"kafka.client: {exception.args[0].str()}")
    return Trouble("bad_client_settings", why, "correct the setting, or the file it names")


def unreadable(name: str, value: object) -> str:
    """Why the file that a setting names cannot be read: OpenSSL says that in words of its own. Empty where it can."""
    if not name.endswith(".location") or os.path.isdir(str(value)):
        return ""
    try:
        with open(str(value), "rb"):
            return ""
    except OSError as error:
        return f"kafka.client {name}: {value}: {error.strerror}"


def look(address: str, lines: Iterable[str], settings: Mapping[str, Any]) -> str:
    """What librdkafka does not tell of TLS: what is wrong with a certificate, and that a port speaks TLS at all."""
    encrypted = "SSL" in str(settings.get("security.protocol", "")).upper()
    text = "\n".join(lines)
    if encrypted and "certificate verify failed" in text:
        fault = certificate_fault(address, settings)
        return CERTIFICATE + fault if fault else ""
    if not encrypted and "APIVERSION" in text and "Disconnected" in text and speaks_tls(address):
        return SPEAKS_TLS
    if encrypted and "connecting to a PLAINTEXT broker" in text and hangs_up(address):
        return HANGS_UP
    return ""


def certificate_fault(address: str, settings: Mapping[str, Any]) -> str:
    """What OpenSSL has against the certificate; empty where it finds nothing, or nobody answers."""
    place = str(settings.get("ssl.ca.location", ""))
    try:
        context = ssl.create_default_context(
            cafile=place if os.path.isfile(place) else None,
            capath=place if os.path.isdir(place) else None,
            cadata=str(settings["ssl.ca.pem"]) if "ssl.ca.pem" in settings else None,
        )
        # As librdkafka judges, no stricter.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
        context.check_hostname = settings.get("ssl.endpoint.identification.algorithm") != "none"
        _handshake(address, context)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError):
        pass
    return ""


def speaks_tls(address: str) -> bool:
    """Whether a handshake begins there; which certificate is shown does not matter, nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _handshake(address, context)
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # It refuses us in the words of TLS.
    except (OSError, ValueError):
        return False
    return True


def hangs_up(address: str) -> bool:
    """Whether a connection is closed on which nothing was said. A broker would wait."""
    try:
        with _connected(address) as plain:
            plain.settimeout(HANG_S)
            return plain.recv(1) == b""
    except TimeoutError:
        return False
    except (OSError, ValueError):
        return True


def takes_connections(address: str) -> bool:
    try:
        with _connected(address):
            return True
    except (OSError, ValueError):
        return False


def _connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), LOOK_S)


def _handshake(address: str, context: ssl.SSLContext) -> None:
    host = address.rpartition(":")[0].strip("[]")
    with _connected(address) as plain, context.wrap_socket(plain, server_hostname=host):
        pass


def unseen(settings: Mapping[str, Any], topics: Iterable[str], seconds: float) -> dict[str, int]:
    """Topic -> the code of the error it is described with: UNKNOWN_TOPIC_OR_PART, TOPIC_AUTHORIZATION_FAILED.

    A question that makes no topic, as one for metadata does where the brokers create what is asked for.
    """
    client = AdminClient(dict(settings), logger=silent_logger())
    wanted = TopicCollection(list(dict.fromkeys(topics)))  # One that is named twice would spoil the question.
    codes: dict[str, int] = {}
    for name, future in client.describe_topics(wanted, request_timeout=seconds).items():
        try:
            future.result(seconds + 1)
        except KafkaException as exception:
            codes[name] = exception.args[0].code()
        except TimeoutError:
            codes[name] = KafkaError._TIMED_OUT
    return codes
