"""What a config may do and hardly anybody wants: rules whose findings are warnings, so that nothing is refused.

As in `cross_checks.py` the rules read the values as the file has them. No message repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from detectors.reference import CLIP
from streamer.config.cross_checks import Complaint, Rule, as_items, at, signal_of
from streamer.config.librdkafka_settings import CLIENT, Secret, is_secret
from streamer.config.secrets import GOOD_MIN, is_weak
from streamer.config.server_rules import LOOPBACK, open_to_others
from streamer.config.yaml_source import PASSWORDS, PathKey
from streamer.signals.derived import RATIO
from streamer.signals.grammar import AGGREGATE

EVERYWHERE = {"0.0.0.0", "[::]", "::", "*", "0", "[::0]"}
LOGIN = "sasl.username"
"""Hidden like a secret, and yet it is a name."""
UNFILLED = re.compile(r"(?<![\\$])\$([A-Z_][A-Z0-9_]+)\b|\$\(([A-Za-z_]\w*)\)|\{\{\s*[.$]?([\w.]+)\s*\}\}")
"""How the shell, Kubernetes and templates write a variable."""
WILD = re.compile(r"[*?]").search
OTHER_PATTERN = re.compile(r"\[[^\]]*[^\]\d][^\]]*\]|\{[^}]*,[^}]*\}|[|^\\]|\$$|\.\+").search
"""A class, a choice, an anchor: patterns of regular expressions and shells. `x[0]` is a usual name."""
FORMULA = re.compile(r"features\.\S+ [-+*/] \S+").fullmatch
ONLY_STARS = "of patterns only * (any text) and ? (any character) are read, all else is taken as it is:"
FREE_TEXTS = ("description", "runbook_url", "pattern", "allowed")
SHARES_OF_ONE = "psi"
"""The one distance that is not between 0 and 1."""


def _setting(raw: Any, name: str) -> str:
    """A setting of librdkafka as a text, `True` and `true` alike."""
    return str(at(raw, *CLIENT, name) if at(raw, *CLIENT, name) is not None else "").strip().lower()


def _protocol(raw: Any) -> str:
    return _setting(raw, "security.protocol") or "plaintext"


def _off_loopback(raw: Any) -> bool:
    """Whether a broker is not on this machine."""
    brokers = at(raw, "kafka", "brokers")
    given = [text.strip().rpartition("://")[2] for text in brokers.split(",")] if isinstance(brokers, str) else []
    hosts = [text.rpartition(":")[0] if re.search(r":\d+$", text) else text for text in given if text]
    return any(not LOOPBACK(host) for host in hosts)


def passwords_are_encrypted(raw: Any) -> Iterator[Complaint]:
    """SASL without TLS: whoever sees the packets reads the events, and with PLAIN the password."""
    if _protocol(raw) == "sasl_plaintext" and _off_loopback(raw):
        mechanism = _setting(raw, "sasl.mechanisms") or _setting(raw, "sasl.mechanism")
        seen = "events, alerts and" if mechanism == "plain" else "events and alerts, and a proof of"
        message = f"{seen} the password cross the network as they are; use SASL_SSL."
        yield Complaint((*CLIENT, "security.protocol"), "insecure", message)


def what_is_set_is_used(raw: Any) -> Iterator[Complaint]:
    """Without the protocol that goes with them `sasl.*` and `ssl.*` are settings of nothing: nobody logs in."""
    protocol = _protocol(raw)
    for kind, does, wanted in (("sasl", "logs in", "SASL_SSL"), ("ssl", "encrypts", "SSL or SASL_SSL")):
        names = [str(name) for name, _ in as_items(at(raw, *CLIENT)) if str(name).startswith(f"{kind}.")]
        used = protocol.startswith("sasl") if kind == "sasl" else protocol.endswith("ssl")
        if names and not used and protocol in ("plaintext", "sasl_plaintext", "ssl"):
            message = f"nothing {does}: security.protocol is {protocol.upper()}, which uses no {kind}.*; set {wanted}."
            yield Complaint((*CLIENT, names[0]), "insecure", message)


def brokers_are_who_they_say(raw: Any) -> Iterator[Complaint]:
    """TLS that believes anybody protects from nobody who answers in the broker's place."""
    path = (*CLIENT, "enable.ssl.certificate.verification")
    if _setting(raw, path[-1]) == "false":
        yield Complaint(path, "insecure", "any certificate is taken for the broker's; name its CA in ssl.ca.location.")
    path = (*CLIENT, "ssl.endpoint.identification.algorithm")
    if _setting(raw, path[-1]) == "none":
        message = "a certificate of any host is taken for the broker's; use https, and names that the certificate has."
        yield Complaint(path, "insecure", message)
    path = (*CLIENT, "enable.sasl.oauthbearer.unsecure.jwt")
    if _setting(raw, path[-1]) == "true":
        yield Complaint(path, "insecure", "tokens are not signed, so that anybody can make one: for tests only.")


