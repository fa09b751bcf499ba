"""The config's `schema_registry`: where the schemas are of values that begin with the id of one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from streamer.config.types import Duration, Model

NEEDED = ("fastavro", "google.protobuf")
"""Modules that read the values: they come with the extra `registry`."""


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must be an address such as https://registry:8081")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold the login: use schema_registry.user and schema_registry.password")
    if parts.query or parts.fragment:
        raise ValueError("must end with its path: nothing behind ? or #")
    return text.rstrip("/")


class SchemaRegistry(Model):
    """Confluent's registry or one that speaks its API. Values in Avro, Protobuf and JSON are read by their schemas."""

    url: Annotated[str, AfterValidator(_url)] = Field(description="Address, as in https://registry:8081.")
    user: str | None = Field(None, description="Login, with the password; of a hosted registry the API key.")
    password: str | None = Field(None, description="Its password, best as ${NAME} or ${file:PATH}.")
    ca: str | None = Field(None, description="File of the certificates that are trusted; default those of the system.")
    timeout_ms: Duration = Field(
        "5s",
        alias="timeout",
        ge=100,
        le=60_000,
        validate_default=True,
        description="For an answer. Without one records wait, and it is asked again.",
    )

    @model_validator(mode="after")
    def _usable(self) -> SchemaRegistry:
        lacking = [name for name in NEEDED if not _there(name)]
        if lacking:
            raise ValueError(
                f"needs the packages fastavro and protobuf: pip install 'driftline[registry]' ({lacking[0]})"
            )
        if (self.user is None) != (self.password is None):
            raise ValueError("needs user and password, or neither")
        return self


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # Of the package it would be in.
        return False
