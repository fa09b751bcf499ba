"""What goes together in `server`: who can reach the page, and what they must know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, Rule, at
from streamer.config.librdkafka_settings import HIDDEN

TOKEN_MIN = 16
LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|\[?::1\]?", re.I).fullmatch


def open_to_others(server: Any) -> bool:
    """Whether other machines are shown the page without a token."""
    listen = at(server, "listen")
    elsewhere = isinstance(listen, str) and LOOPBACK(listen.rpartition(":")[0]) is None
    return elsewhere and at(server, "page") == "all" and at(server, "token") is None


def who_may_change_is_known(raw: Any) -> Iterator[Complaint]:
    if open_to_others(at(raw, "server")) and at(raw, "server", "control") is True:
        message = "whoever reaches this address could mute alerts: set server.token, or page: local, or control: false."
        yield Complaint(("server", "control"), "bad-value", message)


def a_token_is_not_guessed(raw: Any) -> Iterator[Complaint]:
    """What `config show` prints in its place is read back, as of all that is hidden."""
    token = at(raw, "server", "token")
    if isinstance(token, str) and token != HIDDEN and not re.fullmatch(rf"[!-~]{{{TOKEN_MIN},}}", token):
        message = f"must be at least {TOKEN_MIN} characters of ASCII without blanks: openssl rand -hex 24 makes one."
        yield Complaint(("server", "token"), "bad-value", message, repeats=False)


SERVER_RULES: tuple[Rule, ...] = (who_may_change_is_known, a_token_is_not_guessed)