def who_hears_the_login(raw: Any) -> Iterator[Complaint]:
    for path in sorted(PASSWORDS):
        address, what = (*path[:-1], "url"), "address, a secret" if path[-1] == "url" else path[-1]
        found = re.match(r"http://(\[[^]]*\]|[^:/]*)", str(at(raw, *address)))
        if found and at(raw, *path) is not None and not LOOPBACK(found[1]):
            yield Complaint(address, "insecure", f"everybody on the way reads the {what}: use https.")


def who_may_listen(raw: Any) -> Iterator[Complaint]:
    listen = at(raw, "server", "listen")
    if isinstance(listen, str) and listen.rpartition(":")[0] in EVERYWHERE:
        message = "everything on the network can read the names of models and their metrics; name one address, in a pod"
        yield Complaint(("server", "listen"), "insecure", f"{message} '${{POD_IP}}:8080', or keep 127.0.0.1.")
    server = at(raw, "server")
    if open_to_others(server) and at(server, "control") is not True:  # Else it is an error.
        message = "whoever reaches this address reads the page: set server.token, or page: local."
        yield Complaint(("server", "page"), "insecure", message)


def secrets_are_no_words(raw: Any) -> Iterator[Complaint]:
    """A word is guessed, and the log cannot mask it wherever it occurs."""
    for path, value in _texts(raw, ()):
        client = path[: len(CLIENT)] == CLIENT and len(path) == len(CLIENT) + 1
        if client and path[-1] == LOGIN:
            continue
        secret = isinstance(value, Secret) or (client and is_secret(str(path[-1])))
        if secret and value and (len(value) < GOOD_MIN or is_weak(value)):
            message = (
                f"a secret that is a word, or has less than {GOOD_MIN} characters, is guessed; and the log masks it"
            )
            yield Complaint(
                path, "weak-secret", f"{message} only where it stands alone, or it would blank other words."
            )


def variables_are_filled_in(raw: Any) -> Iterator[Complaint]:
    """`$VAR` is two characters more than a text that happens to begin with a dollar."""
    for path, value in _texts(raw, ()):
        whole = isinstance(value, Secret) or path[: len(CLIENT)] == CLIENT
        found = UNFILLED.fullmatch(value) if whole else UNFILLED.search(value)
        if found and not set(path) & set(FREE_TEXTS):
            name = next(name for name in found.groups() if name).rpartition(".")[2].upper()
            yield Complaint(path, "not-filled", f"a variable that nobody fills in; here it is written ${{{name}}}.")


def _texts(value: Any, path: PathKey) -> Iterator[tuple[PathKey, str]]:
    if isinstance(value, str):
        yield path, value
    for key, below in as_items(value):
        yield from _texts(below, (*path, key))


def each_monitor(raw: Any) -> Iterator[Complaint]:
    for name, monitor in as_items(at(raw, "monitors")):
        for rule in MONITOR_CAUTIONS:
            for path, kind, message, _ in rule(monitor):
                yield Complaint(("monitors", name, *path), kind, message)


def models_have_stars_alone(raw: Any) -> Iterator[Complaint]:
    """Of monitors, and of what the calendar has."""
    places: list[tuple[PathKey, Any]] = [
        (("monitors", name, "model"), at(monitor, "model")) for name, monitor in as_items(at(raw, "monitors"))
    ]
    for part in ("days", "maintenance"):
        entries = as_items(at(raw, "calendar", part))
        places += [(("calendar", part, i, "models"), at(entry, "models")) for i, entry in entries]
    for place, said in places:
        for path, name in _texts(said, place):
            if OTHER_PATTERN(name):
                yield Complaint(path, "never-fires", f"{ONLY_STARS} it is a name that hardly any model has.")


