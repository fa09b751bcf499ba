"""The config's `bridges`: who else is told of alerts, and how; `driftline bridge KIND` does it."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from streamer.config.librdkafka_settings import HIDDEN
from streamer.config.types import Duration, Model, Topic

SECRETS = (
    ("bridges", "alertmanager", "authorization"),
    ("bridges", "webhook", "url"),
    ("bridges", "webhook", "authorization"),
    ("bridges", "slack", "url"),
    ("bridges", "pagerduty", "routing_key"),
)
"""Never shown, wherever they come from. Whoever knows the address of such a webhook may write to it."""
AUTHORIZATION = "Value of the header Authorization, such as `Bearer TOKEN`, best as ${NAME} or ${file:PATH}."


def _url(text: str) -> str:
    """No message repeats the address: it may be a secret."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no address such as https://example.org:8080/path") from None
    if parts.scheme not in ("http", "https") or not host or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be an address such as https://example.org:8080/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a login: use authorization")
    if parts.fragment:
        raise ValueError("must not have a fragment, which begins with #")
    return text.rstrip("/")


def _secret_url(text: str) -> str:
    """What `config show` prints in its place is read back, as of all that is hidden."""
    return text if text == HIDDEN else _url(text)


def _header(text: str) -> str:
    if not text.isascii() or not text.isprintable() or not text.strip():
        raise ValueError("must be one line of ASCII")
    return text.strip()


Url = Annotated[str, AfterValidator(_url)]
SecretUrl = Annotated[str, AfterValidator(_secret_url)]
Header = Annotated[str, AfterValidator(_header)]
Least = Literal["info", "warning", "critical"]


class Bridge(Model):
    """What all bridges have. Each is a consumer group of its own."""

    group: Topic | None = Field(None, description="Consumer group; default kafka.group and the kind: GROUP-slack.")
    severity: Least = Field("info", description="The least severity that is told.")
    ca: str | None = Field(None, description="File of the certificates that are trusted; default those of the system.")
    timeout_ms: Duration = Field(
        "5s", alias="timeout", ge=100, le=60_000, validate_default=True, description="For an answer of the receiver."
    )


class Alertmanager(Bridge):
    """Prometheus Alertmanager, by its API v2."""

    url: Url = Field(description="Its address, as in http://alertmanager:9093.")
    authorization: Header | None = Field(None, description=AUTHORIZATION)
    silences: Literal["off", "told", "both"] = Field(
        "told",
        description="told: a mute (driftline alerts mute, the page) is a silence there until it ends. both: a silence"
        " there of one model and one monitor is a mute here, too, written to the topic of control.",
    )
    interval_ms: Duration = Field(
        "1m",
        alias="interval",
        ge=1000,
        le=3_600_000,
        validate_default=True,
        description="How often what fires is told again: Alertmanager ends it four intervals after it was told last.",
    )
    forget_after_ms: Duration = Field(
        "7d",
        alias="forget_after",
        ge=60_000,
        validate_default=True,
        description="An alert that no record told of for so long, and for four repeat_intervals, is told no more:"
        " its monitor or model is gone, and nobody will resolve it.",
    )


class Webhook(Bridge):
    """Any address that takes the records as they are."""

    url: SecretUrl = Field(
        description="Where each record is posted, https://...; a secret: best as ${NAME} or ${file:PATH}."
    )
    authorization: Header | None = Field(None, description=AUTHORIZATION)


class Chat(Bridge):
    severity: Least = Field("warning", description="The least severity that is told.")
    tell: Literal["alerts", "incidents"] = Field(
        "alerts",
        description="Each alert; or incidents: what began together in one model as one, and alerts about no model.",
    )


class Slack(Chat):
    """An incoming webhook of Slack, or of what takes the same."""

    url: SecretUrl = Field(
        description="Address of the incoming webhook, https://...; a secret: best as ${NAME} or ${file:PATH}."
    )


class PagerDuty(Chat):
    """Events API v2."""

    url: Url = Field(
        "https://events.pagerduty.com", description="Its address; https://events.eu.pagerduty.com in the EU."
    )
    routing_key: Header = Field(description="Key of the integration, best as ${NAME} or ${file:PATH}.")


class Bridges(Model):
    """Who else is told of alerts. `driftline bridge KIND -c FILE` runs one of them."""

    page: Url | None = Field(
        None, description="Address of Driftline's page, by which those who are told get to an alert."
    )
    alertmanager: Alertmanager | None = Field(None, description="Prometheus Alertmanager.")
    webhook: Webhook | None = Field(None, description="An address that takes the records as they are.")
    slack: Slack | None = Field(None, description="A channel of Slack.")
    pagerduty: PagerDuty | None = Field(None, description="PagerDuty.")

    def there(self) -> dict[str, Bridge]:
        """Those that the config has, by kind."""
        found = {kind: getattr(self, kind) for kind in KINDS}
        return {kind: one for kind, one in found.items() if one is not None}


KINDS = ("alertmanager", "webhook", "slack", "pagerduty")


def group_of(bridge: Bridge, kind: str, group: str) -> str:
    """The consumer group of a bridge, in the config of the group `group`."""
    return bridge.group or f"{group}-{kind}"
