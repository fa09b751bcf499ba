"""The root pointer as offset metadata: `v1;S=81812;p=3;o=7;n=2;sha=...;cfg=...;slot=0` (a broker allows 4096 bytes)."""

from __future__ import annotations

import re

from streamer.log import Pointer

PATTERN = re.compile(
    r"v1;S=(\d{1,19});p=(\d{1,9});o=(\d{1,19});n=(\d{1,9});sha=([0-9a-f]{64});cfg=([0-9a-f]{1,64});slot=([01])",
    re.ASCII,
)


def to_text(pointer: Pointer | None) -> str:
    if pointer is None:
        return ""
    position, partition, offset, chunks, sha, config, slot = pointer
    return f"v1;S={position};p={partition};o={offset};n={chunks};sha={sha};cfg={config};slot={slot}"


def from_text(text: str | None) -> Pointer | None:
    """None for anything that is not a pointer of ours: the fallback then reads the whole state partition."""
    match = PATTERN.fullmatch(text or "")
    if match is None:
        return None
    numbers = [int(part) for part in match.groups()[:4]]
    return Pointer(numbers[0], numbers[1], numbers[2], numbers[3], match[5], match[6], int(match[7]))