def signals_have_stars_alone(monitor: Any) -> Iterator[Complaint]:
    """What is no pattern here is taken for a name, and nothing has it."""
    signal = at(monitor, "signal")
    if not isinstance(signal, str) or signal_of(monitor) is None:
        return
    if signal.startswith("/") and WILD(signal):
        message = "a JSON Pointer is one place: here a star means itself; name the places, or watch features.*."
        yield Complaint(("signal",), "never-fires", message)
    elif not AGGREGATE(signal) and not RATIO(signal) and OTHER_PATTERN(signal):
        yield Complaint(("signal",), "never-fires", f"{ONLY_STARS} it is a name that hardly any event has.")
    elif FORMULA(signal):
        message = "it is the name of one feature, and no formula; of two numbers there is ratio(A, B)."
        yield Complaint(("signal",), "never-fires", message)


def splits_are_by_one_name(monitor: Any) -> Iterator[Complaint]:
    for i, field in as_items(at(monitor, "by")):
        if isinstance(field, str) and (WILD(field) or OTHER_PATTERN(field)):
            yield Complaint(("by", i), "never-fires", "it splits by one field and no pattern: name each.")


def checks_are_of_one_name(raw: Any) -> Iterator[Complaint]:
    for name, _ in as_items(at(raw, "checks")):
        if isinstance(name, str) and name != "features.*" and (WILD(name) or OTHER_PATTERN(name)):
            yield Complaint(
                ("checks", name), "never-fires", "a check is of one name and no pattern: write one for each."
            )


def exclusions_have_stars_alone(raw: Any) -> Iterator[Complaint]:
    for key, does in (("exclude", "excludes"), ("categorical", "is about")):
        for i, name in as_items(at(raw, key)):
            if isinstance(name, str) and OTHER_PATTERN(name):
                yield Complaint((key, i), "never-fires", f"{ONLY_STARS} it {does} nothing else than that name.")


def sums_can_reach_their_limit(monitor: Any) -> Iterator[Complaint]:
    """What a bank sees is cut at so many deviations of the reference, and a 0/1 signal moves by 1 at most."""
    kind, raw, signal = at(monitor, "detect", "kind"), at(monitor, "detect", "raw"), signal_of(monitor)
    river = kind == "river" and at(monitor, "detect", "name") == "PageHinkley"
    if signal is None or not (river or kind == "page_hinkley") or (raw is True and not signal.indicator):
        return
    keys = ("detect", "params") if river else ("detect",)
    delta, alpha, threshold = (at(monitor, *keys, name) for name in ("delta", "alpha", "threshold"))
    most = 1.0 if signal.indicator else CLIP
    cut = f"values are cut at {CLIP:g} deviations (not with raw: true)"
    why = "a 0/1 signal moves by 1" if signal.indicator else cut
    if _is_number(delta) and delta >= most:
        yield Complaint((*keys, "delta"), "never-fires", f"{why}, and above this nothing adds up: it can never fire.")
    elif all(map(_is_number, (alpha, threshold))) and alpha < 1 and threshold > most / (1.0 - alpha):
        reach = most / (1.0 - alpha)
        message = f"{why}, and a sum that forgets with alpha {alpha:g} reaches {reach:.3g} at most: it can never fire."
        yield Complaint((*keys, "threshold"), "never-fires", message)


def distances_can_reach_their_limit(monitor: Any) -> Iterator[Complaint]:
    name, most = (at(monitor, "detect", key) for key in ("distance", "max"))
    if at(monitor, "detect", "kind") != "distribution" or not isinstance(name, str) or name == SHARES_OF_ONE:
        return
    if _is_number(most) and most >= 1:
        yield Complaint(("detect", "max"), "never-fires", "this distance is at most 1: it can never fire.")


def a_share_can_fall_so_far(monitor: Any) -> Iterator[Complaint]:
    change = at(monitor, "detect", "change")
    down = at(monitor, "detect", "kind") == "share" and at(monitor, "detect", "direction") == "down"
    if down and _is_number(change) and change >= 1:
        message = "a share falls by its whole at most, which is 1: it can never fire."
        yield Complaint(("detect", "change"), "never-fires", message)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


MONITOR_CAUTIONS: tuple[Rule, ...] = (
    signals_have_stars_alone,
    splits_are_by_one_name,
    sums_can_reach_their_limit,
    distances_can_reach_their_limit,
    a_share_can_fall_so_far,
)
CAUTIONS: tuple[Rule, ...] = (
    passwords_are_encrypted,
    what_is_set_is_used,
    brokers_are_who_they_say,
    who_hears_the_login,
    who_may_listen,
    secrets_are_no_words,
    variables_are_filled_in,
    checks_are_of_one_name,
    exclusions_have_stars_alone,
    models_have_stars_alone,
    each_monitor,
)
