"""The config's `bridges`: addresses, secrets, groups."""

from __future__ import annotations

import pytest

from streamer.config.bridges import group_of
from streamer.config.effective import effective
from streamer.config.load import check, load_text
from streamer.config.problems import ConfigError

TEXT = 'version: 1\nkafka: {brokers: "b:1", group: g}\ntopics: {events: [in]}\nbridges:\n'
SECRET = "correct-horse-7"


def test_groups_are_their_own() -> None:
    config = load_text(
        TEXT + '  slack: {url: "https://a.example/x"}\n  webhook: {url: "https://b/x", group: other}\n', "x", {}
    )
    found = {kind: group_of(one, kind, config.kafka.group) for kind, one in config.bridges.there().items()}
    assert found == {"slack": "g-slack", "webhook": "other"}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (f'alertmanager: {{url: "https://a", authorization: "Bearer {SECRET}"}}', ("alertmanager", "authorization")),
        (f'webhook: {{url: "https://a/{SECRET}"}}', ("webhook", "url")),
        (f'webhook: {{url: "https://a", authorization: "Bearer {SECRET}"}}', ("webhook", "authorization")),
        (f'slack: {{url: "https://a/{SECRET}"}}', ("slack", "url")),
        (f"pagerduty: {{routing_key: {SECRET}}}", ("pagerduty", "routing_key")),
        ('slack: {url: "${HOOK}"}', ("slack", "url")),
    ],
)
def test_secrets_are_never_shown(line: str, path: tuple[str, str]) -> None:
    config = load_text(f"{TEXT}  {line}\n", "x", {"HOOK": f"https://a/{SECRET}"})
    assert effective(config)["bridges"][path[0]][path[1]] == "***"
    assert SECRET not in repr(config)
    assert any(SECRET in secret for secret in config.secrets())


@pytest.mark.parametrize(
    "url",
    ["", "hook", "ftp://a/b", "https://", f"https://u:{SECRET}@a/b", "https://a:x/", "https://a/ b", "https://a/#b"],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_text(f'{TEXT}  slack: {{url: "{url}"}}\n', "x", {})
    assert "bridges.slack.url" in str(error.value)
    assert SECRET not in str(error.value)


def test_a_header_is_one_line() -> None:
    with pytest.raises(ConfigError, match="not accepted here"):
        load_text(f'{TEXT}  pagerduty: {{routing_key: "a\\r\\nb: c"}}\n', "x", {})


def test_it_changes_nothing_of_what_is_detected() -> None:
    plain = load_text(TEXT.removesuffix("bridges:\n"), "x", {})
    assert load_text(TEXT + '  webhook: {url: "https://a/b"}\n', "x", {}).config_hash == plain.config_hash


@pytest.mark.parametrize(
    ("host", "told"), [("a.example", True), ("127.0.0.1:80", False), ("localhost", False), ("[::1]:8", False)]
)
def test_who_reads_a_secret_on_the_way_is_thought_of(host: str, told: bool) -> None:
    _, problems = check(f'{TEXT}  webhook: {{url: "http://{host}/{SECRET}"}}\n'.encode(), "x", {})
    assert ["everybody on the way reads" in one.message for one in problems] == [True] * told
