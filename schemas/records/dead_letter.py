"""Dead letters: the record that was rejected, as it was, with headers that say why and where it came from."""

from __future__ import annotations

from hashlib import sha256

from schemas.events.batch import Reject, Whole

RECORD_BYTES_MAX = 900_000
"""Bytes of key, value and headers of one dead letter. One record over the broker's limit (1 MiB by default) aborts the
whole transaction, alerts and offsets with it, and would do so again on every retry; so the size is settled here,
before anything is produced, with room for the framing of record and batch."""

PART_BYTES_MAX = 65_536
"""What is kept of each part of a record that is too large: enough to recognise it; the topic and offset in the headers
lead to the original."""

HEADER_FRAMING = 10
"""Two lengths of up to five bytes frame a header, so a million empty headers have a size, too."""

PREFIX = "driftline.error."

Headers = tuple[tuple[str, bytes | None], ...]


def dead_letter(
    topic: str, partition: int, reject: Reject, generation: int = 0
) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers of the record that goes to the dead-letter topic; a function of its arguments alone.

    Headers added (UTF-8 texts): driftline.error.reason (a key of REASONS), .detail, .topic, .partition, .offset and
    .time_ms (the record's own timestamp, -1 for none); .generation, how often the topic was made anew, unless never.
    One of several events of a record has .row, which it is, and as value what the mapping made of it.
    What stands for a batch that was skipped has the first offset of it, and .last_offset. A record that would be over
    RECORD_BYTES_MAX has its value cut to 64 KiB and its key or its original headers dropped where those are over
    64 KiB; then .truncated = "true", .size (of the original value in bytes) and .sha256 (of the original value, hex)
    are added.
    """
    record = reject.record
    # A dead letter that was fed back and failed again: the new account replaces the old, or headers grow each round.
    headers: Headers = tuple(header for header in record.headers if not header[0].startswith(PREFIX))
    why = {
        "reason": reject.reason,
        "detail": reject.detail,
        "topic": topic,
        "partition": str(partition),
        "offset": str(record.first_offset),
        "time_ms": str(record.time_ms),
        **({"generation": str(generation)} if generation else {}),
        **({} if reject.row is None else {"row": str(reject.row)}),
    }
    if record.skipped_from is not None:
        why["last_offset"] = str(record.offset)
    key, value = record.key, record.value
    if _size(key, value, headers + _headers(why)) > RECORD_BYTES_MAX:
        size, digest = record.whole or Whole(len(value or b""), sha256(value or b"").hexdigest())
        why |= {"truncated": "true", "size": str(size), "sha256": digest}
        value = None if value is None else value[:PART_BYTES_MAX]
        key = None if key is None or len(key) > PART_BYTES_MAX else key
        headers = () if _size(None, None, headers) > PART_BYTES_MAX else headers
    return key, value, headers + _headers(why)


def _headers(texts: dict[str, str]) -> Headers:
    return tuple((PREFIX + name, text.encode()) for name, text in texts.items())


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes of the three parts together."""
    framed = sum(len(name.encode()) + len(text or b"") + HEADER_FRAMING for name, text in headers)
    return len(key or b"") + len(value or b"") + framed
