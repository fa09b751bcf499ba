"""What all our records are wrapped in: CloudEvents 1.0 in structured JSON."""

from __future__ import annotations

from typing import Any

HEADERS = (("content-type", b"application/cloudevents+json; charset=utf-8"),)


def named(topic: str, generation: int) -> str:
    """A topic as ids name it. One that was deleted and made anew counts its offsets from 0 again: `generation`, how
    often, tells its ids from those of before. No name of a topic has a `~`.
    """
    return f"{topic}~{generation}" if generation else topic


def numbered(offset: int, row: int) -> str:
    """A place as ids have it: two rows of a record may each begin something."""
    return f"{offset}.{row}" if row else str(offset)


def located(topic: str, partition: int, offset: int, **more: Any) -> dict[str, Any]:
    """A place as records have it; `more`: what else is said of it, such as its time."""
    return {"topic": topic, "partition": partition, "offset": offset, **more}


def envelope(
    kind: str, id: str, source: str, subject: str, time: str, data: dict[str, Any], **extensions: Any
) -> dict[str, Any]:
    """`kind` begins with the name of the schema (`alert.firing`: alert); `source` is the consumer group."""
    return {
        "specversion": "1.0",
        "id": id,
        "type": f"io.driftline.{kind}.v1",
        "source": f"/driftline/{source}",
        "subject": subject,
        "time": time,
        "datacontenttype": "application/json",
        "dataschema": f"urn:driftline:schema:{kind.partition('.')[0]}:1",
        **extensions,
        "data": data,
    }
