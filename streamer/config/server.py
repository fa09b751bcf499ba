"""What is served over HTTP, and how another config comes to a service at work."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamer.config.types import Duration, Listen, Model

SECRETS = (("server", "token"),)
"""Never shown, wherever they come from."""


class Server(Model):
    """Health, metrics and the page over HTTP."""

    listen: Listen = Field("127.0.0.1:8080", description="HOST:PORT; port 0 picks one.")
    page: Literal["local", "all", "off"] = Field(
        "local", description="Who is shown the page: whoever asks from the same machine, all who can connect, nobody."
    )
    token: str | None = Field(
        None,
        description="Whoever wants the page must know it, best as ${NAME} or ${file:PATH}; probes, metrics stay open.",
    )
    control: bool = Field(
        False,
        description="Whether the page has buttons (commands, verdicts), and POST /-/reload is taken: from whoever has "
        "the token; without one only from the same machine.",
    )
    reload_every_ms: Duration | None = Field(
        None,
        alias="reload_every",
        ge=1000,
        description="How often it is looked whether this file is another one, as a mounted ConfigMap becomes; default: "
        "on SIGHUP only.",
    )
