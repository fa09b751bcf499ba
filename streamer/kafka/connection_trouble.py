"""Why no broker lets us in: librdkafka's calls return "transport failure" for all of it, its log knows more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from streamer.port import LogDown, LogRefused

FOR_GOOD = ("bad_client_settings", "unresolved_variable")
"""Waiting does not help: it stands in the config that was read."""
EVENTS = {
    # What the log calls it -> what it means; the line itself names the address and the fix.
    "connection_refused": "nothing listens at the address",
    "unknown_host": "no such name; also of an address that the brokers advertise",
    "unreachable": "no answer in time, or the connection is closed before anything is said",
    "not_kafka": "something answers that is no Kafka broker, as a web server",
    "tls_mismatch": "one side speaks TLS and the other does not",
    "certificate_untrusted": "the broker's certificate is signed by nobody in `ssl.ca.location`",
    "certificate_expired": "the broker's certificate, or ours, is no longer valid, or not yet",
    "certificate_wrong_host": "the broker's certificate is for another name than the one we called",
    "authentication_failed": "wrong user, password or mechanism, or a login on one side only",
    "unresolved_variable": "it failed, and a value of `kafka.client` still is the name of a variable (`$PASSWORD`)",
    "bad_client_settings": "librdkafka takes a setting of `kafka.client` not, or cannot read a file it names",
    "not_authorized": "an access rule is missing: which one, and the `kafka-acls` command that adds it",
    "topic_missing": "a topic of the config does not exist: how it is made, or which one may be meant",
    "topic_unavailable": "a topic cannot be described just now",
    "no_transactions": "`doctor` could not begin and abort a transaction",
    "broker_unreachable": "anything else that a broker answered, or did not",
}


class Trouble(NamedTuple):
    """`event` is the name to log it under, `fix` what somebody can do about it."""

    event: str
    why: str
    fix: str

    def down(self) -> LogDown:
        kind = LogRefused if self.event in FOR_GOOD else LogDown
        return kind(self.why, self.event, self.fix)


def together(troubles: Sequence[Trouble]) -> Trouble:
    """All of it as one, under the name of the first."""
    fixes = dict.fromkeys(fix for one in troubles for fix in one.fix.split("; "))
    return Trouble(troubles[0].event, "; ".join(one.why for one in troubles), "; ".join(fixes))


class Cause(NamedTuple):
    """What a line that matches means. `{0}` is its group, `{protocol}` our security.protocol."""

    event: str
    line: re.Pattern[str]
    why: str
    fix: str
    unless: str = "-"  # a part of security.protocol with which it means something else


def _cause(event: str, line: str, why: str, fix: str, unless: str = "-") -> Cause:
    return Cause(event, re.compile(line), why, fix, unless)


ADVERTISED = " (an address that the broker says of itself, in its advertised.listeners)"
SPEAKS_TLS, CERTIFICATE = "speaks TLS", "broker's certificate: "
HANGS_UP, SILENT = "hangs up on who says nothing", "takes a connection and says nothing"
"""What `diagnosis` adds to librdkafka's lines where it had to look itself."""
TLS_OFF = "set kafka.client security.protocol to PLAINTEXT (SASL_PLAINTEXT with a login), or use the TLS port"
TLS_ON = "set kafka.client security.protocol to SSL (SASL_SSL with a login) and ssl.ca.location, or use the plain port"
CLOSED = "the connection is closed before anything is said"
CLOSED_FIX = "look into the broker's log: a proxy without a broker or a limit on connections does that, too"
CAUSES = (
    # The first that matches a line counts, and of several lines the first in this order.
    _cause(
        "certificate_expired",
        rf"{CERTIFICATE}certificate (has expired|is not yet valid)",
        "the broker's certificate {0}",
        "renew the broker's certificate, or set the clock of this machine right",
    ),
    _cause(
        "certificate_expired",
        r"alert certificate expired",
        "the broker refuses our certificate: it has expired",
        "renew the file of kafka.client ssl.certificate.location and restart",
    ),
    _cause(
        "certificate_wrong_host",
        rf"{CERTIFICATE}(?:Hostname|IP address) mismatch",
        "the broker's certificate is for another host",
        "name the broker in kafka.brokers as its certificate does, or issue one with this name (subjectAltName)",
    ),
    _cause(
        "certificate_untrusted",
        rf"{CERTIFICATE}(.+)",
        "the broker's certificate is signed by nobody we trust ({0})",
        "set kafka.client ssl.ca.location to the file of the authority that signed the broker's certificate",
    ),
    _cause(
        "certificate_untrusted",
        r"certificate verify failed",
        "the broker's certificate is not one to trust",
        "set kafka.client ssl.ca.location to the file of the authority that signed it, and look at its dates and host",
    ),
    _cause(
        "authentication_failed",
        r"Unsupported SASL mechanism(?:: broker's supported mechanisms: (.*?))?(?: \(after|$)",
        "the broker does not take our sasl.mechanisms, but {0}",
        "set kafka.client sasl.mechanisms to one the broker takes",
    ),
    _cause(
        "authentication_failed",
        r"not valid in current SASL state",
        "the listener knows no login, and security.protocol is {protocol}",
        "set kafka.client security.protocol to what the listener has (PLAINTEXT or SSL), or use its SASL port",
    ),
    _cause(
        "authentication_failed",
        r"SASL authentication error: (.*?)(?: \(after|$)",
        "the login was refused: {0}",
        "check kafka.client sasl.username, sasl.password and sasl.mechanisms, and that the broker has this user",
    ),
    _cause(
        "authentication_failed",
        r"Failed to acquire SASL OAUTHBEARER token(?:[^:]*): (.*)",
        "no token for the login: {0}",
        "check kafka.client sasl.oauthbearer settings, and that the token endpoint answers",
    ),
    _cause(
        "authentication_failed",
        r"mechanism handshake failed|^(?!Configuration property).*SASL",  # It says that of a setting without effect.
        "the login failed",
        "check kafka.client sasl.mechanisms and what belongs to it",
    ),
    _cause(
        "authentication_failed",
        r"alert (?:certificate required|bad certificate|certificate unknown|unknown ca|handshake failure)",
        "the broker wants a certificate of ours, and takes none or not this one",
        "set kafka.client ssl.certificate.location and ssl.key.location to a pair that the broker trusts",
    ),
    _cause("unreachable", HANGS_UP, CLOSED, CLOSED_FIX),
    _cause(
        "tls_mismatch",
        rf"{SPEAKS_TLS}|Invalid response size 352\d{{6}} ",  # 0x1503....: the head of a TLS alert.
        "the port speaks TLS, and security.protocol is {protocol}",
        TLS_ON,
    ),
    _cause(
        "tls_mismatch",
        r"connecting to a PLAINTEXT broker|wrong version number|SSL_HANDSHAKE",
        "the port does not speak TLS, and security.protocol is {protocol}",
        TLS_OFF,
    ),
    _cause(
        "not_kafka",
        r"Invalid response size",
        "what answers there is no Kafka broker",
        "check the port in kafka.brokers: it is another service's",
    ),
    _cause(
        "unknown_host",
        r"Failed to resolve",
        "no such host",
        "check the name in kafka.brokers, or what the brokers advertise, and that this machine's DNS knows it",
    ),
    _cause(
        "connection_refused",
        r"Connection refused",
        "the connection is refused: nothing listens there",
        "start the broker, or correct host and port in kafka.brokers",
    ),
    _cause(
        "authentication_failed",
        r"Disconnected.*after \d{1,3}ms in state UP",  # Later it would be a broker that stops.
        "the broker hangs up at our first question; a listener with SASL does so, and security.protocol is {protocol}",
        "set kafka.client security.protocol to SASL_SSL or SASL_PLAINTEXT, with sasl.mechanisms and what belongs to it",
        unless="SASL",
    ),
    _cause(
        "unreachable",
        r"(No route to host|Network is unreachable|Host is unreachable)",
        "{0}",
        "check the address in kafka.brokers, routes and firewalls",
    ),
    _cause("unreachable", r"Disconnected", CLOSED, CLOSED_FIX),
    _cause(
        "unreachable",
        SILENT,
        "the connection is taken, and nothing is said",
        "see whether a broker is behind the address: a proxy that has none does that, and a broker that stands still",
    ),
)
ADDRESS = re.compile(r"(?:^|\s)(?:[a-z_]+://)?(\S+:\d+)(?:/(?:bootstrap|\d+))?: ")
UNFILLED = re.compile(r"\$[A-Z_][A-Z0-9_]*|\$\(.*\)|\$?\{.*\}|%[A-Z_]+%|<.*>")
"""A value that still is the name of a variable of some template. That a password looks so is unlikely."""
MISLED = {"authentication_failed", "unknown_host", "unreachable", "certificate_untrusted"}


