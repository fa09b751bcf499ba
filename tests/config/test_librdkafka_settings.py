"""The tables of librdkafka settings: which are known, which are ours, which may be shown."""

from __future__ import annotations

import pytest

from streamer.config.librdkafka_settings import RESERVED, SETTINGS, Secret, is_secret, may_show


def test_the_tables_of_settings_do_not_contradict_each_other() -> None:
    assert not set(RESERVED) & SETTINGS
    secret = {name for name in SETTINGS if is_secret(name)}
    assert {"sasl.password", "ssl.key.pem", "ssl.key.password", "sasl.oauthbearer.client.secret"} <= secret
    assert not any(may_show(name) for name in secret)
    assert all(map(may_show, ("linger.ms", "security.protocol", "ssl.ca.location", "ssl.key.location")))


@pytest.mark.parametrize(
    ("name", "secret", "shown"),
    [
        ("sasl.password", True, False),
        ("SASL.Password", True, False),
        ("ssl.key.pem", True, False),
        ("sasl.oauthbearer.config", True, False),
        ("sasl.username", True, False),
        ("my.plugin.token", True, False),
        ("sasl.pasword", False, False),  # Nobody knows it, so nobody knows whether it is one.
        ("group.id", False, False),
        ("ssl.ca.location", False, True),
        ("linger.ms", False, True),
    ],
)
def test_what_may_be_shown_is_known_and_no_secret(name: str, secret: bool, shown: bool) -> None:
    assert (is_secret(name), may_show(name)) == (secret, shown)


def test_every_reserved_setting_says_what_to_use_or_why_there_is_nothing() -> None:
    assert all(why and "\n" not in why and not why.endswith(".") for why in RESERVED.values())
    assert all(name == name.strip().lower() for name in (*SETTINGS, *RESERVED))


def test_a_secret_shows_itself_only_to_who_asks_for_the_text() -> None:
    secret = Secret("hunter2")
    assert secret == "hunter2"
    assert f"{[secret]!r} { ({'a': secret}) }" == "['***'] {'a': '***'}"
