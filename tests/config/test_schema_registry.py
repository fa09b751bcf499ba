"""The registry's address and login: what is refused, and what is never shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

import streamer.config.schema_registry as module
from streamer.config.effective import as_yaml, effective
from streamer.config.load import check, load_text
from streamer.config.schema_registry import SchemaRegistry
from tests.config.samples import LEAST

PLACE = LEAST + "schema_registry: {url: %s, user: drift, password: '${PW}'}\n"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("registry:8081", "must be an address"),
        ("ftp://registry", "must be an address"),
        ("http://", "must be an address"),
        ("http://registry:port", "is no address"),
        ("http://me:hunter2@registry", "must not hold the login"),
        ("http://registry/?x=1", "nothing behind"),
    ],
)
def test_an_address_that_is_none(url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as error:
        SchemaRegistry.model_validate({"url": url})
    assert "hunter2" not in error.value.errors(include_input=False, include_url=False)[0]["msg"]


def test_a_path_is_kept_and_its_end_is_not_doubled() -> None:
    assert SchemaRegistry.model_validate({"url": "https://registry/apis/v7/"}).url == "https://registry/apis/v7"


@pytest.mark.parametrize("half", [{"user": "me"}, {"password": "x"}])
def test_half_a_login_is_none(half: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="needs user and password, or neither"):
        SchemaRegistry.model_validate({"url": "http://registry", **half})


@pytest.mark.parametrize("lacks", ["fastavro", "google.protobuf"])
def test_a_package_that_is_not_there_is_one_error_of_the_config(lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> Any:
        if name == lacks == "google.protobuf":
            raise ModuleNotFoundError(name)
        return None if name == lacks else object()

    monkeypatch.setattr(module, "find_spec", found)
    config, problems = check((LEAST + "schema_registry: {url: 'http://registry'}\n").encode(), "x", {})
    assert config is None
    [problem] = problems
    assert f"pip install 'driftline[registry]' ({lacks})" in problem.message


def test_the_password_is_shown_nowhere_and_stays_a_text() -> None:
    config = load_text(PLACE % "https://registry", "x", {"PW": "0123456789"})
    assert config.schema_registry is not None
    assert config.schema_registry.password == "0123456789"
    assert "0123456789" in config.secrets()
    assert "0123456789" not in repr(config) + as_yaml(effective(config))
    _, problems = check((PLACE % "5").encode(), "x", {"PW": "0123456789"})
    assert problems
    assert "0123456789" not in str(problems)


def test_a_registry_says_nothing_of_what_is_detected() -> None:
    """As a broker does not: what it stands for is in the records."""
    plain = load_text(LEAST, "x", {})
    config = load_text(PLACE % "https://registry", "x", {"PW": "correct-horse-7"})
    assert (plain.config_hash, plain.schemas) == (config.config_hash, None)
    assert config.schemas is not None