def address_of(line: str) -> str:
    """`localhost:9092` of `[thrd:x]: sasl_ssl://localhost:9092/bootstrap: text`; empty where none is named.

    >>> address_of("ssl://localhost:9092/bootstrap: Disconnected"), address_of("1/1 brokers are down")
    ('localhost:9092', '')
    """
    found = ADDRESS.search(line)
    return found[1] if found else ""


def addresses(brokers: str) -> list[str]:
    """Of kafka.brokers, each with its port."""
    called = re.findall(r"(?:\w+://)?([^,\s]+)", brokers)
    return [address if ":" in address else f"{address}:9092" for address in called]


def why(said: Iterable[str], brokers: str, client: Mapping[str, Any], seconds: float) -> Trouble:
    """What is wrong, from the lines librdkafka logged or reported while nobody answered.

    brokers, client: of the config. seconds: how long we waited.
    """
    protocol = str(client.get("security.protocol", "PLAINTEXT")).upper()
    found: dict[str, tuple[int, str]] = {}  # address -> number of the cause, words
    for line in said:
        for number, cause in enumerate(CAUSES):
            match = cause.line.search(line)
            if match and cause.unless not in protocol:
                group = (match.lastindex and match[1]) or "others"
                words = cause.why.format(group, protocol=protocol)
                address = address_of(line)
                found[address] = min(found.get(address, (number, words)), (number, words))
                break
    if not found:
        return Trouble(
            "unreachable",
            f"no broker of {brokers} answered within {seconds:g} s",
            "check the addresses in kafka.brokers, that a broker runs there, and firewalls between",
        )
    asked = addresses(brokers)
    told = "; ".join(
        (f"{address}: {words}" if address else words) + ADVERTISED * (bool(address) and address not in asked)
        for address, (_, words) in found.items()
    )
    cause = CAUSES[min(number for number, _ in found.values())]
    trouble = Trouble(cause.event, told, cause.fix)
    unfilled = [name for name, value in client.items() if UNFILLED.fullmatch(str(value))]
    unfilled += ["kafka.brokers"] * bool(UNFILLED.search(brokers))
    if unfilled and trouble.event in MISLED:
        return Trouble(
            "unresolved_variable",
            f"{', '.join(unfilled)}: the value looks like a variable that nobody filled in; {trouble.why}",
            "write ${NAME} or ${file:/path}: nothing else is filled in",
        )
    return trouble
