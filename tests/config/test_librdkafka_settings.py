"""The tables of librdkafka settings: which are known, which are ours, which may be shown."""

from __future__ import annotations

from streamer.config.librdkafka_settings import RESERVED, SETTINGS, is_secret, may_show


def test_the_tables_of_settings_do_not_contradict_each_other() -> None:
    assert not set(RESERVED) & SETTINGS
    secret = {name for name in SETTINGS if is_secret(name)}
    assert {"sasl.password", "ssl.key.pem", "ssl.key.password", "sasl.oauthbearer.client.secret"} <= secret
    assert not any(may_show(name) for name in secret)
    assert all(map(may_show, ("linger.ms", "security.protocol", "ssl.ca.location", "ssl.key.location")))
